# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routed networks for tests, and what must hold in Northbound whatever happened to them."""

from __future__ import annotations

import ipaddress
import subprocess
from collections import Counter
from collections.abc import Mapping
from typing import Any

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api


def nbctl(nb: OvsdbServer, *command: str) -> str:
    """Run ovn-nbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-nbctl", f"--db={nb.remote}", *command], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().strip()


def column(nb: OvsdbServer, table: str, record: str, name: str) -> str:
    """Return a column of a row, or `map:key`, as ovn-nbctl prints it ("": not there)."""
    return nbctl(nb, "--if-exists", "get", table, record, name)


def sbctl(central: Mapping[str, OvsdbServer], *command: str) -> str:
    """Run ovn-sbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-sbctl", f"--db={central['sb'].remote}", *command],
        check=True,
        capture_output=True,
        timeout=10,
    )
    return done.stdout.decode().strip()


def add_chassis(central: Mapping[str, OvsdbServer], *names: str) -> None:
    """Register chassis that nobody runs."""
    for number, name in enumerate(names, start=1):
        sbctl(central, "chassis-add", name, "geneve", f"127.0.0.{number}")


def trace(central: Mapping[str, OvsdbServer], datapath: str, flow: str) -> str:
    """Return what OVN does to a packet, in short, with new connections tracked."""
    remote = f"--db={central['sb'].remote}"
    done = subprocess.run(
        ["ovn-trace", remote, "--minimal", "--ct=new", "--ct=new", datapath, flow],
        check=True,
        capture_output=True,
        timeout=10,
    )
    return done.stdout.decode()


def learn_mac(
    central: Mapping[str, OvsdbServer], router_id: str, router_port: str, ip: str, mac: str
) -> None:
    """Let a router know a neighbour, as ovn-controller would have learned it."""
    find = ["--bare", "--columns=_uuid", "find", "Datapath_Binding"]
    datapath = sbctl(central, *find, f"external_ids:logical-router={router_id}")
    row = [f"logical_port={router_port}", f"ip={ip}", f'mac="{mac}"', f"datapath={datapath}"]
    sbctl(central, "create", "MAC_Binding", *row)


def packet(port: Mapping[str, Any], to_mac: str, to_ip: str) -> str:
    """Return an echo request from a port to an address by way of a router's MAC."""
    return (
        f'inport == "{port["id"]}" && eth.src == {port["mac_address"]} && eth.dst == {to_mac} && '
        f"ip4.src == {ips(port)[0]} && ip4.dst == {to_ip} && ip.ttl == 64 && icmp4"
    )


def port_of(api: Api, answer: Mapping[str, Any]) -> Any:
    """Return the port that an interface's answer names."""
    return api.get(f"ports/{answer['port_id']}")["port"]


def mac_at(api: Api, ip: str) -> str:
    """Return the MAC of the one port that has an address."""
    [port] = api.get(f"ports?fixed_ips=ip_address%3D{ip}")["ports"]
    return str(port["mac_address"])


def refusal(answer: Answer) -> tuple[int, str]:
    """Return status and type of an error."""
    return answer.status, answer.json["NeutronError"]["type"]


def external_network(api: Api, cidr: str = "203.0.113.0/24", **values: Any) -> dict[str, Any]:
    """Create an external network with a subnet; returns it with `subnet`."""
    return network(api, cidr, **{"router:external": True, **values})


def network(api: Api, *cidrs: str, **values: Any) -> dict[str, Any]:
    """Create a network with subnets; returns it with `subnet`, the first of them."""
    answer = api("POST", "networks", {"network": values})
    assert 201 == answer.status, answer
    made: dict[str, Any] = answer.json["network"]
    subnets = [subnet(api, made["id"], cidr) for cidr in cidrs]
    return {**made, "subnet": subnets[0]["id"] if subnets else None}


def subnet(api: Api, network_id: str, cidr: str, **values: Any) -> Any:
    """Create a subnet."""
    version = 6 if ":" in cidr else 4
    return api.create("subnet", network_id=network_id, cidr=cidr, ip_version=version, **values)


def attach(api: Api, router_id: str, **body: str) -> Any:
    """Add an interface that can be added; returns the answer's body."""
    answer = api("PUT", f"routers/{router_id}/add_router_interface", body)
    assert 200 == answer.status, answer
    return answer.json


def detach(api: Api, router_id: str, **body: str) -> Any:
    """Remove an interface that can be removed; returns the answer's body."""
    answer = api("PUT", f"routers/{router_id}/remove_router_interface", body)
    assert 200 == answer.status, answer
    return answer.json


def ips(port: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a port shows."""
    return [entry["ip_address"] for entry in port["fixed_ips"]]


# --- what must hold -------------------------------------------------------------


class Rows:
    """The rows of Northbound as one proxy has them, after a barrier."""

    def __init__(self, api: Api) -> None:
        self.networks = {one["id"]: one for one in api.get("networks")["networks"]}
        self.subnets = api.get("subnets")["subnets"]
        self.ports = api.get("ports")["ports"]
        replica = api.connection.replica
        assert replica is not None
        with replica.lock:
            tables: Any = {
                table: {uuid: row.copy() for uuid, row in rows.items()}
                for table, rows in replica.tables.items()
            }
        self.config = api.config
        self.dhcp: Any = tables["DHCP_Options"]
        self.routers: Any = tables["Logical_Router"]
        self.router_ports: Any = tables["Logical_Router_Port"]
        self.routes: Any = tables["Logical_Router_Static_Route"]
        self.nat: Any = tables["NAT"]
        self.switches: Any = tables["Logical_Switch"]
        self.members = {uuid for group in tables["Port_Group"].values() for uuid in group.ports}
        self.by_name: Any = {row.name: row for row in tables["Logical_Switch_Port"].values()}

    def is_physical(self, network_id: str) -> bool:
        """Say whether a network is joined to a physical one."""
        return self.networks[network_id]["provider:physical_network"] is not None

    def subnet_of(self, network_id: str, ip: str) -> Any:
        """Return the subnet of a network that holds an address."""
        [found] = [
            one
            for one in self.subnets
            if one["network_id"] == network_id
            and ipaddress.ip_address(ip) in ipaddress.ip_network(one["cidr"])
        ]
        return found


def assert_consistent(api: Api) -> None:
    """Assert that nothing is half attached, orphaned, given twice or out of date."""
    rows = Rows(api)
    network_of = {port["id"]: port["network_id"] for port in rows.ports}
    # No address twice on a network.
    held = Counter((port["network_id"], ip) for port in rows.ports for ip in ips(port))
    assert [] == [key for key, count in held.items() if count > 1]
    # Both sides of every router's port, and both name the router.
    owned = {uuid: router for router in rows.routers.values() for uuid in router.ports}
    assert set(owned) == set(rows.router_ports)
    sides = {
        row.options["router-port"]: row for row in rows.by_name.values() if row.type == "router"
    }
    assert sorted(sides) == sorted(row.name for row in rows.router_ports.values())
    for uuid, row in rows.router_ports.items():
        side = sides[row.name]
        assert side.uuid not in rows.members
        assert (None, None) == (side.dhcpv4_options, side.dhcpv6_options)
        assert owned[uuid].uuid == side.external_ids["ovirt_device_id"]
        assert f"lrp{side.name}" == row.name
    # DHCP rows of single ports are in use there.
    for uuid, row in rows.dhcp.items():
        if "ovirt_port_id" in row.external_ids:
            port = rows.by_name[row.external_ids["ovirt_port_id"]]
            assert uuid in (port.dhcpv4_options, port.dhcpv6_options)
    for router in rows.routers.values():
        _check_router(api, rows, router, sides, network_of)
    _check_floating_ips(rows, network_of)
    gateways = {
        one["id"]: router.uuid
        for router in rows.routers.values()
        for uuid in router.ports
        for address in rows.router_ports[uuid].networks
        for one in rows.subnets
        if one["network_id"] == network_of[sides[rows.router_ports[uuid].name].name]
        and one["gateway_ip"] == address.partition("/")[0]
    }
    assert gateways == _marked_gateways(api)


def _marked_gateways(api: Api) -> dict[str, str]:
    """Return the routers that subnets name as their gateways, where ovirt-provider-ovn looks."""
    replica = api.connection.replica
    assert replica is not None
    with replica.lock:
        return {
            row.uuid: row.external_ids["gateway_router"]
            for row in replica.tables.dhcp.values()
            if "gateway_router" in row.external_ids
        }


def _check_router(
    api: Api, rows: Rows, router: Any, sides: Mapping[str, Any], network_of: Mapping[str, str]
) -> None:
    ports = [rows.router_ports[uuid] for uuid in router.ports]
    gateway_id = router.external_ids.get("ovirt_gateway_port")
    gateway = next((row for row in ports if row.name == f"lrp{gateway_id}"), None)
    assert (gateway_id is None) == (gateway is None)
    addresses = [ipaddress.ip_interface(text) for row in ports for text in row.networks]
    spans = [address.network for address in addresses]
    for index, span in enumerate(spans):
        assert not any(span.overlaps(other) for other in spans[index + 1 :]), spans
    # SNAT for each internal IPv4 network.
    external = [text.partition("/")[0] for text in gateway.networks] if gateway else []
    inside = [row for row in ports if row is not gateway]
    internal = {
        str(ipaddress.ip_interface(text).network)
        for row in inside
        for text in row.networks
        if ":" not in text
    }
    v4 = [ip for ip in external if ":" not in ip]
    is_on = router.external_ids.get("ovirt_enable_snat") == "True" and v4
    rules = [rows.nat[uuid] for uuid in router.nat]
    snat = [(row.logical_ip, row.external_ip) for row in rules if row.type == "snat"]
    assert sorted((cidr, v4[0]) for cidr in internal if is_on) == sorted(snat)
    # Routes lead somewhere, and the gateway's own is there unless the user's is.
    routes = [rows.routes[uuid] for uuid in router.static_routes]
    for row in routes:
        if "ovirt_gateway_route" not in row.external_ids:
            hop = ipaddress.ip_address(row.nexthop)
            assert any(hop in span for span in spans), row
            assert all(hop != address.ip for address in addresses)
    given = {row.ip_prefix for row in routes if "ovirt_gateway_route" not in row.external_ids}
    own = {
        row.ip_prefix: row.nexthop for row in routes if "ovirt_gateway_route" in row.external_ids
    }
    wanted = {}
    for ip in external:
        hop = rows.subnet_of(network_of[str(gateway_id)], ip)["gateway_ip"]
        prefix = "::/0" if ":" in ip else "0.0.0.0/0"
        if hop is not None and prefix not in given:
            wanted[prefix] = hop
    assert wanted == own
    # What ports announce and check follows from their networks.
    mtus = {
        row.name: rows.networks[network_of[sides[row.name].name]]["mtu"]
        or api.config.dhcp_mtu_bytes
        for row in ports
    }
    for row in ports:
        is_smaller = mtus[row.name] < max(mtus.values())
        expected = str(mtus[row.name]) if is_smaller else None
        assert expected == row.options.get("gateway_mtu"), (row.name, mtus)
    for row in inside:
        _check_announcements(rows, row, network_of[sides[row.name].name], mtus[row.name])


def _check_announcements(rows: Rows, row: Any, network_id: str, mtu: int) -> None:
    subnets = [
        one
        for one in sorted(rows.subnets, key=lambda one: str(one["created_at"]))
        for text in row.networks
        if ":" in text and one == rows.subnet_of(network_id, text.partition("/")[0])
    ]
    modes = [one["ipv6_ra_mode"] or one["ipv6_address_mode"] for one in subnets]
    modes = [mode for mode in modes if mode]
    servers = [server for one in subnets for server in one["dns_nameservers"]]
    expected = {}
    if modes:
        expected = {"send_periodic": "true"}
        if len(set(modes)) == 1:
            expected["address_mode"] = modes[0].replace("-", "_")
        if mtu >= 1280:
            expected["mtu"] = str(mtu)
        if servers:
            expected["rdnss"] = servers[0]
    shown = {
        name: value
        for name, value in row.ipv6_ra_configs.items()
        if name != "address_mode" or len(set(modes)) < 2
    }
    assert expected == shown, row


def _check_floating_ips(rows: Rows, network_of: Mapping[str, str]) -> None:
    holders = {
        row.external_ids["ovirt_device_id"]: row
        for row in rows.by_name.values()
        if "ovirt_floating_ip_address" in row.external_ids
    }
    rules = [
        (router.uuid, rows.nat[uuid])
        for router in rows.routers.values()
        for uuid in router.nat
        if rows.nat[uuid].type == "dnat_and_snat"
    ]
    owned = [
        (network_of[holders[row.external_ids["ovirt_floating_ip_id"]].name], row.external_ip)
        for _, row in rules
    ]
    assert len(owned) == len(set(owned))
    associated = {
        key for key, row in holders.items() if "ovirt_floating_port_id" in row.external_ids
    }
    assert sorted(associated) == sorted(
        row.external_ids["ovirt_floating_ip_id"] for _, row in rules
    )
    by_id = {port["id"]: port for port in rows.ports}
    for router_id, row in rules:
        own = row.external_ids["ovirt_floating_ip_id"]
        ids = holders[own].external_ids
        assert router_id == ids["ovirt_floating_router_id"]
        assert row.external_ip == ids["ovirt_floating_ip_address"]
        assert row.logical_ip == ids["ovirt_floating_fixed_ip_address"]
        port = by_id[ids["ovirt_floating_port_id"]]
        assert row.logical_ip in ips(port)
        assert own in rows.by_name[port["id"]].external_ids["ovirt_floating_ips"].split()
        gateway = rows.routers[router_id].external_ids["ovirt_gateway_port"]
        assert network_of[gateway] == network_of[holders[own].name]
        is_distributed = (
            rows.config.distributed_floating_ips
            and port["binding:vnic_type"] == "normal"
            and rows.is_physical(network_of[gateway])
            and not rows.is_physical(port["network_id"])
        )
        place = (port["id"], ids["ovirt_floating_mac_address"]) if is_distributed else (None, None)
        assert place == (row.logical_port, row.external_mac)
    for row in rows.by_name.values():
        for own in row.external_ids.get("ovirt_floating_ips", "").split():
            assert row.name == holders[own].external_ids["ovirt_floating_port_id"]
    for row in holders.values():
        excluded = rows.switches[network_of[row.name]].other_config["exclude_ips"].split()
        assert 1 == excluded.count(row.external_ids["ovirt_floating_ip_address"])
