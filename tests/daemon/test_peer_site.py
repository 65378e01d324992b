# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site that ovirt-provider-ovn has set up, taken over in place.

tests/data/peer-site holds its database and what it answered itself. Here it is
served by a real ovsdb-server with ovn-northd, shared with other managers of OVN, and
damaged in every way that a row can be.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer, northd, ovsdb_server, wait_until
from daemon.proxy import ENGINE, Api, running_api

pytestmark = pytest.mark.daemon

DATA = Path(__file__).parents[1] / "data" / "peer-site"
ANSWERS: Mapping[str, Any] = json.loads((DATA / "answers.json").read_text(encoding="utf-8"))
NETWORKS = {network["name"]: network["id"] for network in ANSWERS["networks"]}
SUBNETS = {subnet["name"]: subnet["id"] for subnet in ANSWERS["subnets"]}
PORTS = {port["name"]: port["id"] for port in ANSWERS["ports"]}
GROUPS = {group["name"]: group["id"] for group in ANSWERS["security_groups"]}
DROP_GROUP = "bdcb23ba-d504-406e-8384-26d19106140a"
KINDS = ("networks", "subnets", "ports", "security-groups", "security-group-rules")

# Tables that nothing which is done to networks, subnets and ports without security may touch.
FOREIGN_TABLES = (
    "ACL",
    "Address_Set",
    "Logical_Router",
    "Logical_Router_Port",
    "Logical_Router_Static_Route",
    "NAT",
    "Port_Group",
)


class Site(NamedTuple):
    """A running copy of the site."""

    api: Api
    nb: OvsdbServer

    def nbctl(self, *command: str) -> str:
        """Run ovn-nbctl; returns what it prints."""
        done = subprocess.run(
            ["ovn-nbctl", f"--db={self.nb.remote}", *command],
            check=True,
            capture_output=True,
            timeout=10,
        )
        return done.stdout.decode().strip()

    def dump(self, *tables: str) -> str:
        """Return tables as text, with every column, rows in order."""
        selects = [{"op": "select", "table": table, "where": []} for table in tables]
        query = json.dumps(["OVN_Northbound", *selects])
        command = ["ovsdb-client", "query", self.nb.remote, query]
        done = subprocess.run(command, check=True, capture_output=True, timeout=10)
        lines = []
        for table, found in zip(tables, json.loads(done.stdout)):
            lines.append(table)
            lines += sorted(json.dumps(row, sort_keys=True) for row in found["rows"])
        return "\n".join(lines)

    def ids(self, collection: str) -> set[str]:
        """Return the ids that a list shows, the same to the engine and to others."""
        key = collection.replace("-", "_")
        listed = {element["id"] for element in self.api.get(collection)[key]}
        answer = self.api("GET", collection, headers=ENGINE)
        assert listed == {element["id"] for element in answer.json[key]}
        return listed


@contextlib.contextmanager
def running_site(**settings: Any) -> Iterator[Site]:
    """Serve a copy of the site's database, with ovn-northd and the proxy.

    `settings` are fields of Config.
    """
    with (
        northd(nb_content=DATA / "nb.backup") as servers,
        running_api(servers["nb"], **settings) as api,
    ):
        site = Site(api, servers["nb"])
        # Northd is at work once it has written to the Southbound.
        site.nbctl("--wait=sb", "--timeout=10", "sync")
        yield site


@contextlib.contextmanager
def quiet_site(**settings: Any) -> Iterator[Site]:
    """Do without ovn-northd, for tests that look at nothing which it makes."""
    with (
        ovsdb_server(content=DATA / "nb.backup") as nb,
        running_api(nb, **settings) as api,
    ):
        yield Site(api, nb)


@pytest.fixture(scope="module")
def untouched() -> Iterator[Site]:
    """The site as it was left, for tests that only look."""
    with running_site() as site:
        yield site


@pytest.fixture
def site() -> Iterator[Site]:
    """A copy of the site to be changed; what is not ours to change is looked after."""
    with running_site() as site:
        before = site.dump(*FOREIGN_TABLES)
        yield site
        assert before == site.dump(*FOREIGN_TABLES)


# --- what is seen -------------------------------------------------------------


def _by_id(elements: list[Any]) -> dict[str, Any]:
    return {element["id"]: element for element in elements}


def test_networks_are_as_they_were(untouched: Site) -> None:
    """Every network is listed with its id, name, MTU, port security and segment."""
    shared = ("id", "name", "mtu", "port_security_enabled", "status", "tenant_id")
    provider = {
        "provider:network_type": "geneve",
        "provider:physical_network": None,
        "provider:segmentation_id": None,
    }
    expected = [
        {key: {**provider, **network}[key] for key in (*shared, *provider)}
        for network in ANSWERS["networks"]
    ]

    listed = untouched.api.get("networks")["networks"]

    shown = [{key: network[key] for key in (*shared, *provider)} for network in listed]
    assert _by_id(expected) == _by_id(shown)


def test_the_engine_sees_an_mtu_where_one_was_asked_for(untouched: Site) -> None:
    """The one MTU that was set is shown to the engine, and no other."""
    listed = untouched.api("GET", "networks", headers=ENGINE).json["networks"]

    assert {"big": 9000} == {
        network["name"]: network["mtu"] for network in listed if network["mtu"] is not None
    }


def test_subnets_are_as_they_were(untouched: Site) -> None:
    """Every subnet is listed with its id, name, addresses, gateway, servers and mode."""
    shared = ("id", "name", "cidr", "ip_version", "network_id", "dns_nameservers", "enable_dhcp")
    optional = {"gateway_ip": None, "ipv6_address_mode": None}
    expected = [
        {key: {**optional, **subnet}[key] for key in (*shared, *optional)}
        for subnet in ANSWERS["subnets"]
    ]

    listed = untouched.api.get("subnets")["subnets"]

    shown = [{key: subnet[key] for key in (*shared, *optional)} for subnet in listed]
    assert _by_id(expected) == _by_id(shown)
    pools = [subnet["allocation_pools"] for subnet in listed if subnet["name"] == "plain4"]
    assert [[{"start": "10.1.0.2", "end": "10.1.0.254"}]] == pools


def test_ports_are_as_they_were(untouched: Site) -> None:
    """Every port but those of physical networks is listed, with what OVN calculated for it."""
    shared = ("id", "name", "network_id", "fixed_ips", "device_id", "device_owner")
    keys = (*shared, "port_security_enabled", "mac_address")
    expected = [
        {key: port[key] for key in keys}
        for port in ANSWERS["ports"]
        if port["name"] != "localnet_port"
    ]

    listed = untouched.api.get("ports")["ports"]

    shown = [{key: port[key] for key in keys} for port in listed]
    for port in shown:
        # The word "router" in place of the MAC was the database's own notation.
        if port["device_owner"].startswith("network:"):
            assert 17 == len(port["mac_address"])
            port["mac_address"] = "router"
    assert _by_id(expected) == _by_id(shown)


def test_one_object_is_shown_as_in_the_list(untouched: Site) -> None:
    """What a list shows of an object, GET of it shows as well."""
    for path in KINDS:
        kind = path[:-1].replace("-", "_")
        for element in untouched.api.get(path)[f"{kind}s"]:
            assert {kind: element} == untouched.api.get(f"{path}/{element['id']}")


def test_looking_changes_nothing(untouched: Site) -> None:
    """Lists and single objects are read without a write."""
    everything = ("NB_Global", "Logical_Switch", "Logical_Switch_Port", "DHCP_Options")
    before = untouched.dump(*everything, *FOREIGN_TABLES)

    for collection in KINDS:
        untouched.ids(collection)
    untouched.api.get(f"ports/{PORTS['nic0']}")

    assert before == untouched.dump(*everything, *FOREIGN_TABLES)


# --- what is changed ----------------------------------------------------------


def _column(site: Site, table: str, record: str, column: str) -> str:
    return site.nbctl("--if-exists", "get", table, record, column)


def _ips(port: Mapping[str, Any]) -> list[str]:
    return [entry["ip_address"] for entry in port["fixed_ips"]]


def _all_ips(site: Site, network: str) -> list[str]:
    ports = site.api.get(f"ports?network_id={NETWORKS[network]}")["ports"]
    return sorted(ip for port in ports for ip in _ips(port))


def test_a_network_is_renamed_where_it_shows(site: Site) -> None:
    """A new name leaves the row's own name, and everything else, as it was."""
    before = _column(site, "Logical_Switch", NETWORKS["plain"], "name")
    old = site.api.get(f"networks/{NETWORKS['plain']}")["network"]

    new = site.api.update("network", NETWORKS["plain"], name="renamed")

    changing = {"name", "revision_number", "updated_at"}
    assert {key: old[key] for key in old.keys() - changing} == {
        key: new[key] for key in new.keys() - changing
    }
    assert "renamed" == new["name"]
    assert before == _column(site, "Logical_Switch", NETWORKS["plain"], "name")


@pytest.mark.parametrize("name", ["vlan", "flat"])
def test_a_network_keeps_its_physical_network(site: Site, name: str) -> None:
    """A PUT that names no provider attribute leaves the localnet port alone."""
    before = site.dump("Logical_Switch_Port")
    old = site.api.get(f"networks/{NETWORKS[name]}")["network"]

    new = site.api.update("network", NETWORKS[name], name="new", mtu=1400)

    provider = [key for key in old if key.startswith("provider:")]
    assert {key: old[key] for key in provider} == {key: new[key] for key in provider}
    assert before == site.dump("Logical_Switch_Port")


def test_a_vlan_of_the_site_is_taken(site: Site) -> None:
    """Nobody else gets a segment that a network of the site is on."""
    for segment in (
        {"provider:network_type": "vlan", "provider:segmentation_id": 100},
        {"provider:network_type": "flat"},
    ):
        physical = "phys1" if "provider:segmentation_id" in segment else "phys2"
        values = {**segment, "provider:physical_network": physical}
        assert 409 == site.api("POST", "networks", {"network": values}).status


ANOTHER_MAC = "56:6f:0a:00:00:99"


@pytest.mark.parametrize("name", ["nic1", "six", "static", "nosub", "websrv"])
def test_a_start_of_a_vm_keeps_the_addresses(site: Site, name: str) -> None:
    """The engine's PUT of host and MAC leaves a port the addresses that it has."""
    old = site.api.get(f"ports/{PORTS[name]}")["port"]
    before = _column(site, "Logical_Switch_Port", PORTS[name], "addresses")
    values = {"binding:host_id": "host2", "mac_address": old["mac_address"]}

    answer = site.api("PUT", f"ports/{PORTS[name]}", {"port": values}, ENGINE)

    assert 200 == answer.status
    site.nbctl("--wait=sb", "--timeout=10", "sync")
    new = site.api.get(f"ports/{PORTS[name]}")["port"]
    assert old["fixed_ips"] == answer.json["port"]["fixed_ips"] == new["fixed_ips"]
    assert old["mac_address"] == new["mac_address"]
    assert before == _column(site, "Logical_Switch_Port", PORTS[name], "addresses")
    assert "{}" == _column(site, "Logical_Switch_Port", PORTS[name], "options")


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("nic1", f"{ANOTHER_MAC} dynamic"),
        # OVN would make another one of the new MAC.
        ("six", f"{ANOTHER_MAC} fd00:6::546f:aff:fe00:8"),
    ],
)
def test_a_start_with_another_mac_keeps_the_address(site: Site, name: str, addresses: str) -> None:
    """A port whose address OVN chose keeps that address with a new MAC."""
    path = f"ports/{PORTS[name]}"
    ips = _ips(site.api.get(path)["port"])
    values = {"binding:host_id": "host2", "mac_address": ANOTHER_MAC}

    answer = site.api("PUT", path, {"port": values}, ENGINE)

    assert (200, ips) == (answer.status, _ips(answer.json["port"]))
    site.nbctl("--wait=sb", "--timeout=10", "sync")
    port = site.api.get(path)["port"]
    assert (ANOTHER_MAC, ips) == (port["mac_address"], _ips(port))
    column = _column(site, "Logical_Switch_Port", PORTS[name], "addresses")
    assert f'["{addresses}"]' == column


def test_a_new_port_gets_an_address_of_nobody(site: Site) -> None:
    """Addresses that OVN gave out count as taken, and so do a router's and a gateway's."""
    ports = [site.api.create("port", network_id=NETWORKS["plain"]) for _ in range(3)]

    assert [["10.1.0.7"], ["10.1.0.8"], ["10.1.0.9"]] == [_ips(port) for port in ports]
    taken = _all_ips(site, "plain")
    assert len(set(taken)) == len(taken)


def test_going_back_gives_no_address_twice(site: Site) -> None:
    """OVN, choosing for a port that ovirt-provider-ovn makes later, sees ours as taken."""
    ours = _ips(site.api.create("port", network_id=NETWORKS["plain"]))
    name = "aaaaaaaa-0000-4000-8000-000000000001"
    switch = _column(site, "Logical_Switch", NETWORKS["plain"], "name").strip('"')
    site.nbctl("lsp-add", switch, name)
    site.nbctl("lsp-set-addresses", name, "56:6f:0a:00:01:01 dynamic")
    site.nbctl("set", "Logical_Switch_Port", name, "external_ids:ovirt_nic_name=later")

    def theirs() -> list[str]:
        return _ips(site.api.get(f"ports/{name}")["port"])

    wait_until(theirs, what="OVN chose an address")
    assert theirs() != ours
    taken = _all_ips(site, "plain")
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize(
    ("name", "cidr", "address"),
    [
        ("plain", "10.77.0.0/24", "10.77.0.2"),
        ("plain", "fd77::/64", "fd77::1"),
        ("v6", "10.77.0.0/24", "10.77.0.2"),
        ("v6", "fd77::/64", "fd77::1"),
    ],
)
def test_a_second_subnet(site: Site, name: str, cidr: str, address: str) -> None:
    """A network of the site takes a second subnet, and gives it up; its ports keep theirs."""
    network_id = NETWORKS[name]
    before = _all_ips(site, name)
    subnets = site.api.get(f"networks/{network_id}")["network"]["subnets"]
    config = _column(site, "Logical_Switch", network_id, "other_config")
    values = {"network_id": network_id, "ip_version": 6 if ":" in cidr else 4, "cidr": cidr}

    subnet = site.api.create("subnet", **values)

    site.nbctl("--wait=sb", "--timeout=10", "sync")
    shown = site.api.get(f"networks/{network_id}")["network"]["subnets"]
    assert {*subnets, subnet["id"]} == set(shown)
    assert before == _all_ips(site, name)
    assert config == _column(site, "Logical_Switch", network_id, "other_config")
    fixed_ips = [{"subnet_id": subnet["id"]}]
    port = site.api.create("port", network_id=network_id, fixed_ips=fixed_ips)
    assert [address] == _ips(port)
    assert 400 == site.api("POST", "subnets", {"subnet": values}).status
    site.api.delete("port", port["id"])
    site.api.delete("subnet", subnet["id"])
    assert config == _column(site, "Logical_Switch", network_id, "other_config")


def test_a_subnet_changes(site: Site) -> None:
    """A subnet of the site takes changes, and keeps what they do not name."""
    old = site.api.get(f"subnets/{SUBNETS['plain4']}")["subnet"]

    new = site.api.update("subnet", SUBNETS["plain4"], name="new", dns_nameservers=["192.0.2.1"])

    changing = {"name", "dns_nameservers", "revision_number", "updated_at"}
    assert {key: old[key] for key in old.keys() - changing} == {
        key: new[key] for key in new.keys() - changing
    }
    assert ("new", ["192.0.2.1"]) == (new["name"], new["dns_nameservers"])
    router = _column(site, "DHCP_Options", SUBNETS["plain4"], "external_ids:gateway_router")
    assert "12fdc730" in router
    assert '"192.0.2.1"' == _column(site, "DHCP_Options", SUBNETS["plain4"], "options:dns_server")


def test_a_port_goes(site: Site) -> None:
    """A port of the site can be deleted, and its address is given out again."""
    site.api.delete("port", PORTS["nic1"])

    assert PORTS["nic1"] not in site.ids("ports")
    assert ["10.1.0.3"] == _ips(site.api.create("port", network_id=NETWORKS["plain"]))


@pytest.mark.parametrize("name", ["v6", "open", "vlan"])
def test_a_network_goes_with_all_that_is_its_own(site: Site, name: str) -> None:
    """A network of the site goes with its subnets and localnet port once its ports are gone."""
    path = f"ports?network_id={NETWORKS[name]}"
    ports = site.api.get(path)["ports"]
    if ports:
        assert 409 == site.api("DELETE", f"networks/{NETWORKS[name]}").status
    for port in ports:
        site.api.delete("port", port["id"])
    subnets = {
        subnet["id"] for subnet in ANSWERS["subnets"] if NETWORKS[name] == subnet["network_id"]
    }

    site.api.delete("network", NETWORKS[name])

    assert set(NETWORKS.values()) - {NETWORKS[name]} == site.ids("networks")
    assert set(SUBNETS.values()) - subnets == site.ids("subnets")
    assert NETWORKS[name] not in site.dump("DHCP_Options")
    assert ("phys1" in site.dump("Logical_Switch_Port")) == (name != "vlan")


def test_a_port_of_a_router_is_the_routers(site: Site) -> None:
    """Ports of the site's routers are neither deleted nor readdressed as ports."""
    before = site.dump("Logical_Switch_Port")
    for port in ANSWERS["ports"]:
        if port.get("device_owner", "").startswith("network:"):
            path = f"ports/{port['id']}"
            assert 409 == site.api("DELETE", path).status
            assert 400 == site.api("PUT", path, {"port": {"fixed_ips": []}}).status
    assert 409 == site.api("DELETE", f"networks/{NETWORKS['outside']}").status
    assert 409 == site.api("DELETE", f"subnets/{SUBNETS['outside4']}").status
    assert before == site.dump("Logical_Switch_Port")


# --- other managers -----------------------------------------------------------


def _add_others(site: Site) -> None:
    """Add what another manager of OVN has: a switch, a router, ports, DHCP, no key of ours."""
    site.nbctl("ls-add", "theirs", "--", "lsp-add", "theirs", "their-port")
    site.nbctl("lsp-set-addresses", "their-port", "0a:00:00:00:00:01 10.1.0.200")
    site.nbctl("lsp-add", "theirs", "their-localnet")
    site.nbctl("lsp-set-type", "their-localnet", "localnet")
    site.nbctl("lsp-set-options", "their-localnet", "network_name=phys9")
    site.nbctl("create", "DHCP_Options", "cidr=10.50.0.0/24", "options:router=10.50.0.1")
    switch = _column(site, "Logical_Switch", NETWORKS["open"], "name").strip('"')
    site.nbctl("lsp-add", switch, "guest-of-ours")
    site.nbctl("lsp-set-addresses", "guest-of-ours", "0a:00:00:00:00:02 10.60.0.2")


def test_rows_of_others_are_invisible(site: Site) -> None:
    """Nothing of another manager is listed or found, and nothing of ours is missing."""
    before = {kind: site.ids(kind) for kind in ("networks", "subnets", "ports")}

    _add_others(site)

    assert before == {kind: site.ids(kind) for kind in before}
    theirs = _column(site, "Logical_Switch", "theirs", "_uuid")
    assert 404 == site.api("GET", f"networks/{theirs}").status
    assert 404 == site.api("DELETE", f"networks/{theirs}").status
    dhcp = site.nbctl("--bare", "--columns=_uuid", "find", "DHCP_Options", "cidr=10.50.0.0/24")
    assert 404 == site.api("PUT", f"subnets/{dhcp}", {"subnet": {"name": "ours"}}).status
    for name in ("their-port", "guest-of-ours"):
        assert 404 == site.api("GET", f"ports/{name}").status
        assert 404 == site.api("DELETE", f"ports/{name}").status
        uuid = _column(site, "Logical_Switch_Port", name, "_uuid")
        assert 404 == site.api("DELETE", f"ports/{uuid}").status
    values = {"port": {"network_id": theirs}}
    assert (404, "NetworkNotFound") == _refusal(site, "POST", "ports", values)
    assert (404, "NetworkNotFound") == _refusal(
        site,
        "POST",
        "subnets",
        {"subnet": {**values["port"], "cidr": "10.0.0.0/8", "ip_version": 4}},
    )


def _refusal(site: Site, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = site.api(method, path, body)
    return answer.status, answer.json["NeutronError"]["type"]


def test_rows_of_others_stay_as_they_are(site: Site) -> None:
    """Whatever is done to ours, the rows of another manager keep every byte."""
    _add_others(site)

    def theirs() -> list[str]:
        rows = site.dump("Logical_Switch", "Logical_Switch_Port", "DHCP_Options").splitlines()
        words = ("their", "guest-of-ours", "10.50.0.0/24")
        return [row for row in rows if any(word in row for word in words)]

    site.nbctl("--wait=sb", "--timeout=10", "sync")
    before = theirs()
    assert 5 == len(before)

    site.api.update("network", NETWORKS["open"], name="x", mtu=1300, admin_state_up=False)
    site.api.update("network", NETWORKS["open"], admin_state_up=True)
    values = {"network_id": NETWORKS["open"], "ip_version": 6}
    site.api.create("subnet", cidr="fd09::/64", ipv6_address_mode="slaac", **values)
    site.api.delete("port", PORTS["nosub"])

    assert before == theirs()


def test_a_port_of_another_manager_keeps_its_network(site: Site) -> None:
    """A network with a port of another manager on it is in use; its address and MAC are taken."""
    _add_others(site)
    site.api.delete("port", PORTS["nosub"])

    assert (409, "NetworkInUse") == _refusal(site, "DELETE", f"networks/{NETWORKS['open']}")

    site.api.create("subnet", network_id=NETWORKS["open"], cidr="10.60.0.0/24", ip_version=4)
    values = {"network_id": NETWORKS["open"], "mac_address": "0a:00:00:00:00:02"}
    assert (409, "MacAddressInUse") == _refusal(site, "POST", "ports", {"port": values})
    made = site.api.create("port", network_id=NETWORKS["open"])
    assert ["10.60.0.3"] == _ips(made)
    site.api.delete("port", made["id"])
    site.nbctl("lsp-del", "guest-of-ours")
    site.api.delete("network", NETWORKS["open"])


def test_a_subnet_that_another_managers_port_uses_stays(site: Site) -> None:
    """Automatic addresses go with their subnet from ports of ours, not from those of others."""
    values = {"network_id": NETWORKS["open"], "cidr": "fd09::/64", "ip_version": 6}
    subnet = site.api.create("subnet", ipv6_address_mode="slaac", **values)
    _add_others(site)
    site.nbctl("lsp-set-addresses", "guest-of-ours", "0a:00:00:00:00:02 fd09::800:ff:fe00:2")
    before = _column(site, "Logical_Switch_Port", "guest-of-ours", "addresses")

    assert (409, "SubnetInUse") == _refusal(site, "DELETE", f"subnets/{subnet['id']}")
    assert before == _column(site, "Logical_Switch_Port", "guest-of-ours", "addresses")
    site.nbctl("lsp-del", "guest-of-ours")
    site.api.delete("subnet", subnet["id"])


# --- damaged rows -------------------------------------------------------------

_DEEP = "[" * 50_000
_NIC = "external_ids:ovirt_nic_name=x"

# What is done to one row, by table and record.
DAMAGE: list[tuple[str, str, str]] = [
    *(
        ("Logical_Switch", "plain", setting)
        for setting in (
            "external_ids:mtu=big",
            "external_ids:mtu=-5",
            "external_ids:mtu=99999999999999999999",
            "external_ids:ovirt_revision_number=x",
            f"external_ids:ovirt_revision_number={'9' * 5000}",
            "external_ids:ovirt_port_security=maybe",
            "external_ids:ovirt_admin_state_up=maybe",
            'external_ids:ovirt_tags="{"',
            'external_ids:ovirt_tags="[5, {}]"',
            f'external_ids:ovirt_tags="{_DEEP}"',
            "external_ids:ovirt_created_at=yesterday",
            "other_config:subnet=nonsense",
            "other_config:exclude_ips=x..y",
        )
    ),
    *(
        ("DHCP_Options", "plain4", setting)
        for setting in (
            "cidr=nonsense",
            "cidr=10.1.0.0/99",
            'cidr="fd00::/64"',
            "cidr=10.1.0.9/24",
            "external_ids:ip_version=x",
            "external_ids:ovirt_revision_number=x",
            f"external_ids:ovirt_revision_number={'9' * 5000}",
            "external_ids:ovirt_allocation_pools=nonsense",
            "external_ids:ovirt_allocation_pools=x-y",
            "external_ids:ovirt_enable_dhcp=maybe",
            "external_ids:ovirt_ipv6_address_mode=strange",
            'external_ids:ovirt_host_routes="{"',
            'external_ids:ovirt_host_routes="[5]"',
            'external_ids:ovirt_host_routes="[{\\"destination\\": [], \\"nexthop\\": {}}]"',
            f'external_ids:ovirt_host_routes="{_DEEP}"',
            "options:router=nonsense",
            'options:dns_server="{,}"',
            "options:dns_server=nonsense",
        )
    ),
    *(
        ("Logical_Switch_Port", "nic1", setting)
        for setting in (
            "addresses=[]",
            "addresses=unknown",
            "addresses=dynamic",
            "addresses=nonsense",
            'addresses="zz:zz:zz:zz:zz:zz 10.1.0.44"',
            'addresses="56:6f:0a:00:00:02 nonsense"',
            'addresses="56:6f:0a:00:00:02 10.1.0.44 10.1.0.44"',
            "addresses=router",
            "type=router",
            "port_security=nonsense",
            "external_ids:ovirt_revision_number=x",
            'external_ids:ovirt_allowed_address_pairs="{"',
            'external_ids:ovirt_allowed_address_pairs="[5]"',
            'external_ids:ovirt_allowed_address_pairs="[{\\"mac_address\\": [], \\"x\\": 1}]"',
            f'external_ids:ovirt_allowed_address_pairs="{_DEEP}"',
            'external_ids:ovirt_extra_dhcp_opts="[1, {}]"',
            'external_ids:ovirt_extra_dhcp_opts="[{\\"opt_name\\": [], \\"ip_version\\": 4}]"',
            'external_ids:ovirt_binding_profile="[]"',
            'external_ids:ovirt_binding_profile="{\\"a\\": {\\"b\\": 1}}"',
            "external_ids:ovirt_admin_state_up=maybe",
            "external_ids:ovirt_device_owner=[]",
        )
    ),
    *(
        ("Logical_Switch_Port", "dbsrv", setting)
        for setting in (
            "external_ids:ovirt_security_groups=nonsense",
            'external_ids:ovirt_security_groups="Default Default x  y"',
            "external_ids:ovirt_security_groups=DropAll",
            "external_ids:ovirt_security_groups=[]",
            "port_security=[]",
        )
    ),
    *(
        ("Port_Group", "db", setting)
        for setting in (
            "external_ids:ovirt_sec_group_name=[]",
            "external_ids:ovirt_revision_number=x",
            "external_ids:ovirt_created_at=yesterday",
            "external_ids:ovirt_stateful=maybe",
            'external_ids:ovirt_tags="{"',
            "external_ids={ovirt_x=y}",
            "external_ids={}",
            "name=Other",
            "ports=[]",
        )
    ),
    ("Port_Group", "Default", "external_ids={}"),
    ("Port_Group", "DropAll", "external_ids={}"),
    *(
        ("ACL", "rule", setting)
        for setting in (
            "external_ids:ovirt_min_port=x",
            "external_ids:ovirt_max_port=-1",
            "external_ids:ovirt_protocol=strange",
            "external_ids:ovirt_ethertype=strange",
            "external_ids:ovirt_ip_prefix=nonsense",
            "external_ids:ovirt_remote_group_id=gone",
            "external_ids:ovirt_port_group_id=gone",
            "external_ids:ovirt_revision_number=x",
            "external_ids={ovirt_x=y}",
            "external_ids={}",
            "action=drop",
            "match=nonsense",
        )
    ),
    ("Logical_Switch_Port", "rp", "options:router-port=nowhere"),
    ("Logical_Switch_Port", "rp", "options={}"),
    ("Logical_Switch_Port", "rp", "type=strange"),
]
_RECORDS = {**NETWORKS, **SUBNETS, **PORTS, **GROUPS}
_RECORDS["DropAll"] = DROP_GROUP
# of the group db, from the group web
_RECORDS["rule"] = "35f5eb05-ceb9-4424-91c4-7a5a0d88c1c1"
RULES = {
    group["id"]: {rule["id"] for rule in group["security_group_rules"]}
    for group in ANSWERS["security_groups"]
}


@pytest.fixture(scope="module")
def damaged() -> Iterator[Site]:
    """The site, for one damage after the other; each is mended again."""
    with quiet_site() as site:
        yield site


@pytest.mark.parametrize(
    ("table", "name", "setting"), DAMAGE, ids=[f"{row[1]}-{row[2][:60]}" for row in DAMAGE]
)
def test_a_damaged_row_breaks_nothing_else(
    damaged: Site, table: str, name: str, setting: str
) -> None:
    """A row that another hand has damaged leaves every other one listed and every request safe."""
    before = _lists(damaged)
    column = setting.partition("=")[0].partition(":")[0]
    saved = damaged.nbctl("get", table, _RECORDS[name], column)

    damaged.nbctl("set", table, _RECORDS[name], setting)

    try:
        after = _lists(damaged)
        # A group takes its rules with it.
        gone = {_RECORDS[name], *RULES.get(_RECORDS[name], ())}
        for kind, ids in before.items():
            assert ids - after[kind] <= gone
        use = _use_group if table in ("Port_Group", "ACL") else _use
        use(damaged, table, _RECORDS[name])
    finally:
        damaged.nbctl("set", table, _RECORDS[name], f"{column}={saved}")
    assert before == _lists(damaged)


def _lists(site: Site) -> dict[str, set[str]]:
    """Return the ids of all lists, after a look at what the engine cannot read."""
    for port in site.api("GET", "ports", headers=ENGINE).json["ports"]:
        profile = port["binding:profile"]
        assert not any(isinstance(value, (dict, list)) for value in profile.values())
    return {kind: site.ids(kind) for kind in KINDS}


def _use(site: Site, table: str, record: str) -> None:
    """Use the damaged object and its neighbours; whatever is answered, it is no defect."""
    api = site.api
    kind = {"Logical_Switch": "network", "DHCP_Options": "subnet"}.get(table, "port")
    changes: dict[str, Any] = {"name": "used"}
    if kind == "port":
        changes.update({"binding:host_id": "host9", "mac_address": "56:6f:0a:00:00:02"})
        changes["extra_dhcp_opts"] = [{"opt_name": "mtu", "opt_value": "1400"}]
        changes["security_groups"] = [GROUPS["db"], GROUPS["web"]]
    network = f"networks/{NETWORKS['plain']}"
    statuses = [
        api("GET", f"{kind}s/{record}").status,
        *(
            api("PUT", f"{kind}s/{record}", {kind: {name: value}}).status
            for name, value in changes.items()
        ),
        api("PUT", network, {"network": {"mtu": 1400}}).status,
        api("PUT", network, {"network": {"mtu": 0}}).status,
    ]
    of_network = {"network_id": NETWORKS["plain"]}
    automatic = {"cidr": "fd66::/64", "ip_version": 6, "ipv6_address_mode": "slaac"}
    port = api("POST", "ports", {"port": {**of_network, "fixed_ips": []}})
    subnet = api("POST", "subnets", {"subnet": {**of_network, **automatic}})
    assert (201, 201) == (port.status, subnet.status)
    statuses.append(api("DELETE", f"subnets/{subnet.json['subnet']['id']}").status)
    statuses.append(api("DELETE", f"ports/{port.json['port']['id']}").status)
    assert [] == [status for status in statuses if status >= 500]


def _use_group(site: Site, table: str, record: str) -> None:
    """Use a damaged group or rule and its neighbours; whatever is answered, it is no defect."""
    path = f"{'security-groups' if table == 'Port_Group' else 'security-group-rules'}/{record}"
    groups = [GROUPS["db"], GROUPS["Default"]]
    rule = {"security_group_id": GROUPS["db"], "direction": "egress", "protocol": "gre"}
    requests: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PUT", path, {"security_group": {"description": "used"}}),
        ("PUT", path, {"security_group": {"stateful": False}}),
        ("PUT", path, {"security_group": {"stateful": True}}),
        ("PUT", f"{path}/tags/a", None),
        ("DELETE", f"{path}/tags/a", None),
        ("POST", "security-group-rules", {"security_group_rule": rule}),
        ("POST", "ports", {"port": {"network_id": NETWORKS["secured"]}}),
        ("PUT", f"ports/{PORTS['dbsrv']}", {"port": {"security_groups": groups}}),
        ("PUT", f"ports/{PORTS['dbsrv']}", {"port": {"security_groups": groups[:1]}}),
    ]
    answers = [site.api(*request) for request in requests]
    for kind, answer in zip(("security_group_rule", "port"), answers[6:8]):
        if answer.status == 201:
            site.api.delete(kind, answer.json[kind]["id"])
    assert [] == [answer for answer in answers if answer.status >= 500]


def test_rows_that_lack_everything(damaged: Site) -> None:
    """Rows with nothing but the mark that they are ours are shown with what is known."""
    nbctl = damaged.nbctl
    switch = nbctl("create", "Logical_Switch", "name=bare", "external_ids:ovirt_x=y")
    nbctl("lsp-add", "bare", "bare-port", "--", "set", "Logical_Switch_Port", "bare-port", _NIC)
    dhcp = nbctl(
        "create", "DHCP_Options", "cidr=10.8.0.0/24", f"external_ids:ovirt_network_id={switch}"
    )
    broken = nbctl("create", "DHCP_Options", "cidr=x", f"external_ids:ovirt_network_id={switch}")
    localnet = "bare-localnet"
    nbctl("lsp-add", "bare", localnet, "--", "lsp-set-type", localnet, "localnet")

    network = damaged.api.get(f"networks/{switch}")["network"]
    port = damaged.api.get("ports/bare-port")["port"]
    subnet = damaged.api.get(f"subnets/{dhcp}")["subnet"]

    assert ("bare", 0, None) == (network["name"], network["revision_number"], network["created_at"])
    assert ("x", "", []) == (port["name"], port["mac_address"], port["fixed_ips"])
    assert ("", 4, None) == (subnet["name"], subnet["ip_version"], subnet["gateway_ip"])
    assert dhcp in damaged.ids("subnets")
    assert broken not in damaged.ids("subnets")
    assert {"bare-port"} == damaged.ids("ports") - set(PORTS.values()) - _router_ports()
    damaged.api.delete("port", "bare-port")
    damaged.api.delete("network", switch)
    assert "10.8.0.0" not in damaged.dump("DHCP_Options")
    assert broken not in damaged.dump("DHCP_Options")


def _router_ports() -> set[str]:
    return {port["id"] for port in ANSWERS["ports"]}
