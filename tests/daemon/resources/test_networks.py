# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks: physical segments, MTU and what else a network can be, on a real central."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.objects import (
    LONG,
    PROVIDER,
    make_network,
    make_port,
    nbctl,
    of_port,
    of_subnet,
    provider,
    refusal,
)
from daemon.ovsdb import OvsdbServer
from daemon.proxy import ENGINE, Api, running_api

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("-", "-", "-"), ("geneve", None, None)),
        (("geneve", None, None), ("geneve", None, None)),
        (("flat", "made-1", "-"), ("flat", "made-1", None)),
        (("vlan", "made-1", 7), ("vlan", "made-1", 7)),
        (("vlan", "made-1", "8"), ("vlan", "made-1", 8)),
        (("-", "made-2", 9), ("vlan", "made-2", 9)),
        (("-", "made-2", "-"), ("flat", "made-2", None)),
    ],
)
def test_provider_attributes(api: Api, nb: OvsdbServer, given: Any, shown: Any) -> None:
    """A network on a physical network has one localnet port, which is no port of the API."""
    network = api.create("network", **provider(*given))

    assert shown == tuple(network[name] for name in PROVIDER)
    assert network == api.get(f"networks/{network['id']}")["network"]
    assert [] == api.get(f"ports?network_id={network['id']}")["ports"]
    ports = nbctl(nb, "lsp-list", network["id"]).split()
    if shown[1] is None:
        assert [] == ports
        return
    name = ports[1].strip("()")
    assert "localnet" == nbctl(nb, "lsp-get-type", name)
    assert f"network_name={shown[1]}" == nbctl(nb, "lsp-get-options", name)
    assert str(shown[2] or "") == nbctl(nb, "lsp-get-tag", name)
    api.delete("network", network["id"])


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        (("flat", "-", "-"), 400, "InvalidInput"),
        (("vlan", "made-3", "-"), 400, "InvalidInput"),
        (("vlan", "-", 7), 400, "InvalidInput"),
        (("flat", "made-3", 7), 400, "InvalidInput"),
        (("geneve", "made-3", "-"), 400, "InvalidInput"),
        (("vlan", "made-3", 0), 400, "HTTPBadRequest"),
        (("vlan", "made-3", 4095), 400, "HTTPBadRequest"),
        (("vlan", "made-3", "x"), 400, "HTTPBadRequest"),
        (("token-ring", "made-3", "-"), 400, "HTTPBadRequest"),
        (("flat", "x" * 65, "-"), 400, "HTTPBadRequest"),
        (("flat", "taken", "-"), 409, "FlatNetworkInUse"),
        (("vlan", "taken", 100), 409, "VlanIdInUse"),
    ],
)
def test_provider_attributes_that_cannot_be(
    api: Api, given: Any, status: int, error_type: str
) -> None:
    """Attributes that do not go together, or a segment that is taken, are refused."""
    taken = {api.create("network", **provider(*segment))["id"] for segment in _TAKEN}

    answer = api("POST", "networks", {"network": provider(*given)})
    for network_id in taken:
        api.delete("network", network_id)

    assert (status, error_type) == refusal(answer)


_TAKEN = [("flat", "taken", "-"), ("vlan", "taken", 100)]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"name": "x"}, ("vlan", "before", 7)),
        (provider("vlan", "before", 7), ("vlan", "before", 7)),
        (provider("-", "-", 8), ("vlan", "before", 8)),
        (provider("-", "after", "-"), ("vlan", "after", 7)),
        (provider("flat", "-", "-"), ("flat", "before", None)),
        (provider("geneve", "-", "-"), ("geneve", None, None)),
    ],
)
def test_a_network_moves_to_another_segment(
    api: Api, nb: OvsdbServer, values: Any, shown: Any
) -> None:
    """A PUT moves the localnet port, or removes it; one without provider keys leaves it."""
    network = api.create("network", **provider("vlan", "before", 7))
    before = nbctl(nb, "lsp-list", network["id"])

    changed = api.update("network", network["id"], **values)

    after = nbctl(nb, "lsp-list", network["id"])
    api.delete("network", network["id"])
    assert shown == tuple(changed[name] for name in PROVIDER)
    assert (before if shown[1] else "") == after


def test_a_network_comes_to_a_segment_and_leaves_it(api: Api) -> None:
    """An overlay network can get a physical network, and give it up for another one to take."""
    first, second = (api.create("network")["id"] for _ in "12")
    api.update("network", first, **provider("flat", "moving", "-"))
    taken = {"network": provider("flat", "moving", "-")}
    assert (409, "FlatNetworkInUse") == refusal(api("PUT", f"networks/{second}", taken))

    api.update("network", first, **provider("geneve", "-", "-"))

    moved = api.update("network", second, **provider("flat", "moving", "-"))
    assert "moving" == moved["provider:physical_network"]


def test_two_networks_of_one_bulk_want_one_segment(api: Api) -> None:
    """A bulk request conflicts with itself like with others, and makes nothing."""
    before = len(api.get("networks")["networks"])
    body = {"networks": [provider("vlan", "twice", 7)] * 2}

    assert (409, "VlanIdInUse") == refusal(api("POST", "networks", body))
    assert before == len(api.get("networks")["networks"])


def test_the_mtu_of_a_network(api: Api, nb: OvsdbServer) -> None:
    """DHCP tells the network's MTU, also after a change; 0 means the site's default."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(
        api, network_id, extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": "a.b"}]
    )
    own = of_port(nb, port, "dhcpv4_options")
    for given, shown in ((9000, 9000), ("1500", 1500), (0, 1442)):
        assert shown == api.update("network", network_id, mtu=given)["mtu"]
        assert str(shown) == of_subnet(nb, subnet, "options:mtu")
        assert str(shown) == of_subnet(nb, {"id": own}, "options:mtu")
    assert 1442 == api.get(f"networks/{network_id}")["network"]["mtu"]
    asked = api("GET", f"networks/{network_id}", headers=ENGINE).json["network"]["mtu"]
    assert asked is None


@pytest.mark.parametrize(
    ("cidr", "mtu", "status"),
    [("10.0.0.0/24", 67, 409), ("10.0.0.0/24", 68, 200), ("fd05::/64", 1279, 409)],
)
def test_an_mtu_too_small_for_a_subnet(api: Api, cidr: str, mtu: int, status: int) -> None:
    """An IP version needs its MTU, whichever of network's MTU and subnet comes last."""
    network_id, _ = make_network(api, cidr)
    answer = api("PUT", f"networks/{network_id}", {"network": {"mtu": mtu}})
    assert status == answer.status
    if status == 409:
        assert (409, "NetworkMTUSubnetConflict") == refusal(answer)
        other_id, _ = make_network(api, mtu=mtu)
        version = 6 if ":" in cidr else 4
        values = {"network_id": other_id, "cidr": cidr, "ip_version": version}
        answer = api("POST", "subnets", {"subnet": values})
        assert (409, "NetworkMTUSubnetConflict") == refusal(answer)


def test_a_site_limits_the_mtu(nb: OvsdbServer) -> None:
    """An MTU above the configured largest one is refused, by POST and by PUT."""
    with running_api(nb, validation_max_allowed_mtu_bytes=1500) as api:
        assert (400, "InvalidInput") == refusal(api("POST", "networks", {"network": {"mtu": 1501}}))
        network = api.create("network", mtu=1500)
        answer = api("PUT", f"networks/{network['id']}", {"network": {"mtu": 1501}})
        assert (400, "InvalidInput") == refusal(answer)


def test_a_network_in_use_stays(api: Api) -> None:
    """A network with a port cannot be deleted; without one it goes, and its subnets with it."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)

    assert (409, "NetworkInUse") == refusal(api("DELETE", f"networks/{network_id}"))
    api.delete("port", port["id"])
    api.delete("network", network_id)
    for kind, element_id in (("Network", network_id), ("Subnet", subnet["id"])):
        answer = api("GET", f"{kind.lower()}s/{element_id}")
        assert (404, f"{kind}NotFound") == refusal(answer)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "description": "b"},
        {"shared": True, "router:external": True},
        {"name": "x" * 255, "description": "ünïcödé\nlines"},
        {"port_security_enabled": True, "mtu": 1300},
    ],
)
def test_what_a_network_keeps_as_it_is(api: Api, values: Any) -> None:
    """Attributes are given back as they came, from POST and from PUT."""
    made = api.create("network", **values)
    changed = api.update("network", api.create("network")["id"], **values)

    assert values == {name: made[name] for name in values}
    assert values == {name: changed[name] for name in values}
    assert changed == api.get(f"networks/{changed['id']}")["network"]


def test_a_rename_leaves_the_row_its_name(api: Api, nb: OvsdbServer) -> None:
    """A network is renamed where it shows, not in the column that other clients index."""
    network = api.create("network", name="red")
    before = nbctl(nb, "get", "Logical_Switch", network["id"], "name")

    assert "blue" == api.update("network", network["id"], name="blue")["name"]

    assert before == nbctl(nb, "get", "Logical_Switch", network["id"], "name")
    assert "red" in before


@pytest.mark.parametrize(
    "values",
    [
        {"mtu": -1},
        {"mtu": 65536},
        {"mtu": "big"},
        {"mtu": None},
        {"mtu": 10**30},
        {"name": 5},
        {"name": "a\tb"},
        {"status": "ACTIVE"},
        {"subnets": []},
        {"admin_state_up": "up"},
        {"description": LONG},
        {"segments": []},
        {"tags": ["a"]},
    ],
)
def test_a_network_that_cannot_be(api: Api, values: Any) -> None:
    """A network that breaks a rule is refused by POST and by PUT."""
    network = api.create("network")

    assert 400 == refusal(api("POST", "networks", {"network": values}))[0]
    assert 400 == refusal(api("PUT", f"networks/{network['id']}", {"network": values}))[0]
    assert network == api.get(f"networks/{network['id']}")["network"]
