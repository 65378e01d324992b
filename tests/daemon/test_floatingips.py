# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Floating IPs on one real central: in the API, in Northbound, and what OVN makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer, northd
from daemon.proxy import ENGINE, Api, running_api
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


class Site(NamedTuple):
    """An external network, an internal one, a router between them, and ports inside."""

    external: Any
    internal: Any
    router: str
    interface: str
    ports: tuple[Any, Any]


def make_site(api: Api, **external: Any) -> Site:
    """Create the objects of a site."""
    outside = external_network(api, **external)
    inside = network(api, "10.0.0.0/24")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    interface = attach(api, router, subnet_id=inside["subnet"])["port_id"]
    first, second = (
        api.create("port", network_id=inside["id"], name=name) for name in ("first", "second")
    )
    return Site(outside, inside, router, interface, (first, second))


def make_floating_ip(api: Api, site: Site, **values: Any) -> Any:
    """Create a floating IP."""
    return api.create("floatingip", floating_network_id=site.external["id"], **values)


def rules(nb: OvsdbServer, router_id: str) -> list[list[str]]:
    """Return the rules of a router that floating IPs have, as words without UUIDs."""
    lines = nbctl(nb, "lr-nat-list", router_id).splitlines()
    return [line.split()[1:] for line in lines if line.startswith("dnat_and_snat")]


# --- life -----------------------------------------------------------------------


def test_life(api: Api, nb: OvsdbServer) -> None:
    """A floating IP is allocated, associated, moved, freed and given back."""
    site = make_site(api)
    first, second = site.ports
    made = make_floating_ip(api, site, description="d")
    [holder] = api.get(f"ports?device_id={made['id']}")["ports"]

    assert {"floatingip": made} == api.get(f"floatingips/{made['id']}")
    assert made in api.get("floatingips")["floatingips"]
    free = {
        "port_id": None,
        "fixed_ip_address": None,
        "router_id": None,
        "status": "DOWN",
        "port_details": None,
    }
    assert {
        **made,
        **free,
        "floating_network_id": site.external["id"],
        "floating_ip_address": "203.0.113.3",
        "description": "d",
        "revision_number": 1,
    } == made
    assert ("network:floatingip", "N/A", ["203.0.113.3"]) == (
        holder["device_owner"],
        holder["status"],
        ips(holder),
    )
    assert "[]" == column(nb, "Logical_Switch_Port", holder["id"], "addresses")
    assert [] == rules(nb, site.router)
    assert_consistent(api)

    used = api.update("floatingip", made["id"], port_id=first["id"])
    assert (first["id"], ips(first)[0], site.router, "ACTIVE", 2) == tuple(
        used[key]
        for key in ("port_id", "fixed_ip_address", "router_id", "status", "revision_number")
    )
    assert ("first", site.internal["id"], first["mac_address"]) == tuple(
        used["port_details"][key] for key in ("name", "network_id", "mac_address")
    )
    assert [["203.0.113.3", ips(first)[0]]] == rules(nb, site.router)
    assert_consistent(api)

    moved = api.update("floatingip", made["id"], port_id=second["id"])
    assert (second["id"], 3) == (moved["port_id"], moved["revision_number"])
    assert [["203.0.113.3", ips(second)[0]]] == rules(nb, site.router)
    assert_consistent(api)

    freed = api.update("floatingip", made["id"], port_id=None)
    assert {**freed, **free} == freed
    assert [] == rules(nb, site.router)
    assert_consistent(api)

    again = make_floating_ip(api, site, port_id=first["id"], fixed_ip_address=ips(first)[0])
    assert "ACTIVE" == again["status"]
    api.delete("port", first["id"])
    shown = api.get(f"floatingips/{again['id']}")["floatingip"]
    assert {**shown, **free} == shown
    assert [] == rules(nb, site.router)
    assert_consistent(api)

    for one in (made, again):
        api.delete("floatingip", one["id"])
        assert (404, "FloatingIPNotFound") == refusal(api("GET", f"floatingips/{one['id']}"))
    assert 404 == api("GET", f"ports/{holder['id']}").status
    assert_consistent(api)


def test_every_attribute_is_always_there(api: Api) -> None:
    """A floating IP has all its attributes, and no name."""
    made = make_floating_ip(api, make_site(api))
    standard = {"id", "tenant_id", "project_id", "description", "tags"}
    standard |= {"created_at", "updated_at", "revision_number"}
    own = {"floating_network_id", "floating_ip_address", "port_id", "fixed_ip_address"}
    own |= {"router_id", "status", "port_details"}

    assert standard | own == set(made)


def test_lists(nb: OvsdbServer) -> None:
    """Lists of floating IPs are filtered, sorted, cut to attributes and pages like any other."""
    with northd() as servers, running_api(servers["nb"], gateway_chassis=CHASSIS) as api:
        site = make_site(api)
        wanted = [{"floating_network_id": site.external["id"]} for _ in range(3)]
        answer = api("POST", "floatingips", {"floatingips": wanted})
        made = answer.json["floatingips"]
        assert 201 == answer.status
        addresses = [one["floating_ip_address"] for one in made]
        assert ["203.0.113.3", "203.0.113.4", "203.0.113.5"] == addresses
        api.update("floatingip", made[1]["id"], port_id=site.ports[0]["id"])
        api("PUT", f"floatingips/{made[2]['id']}/tags/x")

        def listed(query: str) -> list[int]:
            found = api.get(f"floatingips?{query}")["floatingips"]
            return [addresses.index(one["floating_ip_address"]) for one in found]

        assert [1] == listed(f"port_id={site.ports[0]['id']}")
        assert [1] == listed(f"router_id={site.router}")
        assert [1] == listed("status=ACTIVE")
        assert [1] == listed(f"fixed_ip_address={ips(site.ports[0])[0]}")
        assert [0] == listed("floating_ip_address=203.0.113.3")
        assert [] == listed(f"floating_network_id={NOWHERE}")
        assert [2] == listed("tags=x")
        assert [2, 1, 0] == listed("sort_key=floating_ip_address&sort_dir=desc")
        assert [0, 1] == listed("sort_key=floating_ip_address&sort_dir=asc&limit=2")
        [cut] = api.get(f"floatingips?id={made[0]['id']}&fields=id")["floatingips"]
        assert {"id": made[0]["id"]} == cut
        assert 3 == api.get("quotas/x/details")["quota"]["floatingip"]["used"]
        holders = api.get("ports?device_owner=network:floatingip")["ports"]
        assert sorted(one["id"] for one in made) == sorted(one["device_id"] for one in holders)
        # The engine lists all ports, and finds nothing there that it cannot read.
        assert 200 == api("GET", "ports", headers=ENGINE).status


def test_extension(api: Api) -> None:
    """What works is advertised."""
    assert 200 == api("GET", "extensions/fip-port-details").status


# --- addresses ------------------------------------------------------------------


def test_addresses(api: Api) -> None:
    """Addresses are asked for or found, never given twice, and used up at last."""
    site = make_site(api)
    small = subnet(
        api,
        site.external["id"],
        "198.51.100.0/29",
        allocation_pools=[{"start": "198.51.100.2", "end": "198.51.100.3"}],
    )
    own = make_floating_ip(api, site, floating_ip_address="203.0.113.77")
    found = [
        make_floating_ip(api, site, subnet_id=small["id"])["floating_ip_address"] for _ in range(2)
    ]

    assert "203.0.113.77" == own["floating_ip_address"]
    assert ["198.51.100.2", "198.51.100.3"] == found
    base = {"floating_network_id": site.external["id"]}
    for values, expected in (
        ({"subnet_id": small["id"]}, (400, "ExternalIpAddressExhausted")),
        ({"floating_ip_address": "203.0.113.77"}, (409, "IpAddressAlreadyAllocated")),
        ({"floating_ip_address": "203.0.113.2"}, (409, "IpAddressAlreadyAllocated")),
        ({"floating_ip_address": "192.0.2.1"}, (400, "InvalidIpForNetwork")),
        ({"floating_ip_address": "2001:db8::1"}, (400, "HTTPBadRequest")),
        ({"subnet_id": site.internal["subnet"]}, (400, "InvalidInput")),
        ({"subnet_id": NOWHERE}, (404, "SubnetNotFound")),
        ({"floating_network_id": site.internal["id"]}, (400, "BadRequest")),
        ({"floating_network_id": NOWHERE}, (400, "BadRequest")),
        ({"fixed_ip_address": "10.0.0.2"}, (400, "BadRequest")),
        ({"port_id": NOWHERE}, (404, "PortNotFound")),
        ({"name": "x"}, (400, "HTTPBadRequest")),
    ):
        answer = api("POST", "floatingips", {"floatingip": {**base, **values}})
        assert expected == refusal(answer), values
    taken = {"network_id": site.external["id"], "fixed_ips": [{"ip_address": "203.0.113.77"}]}
    assert (409, "IpAddressAlreadyAllocated") == refusal(api("POST", "ports", {"port": taken}))
    assert (409, "SubnetInUse") == refusal(api("DELETE", f"subnets/{small['id']}"))
    assert_consistent(api)
    api.delete("floatingip", own["id"])
    assert 201 == api("POST", "ports", {"port": taken}).status


# --- association ------------------------------------------------------------------


def test_ports_that_cannot(api: Api) -> None:
    """A floating IP is for one IPv4 address of a VM's port behind a router."""
    site = make_site(api)
    first, second = site.ports
    made = make_floating_ip(api, site)
    several = api.create(
        "port",
        network_id=site.internal["id"],
        fixed_ips=[{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}],
    )
    without = api.create("port", network_id=site.internal["id"], fixed_ips=[])
    lonely = network(api, "10.1.0.0/24")
    behind_nothing = api.create("port", network_id=lonely["id"])
    make_floating_ip(api, site, port_id=second["id"])
    for values, expected in (
        ({"port_id": NOWHERE}, (404, "PortNotFound")),
        ({"port_id": site.interface}, (400, "BadRequest")),
        ({"port_id": several["id"]}, (400, "BadRequest")),
        ({"port_id": without["id"]}, (400, "BadRequest")),
        ({"port_id": first["id"], "fixed_ip_address": "10.0.0.99"}, (400, "BadRequest")),
        ({"port_id": behind_nothing["id"]}, (404, "ExternalGatewayForFloatingIPNotFound")),
        ({"port_id": second["id"]}, (409, "FloatingIPPortAlreadyAssociated")),
        ({"fixed_ip_address": "10.0.0.2"}, (400, "BadRequest")),
        ({"floating_ip_address": "203.0.113.9"}, (400, "HTTPBadRequest")),
    ):
        answer = api("PUT", f"floatingips/{made['id']}", {"floatingip": values})
        assert expected == refusal(answer), values
        assert {"floatingip": made} == api.get(f"floatingips/{made['id']}")
    values = {"port_id": several["id"], "fixed_ip_address": "10.0.0.51"}
    assert "10.0.0.51" == api.update("floatingip", made["id"], **values)["fixed_ip_address"]
    other = make_floating_ip(api, site, port_id=several["id"], fixed_ip_address="10.0.0.50")
    assert "ACTIVE" == other["status"]
    assert_consistent(api)
    api.delete("port", several["id"])
    assert_consistent(api)


def test_what_a_floating_ip_keeps(api: Api) -> None:
    """Router, gateway, interface, address and networks stay as long as a floating IP needs them."""
    site = make_site(api)
    first = site.ports[0]
    made = make_floating_ip(api, site, port_id=first["id"])
    [holder] = api.get(f"ports?device_id={made['id']}")["ports"]
    no_gateway = {"router": {"external_gateway_info": None}}
    for request, expected in (
        (("PUT", f"routers/{site.router}", no_gateway), "RouterExternalGatewayInUseByFloatingIp"),
        (
            (
                "PUT",
                f"routers/{site.router}/remove_router_interface",
                {"subnet_id": site.internal["subnet"]},
            ),
            "RouterInterfaceInUseByFloatingIP",
        ),
        (("DELETE", f"routers/{site.router}"), "RouterInUse"),
        (("DELETE", f"ports/{holder['id']}"), "ServicePortInUse"),
        (("DELETE", f"networks/{site.external['id']}"), "NetworkInUse"),
        (("DELETE", f"subnets/{site.external['subnet']}"), "SubnetInUse"),
        (
            ("PUT", f"networks/{site.external['id']}", {"network": {"router:external": False}}),
            "ExternalNetworkInUse",
        ),
    ):
        assert (409, expected) == refusal(api(*request)), request
    readdressed = {"port": {"fixed_ips": [{"ip_address": "10.0.0.99"}]}}
    assert (400, "BadRequest") == refusal(api("PUT", f"ports/{first['id']}", readdressed))
    renamed = {"port": {"device_id": "x"}}
    assert (400, "BadRequest") == refusal(api("PUT", f"ports/{holder['id']}", renamed))
    assert_consistent(api)
    api.delete("floatingip", made["id"])
    detach(api, site.router, subnet_id=site.internal["subnet"])
    api.delete("router", site.router)
    assert_consistent(api)


# --- what OVN makes of it -----------------------------------------------------------


PHYSICAL = {"provider:network_type": "flat"}


def test_distributed(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """On a physical network a VM's own chassis answers for its floating IP and does the NAT."""
    site = make_site(api, **PHYSICAL, **{"provider:physical_network": "f1"})
    first = site.ports[0]
    made = make_floating_ip(api, site, port_id=first["id"])
    [holder] = api.get(f"ports?device_id={made['id']}")["ports"]
    [gateway] = api.get(f"ports?network_id={site.external['id']}&device_id={site.router}")["ports"]
    nb = central["nb"]

    assert [["203.0.113.3", ips(first)[0], holder["mac_address"], first["id"]]] == rules(
        nb, site.router
    )
    nbctl(nb, "--wait=sb", "--timeout=10", "sync")
    sbctl(central, "lsp-bind", first["id"], "hv2")
    sbctl(central, "lsp-bind", f"cr-lrp{gateway['id']}", "hv1")
    learn_mac(central, site.router, f"lrp{gateway['id']}", "203.0.113.1", "0a:00:00:00:00:01")
    find = ["--bare", "--columns=name", "find", "Logical_Switch_Port"]
    localnet = nbctl(nb, *find, "options:network_name=f1")
    to_us = (
        f'inport == "{localnet}" && eth.src == 0a:00:00:00:00:01 && '
        f"eth.dst == {holder['mac_address']} && ip4.src == 198.51.100.9 && "
        "ip4.dst == 203.0.113.3 && ip.ttl == 64 && icmp4"
    )
    external = f"ovirt--{site.external['id']}"
    incoming = trace(central, external, to_us)
    assert f"(ip4.dst={ips(first)[0]})" in incoming
    assert f"eth.dst = {first['mac_address']};" in incoming
    inside = port_of(api, {"port_id": site.interface})
    outgoing = trace(
        central,
        f"ovirt--{site.internal['id']}",
        packet(first, inside["mac_address"], "198.51.100.9"),
    )
    assert "(ip4.src=203.0.113.3)" in outgoing
    assert f"eth.src = {holder['mac_address']};" in outgoing
    who_has = (
        f'inport == "{localnet}" && eth.src == 0a:00:00:00:00:01 && eth.dst == ff:ff:ff:ff:ff:ff '
        "&& arp.op == 1 && arp.sha == 0a:00:00:00:00:01 && arp.spa == 203.0.113.1 && "
        "arp.tha == 00:00:00:00:00:00 && arp.tpa == 203.0.113.3"
    )
    assert f"arp.sha = {holder['mac_address']};" in trace(central, external, who_has)
    # Freed, the address is answered for by nobody.
    api.update("floatingip", made["id"], port_id=None)
    nbctl(nb, "--wait=sb", "--timeout=10", "sync")
    assert "arp.op = 2" not in trace(central, external, who_has)
    assert_consistent(api)


def test_centralized(nb: OvsdbServer) -> None:
    """Where the site says so, and on overlay networks, the gateway's chassis does the NAT."""
    settings = {"gateway_chassis": CHASSIS}
    with running_api(nb, distributed_floating_ips=False, **settings) as api:
        site = make_site(api, **PHYSICAL, **{"provider:physical_network": "f2"})
        make_floating_ip(api, site, port_id=site.ports[0]["id"])
        assert [["203.0.113.3", ips(site.ports[0])[0]]] == rules(nb, site.router)
    with running_api(nb, **settings) as api:
        make_floating_ip(api, site, port_id=site.ports[1]["id"])
        assert [2, 4] == sorted(map(len, rules(nb, site.router)))
        overlay = {"provider:network_type": "geneve"}
        api("PUT", f"networks/{site.external['id']}", {"network": overlay})
        assert [2, 2] == sorted(map(len, rules(nb, site.router)))
        assert_consistent(api)


def test_a_gateway_without_chassis_has_no_floating_ips(nb: OvsdbServer) -> None:
    """On a site that names no chassis a floating IP can be had, and not be associated."""
    with northd() as servers, running_api(servers["nb"]) as api:
        site = make_site(api)
        made = make_floating_ip(api, site)
        values = {"floatingip": {"port_id": site.ports[0]["id"]}}
        answer = api("PUT", f"floatingips/{made['id']}", values)

        assert (400, "BadRequest") == refusal(answer)
        assert "gateway-chassis" in answer.json["NeutronError"]["message"]
        # Named later, the chassis serve the gateway that is there.
        nbctl(servers["nb"], "ha-chassis-group-add", "ovirt-gateways")
        assert 200 == api("PUT", f"floatingips/{made['id']}", values).status
        assert_consistent(api)


def test_mac_and_place_of_a_port(api: Api, nb: OvsdbServer) -> None:
    """A new MAC changes nothing for a floating IP; a virtual function moves the work."""
    site = make_site(api, **PHYSICAL, **{"provider:physical_network": "f3"})
    port = site.ports[0]["id"]
    make_floating_ip(api, site, port_id=port)
    before = rules(nb, site.router)

    api.update("port", port, mac_address="02:00:00:00:00:77")
    assert before == rules(nb, site.router)
    direct = {"port": {"binding:vnic_type": "direct"}}
    assert 200 == api("PUT", f"ports/{port}", direct).status
    assert [2] == list(map(len, rules(nb, site.router)))
    assert_consistent(api)
