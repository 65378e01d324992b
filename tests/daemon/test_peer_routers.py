# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The routers of a site that ovirt-provider-ovn has set up: taken over, changed, given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.proxy import Answer
from daemon.routing import (
    assert_consistent,
    attach,
    column,
    detach,
    external_network,
    nbctl,
    refusal,
)
from daemon.test_peer_site import ANSWERS, NETWORKS, PORTS, SUBNETS, Site, quiet_site, running_site

pytestmark = pytest.mark.daemon

ROUTERS = {router["name"]: router["id"] for router in ANSWERS["routers"]}
TABLES = (
    "Logical_Router",
    "Logical_Router_Port",
    "Logical_Router_Static_Route",
    "NAT",
    "Logical_Switch",
    "Logical_Switch_Port",
    "DHCP_Options",
)
LRP = "Logical_Router_Port"


@pytest.fixture(scope="module")
def untouched() -> Iterator[Site]:
    """The site as it was left, for tests that only look."""
    with running_site() as site:
        yield site


@pytest.fixture
def site() -> Iterator[Site]:
    """A copy of the site to be changed, which ovirt-provider-ovn can read at the end."""
    with running_site(gateway_chassis=("hv1",)) as site:
        yield site
        assert_the_peer_can_read(site)


def select(site: Site, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table as the server has them, their sets and maps as Python's."""
    listed = json.loads(nbctl(site.nb, "--format=json", "list", table))
    return [
        {name: _plain(value) for name, value in zip(listed["headings"], row)}
        for row in listed["data"]
    ]


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "uuid":
        return content
    if kind == "map":
        return {_plain(key): _plain(item) for key, item in content}
    return [_plain(item) for item in content]


def as_list(value: Any) -> list[Any]:
    """Return a set that may be written as its only element."""
    return value if isinstance(value, list) else [value]


def assert_the_peer_can_read(site: Site) -> None:
    """Assert that every row is there that ovirt-provider-ovn follows without asking.

    From a router to its gateway's port, from a router's port to the switch port of the
    same name, from there to the subnet of the network; and that it finds the gateway's
    address among those that it has to give up with the gateway.
    """
    ports = {row["name"]: row for row in select(site, "Logical_Switch_Port")}
    switches = {
        ports_row: row
        for row in select(site, "Logical_Switch")
        for ports_row in as_list(row["ports"])
    }
    subnets = [
        row["external_ids"]["ovirt_network_id"]
        for row in select(site, "DHCP_Options")
        if "ovirt_network_id" in row["external_ids"]
    ]
    router_ports = {row["_uuid"]: row for row in select(site, LRP)}
    for router in select(site, "Logical_Router"):
        for uuid in as_list(router["ports"]):
            row = router_ports[uuid]
            port = ports[row["name"][len("lrp") :]]
            assert row["name"] == port["options"]["router-port"]
            assert switches[port["_uuid"]]["_uuid"] in subnets
        gateway = router["external_ids"].get("ovirt_gateway_port")
        if gateway is not None:
            [row] = [row for row in router_ports.values() if row["name"] == f"lrp{gateway}"]
            config = switches[ports[gateway]["_uuid"]]["other_config"]
            first = as_list(row["networks"])[0].partition("/")[0]
            assert first in config["exclude_ips"].split()
    for row in select(site, "DHCP_Options"):
        owner = row["external_ids"].get("gateway_router")
        assert owner is None or owner in {one["_uuid"] for one in select(site, "Logical_Router")}


# --- what is seen -----------------------------------------------------------------


def test_routers_are_as_they_were(untouched: Site) -> None:
    """Every router is listed with its id, name, gateway and routes, the bare ones too."""
    shared = ("id", "name", "admin_state_up", "status", "tenant_id", "routes")

    listed = untouched.api.get("routers")["routers"]

    assert {router["id"] for router in ANSWERS["routers"]} == untouched.ids("routers")
    for router in ANSWERS["routers"]:
        [shown] = [one for one in listed if one["id"] == router["id"]]
        assert {key: router[key] for key in shared} == {key: shown[key] for key in shared}
        assert router["external_gateway_info"] == shown["external_gateway_info"]
        assert {"router": shown} == untouched.api.get(f"routers/{router['id']}")
    assert [] == untouched.api.get("floatingips")["floatingips"]


def test_looking_changes_nothing(untouched: Site) -> None:
    """Lists and single objects are read without a write."""
    before = untouched.dump(*TABLES)

    untouched.ids("routers")
    untouched.api.get(f"routers/{ROUTERS['r1']}")
    untouched.ids("ports")

    assert before == untouched.dump(*TABLES)


def test_a_new_router_of_the_peers(site: Site) -> None:
    """A router that ovirt-provider-ovn makes later is ours before it has any port."""
    uuid = nbctl(site.nb, "create", "Logical_Router", "name=r3", "enabled=true")

    assert uuid in site.ids("routers")
    answer = attach(site.api, uuid, subnet_id=SUBNETS["v6s"])
    detach(site.api, uuid, port_id=answer["port_id"])
    site.api.delete("router", uuid)
    assert set(ROUTERS.values()) == site.ids("routers")


# --- what is changed --------------------------------------------------------------


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_router_changes(site: Site, name: str) -> None:
    """A router takes another name and state, and everything else stays as it was."""
    others = [table for table in TABLES if table != "Logical_Router"]
    before = site.dump(*others)
    old = site.api.get(f"routers/{ROUTERS[name]}")["router"]

    new = site.api.update("router", ROUTERS[name], name="new", admin_state_up=False)

    changing = {"name", "admin_state_up", "revision_number", "updated_at"}
    assert {key: old[key] for key in old.keys() - changing} == {
        key: new[key] for key in new.keys() - changing
    }
    assert ("new", False) == (new["name"], new["admin_state_up"])
    assert name == column(site.nb, "Logical_Router", ROUTERS[name], "name")
    assert before == site.dump(*others)


def test_a_gateway_that_is_repeated_stays(site: Site) -> None:
    """What clients of ovirt-provider-ovn send again and again changes nothing."""
    [r1] = [router for router in ANSWERS["routers"] if router["name"] == "r1"]
    before = site.dump(*TABLES)

    same = site.api.update(
        "router",
        r1["id"],
        name="r1",
        external_gateway_info=r1["external_gateway_info"],
        routes=r1["routes"],
    )

    assert r1["external_gateway_info"] == same["external_gateway_info"]
    assert before == site.dump(*TABLES)


def test_routes_change(site: Site) -> None:
    """Routes of the site's routers come and go like any other."""
    hop = {"destination": "172.16.0.0/12", "nexthop": "10.2.0.201"}
    old = {"destination": "192.168.0.0/16", "nexthop": "10.2.0.200"}
    path = f"routers/{ROUTERS['r2']}"

    def routes(name: str, *given: Any) -> Any:
        answer = site.api("PUT", f"{path}/{name}", {"router": {"routes": list(given)}})
        assert 200 == answer.status, answer
        return answer.json["router"]["routes"]

    assert [hop, old] == routes("add_extraroutes", hop)
    assert (409, "RouterInterfaceInUseByRoute") == refusal(
        site.api("PUT", f"{path}/remove_router_interface", {"subnet_id": SUBNETS["secured4"]})
    )
    assert [hop] == routes("remove_extraroutes", old)


def test_routes_of_a_gateway(site: Site) -> None:
    """A client that never saw the gateway's default route cannot take it away."""
    hop = {"destination": "172.16.0.0/12", "nexthop": "10.1.0.200"}

    shown = site.api.update("router", ROUTERS["r1"], routes=[hop])

    assert [hop] == shown["routes"]
    listed = nbctl(site.nb, "lr-route-list", ROUTERS["r1"])
    assert "0.0.0.0/0" in listed
    assert "203.0.113.1" in listed


def test_interfaces_come_and_go(site: Site) -> None:
    """Interfaces that ovirt-provider-ovn made are removed, and added again, on both sides."""
    r1 = ROUTERS["r1"]
    ports = {
        port["name"]: port["id"]
        for port in ANSWERS["ports"]
        if port.get("device_id") == r1 and port["device_owner"] == "network:router_interface"
    }

    by_port = detach(site.api, r1, port_id=ports["rp"])
    by_subnet = detach(site.api, r1, subnet_id=SUBNETS["plain4"])

    assert (NETWORKS["big"], [SUBNETS["big4"]]) == (by_port["network_id"], by_port["subnet_ids"])
    assert (ports["router_port"], [SUBNETS["plain4"]]) == (
        by_subnet["port_id"],
        by_subnet["subnet_ids"],
    )
    keys = column(site.nb, "DHCP_Options", SUBNETS["plain4"], "external_ids")
    assert "gateway_router" not in keys
    assert not {*ports.values()} & site.ids("ports")
    attach(site.api, r1, subnet_id=SUBNETS["plain4"])
    assert r1 in column(site.nb, "DHCP_Options", SUBNETS["plain4"], "external_ids:gateway_router")
    # A network with OVN's own address management gives the next free address, and its
    # gateway can be a port's.
    port = site.api.create("port", network_id=NETWORKS["big"])
    attach(site.api, r1, port_id=port["id"])
    assert_consistent(site.api)


def test_a_port_that_ovn_gave_an_address(site: Site) -> None:
    """A port whose address OVN chose becomes a router's with that address."""
    router = site.api.create("router")["id"]
    port = site.api.get(f"ports/{PORTS['nic1']}")["port"]
    assert (409, "PortInUse") == refusal(
        site.api("PUT", f"routers/{router}/add_router_interface", {"port_id": port["id"]})
    )
    site.api.update("port", port["id"], device_id="", device_owner="")

    attach(site.api, router, port_id=port["id"])

    nbctl(site.nb, "--wait=sb", "--timeout=10", "sync")
    shown = site.api.get(f"ports/{port['id']}")["port"]
    assert (port["fixed_ips"], port["mac_address"]) == (shown["fixed_ips"], shown["mac_address"])


def test_the_gateway_goes_and_comes(site: Site) -> None:
    """A gateway of ovirt-provider-ovn's goes with all that it brought; a new one is its like."""
    r1 = ROUTERS["r1"]
    answer = site.api("PUT", f"routers/{r1}", {"router": {"external_gateway_info": {}}})

    assert (None, []) == tuple(
        answer.json["router"][key] for key in ("external_gateway_info", "routes")
    )
    assert "203.0.113.9" not in site.dump(LRP, "Logical_Switch")
    assert "" == nbctl(site.nb, "lr-route-list", r1)
    info = {
        "network_id": NETWORKS["outside"],
        "enable_snat": False,
        "external_fixed_ips": [{"subnet_id": SUBNETS["outside4"], "ip_address": "203.0.113.9"}],
    }
    wanted = {"router": {"external_gateway_info": info}}
    # Nobody has said yet that the network is an external one.
    assert (400, "BadRequest") == refusal(site.api("PUT", f"routers/{r1}", wanted))
    external = {"network": {"router:external": True}}
    assert 200 == site.api("PUT", f"networks/{NETWORKS['outside']}", external).status
    shown = site.api("PUT", f"routers/{r1}", wanted)
    assert info == shown.json["router"]["external_gateway_info"]
    assert_the_peer_can_read(site)


def test_a_router_goes(site: Site) -> None:
    """A router of the site goes once its interfaces are gone, and its gateway with it."""
    for name in ("r1", "r2"):
        router = ROUTERS[name]
        assert (409, "RouterInUse") == refusal(site.api("DELETE", f"routers/{router}"))
        site.api.update("router", router, routes=[])
        for port in site.api.get(f"ports?device_id={router}")["ports"]:
            if port["device_owner"] == "network:router_interface":
                detach(site.api, router, port_id=port["id"])
        site.api.delete("router", router)

    assert set() == site.ids("routers")
    for table in ("Logical_Router", LRP, "Logical_Router_Static_Route"):
        assert [] == select(site, table)
    assert "gateway_router" not in site.dump("DHCP_Options")


def test_nat_for_the_sites_router(site: Site) -> None:
    """SNAT and floating IPs are to be had on a router of the site, which gets a chassis then."""
    r1, outside = ROUTERS["r1"], NETWORKS["outside"]
    gateway = f"lrp{column(site.nb, 'Logical_Router', r1, 'external_ids:ovirt_gateway_port')}"
    gateway = gateway.replace('"', "")
    external = {"network": {"router:external": True}}
    assert 200 == site.api("PUT", f"networks/{outside}", external).status
    made = site.api.create("floatingip", floating_network_id=outside)
    assert "203.0.113.2" == made["floating_ip_address"]
    assert "[]" == column(site.nb, LRP, gateway, "ha_chassis_group")

    used = site.api.update("floatingip", made["id"], port_id=PORTS["nic0"])

    assert (r1, "10.1.0.2") == (used["router_id"], used["fixed_ip_address"])
    assert "[]" != column(site.nb, LRP, gateway, "ha_chassis_group")
    info = {"network_id": outside, "enable_snat": True}
    shown = site.api.update("router", r1, external_gateway_info=info)
    assert shown["external_gateway_info"]["enable_snat"] is True
    rules = nbctl(site.nb, "lr-nat-list", r1)
    assert [True] * 3 == [text in rules for text in ("10.1.0.0/24", "10.9.0.0/16", "10.1.0.2")]
    site.api.delete("port", PORTS["nic0"])
    assert "10.1.0.2" not in nbctl(site.nb, "lr-nat-list", r1)
    site.api.delete("floatingip", made["id"])


def test_new_routers_can_be_given_back(site: Site) -> None:
    """Whatever is made here, ovirt-provider-ovn finds its way through it."""
    api = site.api
    outside = external_network(api, "198.51.100.0/24")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    attach(api, router, subnet_id=SUBNETS["v6s"])
    port = api.create("port", network_id=NETWORKS["big"])
    attach(api, router, port_id=port["id"])
    api.create("floatingip", floating_network_id=outside["id"])

    nbctl(site.nb, "--wait=sb", "--timeout=10", "sync")

    assert_consistent_and_readable(site)


def assert_consistent_and_readable(site: Site) -> None:
    """Assert both, for one who has the rows of the site's own routers untouched."""
    assert_the_peer_can_read(site)
    for port in select(site, "Logical_Switch_Port"):
        # It lists every port with its name, and the first address as its MAC.
        if "ovirt_nic_name" in port["external_ids"]:
            assert isinstance(port["external_ids"]["ovirt_nic_name"], str)


# --- damaged rows -----------------------------------------------------------------

_R1_LRP = "lrp25039793-09a0-4c23-b537-41b37fcc6253"
_R1_GATEWAY_LRP = "lrp323e52cb-49f6-411c-a04d-41227f636284"
_R1_PORT, _R1_GATEWAY = _R1_LRP[3:], _R1_GATEWAY_LRP[3:]
DAMAGE = [
    ("Logical_Router", "r1", "external_ids:ovirt_gateway_port=nowhere"),
    ("Logical_Router", "r1", f"external_ids:ovirt_gateway_port={_R1_PORT}"),
    ("Logical_Router", "r1", "external_ids:ovirt_revision_number=x"),
    ("Logical_Router", "r1", 'external_ids:ovirt_tags="{"'),
    ("Logical_Router", "r1", "external_ids:ovirt_enable_snat=maybe"),
    ("Logical_Router", "r1", "external_ids:ovirt_enable_snat=True"),
    ("Logical_Router", "r1", "enabled=[]"),
    ("Logical_Router", "r1", 'name=""'),
    ("Logical_Router", "r1", "static_routes=[]"),
    ("Logical_Router", "r2", "ports=[]"),
    (LRP, _R1_LRP, "mac=nonsense"),
    (LRP, _R1_LRP, "networks=nonsense"),
    (LRP, _R1_LRP, "networks=10.1.0.1"),
    (LRP, _R1_LRP, "networks=10.77.0.1/24"),
    (LRP, _R1_LRP, 'networks="10.1.0.1/24","fd00::1/64"'),
    (LRP, _R1_LRP, "name=other"),
    (LRP, _R1_LRP, "ipv6_ra_configs:address_mode=strange"),
    (LRP, _R1_LRP, "options:gateway_mtu=big"),
    (LRP, _R1_LRP, "external_ids:ovirt_options=nonsense"),
    (LRP, _R1_GATEWAY_LRP, "networks=nonsense"),
    (LRP, _R1_GATEWAY_LRP, "name=other"),
    ("Logical_Switch_Port", _R1_PORT, "external_ids:ovirt_device_id=nobody"),
    ("Logical_Switch_Port", _R1_PORT, "external_ids={}"),
    ("Logical_Switch_Port", _R1_PORT, "options={}"),
    ("Logical_Switch_Port", _R1_PORT, 'type=""'),
    ("Logical_Switch_Port", _R1_PORT, "external_ids:ovirt_floating_ip_address=nonsense"),
    ("Logical_Switch_Port", _R1_GATEWAY, "external_ids={}"),
    ("Logical_Switch_Port", "nic0", "external_ids:ovirt_floating_ips=nonsense"),
    ("Logical_Switch_Port", "nic0", "external_ids:ovirt_floating_ip_address=nonsense"),
    ("Logical_Switch_Port", "nic0", "external_ids:ovirt_floating_ip_address=10.1.0.2"),
    ("DHCP_Options", "plain4", "cidr=nonsense"),
    ("DHCP_Options", "outside4", "cidr=nonsense"),
    ("DHCP_Options", "outside4", "options:router=nonsense"),
    ("Logical_Router_Static_Route", "82f17e75-91ce-45ba-96cb-e6938e0d0d77", "nexthop=nonsense"),
    ("Logical_Router_Static_Route", "82f17e75-91ce-45ba-96cb-e6938e0d0d77", "ip_prefix=nonsense"),
    (
        "Logical_Router_Static_Route",
        "82f17e75-91ce-45ba-96cb-e6938e0d0d77",
        "external_ids:ovirt_gateway_route=maybe",
    ),
]
_RECORDS = {**ROUTERS, **SUBNETS, **PORTS}


@pytest.mark.parametrize(
    ("table", "name", "setting"), DAMAGE, ids=[f"{row[1]}-{row[2][:50]}" for row in DAMAGE]
)
def test_a_damaged_row_breaks_nothing_else(table: str, name: str, setting: str) -> None:
    """A row that another hand has damaged leaves the lists alive, and every request safe."""
    with quiet_site(gateway_chassis=("hv1",)) as site:
        record = _RECORDS.get(name, name)
        nbctl(site.nb, "set", table, record, setting)

        # One that lost all its ports is as bare as a router can be.
        assert {ROUTERS["r1"], ROUTERS["r2"]} == site.ids("routers")
        assert len(site.ids("ports")) >= len(PORTS) - 3
        answers = list(_use(site))

    assert [] == [answer for answer in answers if answer.status >= 500]


def _use(site: Site) -> Iterator[Answer]:
    """Do everything with the site's routers; whatever is answered, it is no defect."""
    api, r1 = site.api, ROUTERS["r1"]
    path = f"routers/{r1}"
    yield api("PUT", f"networks/{NETWORKS['outside']}", {"network": {"router:external": True}})
    yield api("PUT", path, {"router": {"name": "used"}})
    floating = api(
        "POST", "floatingips", {"floatingip": {"floating_network_id": NETWORKS["outside"]}}
    )
    yield floating
    if floating.status == 201:
        own = f"floatingips/{floating.json['floatingip']['id']}"
        yield api("PUT", own, {"floatingip": {"port_id": PORTS["nic0"]}})
        yield api("PUT", own, {"floatingip": {"port_id": None}})
        yield api("DELETE", own)
    yield api("PUT", f"ports/{PORTS['nic0']}", {"port": {"fixed_ips": []}})
    hop = {"destination": "172.16.0.0/12", "nexthop": "10.1.0.200"}
    yield api("PUT", path, {"router": {"routes": [hop]}})
    info = {"network_id": NETWORKS["outside"]}
    for value in ({**info, "enable_snat": True}, info, None):
        yield api("PUT", path, {"router": {"external_gateway_info": value}})
    yield api("PUT", f"networks/{NETWORKS['plain']}", {"network": {"mtu": 1400}})
    yield api("PUT", f"subnets/{SUBNETS['plain4']}", {"subnet": {"dns_nameservers": []}})
    yield api("PUT", f"{path}/add_router_interface", {"subnet_id": SUBNETS["v6s"]})
    for body in (
        {"subnet_id": SUBNETS["v6s"]},
        {"port_id": _R1_PORT},
        {"subnet_id": SUBNETS["plain4"]},
        {"subnet_id": SUBNETS["big4"]},
    ):
        yield api("PUT", f"{path}/remove_router_interface", body)
    yield api("DELETE", f"ports/{PORTS['nic0']}")
    yield api("DELETE", path)
    yield api("DELETE", f"routers/{ROUTERS['r2']}")
