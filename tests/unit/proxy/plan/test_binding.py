# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for the bindings of a port: what OVN is told while a VM moves, and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import Row, SwitchPort
from ovirt_ovn_proxy.nb.view import View
from ovirt_ovn_proxy.plan import binding
from ovirt_ovn_proxy.plan.draft import Plan
from ovirt_ovn_proxy.plan.release import find_open, plan_release
from ovirt_ovn_proxy.routes import match_bindings
from ovirt_ovn_proxy.wire.binding import encode_bindings
from ovirt_ovn_proxy.writing import make_writer
from unit.proxy.plans import (
    FOREIGN,
    FOREIGN_PORT,
    PORT,
    a_network,
    a_port,
    a_router_port,
    context,
    nb_global,
    put_by,
    row_id,
    rows_after,
    view_of,
)

HOST1 = {keys.HOST_ID: "hv1"}
SRC_DST = {"requested-chassis": "hv1,hv2", "activation-strategy": "rarp"}


def inactive(*hosts: str) -> dict[str, str]:
    """Return what a row keeps of inactive bindings on these hosts."""
    return {keys.INACTIVE_BINDINGS: json.dumps([{"host": host} for host in hosts])}


MOVING = a_port(external_ids={**HOST1, **inactive("hv2")}, options=SRC_DST)


def site(port: SwitchPort) -> list[Row]:
    """Return the rows of a network with this port."""
    return [nb_global(), a_network(port.uuid), port]


def request(
    method: str, below: str, body: Any = None, port_id: str = PORT, **options: Any
) -> Callable[[View], Plan]:
    """Return the planner of a request below a port."""
    route = match_bindings(method, f"/v2.0/ports/{port_id}/{below}")
    assert route.resource is not None
    content = b"" if body is None else json.dumps(body).encode()
    return make_writer(route, route.resource, content, context(**options)).make_plan


def add(host: str, **values: Any) -> tuple[str, str, Any]:
    """Return a request for a binding on a host."""
    return "POST", "bindings", {"binding": {"host": host, **values}}


def activate(host: str) -> tuple[str, str]:
    """Return a request to make a binding the active one."""
    return "PUT", f"bindings/{host}/activate"


def confirm(host: str) -> tuple[str, str]:
    """Return a host's request to have a port that it has."""
    return "PUT", f"bindings/{host}/confirm"


def remove(host: str) -> tuple[str, str]:
    """Return a request for a binding to go."""
    return "DELETE", f"bindings/{host}"


def after(port: SwitchPort, *requests: tuple[Any, ...], **options: Any) -> SwitchPort:
    """Return the port after these requests, each of which must be one that changes something."""
    rows = site(port)
    for each in requests:
        plan = request(*each, **options)(view_of(*rows))
        assert plan.steps
        assert not plan.is_done(view_of(*rows))
        rows = rows_after(rows, plan)
        assert plan.is_done(view_of(*rows))
    (row,) = (row for row in rows if isinstance(row, SwitchPort))
    return row


def hosts(port: SwitchPort) -> list[str]:
    """Return the hosts of a port's bindings, the active one first."""
    found = encode_bindings(port)
    assert ["ACTIVE"] + ["INACTIVE"] * (len(found) - 1) == [one["status"] for one in found]
    return [one["host"] for one in found]


@pytest.mark.parametrize(
    ("port", "requests", "expected_hosts", "expected_options"),
    [
        # A migration: announced, and ended in each way.
        (a_port(external_ids=HOST1), [add("hv2")], ["hv1", "hv2"], SRC_DST),
        (a_port(external_ids=HOST1), [add("hv2"), activate("hv2")], ["hv2"], {}),
        (a_port(external_ids=HOST1), [add("hv2"), remove("hv2")], ["hv1"], {}),
        # Other options stay.
        (
            a_port(external_ids=HOST1, options={"qos_burst": "5"}),
            [add("hv2")],
            ["hv1", "hv2"],
            {**SRC_DST, "qos_burst": "5"},
        ),
        (
            a_port(external_ids=HOST1, options={"qos_burst": "5"}),
            [add("hv2"), activate("hv2")],
            ["hv2"],
            {"qos_burst": "5"},
        ),
        # Nobody knows where the VM is: then OVN is told nothing that could be wrong.
        (a_port(), [add("hv2")], ["", "hv2"], {}),
        (a_port(), [add("hv2"), add("hv3")], ["", "hv2", "hv3"], {}),
        (a_port(), [add("hv2"), activate("hv2")], ["hv2"], {}),
        (a_port(), [add("hv2"), remove("hv2")], [""], {}),
        # Nor where the host's name would be read as two.
        (
            a_port(external_ids={keys.HOST_ID: "a,b"}),
            [add("hv2")],
            ["a,b", "hv2"],
            {},
        ),
        (a_port(external_ids={keys.HOST_ID: "the host"}), [add("hv2")], ["the host", "hv2"], {}),
        # What the peer pinned, or another hand.
        (
            a_port(options={"requested-chassis": "hv1"}),
            [add("hv2")],
            ["hv1", "hv2"],
            SRC_DST,
        ),
        (a_port(options={"requested-chassis": "hv1"}), [add("hv2"), remove("hv2")], ["hv1"], {}),
        (a_port(options=SRC_DST), [remove("hv2")], ["hv1"], {}),
        (a_port(options=SRC_DST), [activate("hv2")], ["hv2"], {}),
        # Left over by a migration whose end nobody told: the VM may be on either host.
        (
            MOVING,
            [add("hv3")],
            ["hv1", "hv2", "hv3"],
            {**SRC_DST, "requested-chassis": "hv1,hv2,hv3"},
        ),
        (
            a_port(external_ids=HOST1, options=SRC_DST),
            [add("hv3")],
            ["hv1", "hv2", "hv3"],
            {**SRC_DST, "requested-chassis": "hv1,hv2,hv3"},
        ),
        (MOVING, [add("hv3"), activate("hv3")], ["hv3"], {}),
        (MOVING, [add("hv3"), activate("hv2")], ["hv2"], {}),
        (MOVING, [add("hv3"), remove("hv3")], ["hv1", "hv2"], SRC_DST),
        (
            MOVING,
            [add("hv3"), remove("hv2")],
            ["hv1", "hv3"],
            {**SRC_DST, "requested-chassis": "hv1,hv3"},
        ),
        (MOVING, [add("hv3"), remove("hv3"), remove("hv2")], ["hv1"], {}),
        # The main chassis is not the host that is kept, by another hand: it stays the main one.
        (
            a_port(external_ids={keys.HOST_ID: "hv9"}, options=SRC_DST),
            [add("hv3")],
            ["hv9", "hv1", "hv2", "hv3"],
            {**SRC_DST, "requested-chassis": "hv1,hv2,hv3"},
        ),
    ],
)
def test_migrations(
    port: SwitchPort,
    requests: list[Any],
    expected_hosts: list[str],
    expected_options: dict[str, str],
) -> None:
    """OVN is told of the hosts of a migration for as long as it lasts, and of none after."""
    row = after(port, *requests)

    assert expected_hosts == hosts(row)
    assert expected_options == row.options
    assert (len(expected_hosts) > 1) == (keys.INACTIVE_BINDINGS in row.external_ids)


@pytest.mark.parametrize(
    "port",
    [
        MOVING,
        a_port(external_ids=HOST1, options=SRC_DST),
        a_port(external_ids=HOST1, options={"requested-chassis": "hv3"}),
        a_port(external_ids={keys.HOST_ID: "hv3"}),
        a_port(external_ids={keys.HOST_ID: "a,b", **inactive("hv1", "hv2")}),
        a_port(),
    ],
)
def test_the_host_of_the_vm_is_sure(port: SwitchPort) -> None:
    """A host that has the VM has the port alone, whatever was known, and whatever is left over."""
    row = after(port, confirm("hv1"))

    assert (["hv1"], {}) == (hosts(row), row.options)
    assert keys.INACTIVE_BINDINGS not in row.external_ids
    assert not request(*confirm("hv1"))(view_of(*site(row))).steps


def test_what_is_known_of_the_host_of_the_vm() -> None:
    """What the port's new binding says of its own becomes the port's, as when it is activated."""
    stored = '[{"host": "hv2", "profile": {"a": 1}}]'
    port = a_port(external_ids={**HOST1, keys.INACTIVE_BINDINGS: stored}, options=SRC_DST)
    rows = site(port)
    confirmed, activated = (request(*ask("hv2"))(view_of(*rows)) for ask in (confirm, activate))

    assert activated.operations == confirmed.operations
    assert activated.answer == confirmed.answer
    assert {"a": 1} == confirmed.answer["profile"]


@pytest.mark.parametrize("is_up", [True, False, None])
def test_where_a_port_is_plugged(is_up: bool | None) -> None:
    """While OVN is told of several hosts, the active binding says whether that one has the port."""
    moving = a_port(external_ids=HOST1, options=SRC_DST, up=is_up)
    details = [one["vif_details"] for one in encode_bindings(moving)]
    assert [{"plugged": is_up is True}, {}] == details

    for options in ({}, {"requested-chassis": "hv1"}):
        alone = a_port(external_ids={**HOST1, **inactive("hv2")}, options=options, up=is_up)
        assert [{}, {}] == [one["vif_details"] for one in encode_bindings(alone)]


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([add("hv2")], SRC_DST),
        ([confirm("hv2")], {"requested-chassis": "hv2"}),
        ([add("hv2"), confirm("hv1")], {"requested-chassis": "hv1"}),
        ([add("hv2"), activate("hv2")], {"requested-chassis": "hv2"}),
        ([add("hv2"), remove("hv2")], {"requested-chassis": "hv1"}),
    ],
)
def test_migrations_of_pinned_ports(requests: list[Any], expected: dict[str, str]) -> None:
    """Where the site pins ports to their host, they are pinned again after a migration."""
    port = a_port(external_ids=HOST1, options={"requested-chassis": "hv1"})

    assert expected == after(port, *requests, ovs_version_2_9=True).options


@pytest.mark.parametrize("port", [MOVING, a_port(external_ids=HOST1, options=SRC_DST)])
@pytest.mark.parametrize("host", ["hv1", "hv2", "hv3", ""])
@pytest.mark.parametrize("pins", [False, True])
def test_the_engine_says_where_the_vm_is(port: SwitchPort, host: str, pins: bool) -> None:
    """A PUT of the host, whichever it is, ends whatever is open."""
    rows = site(port)
    values = {"binding:host_id": host}
    plan = put_by("ports", PORT, values, is_engine=True, ovs_version_2_9=pins)(view_of(*rows))
    (row,) = (row for row in rows_after(rows, plan) if isinstance(row, SwitchPort))

    assert [host] == hosts(row)
    assert ({"requested-chassis": host} if pins and host else {}) == row.options
    assert keys.INACTIVE_BINDINGS not in row.external_ids


def test_other_changes_of_a_port() -> None:
    """A PUT that does not name the host leaves a migration alone."""
    rows = site(MOVING)
    plan = put_by("ports", PORT, {"name": "new", "security_groups": None})(view_of(*rows))
    (row,) = (row for row in rows_after(rows, plan) if isinstance(row, SwitchPort))

    assert (["hv1", "hv2"], SRC_DST) == (hosts(row), row.options)


def test_operations() -> None:
    """An announcement is one update of the row, if it still is what the plan rests on."""
    port = a_port(external_ids=HOST1)
    plan = request(*add("hv2"))(view_of(*site(port)))
    row = after(port, add("hv2"))

    seen = {"options": {}, "external_ids": port.external_ids}
    new = {"options": SRC_DST, "external_ids": row.external_ids}
    assert [
        ops.wait_columns(schema.PORT, PORT, {"options": {}}),
        ops.wait_columns(schema.PORT, PORT, seen),
        ops.update(schema.PORT, PORT, new),
    ] == plan.operations
    assert "2" == row.external_ids[keys.REVISION]


def test_answers() -> None:
    """A binding is answered with all that it is; only an activated one without its name around."""
    rows = site(a_port(external_ids={**HOST1, keys.VNIC_TYPE: "direct"}))
    added = request(*add("hv2", profile={"a": "1"}))(view_of(*rows))
    rows = rows_after(rows, added)
    activated = request(*activate("hv2"), {"port_id": PORT})(view_of(*rows))
    (row,) = (row for row in rows_after(rows, activated) if isinstance(row, SwitchPort))

    new = {
        "host": "hv2",
        "vif_type": "ovs",
        "vif_details": {},
        "vnic_type": "direct",
        "profile": {"a": "1"},
    }
    assert {"binding": {**new, "status": "INACTIVE"}} == added.answer
    assert {**new, "status": "ACTIVE"} == activated.answer
    assert [activated.answer] == encode_bindings(row)
    assert '{"a": "1"}' == row.external_ids[keys.BINDING_PROFILE]


@pytest.mark.parametrize(
    ("host", "profiles"),
    [("hv1", [{"a": 1}, {"b": 2}]), ("hv2", [{"b": 2}, {"a": 1}])],
)
def test_a_put_of_a_binding(host: str, profiles: list[Any]) -> None:
    """A PUT changes what one binding says, and moves nothing."""
    port = a_port(
        external_ids={
            **HOST1,
            keys.BINDING_PROFILE: '{"b": 2}',
            keys.INACTIVE_BINDINGS: '[{"host": "hv2", "profile": {"b": 2}}]',
        },
        options=SRC_DST,
    )
    given = {"binding": {"host": host, "profile": {"a": 1}, "vnic_type": "normal"}}
    plan = request("PUT", f"bindings/{host}", given)(view_of(*site(port)))
    row = after(port, ("PUT", f"bindings/{host}", given))

    found = encode_bindings(row)
    assert profiles == [one["profile"] for one in found]
    assert ["hv1", "hv2"] == hosts(row)
    assert SRC_DST == row.options
    assert {"binding": found[host == "hv2"]} == plan.answer


ROUTER_PORT = a_router_port(PORT)[0]
FLOATING = a_port(external_ids={keys.FLOATING_ADDRESS: "203.0.113.7"})


@pytest.mark.parametrize(
    ("port", "asked", "status", "error_type"),
    [
        (MOVING, add("hv1"), 409, "PortBindingAlreadyExists"),
        (MOVING, add("hv2"), 409, "PortBindingAlreadyExists"),
        (MOVING, activate("hv1"), 409, "PortBindingAlreadyActive"),
        (MOVING, activate("hv3"), 404, "PortBindingNotFound"),
        (a_port(external_ids=HOST1), activate("hv2"), 404, "PortBindingNotFound"),
        (a_port(), activate("hv2"), 404, "PortBindingNotFound"),
        (MOVING, remove("hv1"), 409, "PortBindingAlreadyActive"),
        (MOVING, remove("hv3"), 404, "PortBindingNotFound"),
        (MOVING, ("PUT", "bindings/hv3", {"binding": {}}), 404, "PortBindingNotFound"),
        (MOVING, ("PUT", "bindings/hv2", {"binding": {"host": "hv3"}}), 400, "BadRequest"),
        (ROUTER_PORT, add("hv2"), 400, "BadRequest"),
        (ROUTER_PORT, confirm("hv2"), 400, "BadRequest"),
        (FLOATING, add("hv2"), 400, "BadRequest"),
        (a_port(external_ids={keys.DEVICE_OWNER: "network:dhcp"}), add("hv2"), 400, "BadRequest"),
        *(
            (MOVING, (*asked, None, port_id)[:4], 404, "PortNotFound")
            for port_id in (row_id(99), FOREIGN_PORT, "nonsense")
            for asked in (activate("hv2"), confirm("hv2"), remove("hv2"))
        ),
        *(
            (MOVING, (*add("hv2"), port_id), 404, "PortNotFound")
            for port_id in (row_id(99), FOREIGN_PORT)
        ),
    ],
)
def test_refusals(port: SwitchPort, asked: Any, status: int, error_type: str) -> None:
    """What cannot be done is refused as in Neutron; ports of other managers do not exist."""
    rows = [nb_global(), a_network(PORT), port, *FOREIGN]
    with pytest.raises(ApiError) as refused:
        request(*asked)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


@pytest.mark.parametrize(
    "asked",
    [
        ("POST", "bindings", {"binding": {}}),
        ("POST", "bindings", {"binding": {"host": ""}}),
        ("POST", "bindings", {"binding": {"host": None}}),
        ("POST", "bindings", {"binding": {"host": ["hv2"]}}),
        ("POST", "bindings", {"binding": {"host": "hv2,hv3"}}),
        ("POST", "bindings", {"binding": {"host": "hv2 hv3"}}),
        ("POST", "bindings", {"binding": {"host": "hv2\n"}}),
        ("POST", "bindings", {"binding": {"host": "h" * 256}}),
        ("POST", "bindings", {"binding": {"host": "hv2", "status": "ACTIVE"}}),
        ("POST", "bindings", {"binding": {"host": "hv2", "vif_type": "ovs"}}),
        ("POST", "bindings", {"binding": {"host": "hv2", "vnic_type": "fast"}}),
        ("POST", "bindings", {"binding": {"host": "hv2", "profile": "x"}}),
        ("POST", "bindings", {"binding": {"host": "hv2", "colour": "red"}}),
        ("POST", "bindings", {"bindings": [{"host": "hv2"}]}),
        ("POST", "bindings", {"bindings": []}),
        ("PUT", "bindings/hv2", {"binding": {"status": "ACTIVE"}}),
        ("PUT", "bindings/hv2", None),
        ("PUT", "bindings/hv2/activate", ["hv2"]),
        ("PUT", "bindings/hv2/confirm", ["hv2"]),
        ("PUT", "bindings/hv2,hv3/confirm", None),
        ("PUT", f"bindings/{'h' * 256}/confirm", None),
        ("DELETE", "bindings/hv2", {}),
    ],
)
def test_bad_bodies(asked: Any) -> None:
    """A body that is none of the API's is refused before anything is looked at."""
    with pytest.raises(ApiError) as refused:
        request(*asked)

    assert 400 == refused.value.status


def test_a_profile_that_is_taken_away() -> None:
    """A null profile is an empty one, whatever the port's is."""
    port = a_port(external_ids={**HOST1, keys.BINDING_PROFILE: '{"b": 2}'})
    row = after(port, add("hv2", profile=None), activate("hv2"))

    assert keys.BINDING_PROFILE not in row.external_ids


def test_many_hosts() -> None:
    """However many hosts announce themselves, the list stays short, and the main chassis first."""
    announced = [f"host{number}" for number in range(30)]
    row = after(a_port(external_ids=HOST1), *map(add, announced))

    newest = announced[-binding.MOST_INACTIVE :]
    assert ["hv1", *newest] == hosts(row)
    assert ",".join(["hv1", *newest]) == row.options["requested-chassis"]


def test_one_host_under_many_names() -> None:
    """A host that spells its name in many ways pushes no other one out."""
    spellings = ["a-host", *(f"{'a-host'[:n].upper()}{'a-host'[n:]}" for n in (1, 3, 4, 5, 6))]
    spellings += ["a-hosT", "a-hoST", "a-hOST"]
    row = after(a_port(external_ids=HOST1), add("hv2"), *map(add, spellings))

    assert len(spellings) > binding.MOST_INACTIVE
    assert ["hv1", "hv2", spellings[-1]] == hosts(row)


@pytest.mark.parametrize(
    "stored",
    ["", "{", "{}", '["hv2"]', '[{"host": 2}]', '[{"vnic_type": "normal"}]', '[{"host": "a,b"}]'],
)
def test_damaged_rows(stored: str) -> None:
    """What another hand has left of our key is no binding, and does not last."""
    port = a_port(external_ids={**HOST1, keys.INACTIVE_BINDINGS: stored})

    assert ["hv1"] == hosts(port)
    assert ["hv1", "hv2"] == hosts(after(port, add("hv2")))


@pytest.mark.parametrize(
    ("port", "pins", "expected"),
    [
        (a_port(external_ids=HOST1), False, None),
        (a_port(external_ids=HOST1, options={"qos_burst": "5"}), False, None),
        (a_port(), False, None),
        (MOVING, False, {}),
        (a_port(external_ids=HOST1, options=SRC_DST), False, {}),
        (a_port(external_ids=HOST1, options={"activation-strategy": "rarp"}), False, {}),
        (a_port(options={"requested-chassis": "hv1"}), False, {}),
        (a_port(external_ids=inactive("hv2")), False, {}),
        (MOVING, True, {"requested-chassis": "hv1"}),
        (a_port(external_ids=HOST1, options={"requested-chassis": "hv1"}), True, None),
    ],
)
def test_release(port: SwitchPort, pins: bool, expected: dict[str, str] | None) -> None:
    """A port is released from what migrations left, and its host is kept."""
    rows = site(port)
    options = context(ovs_version_2_9=pins)
    plan = plan_release([PORT, row_id(99)], options, view_of(*rows))
    (row,) = (row for row in rows_after(rows, plan) if isinstance(row, SwitchPort))

    assert ([PORT] if plan.steps else []) == find_open(view_of(*rows), options.config)
    assert (expected is not None) == bool(plan.steps) == bool(plan.answer)
    assert (port.options if expected is None else expected) == row.options
    assert hosts(port)[:1] == hosts(row)
    assert [] == find_open(view_of(*site(row)), options.config)


def test_release_of_others() -> None:
    """Ports of routers and of other managers are none of a migration's, whatever they say."""
    foreign, pod = FOREIGN
    assert isinstance(pod, SwitchPort)
    rows = [foreign, pod.copy(options=SRC_DST), a_network(PORT), ROUTER_PORT.copy(options=SRC_DST)]

    assert [] == find_open(view_of(*rows), context().config)
    assert () == plan_release([PORT, FOREIGN_PORT], context(), view_of(*rows)).steps
