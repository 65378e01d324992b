# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for networks, by their operations."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict, NotFound
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Row, Switch, SwitchPort
from unit.proxy.plans import (
    FOREIGN,
    FOREIGN_NET,
    LATER,
    LOCALNET,
    MAC,
    NB,
    NET,
    NOW,
    OTHER_NET,
    OWN_ROW,
    PORT,
    PORT2,
    SUBNET,
    SUBNET6,
    a_localnet,
    a_network,
    a_port,
    a_router_port,
    a_subnet,
    a_subnet6,
    assert_answered,
    base_groups,
    changes,
    counted,
    delete,
    encoded,
    nb_global,
    post,
    put,
    put_by,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

NEW = row_uuid("network/0")
NEW2 = row_uuid("network/1")
FLAT = {"provider:network_type": "flat", "provider:physical_network": "phys"}
VLAN = {
    "provider:network_type": "vlan",
    "provider:physical_network": "phys",
    "provider:segmentation_id": 5,
}
OVERLAY = {
    "provider:network_type": "geneve",
    "provider:physical_network": None,
    "provider:segmentation_id": None,
}
SITE: tuple[Row, ...] = (counted(NET, "physical_phys"), a_network())


def new_ids(**changed: str) -> dict[str, str]:
    """Return the external_ids of a new network without name."""
    return {
        keys.CREATED_AT: LATER,
        keys.UPDATED_AT: LATER,
        keys.REVISION: "1",
        keys.NETWORK_NAME: "",
        keys.NETWORK_PORT_SECURITY: "False",
        **changed,
    }


def changed_ids(row: Switch, **changed: str) -> dict[str, str]:
    """Return the external_ids of a network after its first change."""
    return {**row.external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2", **changed}


def counter(name: str, value: str | None) -> Operation:
    """Return the operation that sets a counter."""
    return ops.set_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + name, value)


def counter_guard(name: str, value: str = "7") -> Operation:
    """Return the guard on a counter."""
    return ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + name, value)


# --- create ---


@pytest.mark.parametrize(
    ("given", "name", "external_ids"),
    [
        ({}, "", {}),
        ({"name": "blue"}, "blue", {keys.NETWORK_NAME: "blue"}),
        (
            {
                "name": "blue",
                "description": "d",
                "mtu": 1400,
                "shared": True,
                "router:external": "yes",
                "admin_state_up": False,
                "port_security_enabled": True,
            },
            "blue",
            {
                keys.NETWORK_NAME: "blue",
                keys.DESCRIPTION: "d",
                keys.NETWORK_MTU: "1400",
                keys.NETWORK_SHARED: "True",
                keys.NETWORK_EXTERNAL: "True",
                keys.ADMIN_STATE: "False",
                keys.NETWORK_PORT_SECURITY: "True",
            },
        ),
        ({"mtu": 0, "shared": False, "tenant_id": "any"}, "", {}),
        (OVERLAY, "", {}),
    ],
)
def test_create(given: Any, name: str, external_ids: dict[str, str]) -> None:
    """A new network is one switch, and a counter that nobody else can know yet."""
    rows = (nb_global(), *base_groups())
    plan = post("networks", given)(view_of(*rows))

    assert [
        counter(NEW, "1"),
        ops.insert(
            schema.SWITCH,
            NEW,
            {"name": f"ovirt-{name}-{NEW}", "external_ids": new_ids(**external_ids)},
        ),
    ] == plan.operations
    assert_answered(plan, rows, "networks")


@pytest.mark.parametrize(("given", "tag"), [(FLAT, None), (VLAN, 5)])
def test_create_provider(given: Any, tag: int | None) -> None:
    """A network on a physical one has a localnet port, and advances that one's counter."""
    rows = (counted("physical_phys"),)
    plan = post("networks", given)(view_of(*rows))
    localnet = row_uuid("network/0/localnet")
    columns = a_localnet(tag, uuid=localnet).columns()

    assert [
        counter_guard("physical_phys"),
        counter(NEW, "1"),
        counter("physical_phys", "8"),
        ops.insert(schema.SWITCH, NEW, {"name": f"ovirt--{NEW}", "external_ids": new_ids()}),
        ops.insert(schema.PORT, localnet, columns),
        ops.add_to_set(schema.SWITCH, NEW, "ports", [localnet]),
    ] == plan.operations
    assert_answered(plan, rows, "networks")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"provider:physical_network": "phys"}, FLAT),
        ({"provider:physical_network": "phys", "provider:segmentation_id": "5"}, VLAN),
        ({"provider:network_type": None}, OVERLAY),
        (OVERLAY, OVERLAY),
        ({**FLAT, "provider:segmentation_id": None}, FLAT),
    ],
)
def test_create_provider_forms(given: Any, shown: dict[str, Any]) -> None:
    """The type follows from what is given where it is not."""
    rows = (nb_global(),)
    plan = post("networks", given)(view_of(*rows))
    answer = plan.answer["network"]

    assert {"provider:segmentation_id": None, **shown} == {key: answer[key] for key in OVERLAY}
    assert_answered(plan, rows, "networks")


def test_create_in_bulk() -> None:
    """A bulk request is one plan, its objects in order."""
    rows = (nb_global(),)
    plan = post("networks", {"name": "one"}, {"name": "two", **FLAT})(view_of(*rows))

    assert ["one", "two"] == [one["name"] for one in plan.answer["networks"]]
    assert [NEW, NEW2] == [one["id"] for one in plan.answer["networks"]]
    assert_answered(plan, rows, "networks")


def test_port_security_default() -> None:
    """The site says whether a network that does not say has port security."""
    plan = post("networks", {}, port_security_enabled_default=True)(view_of(nb_global()))

    assert plan.answer["network"]["port_security_enabled"] is True


def test_create_for_the_engine() -> None:
    """The engine is answered with null for what nobody asked for."""
    plan = post("networks", {}, is_engine=True)(view_of(nb_global()))

    assert (None, None) == (
        plan.answer["network"]["mtu"],
        plan.answer["network"]["provider:network_type"],
    )


def test_deterministic() -> None:
    """One view and one request give one plan."""
    make = post("networks", {"name": "a", **VLAN}, {"name": "b"})

    assert make(view_of(*SITE)) == make(view_of(*SITE))
    assert make(view_of(*SITE)).operations == make(view_of(*SITE)).operations


@pytest.mark.parametrize(
    ("objects", "status", "error_type"),
    [
        ([{"provider:network_type": "flat"}], BadRequest, "InvalidInput"),
        ([{"provider:network_type": "vlan"}], BadRequest, "InvalidInput"),
        ([{**FLAT, "provider:segmentation_id": 5}], BadRequest, "InvalidInput"),
        ([{**VLAN, "provider:segmentation_id": None}], BadRequest, "InvalidInput"),
        ([{**VLAN, "provider:physical_network": None}], BadRequest, "InvalidInput"),
        ([{**FLAT, "provider:physical_network": ""}], BadRequest, "InvalidInput"),
        ([{**OVERLAY, "provider:physical_network": "phys"}], BadRequest, "InvalidInput"),
        ([{**OVERLAY, "provider:segmentation_id": 5}], BadRequest, "InvalidInput"),
        ([{"provider:segmentation_id": 5}], BadRequest, "InvalidInput"),
        ([{**FLAT, "provider:physical_network": "taken"}], Conflict, "FlatNetworkInUse"),
        ([{**VLAN, "provider:physical_network": "tagged"}], Conflict, "VlanIdInUse"),
        ([FLAT, FLAT], Conflict, "FlatNetworkInUse"),
        ([VLAN, VLAN], Conflict, "VlanIdInUse"),
        ([{"mtu": 9001}], BadRequest, "InvalidInput"),
    ],
)
def test_create_refused(objects: list[Any], status: type[ApiError], error_type: str) -> None:
    """What cannot be is refused with the API's type."""
    view = view_of(
        nb_global(),
        a_network(LOCALNET),
        a_localnet(physical="taken"),
        a_network(row_id(90), uuid=OTHER_NET),
        a_localnet(5, "tagged", row_id(90)),
    )
    with pytest.raises(status) as refused:
        post("networks", *objects, validation_max_allowed_mtu_bytes=9000)(view)

    assert error_type == refused.value.error_type


@pytest.mark.parametrize(
    "given",
    [
        {**VLAN, "provider:physical_network": "taken"},
        {**FLAT, "provider:physical_network": "tagged"},
        {**VLAN, "provider:physical_network": "tagged", "provider:segmentation_id": 6},
        FLAT,
    ],
)
def test_create_beside_others(given: Any) -> None:
    """One physical network carries one flat network beside any number of VLANs."""
    rows = (
        nb_global(),
        a_network(LOCALNET),
        a_localnet(physical="taken"),
        a_network(row_id(90), uuid=OTHER_NET),
        a_localnet(5, "tagged", row_id(90)),
    )
    assert_answered(post("networks", given)(view_of(*rows)), rows, "networks")


# --- update ---


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"name": "red"}, {keys.NETWORK_NAME: "red"}),
        ({"description": "d"}, {keys.DESCRIPTION: "d"}),
        ({"shared": True}, {keys.NETWORK_SHARED: "True"}),
        ({"router:external": True}, {keys.NETWORK_EXTERNAL: "True"}),
        ({"port_security_enabled": True}, {keys.NETWORK_PORT_SECURITY: "True"}),
    ],
)
def test_update(given: Any, changed: dict[str, str]) -> None:
    """A change of a network is one update, guarded by what it replaces; the row's name stays.

    It counts as one of what ports and subnets rest on, as they do for its answer.
    """
    row = a_network()
    plan = put("networks", NET, **given)(view_of(*SITE))

    assert [
        counter_guard(NET),
        ops.wait_columns(schema.SWITCH, NET, {"external_ids": row.external_ids}),
        counter(NET, "8"),
        ops.update(schema.SWITCH, NET, {"external_ids": changed_ids(row, **changed)}),
    ] == plan.operations
    assert_answered(plan, SITE, "networks")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "blue"},
        {"description": ""},
        {"shared": False},
        {"router:external": False},
        {"admin_state_up": True},
        {"port_security_enabled": False},
        {"mtu": 0},
        OVERLAY,
    ],
)
def test_update_to_the_same(given: Any) -> None:
    """A state already reached needs no steps, and is answered as it is."""
    plan = put("networks", NET, **given)(view_of(*SITE))

    assert () == plan.steps
    assert {"network": encoded("networks", NET, SITE)} == plan.answer


def test_update_twice() -> None:
    """A request whose plan is done plans nothing any more: the answer counts one change."""
    make = put("networks", NET, name="red", **VLAN)
    plan = make(view_of(*SITE))
    after = assert_answered(plan, SITE, "networks")
    again = make(view_of(*after))

    assert () == again.steps
    assert plan.answer == again.answer
    assert plan.answer["network"]["revision_number"] == 2


def test_update_mtu() -> None:
    """A new MTU goes to the network's subnets."""
    row, subnet, subnet6 = a_network(), a_subnet(), a_subnet6()
    rows = (counted(NET), row, subnet, subnet6)
    plan = put("networks", NET, mtu=1400)(view_of(*rows))
    ids = changed_ids(row, mtu="1400")

    assert [
        counter_guard(NET),
        ops.wait_columns(schema.SWITCH, NET, {"external_ids": row.external_ids}),
        ops.wait_columns(schema.DHCP, SUBNET, {"options": subnet.options}),
        ops.wait_columns(schema.DHCP, SUBNET6, {"external_ids": subnet6.external_ids}),
        counter(NET, "8"),
        ops.update(schema.SWITCH, NET, {"external_ids": ids}),
        ops.update(schema.DHCP, SUBNET, {"options": {**subnet.options, "mtu": "1400"}}),
        ops.update(
            schema.DHCP,
            SUBNET6,
            {"external_ids": {**subnet6.external_ids, keys.SUBNET_V6_MTU: "1400"}},
        ),
    ] == plan.operations
    assert_answered(plan, rows, "networks")


def test_update_mtu_where_dhcp_tells_none() -> None:
    """A site whose DHCP tells no MTU changes the network alone."""
    rows = (counted(NET), a_network(), a_subnet())
    plan = put_by("networks", NET, {"mtu": 1400}, dhcp_enable_mtu=False)(view_of(*rows))

    assert [("update", schema.SWITCH)] == [
        (op["op"], op["table"]) for op in changes(plan) if op["table"] != schema.NB_GLOBAL
    ]


def test_update_mtu_of_a_port_with_options_of_its_own() -> None:
    """The options of a single port follow the subnet's."""
    extra = {keys.EXTRA_DHCP_OPTS: '[{"ip_version": 4, "opt_name": "T1", "opt_value": "5"}]'}
    port = a_port(f"{MAC} 10.0.0.5", external_ids=extra, dhcpv4_options=OWN_ROW)
    ids = {
        keys.PORT_OF_OPTIONS: PORT,
        keys.SUBNET_OF_OPTIONS: SUBNET,
        keys.SUBNET_IP_VERSION: "4",
    }
    options = {**a_subnet().options, "T1": "5"}
    own = DhcpOptions.new(OWN_ROW, cidr="10.0.0.0/24", options=options, external_ids=ids)
    rows = (counted(NET), a_network(PORT), port, a_subnet(), own)
    plan = put("networks", NET, mtu=1400)(view_of(*rows))

    assert ops.update(schema.DHCP, OWN_ROW, {"options": {**options, "mtu": "1400"}}) in changes(
        plan
    )
    assert schema.PORT not in {op["table"] for op in changes(plan)}


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        # the network goes down, and its ports with it
        (
            (a_network(PORT, PORT2), a_port(), a_port(uuid=PORT2, enabled=False)),
            {"admin_state_up": False},
            {PORT: (False, "True"), PORT2: (False, "False")},
        ),
        # and up again, each port to what was asked for it
        (
            (
                a_network(PORT, PORT2, ovirt_admin_state_up="False"),
                a_port(enabled=False, external_ids={keys.ADMIN_STATE: "True"}),
                a_port(uuid=PORT2, enabled=False, external_ids={keys.ADMIN_STATE: "False"}),
            ),
            {"admin_state_up": True},
            {PORT: (True, None), PORT2: (False, None)},
        ),
    ],
)
def test_update_admin_state(
    rows: tuple[Row, ...], given: Any, expected: dict[str, tuple[bool, str | None]]
) -> None:
    """The ports of a network that is down are down, and what was asked for them is kept."""
    rows = (counted(NET), *rows)
    plan = put("networks", NET, **given)(view_of(*rows))
    after = assert_answered(plan, rows, "networks")
    ports = {row.uuid: row for row in after if isinstance(row, SwitchPort)}

    assert expected == {
        uuid: (row.enabled, row.external_ids.get(keys.ADMIN_STATE)) for uuid, row in ports.items()
    }
    assert counter_guard(NET) in plan.operations


def test_update_mtu_and_admin_state() -> None:
    """What one attribute of a request changes in a port, another does not undo."""
    extra = {keys.EXTRA_DHCP_OPTS: '[{"ip_version": 4, "opt_name": "T1", "opt_value": "5"}]'}
    port = a_port(f"{MAC} 10.0.0.5", external_ids=extra, dhcpv4_options=SUBNET)
    rows = (counted(NET), a_network(PORT), port, a_subnet())
    plan = put("networks", NET, mtu=1400, admin_state_up=False)(view_of(*rows))
    [row] = [row for row in rows_after(rows, plan) if isinstance(row, SwitchPort)]

    assert (False, row_uuid(f"{PORT}/dhcp4")) == (row.enabled, row.dhcpv4_options)


def test_admin_state_leaves_strangers_alone() -> None:
    """Ports of other managers on a network of ours are not touched."""
    stranger = SwitchPort.new(PORT, name="stranger", enabled=True)
    view = view_of(counted(NET), a_network(PORT), stranger)
    plan = put("networks", NET, admin_state_up=False)(view)

    assert schema.PORT not in {op["table"] for op in plan.operations}


@pytest.mark.parametrize(
    ("localnet", "given", "expected"),
    [
        (None, VLAN, a_localnet(5)),
        (a_localnet(5), {"provider:segmentation_id": 6}, a_localnet(6)),
        (a_localnet(5), {"provider:network_type": "flat"}, a_localnet(None)),
        (a_localnet(5), {"provider:physical_network": "new"}, a_localnet(5, "new")),
        (a_localnet(None), {**VLAN, "provider:segmentation_id": "7"}, a_localnet(7)),
        (a_localnet(5), OVERLAY, None),
        (a_localnet(5), {"provider:network_type": "geneve"}, None),
        (a_localnet(5), {"provider:network_type": None}, None),
        (a_localnet(5), {"name": "red"}, a_localnet(5)),
    ],
)
def test_update_provider(
    localnet: SwitchPort | None, given: Any, expected: SwitchPort | None
) -> None:
    """The localnet port comes, changes and goes with the provider attributes."""
    ports = [localnet] if localnet is not None else []
    rows = (counted(NET, "physical_phys"), a_network(*(p.uuid for p in ports)), *ports)
    plan = put("networks", NET, **given)(view_of(*rows))
    after = assert_answered(plan, rows, "networks")
    found = [row for row in after if isinstance(row, SwitchPort)]
    columns = [{**row.columns(), "name": ""} for row in found]

    assert ([] if expected is None else [{**expected.columns(), "name": ""}]) == columns
    assert plan.answer["network"]["revision_number"] == 2


def test_update_keeps_what_others_put_into_a_localnet() -> None:
    """Options of a localnet port that we do not know stay."""
    localnet = a_localnet(5).copy(options={"network_name": "phys", "qos_max_rate": "9"})
    rows = (nb_global(), a_network(LOCALNET), localnet)
    plan = put("networks", NET, **{"provider:physical_network": "new"})(view_of(*rows))

    assert (
        ops.update(schema.PORT, LOCALNET, {"options": {"network_name": "new", "qos_max_rate": "9"}})
        in plan.operations
    )


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        ({"mtu": 67}, Conflict, "NetworkMTUSubnetConflict"),
        ({"mtu": 1279}, Conflict, "NetworkMTUSubnetConflict"),
        ({"provider:network_type": "flat"}, BadRequest, "InvalidInput"),
        (FLAT, Conflict, "FlatNetworkInUse"),
    ],
)
def test_update_refused(given: Any, status: type[ApiError], error_type: str) -> None:
    """What cannot be is refused with the API's type."""
    taken = a_network(LOCALNET, uuid=OTHER_NET), a_localnet()
    view = view_of(nb_global(), a_network(), a_subnet(), a_subnet6(), *taken)
    with pytest.raises(status) as refused:
        put("networks", NET, **given)(view)

    assert error_type == refused.value.error_type


def test_update_to_the_own_vlan() -> None:
    """A network's own VLAN is not taken for it."""
    rows = (nb_global(), a_network(LOCALNET), a_localnet(5))

    assert () == put("networks", NET, **VLAN)(view_of(*rows)).steps


# --- delete ---


def test_delete() -> None:
    """A network goes with its subnets and its counter; nobody may have added a port meanwhile."""
    rows = (counted(NET), a_network(LOCALNET), a_localnet(), a_subnet(), a_subnet6())
    plan = delete("networks", NET)(view_of(*rows))

    assert [
        ops.wait_columns(schema.SWITCH, NET, {"ports": {LOCALNET}}),
        counter_guard(NET),
        ops.wait_exists(schema.DHCP, SUBNET),
        ops.wait_exists(schema.DHCP, SUBNET6),
        ops.wait_exists(schema.SWITCH, NET),
        counter(NET, None),
        ops.delete(schema.DHCP, SUBNET),
        ops.delete(schema.DHCP, SUBNET6),
        ops.delete(schema.SWITCH, NET),
        traces(SUBNET, SUBNET6, NET),
    ] == plan.operations
    assert plan.answer is None
    assert not plan.is_done(view_of(*rows))
    assert [NB] == [row.uuid for row in rows_after(rows, plan)]
    assert plan.is_done(view_of(nb_global()))


@pytest.mark.parametrize(
    "port",
    [
        (a_port(),),
        a_router_port(PORT),
        (SwitchPort.new(PORT, name="stranger"),),
    ],
)
def test_delete_in_use(port: tuple[Row, ...]) -> None:
    """A network with any port, also a stranger's, stays."""
    with pytest.raises(Conflict) as refused:
        delete("networks", NET)(view_of(nb_global(), a_network(PORT), *port))

    assert refused.value.error_type == "NetworkInUse"


@pytest.mark.parametrize("network_id", [FOREIGN_NET, row_id(99), "", "x\ny"])
def test_not_found(network_id: str) -> None:
    """A switch of another manager is not found, whatever is wanted of it."""
    view = view_of(nb_global(), *FOREIGN)
    for make in (put("networks", network_id, name="x"), delete("networks", network_id)):
        with pytest.raises(NotFound) as refused:
            make(view)

        assert refused.value.error_type == "NetworkNotFound"


def test_peer_row() -> None:
    """A network of ovirt-provider-ovn is changed in place, and keeps its name."""
    row = Switch.new(
        NET,
        name="plain",
        other_config={"subnet": "10.0.0.0/24"},
        external_ids={"ovirt_network_name": "plain"},
    )
    rows = (counted(NET), row)
    plan = put("networks", NET, name="new")(view_of(*rows))

    assert [
        counter(NET, "8"),
        ops.update(
            schema.SWITCH,
            NET,
            {
                "external_ids": {
                    "ovirt_network_name": "new",
                    keys.UPDATED_AT: LATER,
                    keys.REVISION: "1",
                }
            },
        ),
    ] == changes(plan)
    assert_answered(plan, rows, "networks")
    assert NOW != LATER
