# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers on one real central: in the API, in Northbound, and what OVN makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer, northd
from daemon.proxy import Api, running_api
from daemon.routing import (
    add_chassis,
    assert_consistent,
    attach,
    column,
    detach,
    external_network,
    ips,
    learn_mac,
    nbctl,
    network,
    packet,
    port_of,
    refusal,
    sbctl,
    subnet,
    trace,
)

pytestmark = pytest.mark.daemon

NOWHERE = "12345678-1234-4234-8234-123456789abc"
LRP = "Logical_Router_Port"
LSP = "Logical_Switch_Port"
CHASSIS = ("hv1", "hv2")


@pytest.fixture(scope="module")
def central() -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd, for all tests of this module."""
    with northd() as servers:
        add_chassis(servers, *CHASSIS)
        yield servers


@pytest.fixture(scope="module")
def nb(central: Mapping[str, OvsdbServer]) -> OvsdbServer:
    """The Northbound of that central."""
    return central["nb"]


@pytest.fixture(scope="module")
def api(nb: OvsdbServer) -> Iterator[Api]:
    """The networking application on that central, with chassis for gateways."""
    with running_api(nb, gateway_chassis=CHASSIS) as api:
        yield api


class Fresh(NamedTuple):
    """The networking application on a central of its own, without chassis for gateways."""

    api: Api
    nb: OvsdbServer


@pytest.fixture
def fresh() -> Iterator[Fresh]:
    """Start what a test has for itself alone."""
    with northd() as servers, running_api(servers["nb"]) as api:
        yield Fresh(api, servers["nb"])


# --- routers --------------------------------------------------------------------


def test_life(api: Api, nb: OvsdbServer) -> None:
    """A router is made, found, changed and deleted; its row keeps the first name."""
    made = api.create("router", name="r", description="d", admin_state_up=False)

    assert {"router": made} == api.get(f"routers/{made['id']}")
    assert made in api.get("routers")["routers"]
    assert ("r", "d", False, "ACTIVE", None, [], 1) == tuple(
        made[key]
        for key in (
            "name",
            "description",
            "admin_state_up",
            "status",
            "external_gateway_info",
            "routes",
            "revision_number",
        )
    )
    assert ("r", "false") == (
        column(nb, "Logical_Router", made["id"], "name"),
        column(nb, "Logical_Router", made["id"], "enabled"),
    )
    changed = api.update("router", made["id"], name="other", admin_state_up=True)
    assert ("other", True, 2) == tuple(
        changed[key] for key in ("name", "admin_state_up", "revision_number")
    )
    assert ("r", "true") == (
        column(nb, "Logical_Router", made["id"], "name"),
        column(nb, "Logical_Router", made["id"], "enabled"),
    )
    api.delete("router", made["id"])
    assert (404, "RouterNotFound") == refusal(api("GET", f"routers/{made['id']}"))
    assert "" == column(nb, "Logical_Router", made["id"], "name")


def test_every_attribute_is_always_there(api: Api) -> None:
    """A router has all its attributes, whoever asks."""
    standard = {"id", "name", "tenant_id", "project_id", "description", "tags"}
    standard |= {"created_at", "updated_at", "revision_number"}
    own = {"admin_state_up", "status", "external_gateway_info", "routes"}

    assert set() == (standard | own) - set(api.create("router"))


def test_lists(fresh: Fresh) -> None:
    """Lists of routers are filtered, sorted, cut to attributes and pages like any other."""
    api = fresh.api
    answer = api("POST", "routers", {"routers": [{"name": name} for name in "cab"]})
    made = answer.json["routers"]
    assert 201 == answer.status
    assert ["c", "a", "b"] == [one["name"] for one in made]

    def names(query: str) -> list[str]:
        return [one["name"] for one in api.get(f"routers?{query}")["routers"]]

    api("PUT", f"routers/{made[0]['id']}/tags/x")
    api.update("router", made[1]["id"], admin_state_up=False)
    assert ["a"] == names("name=a")
    assert ["a", "b", "c"] == names("sort_key=name&sort_dir=asc")
    assert ["c", "b", "a"] == names("sort_key=name&sort_dir=desc")
    assert ["c"] == names("tags=x")
    assert ["a"] == names("admin_state_up=False")
    assert [{"name": "a"}] == api.get("routers?fields=name&name=a")["routers"]
    page = api.get("routers?sort_key=name&sort_dir=asc&limit=2")
    assert ["a", "b"] == [one["name"] for one in page["routers"]]
    assert ["next", "previous"] == [link["rel"] for link in page["routers_links"]]
    assert ["c"] == names(f"sort_key=name&sort_dir=asc&limit=2&marker={page['routers'][1]['id']}")
    details = api.get("quotas/x/details")["quota"]
    assert {"limit": -1, "used": 3, "reserved": 0} == details["router"]


@pytest.mark.parametrize(
    "alias",
    ["router", "extraroute", "extraroute-atomic", "ext-gw-mode", "external-net"],
)
def test_extensions(api: Api, alias: str) -> None:
    """What works is advertised."""
    assert alias == api.get(f"extensions/{alias}")["extension"]["alias"]


# --- interfaces -----------------------------------------------------------------


def test_interface_by_subnet(api: Api, nb: OvsdbServer) -> None:
    """The subnet's gateway becomes the router's, with both sides of a port."""
    red = network(api, "10.0.0.0/24")
    router = api.create("router")
    answer = attach(api, router["id"], subnet_id=red["subnet"])
    port = port_of(api, answer)

    assert {
        "id": router["id"],
        "tenant_id": router["tenant_id"],
        "project_id": router["tenant_id"],
        "port_id": port["id"],
        "network_id": red["id"],
        "subnet_id": red["subnet"],
        "subnet_ids": [red["subnet"]],
    } == answer
    assert ("network:router_interface", router["id"], "ACTIVE", ["10.0.0.1"]) == (
        port["device_owner"],
        port["device_id"],
        port["status"],
        ips(port),
    )
    name = f"lrp{port['id']}"
    assert "router" == column(nb, LSP, port["id"], "type")
    assert "[router]" == column(nb, LSP, port["id"], "addresses")
    assert f"{{router-port={name}}}" == column(nb, LSP, port["id"], "options")
    assert '["10.0.0.1/24"]' == column(nb, LRP, name, "networks")
    assert port["mac_address"] == column(nb, LRP, name, "mac").strip('"')
    assert router["id"] in column(nb, "DHCP_Options", red["subnet"], "external_ids:gateway_router")
    assert 2 == api.get(f"routers/{router['id']}")["router"]["revision_number"]
    # The address is taken, and free again afterwards.
    wanted = {"network_id": red["id"], "fixed_ips": [{"ip_address": "10.0.0.1"}]}
    assert (409, "IpAddressAlreadyAllocated") == refusal(api("POST", "ports", {"port": wanted}))
    assert_consistent(api)
    assert answer == detach(api, router["id"], subnet_id=red["subnet"])
    assert 404 == api("GET", f"ports/{port['id']}").status
    assert 201 == api("POST", "ports", {"port": wanted}).status
    assert_consistent(api)


def test_interface_by_port(api: Api, nb: OvsdbServer) -> None:
    """A port becomes the router's with what it has, and goes with the interface."""
    red = network(api, "10.0.0.0/24", "fd00::/64", port_security_enabled=True)
    router = api.create("router")
    port = api.create(
        "port",
        network_id=red["id"],
        name="mine",
        fixed_ips=[{"ip_address": "10.0.0.7"}, {"ip_address": "fd00::7"}],
        extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}],
    )
    assert (True, 1) == (port["port_security_enabled"], len(port["security_groups"]))
    assert 2 == nbctl(nb, "list", "Port_Group").count(port["id"])
    answer = attach(api, router["id"], port_id=port["id"])
    shown = port_of(api, answer)

    assert (port["id"], red["id"]) == (answer["port_id"], answer["network_id"])
    assert sorted(
        one["id"] for one in api.get("subnets")["subnets"] if one["network_id"] == red["id"]
    ) == sorted(answer["subnet_ids"])
    assert ("mine", port["mac_address"], ips(port), False, [], []) == (
        shown["name"],
        shown["mac_address"],
        ips(shown),
        shown["port_security_enabled"],
        shown["security_groups"],
        shown["extra_dhcp_opts"],
    )
    assert port["id"] not in nbctl(nb, "list", "Port_Group")
    assert ("[]", "[]", "[]") == tuple(
        column(nb, LSP, port["id"], name)
        for name in ("port_security", "dhcpv4_options", "dhcpv6_options")
    )
    assert port["id"] not in nbctl(nb, "list", "DHCP_Options")
    assert_consistent(api)
    assert (409, "ServicePortInUse") == refusal(api("DELETE", f"ports/{port['id']}"))
    again = {"port_id": port["id"]}
    path = f"routers/{router['id']}/add_router_interface"
    assert (409, "PortInUse") == refusal(api("PUT", path, again))
    detach(api, router["id"], port_id=port["id"])
    assert 404 == api("GET", f"ports/{port['id']}").status
    api.delete("router", router["id"])


def test_interface_by_a_port_in_groups(api: Api, nb: OvsdbServer) -> None:
    """A port that becomes a router's is in no security group any more: none applies to it."""
    red = network(api, "10.0.0.0/24", port_security_enabled=True)
    group = api("POST", "security-groups", {"security_group": {"name": "g"}}).json
    wanted = [group["security_group"]["id"]]
    port = api.create("port", network_id=red["id"], security_groups=wanted)
    row = column(nb, LSP, port["id"], "_uuid")
    assert row in nbctl(nb, "list", "Port_Group")
    router = api.create("router")["id"]

    shown = port_of(api, attach(api, router, port_id=port["id"]))

    assert ([], False) == (shown["security_groups"], shown["port_security_enabled"])
    assert row not in nbctl(nb, "list", "Port_Group")
    assert 204 == api("DELETE", f"security-groups/{wanted[0]}").status
    assert_consistent(api)


def test_several_ipv6_subnets(api: Api, nb: OvsdbServer) -> None:
    """IPv6 subnets of a network share a port, and IPv4 has its own; each goes alone."""
    red = network(api, "10.0.0.0/24", "fd00::/64", "fd01::/64")
    v4, first, second = [
        one["id"]
        for one in sorted(
            (one for one in api.get("subnets")["subnets"] if one["network_id"] == red["id"]),
            key=lambda one: str(one["cidr"]),
        )
    ]
    router = api.create("router")["id"]
    answers = [attach(api, router, subnet_id=one) for one in (v4, first, second)]

    assert answers[1]["port_id"] == answers[2]["port_id"] != answers[0]["port_id"]
    assert [second] == answers[2]["subnet_ids"]
    assert ["fd00::", "fd01::"] == ips(port_of(api, answers[1]))
    assert_consistent(api)
    left = detach(api, router, subnet_id=first)
    assert (answers[1]["port_id"], [first]) == (left["port_id"], left["subnet_ids"])
    assert ["fd01::"] == ips(port_of(api, answers[1]))
    assert_consistent(api)
    assert (400, "SubnetMismatchForPort") == refusal(
        api(
            "PUT",
            f"routers/{router}/remove_router_interface",
            {"port_id": answers[1]["port_id"], "subnet_id": first},
        )
    )
    assert [second] == detach(api, router, port_id=answers[1]["port_id"])["subnet_ids"]
    assert (409, "RouterInUse") == refusal(api("DELETE", f"routers/{router}"))
    detach(api, router, port_id=answers[0]["port_id"], subnet_id=v4)
    api.delete("router", router)
    assert_consistent(api)


def test_other_addresses_of_an_interface(api: Api, nb: OvsdbServer) -> None:
    """An interface takes other addresses by its port, on both sides, with all that follows."""
    outside = external_network(api, "198.51.100.0/25")
    red = network(api, "10.0.0.0/24", "10.0.1.0/24")
    slaac = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    v6 = subnet(api, red["id"], "fd00::/64", **slaac)["id"]
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    port = port_of(api, attach(api, router, subnet_id=red["subnet"]))
    revision = api.get(f"routers/{router}")["router"]["revision_number"]
    vm = api.create("port", network_id=red["id"])
    name = f"lrp{port['id']}"

    def shown(*entries: Any) -> list[str]:
        after = api.update("port", port["id"], fixed_ips=list(entries))
        assert {"port": after} == api.get(f"ports/{port['id']}")
        assert_consistent(api)
        return sorted(ips(after))

    def refused(*entries: Any) -> tuple[int, str]:
        answer = api("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": list(entries)}})
        return refusal(answer)

    assert ["10.0.0.9", "fd00::1"] == shown({"ip_address": "10.0.0.9"}, {"subnet_id": v6})
    assert '["10.0.0.9/24", "fd00::1/64"]' == column(nb, LRP, name, "networks")
    assert "slaac" == column(nb, LRP, name, "ipv6_ra_configs:address_mode").strip('"')
    after = api.get(f"routers/{router}")["router"]["revision_number"]
    assert (port["revision_number"] + 1, revision + 1) == (
        api.get(f"ports/{port['id']}")["port"]["revision_number"],
        after,
    )
    assert ["10.0.1.1"] == shown({"ip_address": "10.0.1.1"})
    assert "10.0.1.0/24" in nbctl(nb, "lr-nat-list", router)
    assert "10.0.0.0/24" not in nbctl(nb, "lr-nat-list", router)
    assert (409, "IpAddressAlreadyAllocated") == refused({"ip_address": ips(vm)[0]})
    assert (400, "BadRequest") == refused()
    assert (400, "BadRequest") == refused({"ip_address": "10.0.1.1"}, {"ip_address": "10.0.0.1"})
    hop = {"destination": "10.9.0.0/16", "nexthop": "10.0.1.9"}
    api.update("router", router, routes=[hop])
    assert (409, "RouterInterfaceInUseByRoute") == refused({"ip_address": "10.0.0.1"})
    assert (400, "InvalidRoutes") == refused({"ip_address": "10.0.1.9"})
    api.update("router", router, routes=[])
    assert ["10.0.0.1"] == shown({"ip_address": "10.0.0.1"})
    floating = api.create("floatingip", floating_network_id=outside["id"], port_id=vm["id"])
    assert (409, "RouterInterfaceInUseByFloatingIP") == refused({"ip_address": "10.0.1.1"})
    assert ["10.0.0.7"] == shown({"ip_address": "10.0.0.7"})
    api.delete("floatingip", floating["id"])
    detach(api, router, port_id=port["id"])
    assert_consistent(api)


def test_other_addresses_of_a_gateway(api: Api, nb: OvsdbServer) -> None:
    """A gateway takes other addresses by its port as by its router."""
    outside = external_network(api, "198.51.100.128/25")
    red = network(api, "10.0.0.0/24")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    attach(api, router, subnet_id=red["subnet"])
    query = f"ports?device_id={router}&device_owner=network:router_gateway"
    [port] = api.get(query)["ports"]

    wanted = [{"subnet_id": outside["subnet"], "ip_address": "198.51.100.200"}]
    assert wanted == api.update("port", port["id"], fixed_ips=wanted)["fixed_ips"]

    info = api.get(f"routers/{router}")["router"]["external_gateway_info"]
    assert (True, wanted) == (info["enable_snat"], info["external_fixed_ips"])
    assert "198.51.100.200" in nbctl(nb, "lr-nat-list", router)
    assert_consistent(api)
    for entries in ([], [{"ip_address": "198.51.100.129"}]):
        body = {"port": {"fixed_ips": entries}}
        assert (400, "BadRequest") == refusal(api("PUT", f"ports/{port['id']}", body))
    api.update("router", router, external_gateway_info=None)
    taken = {"network_id": outside["id"], "fixed_ips": wanted}
    assert 201 == api("POST", "ports", {"port": taken}).status


@pytest.mark.parametrize(
    ("mode", "flow"),
    [
        ("slaac", 'addr_mode = "slaac"'),
        ("dhcpv6-stateful", 'addr_mode = "dhcpv6_stateful"'),
        ("dhcpv6-stateless", 'addr_mode = "dhcpv6_stateless"'),
    ],
)
def test_announcements(api: Api, central: Mapping[str, OvsdbServer], mode: str, flow: str) -> None:
    """OVN announces mode, MTU, prefix and DNS server, and follows when these change."""
    red = network(api, mtu=1400)
    values = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode, "dns_nameservers": ["fd00::53"]}
    made = subnet(api, red["id"], "fd00::/64", **values)
    router = api.create("router")["id"]
    name = f"lrp{attach(api, router, subnet_id=made['id'])['port_id']}"

    def announced() -> str:
        nbctl(central["nb"], "--wait=sb", "--timeout=10", "sync")
        flows = sbctl(central, "lflow-list").splitlines()
        [found] = [line for line in flows if "put_nd_ra_opts" in line and name in line]
        return found

    for part in (flow, "mtu = 1400", "prefix = fd00::/64"):
        assert part in announced()
    assert_consistent(api)
    api.update("subnet", made["id"], dns_nameservers=["fd00::54"])
    api.update("network", red["id"], mtu=1300)
    assert "mtu = 1300" in announced()
    configs = column(central["nb"], LRP, name, "ipv6_ra_configs")
    assert 'rdnss="fd00::54"' in configs
    assert 'send_periodic="true"' in configs
    assert_consistent(api)
    detach(api, router, subnet_id=made["id"])
    api.delete("router", router)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "BadRequest")),
        ({"subnet_id": NOWHERE, "port_id": NOWHERE}, (400, "BadRequest")),
        ({"subnet_id": NOWHERE}, (404, "SubnetNotFound")),
        ({"port_id": NOWHERE}, (404, "PortNotFound")),
        ({"subnet_id": "x"}, (400, "HTTPBadRequest")),
        ({"router": {"subnet_id": NOWHERE}}, (400, "HTTPBadRequest")),
        ([], (400, "HTTPBadRequest")),
    ],
)
def test_bad_interfaces(api: Api, body: Any, expected: tuple[int, str]) -> None:
    """What is no interface is refused with the API's type, and changes nothing."""
    router = api.create("router")

    assert expected == refusal(api("PUT", f"routers/{router['id']}/add_router_interface", body))
    assert {"router": router} == api.get(f"routers/{router['id']}")


def test_unknown_router(api: Api) -> None:
    """An action on an unknown router is 404."""
    for name, body in (
        ("add_router_interface", {"subnet_id": NOWHERE}),
        ("remove_router_interface", {"subnet_id": NOWHERE}),
        ("add_extraroutes", {"router": {"routes": []}}),
        ("remove_extraroutes", {"router": {"routes": []}}),
    ):
        answer = api("PUT", f"routers/{NOWHERE}/{name}", body)
        assert (404, "RouterNotFound") == refusal(answer)


# --- routing --------------------------------------------------------------------


def test_routed_packet(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """OVN routes between two networks of a router."""
    red, blue = network(api, "10.0.0.0/24", name="red"), network(api, "10.1.0.0/24")
    router = api.create("router")["id"]
    inside = port_of(api, attach(api, router, subnet_id=red["subnet"]))
    attach(api, router, subnet_id=blue["subnet"])
    source = api.create("port", network_id=red["id"])
    target = api.create("port", network_id=blue["id"])
    nbctl(central["nb"], "--wait=sb", "--timeout=10", "sync")
    datapath = f"ovirt-red-{red['id']}"

    def traced() -> str:
        return trace(central, datapath, packet(source, inside["mac_address"], ips(target)[0]))

    assert f"eth.dst = {target['mac_address']};" in traced()
    assert "ip.ttl--;" in traced()
    api.update("router", router, admin_state_up=False)
    nbctl(central["nb"], "--wait=sb", "--timeout=10", "sync")
    assert target["mac_address"] not in traced()


def test_routes(api: Api, nb: OvsdbServer) -> None:
    """Static routes are replaced as a list, and added and removed one by one."""
    red = network(api, "10.0.0.0/24", "fd00::/64")
    router = api.create("router")["id"]
    for one in api.get(f"networks/{red['id']}")["network"]["subnets"]:
        attach(api, router, subnet_id=one)
    hops = [
        {"destination": "10.8.0.0/16", "nexthop": "10.0.0.8"},
        {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"},
        {"destination": "fd09::/64", "nexthop": "fd00::9"},
    ]

    assert hops == api.update("router", router, routes=hops[::-1])["routes"]
    listed = nbctl(nb, "lr-route-list", router)
    assert [True] * 3 == [hop["nexthop"] in listed for hop in hops]
    assert_consistent(api)
    more = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.99"}
    for name, body, expected in (
        ("remove_extraroutes", hops[:1], hops[1:]),
        ("add_extraroutes", [more], [hops[1], more, hops[2]]),
        ("remove_extraroutes", [more, hops[1]], hops[2:]),
    ):
        answer = api("PUT", f"routers/{router}/{name}", {"router": {"routes": body}})
        assert expected == answer.json["router"]["routes"], answer
        assert answer.json == api.get(f"routers/{router}")
    path = f"routers/{router}/remove_router_interface"
    [v6] = [one["id"] for one in api.get(f"subnets?network_id={red['id']}&ip_version=6")["subnets"]]
    assert (409, "RouterInterfaceInUseByRoute") == refusal(api("PUT", path, {"subnet_id": v6}))
    lost = {"routes": [{"destination": "10.9.0.0/16", "nexthop": "192.0.2.1"}]}
    assert (400, "InvalidRoutes") == refusal(api("PUT", f"routers/{router}", {"router": lost}))
    assert [] == api.update("router", router, routes=[])["routes"]
    assert "" == nbctl(nb, "lr-route-list", router)


# --- external gateways ------------------------------------------------------------


def test_gateway(api: Api, nb: OvsdbServer) -> None:
    """A gateway has an address, a default route, SNAT and a place, and loses them all again."""
    outside = external_network(api)
    red = network(api, "10.0.0.0/24")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})
    info = router["external_gateway_info"]
    [port] = api.get(f"ports?device_id={router['id']}")["ports"]
    name = f"lrp{port['id']}"

    assert {
        "network_id": outside["id"],
        "enable_snat": True,
        "external_fixed_ips": [{"subnet_id": outside["subnet"], "ip_address": "203.0.113.2"}],
    } == info
    assert ("network:router_gateway", "ACTIVE", ["203.0.113.2"]) == (
        port["device_owner"],
        port["status"],
        ips(port),
    )
    assert "router" == column(nb, LSP, port["id"], "options:nat-addresses")
    assert f'"{port["id"]}"' == column(
        nb, "Logical_Router", router["id"], "external_ids:ovirt_gateway_port"
    )
    group = column(nb, LRP, name, "ha_chassis_group")
    assert "ovirt-gateways" == column(nb, "HA_Chassis_Group", group, "name")
    priorities = nbctl(nb, "--bare", "--columns=chassis_name,priority", "list", "HA_Chassis")
    assert {("hv1", "2"), ("hv2", "1")} == {
        tuple(one.split("\n")) for one in priorities.split("\n\n")
    }
    listed = nbctl(nb, "lr-route-list", router["id"]).split()
    assert ["0.0.0.0/0", "203.0.113.1", "dst-ip", name] == listed[-4:]
    assert "" == nbctl(nb, "lr-nat-list", router["id"])
    attach(api, router["id"], subnet_id=red["subnet"])
    assert ["snat", "203.0.113.2", "10.0.0.0/24"] == nbctl(nb, "lr-nat-list", router["id"]).split()[
        -3:
    ]
    assert_consistent(api)
    off = {"network_id": outside["id"], "enable_snat": False}
    shown = api.update("router", router["id"], external_gateway_info=off)
    assert {**info, "enable_snat": False} == shown["external_gateway_info"]
    assert "" == nbctl(nb, "lr-nat-list", router["id"])
    assert (409, "NetworkInUse") == refusal(api("DELETE", f"networks/{outside['id']}"))
    internal = {"network": {"router:external": False}}
    assert (409, "ExternalNetworkInUse") == refusal(
        api("PUT", f"networks/{outside['id']}", internal)
    )
    cleared = api.update("router", router["id"], external_gateway_info={})
    assert (None, []) == (cleared["external_gateway_info"], cleared["routes"])
    assert 404 == api("GET", f"ports/{port['id']}").status
    assert "" == nbctl(nb, "lr-route-list", router["id"])
    assert 200 == api("PUT", f"networks/{outside['id']}", internal).status
    assert_consistent(api)


def test_gateway_addresses(api: Api) -> None:
    """A gateway takes the addresses that are asked for, moves among them, and gives them back."""
    outside = external_network(api, "198.51.100.0/24")
    subnet(api, outside["id"], "2001:db8:1::/64")
    base = {"network_id": outside["id"]}
    router = api.create(
        "router",
        external_gateway_info={**base, "external_fixed_ips": [{"ip_address": "198.51.100.7"}]},
    )["id"]

    def shown(info: Any) -> list[str]:
        answer = api.update("router", router, external_gateway_info=info)
        found = answer["external_gateway_info"]
        return sorted(one["ip_address"] for one in found["external_fixed_ips"])

    assert ["198.51.100.7"] == shown(base)
    wanted = [{"ip_address": "198.51.100.8"}, {"ip_address": "2001:db8:1::8"}]
    assert ["198.51.100.8", "2001:db8:1::8"] == shown({**base, "external_fixed_ips": wanted})
    assert_consistent(api)
    # As many as there are, but both of one subnet; and back.
    of_one = [{"ip_address": "198.51.100.8"}, {"subnet_id": outside["subnet"]}]
    assert ["198.51.100.2", "198.51.100.8"] == shown({**base, "external_fixed_ips": of_one})
    assert ["198.51.100.8", "2001:db8:1::8"] == shown({**base, "external_fixed_ips": wanted})
    assert_consistent(api)
    for entries, expected in (
        ([{"ip_address": "192.0.2.1"}], (400, "InvalidIpForNetwork")),
        ([{"ip_address": "198.51.100.1"}], (400, "BadRequest")),
        ([{"subnet_id": NOWHERE}], (404, "SubnetNotFound")),
    ):
        body = {"router": {"external_gateway_info": {**base, "external_fixed_ips": entries}}}
        assert expected == refusal(api("PUT", f"routers/{router}", body))
    taken = {**base, "external_fixed_ips": [{"ip_address": "198.51.100.8"}]}
    body = {"router": {"external_gateway_info": taken}}
    assert (409, "IpAddressAlreadyAllocated") == refusal(api("POST", "routers", body))
    api.delete("router", router)
    assert 201 == api("POST", "routers", body).status
    assert_consistent(api)


def test_snat_packet(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """OVN sends a packet out with the gateway's address, on the gateway's chassis."""
    outside = external_network(
        api, "192.0.2.0/24", **{"provider:network_type": "flat", "provider:physical_network": "p1"}
    )
    red = network(api, "10.0.0.0/24", name="red")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    inside = port_of(api, attach(api, router, subnet_id=red["subnet"]))
    [gateway] = api.get(f"ports?device_id={router}&device_owner=network:router_gateway")["ports"]
    source = api.create("port", network_id=red["id"])
    nb = central["nb"]
    nbctl(nb, "--wait=sb", "--timeout=10", "sync")
    sbctl(central, "lsp-bind", source["id"], "hv2")
    sbctl(central, "lsp-bind", f"cr-lrp{gateway['id']}", "hv1")
    learn_mac(central, router, f"lrp{gateway['id']}", "192.0.2.1", "0a:00:00:00:00:01")

    traced = trace(
        central, f"ovirt-red-{red['id']}", packet(source, inside["mac_address"], "198.51.100.9")
    )

    assert f"(ip4.src={ips(gateway)[0]})" in traced
    assert "eth.dst = 0a:00:00:00:00:01;" in traced
    [localnet] = nbctl(
        nb, "--bare", "--columns=name", "find", LSP, "options:network_name=p1"
    ).split()
    assert f'output("{localnet[:6]}' in traced


def test_gateway_without_chassis(fresh: Fresh) -> None:
    """On a site that names no chassis gateways route, and nobody is promised NAT."""
    api = fresh.api
    outside = external_network(api)
    base = {"network_id": outside["id"]}
    router = api.create("router", external_gateway_info=base)
    asked = {"router": {"external_gateway_info": {**base, "enable_snat": True}}}

    assert router["external_gateway_info"]["enable_snat"] is False
    answer = api("PUT", f"routers/{router['id']}", asked)
    assert (400, "BadRequest") == refusal(answer)
    assert "gateway-chassis" in answer.json["NeutronError"]["message"]
    assert_consistent(api)


def test_an_administrators_group(fresh: Fresh) -> None:
    """A group of chassis that an administrator makes is used at once, and stays as it is."""
    api, nb = fresh
    nbctl(nb, "ha-chassis-group-add", "ovirt-gateways")
    nbctl(nb, "ha-chassis-group-add-chassis", "ovirt-gateways", "hv9", "7")
    outside = external_network(api)
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})

    assert router["external_gateway_info"]["enable_snat"] is True
    listed = nbctl(nb, "--bare", "--columns=chassis_name,priority", "list", "HA_Chassis")
    assert ["hv9", "7"] == listed.split()


def test_mtu(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """Routers answer too long packets where networks differ in MTU, and only there."""
    big, small = network(api, "10.0.0.0/24", mtu=9000), network(api, "10.1.0.0/24", mtu=1400)
    router = api.create("router")["id"]
    first = f"lrp{attach(api, router, subnet_id=big['subnet'])['port_id']}"
    second = f"lrp{attach(api, router, subnet_id=small['subnet'])['port_id']}"
    nb = central["nb"]

    assert ("{}", '{gateway_mtu="1400"}') == (
        column(nb, LRP, first, "options"),
        column(nb, LRP, second, "options"),
    )
    nbctl(nb, "--wait=sb", "--timeout=10", "sync")
    flows = [line for line in sbctl(central, "lflow-list").splitlines() if second in line]
    assert any("check_pkt_larger(1414)" in line for line in flows)
    assert any("icmp4.frag_mtu = 1400" in line for line in flows)
    assert_consistent(api)
    api.update("network", small["id"], mtu=9000)
    assert ("{}", "{}") == (column(nb, LRP, first, "options"), column(nb, LRP, second, "options"))
    api.update("network", big["id"], mtu=1500)
    assert '{gateway_mtu="1500"}' == column(nb, LRP, first, "options")
    detach(api, router, subnet_id=small["subnet"])
    assert "{}" == column(nb, LRP, first, "options")
    assert_consistent(api)


def test_physical_networks_are_routed_in_one_place(api: Api, nb: OvsdbServer) -> None:
    """A VLAN behind a router with a gateway is routed on the gateway's chassis alone."""
    outside = external_network(api, "192.0.2.0/25")
    vlan = network(
        api,
        "10.0.0.0/24",
        **{
            "provider:network_type": "vlan",
            "provider:physical_network": "p2",
            "provider:segmentation_id": 7,
        },
    )
    router = api.create("router")["id"]
    name = f"lrp{attach(api, router, subnet_id=vlan['subnet'])['port_id']}"
    key = "options:reside-on-redirect-chassis"

    assert "" == column(nb, LRP, name, key)
    api.update("router", router, external_gateway_info={"network_id": outside["id"]})
    assert '"true"' == column(nb, LRP, name, key)
    api.update("network", vlan["id"], **{"provider:network_type": "geneve"})
    assert "" == column(nb, LRP, name, key)


# --- other managers -----------------------------------------------------------------


def test_routers_of_others(fresh: Fresh) -> None:
    """Routers of other managers are invisible, and keep every byte whatever is done to ours."""
    api, nb = fresh
    run = partial(nbctl, nb)
    red = network(api, "10.0.0.0/24", name="red")
    run("lr-add", "by-hand", "--", "lrp-add", "by-hand", "p1", "0a:00:00:00:00:01", "10.9.0.1/24")
    run("lr-add", "bare")
    run("lr-add", "GR_node", "--", "set", "Logical_Router", "GR_node", "options:chassis=node")
    run(
        *("lr-add", "neutron-r", "--", "set", "Logical_Router", "neutron-r"),
        *("enabled=true", 'external_ids:"neutron:router_name"=r'),
    )
    run("lr-nat-add", "by-hand", "snat", "192.0.2.9", "10.9.0.0/24")
    run("lr-route-add", "by-hand", "0.0.0.0/0", "10.9.0.254")
    # One of them even has a leg on a network of ours.
    run("lrp-add", "by-hand", "p2", "0a:00:00:00:00:02", "10.0.0.254/24")
    run("lsp-add", f"ovirt-red-{red['id']}", "to-by-hand")
    run("lsp-set-type", "to-by-hand", "router")
    run("lsp-set-options", "to-by-hand", "router-port=p2")
    run("--wait=sb", "--timeout=10", "sync")

    def theirs() -> list[str]:
        text = [
            run("list", table)
            for table in (
                "Logical_Router",
                LRP,
                "NAT",
                "Logical_Router_Static_Route",
            )
        ]
        return sorted(block for one in text for block in one.split("\n\n"))

    before = theirs()

    assert [] == api.get("routers")["routers"]
    for name in ("by-hand", "bare", "GR_node", "neutron-r"):
        uuid = run("get", "Logical_Router", name, "_uuid").strip()
        for answer in (
            api("GET", f"routers/{uuid}"),
            api("PUT", f"routers/{uuid}", {"router": {"name": "x"}}),
            api("DELETE", f"routers/{uuid}"),
            api("PUT", f"routers/{uuid}/add_router_interface", {"subnet_id": red["subnet"]}),
        ):
            assert (404, "RouterNotFound") == refusal(answer)
    router = api.create("router")["id"]
    attach(api, router, subnet_id=red["subnet"])
    api.update("network", red["id"], mtu=1300)
    api.update("subnet", red["subnet"], dns_nameservers=["192.0.2.53"])
    detach(api, router, subnet_id=red["subnet"])
    api.delete("router", router)
    assert before == theirs()


def test_what_others_add_stays(api: Api, nb: OvsdbServer) -> None:
    """NAT, routes, ports and options that an administrator adds to a router of ours stay."""
    outside = external_network(api, "198.18.0.0/24")
    red = network(api, "10.0.0.0/24")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    answer = attach(api, router, subnet_id=red["subnet"])
    nbctl(nb, "lr-nat-add", router, "dnat", "198.18.0.99", "10.0.0.99")
    nbctl(nb, "--policy=src-ip", "lr-route-add", router, "10.0.0.0/25", "198.18.0.77")
    nbctl(nb, "lrp-add", router, "by-hand-1", "0a:00:00:00:00:09", "10.99.0.1/24")
    nbctl(nb, "set", LRP, f"lrp{answer['port_id']}", "options:gateway_mtu=1234")

    api.update("network", red["id"], mtu=1300)
    api.update("router", router, routes=[])
    api.update(
        "router", router, external_gateway_info={"network_id": outside["id"], "enable_snat": False}
    )

    assert "198.18.0.99" in nbctl(nb, "lr-nat-list", router)
    assert "198.18.0.77" in nbctl(nb, "lr-route-list", router)
    assert [] == api.get(f"routers/{router}")["router"]["routes"]
    assert '"1234"' == column(nb, LRP, f"lrp{answer['port_id']}", "options:gateway_mtu")
    detach(api, router, subnet_id=red["subnet"])
    assert (409, "RouterInUse") == refusal(api("DELETE", f"routers/{router}"))
    nbctl(nb, "lrp-del", "by-hand-1")
    api.delete("router", router)
