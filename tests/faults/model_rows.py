# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows that a model's objects become, and a database's rows in the same terms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from faults.model import FloatingIp, Model, Port, Router

Row = Mapping[str, Any]

TABLES = (
    "DHCP_Options",
    "Logical_Router",
    "Logical_Router_Port",
    "Logical_Router_Static_Route",
    "Logical_Switch",
    "Logical_Switch_Port",
    "NAT",
    "Port_Group",
)
_DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}


def expected_rows(model: Model) -> dict[str, Any]:
    """Return what Northbound has to hold, in the form of `read_rows`."""
    vms = {port_id: port for port_id, port in model.ports.items() if not port.router_id}
    ports: dict[str, Any] = {key: _port(model, key, port) for key, port in model.ports.items()}
    ports.update({one.holder: _holder(one, key) for key, one in model.floating_ips.items()})
    groups = {group_id: set[str]() for group_id in model.groups}
    for port_id, port in vms.items():
        for group_id in port.groups:
            groups[group_id].add(port_id)
    return {
        "switches": {
            key: (
                network.name,
                network.is_external,
                {*model.ports_on(key), *(one.holder for one in model.floating_on(key))},
                _reserved(model, key),
            )
            for key, network in model.networks.items()
        },
        "ports": ports,
        "subnets": {
            key: (one.network_id, str(one.cidr), one.gateway, one.address_mode, one.ra_mode)
            for key, one in model.subnets.items()
        },
        "groups": groups,
        "dropped": set(vms),
        "routers": {key: _router(model, key, router) for key, router in model.routers.items()},
    }


def _port(model: Model, port_id: str, port: Port) -> Any:
    if port.router_id:
        return port.name, "router", "router", "", None, None, ()
    served: dict[int, str] = {}
    for ip in port.ips:
        for subnet_id, subnet in model.subnets_on(port.network_id).items():
            if subnet.holds(ip) and subnet.has_leases:
                served.setdefault(subnet.version, subnet_id)
    own = " ".join([port.mac, *port.ips])
    floating = {key for key, one in model.floating_ips.items() if one.port_id == port_id}
    return port.name, "", own, own, served.get(4), served.get(6), tuple(sorted(floating))


def _reserved(model: Model, network_id: str) -> set[str]:
    """Return what OVN's own address management may not give out, but for gateways of subnets."""
    gateways = [port for port in model.ports_on(network_id).values() if port.is_gateway]
    reserved = {ip for port in gateways for ip in port.v4}
    reserved |= {one.ip for one in model.floating_on(network_id)}
    return reserved - {one.gateway for one in model.subnets_on(network_id).values()}


def _holder(one: FloatingIp, floating_ip_id: str) -> Any:
    return floating_ip_id, one.ip, one.mac, one.port_id, one.fixed_ip, one.router_id


def _router(model: Model, router_id: str, router: Router) -> Any:
    """Return a router's sides, its NAT and its default routes."""
    sides = [*model.interfaces(router_id).values()]
    gateway = model.gateway(router_id)
    routes: dict[str, str] = {}
    nat: set[tuple[str, str, str | None, str | None]] = {
        ("dnat_and_snat", one.ip, one.fixed_ip, floating_ip_id)
        for floating_ip_id, one in model.floating_ips.items()
        if one.router_id == router_id
    }
    if gateway is not None:
        for subnet in model.subnets_with(gateway).values():
            if subnet.gateway is not None:
                routes.setdefault(_DEFAULT_ROUTE[subnet.version], subnet.gateway)
        external = [network for network in _networks(model, gateway) if ":" not in network]
        if external and router.has_snat:
            own = min(external).partition("/")[0]
            inside = (subnet for side in sides for subnet in model.subnets_with(side).values())
            nat |= {("snat", own, str(one.cidr), None) for one in inside if one.version == 4}
        sides.append(gateway)
    shown = {
        (side.mac, frozenset(_networks(model, side)), _announced(model, side)) for side in sides
    }
    return shown, nat, routes


def _announced(model: Model, side: Port) -> str | None:
    """Return how a router tells hosts to get addresses: as its oldest subnet with a mode says."""
    subnets = [subnet for subnet in model.subnets_with(side).values() if subnet.version == 6]
    modes = [subnet.ra_mode or subnet.address_mode for subnet in subnets]
    return None if side.is_gateway else next(filter(None, modes), None)


def _networks(model: Model, side: Port) -> set[str]:
    return {
        f"{ip}/{subnet.cidr.prefixlen}"
        for ip in side.ips
        for subnet in model.subnets_on(side.network_id).values()
        if subnet.holds(ip)
    }


def read_rows(tables: Mapping[str, Iterable[Row]]) -> dict[str, Any]:
    """Return the rows of a database, whole tables in OVSDB notation, in the model's terms."""
    router_ports = _by_uuid(tables["Logical_Router_Port"])
    nats = _by_uuid(tables["NAT"])
    routes = _by_uuid(tables["Logical_Router_Static_Route"])
    groups = _by_uuid(tables["Port_Group"])
    members = {key: _uuids(row["ports"]) for key, row in groups.items()}
    dropped = [key for key, row in groups.items() if row["name"] == "DropAll"]
    base = [key for key, row in groups.items() if row["name"] in ("DropAll", "Default")]
    routers = {
        key: (
            {_side(router_ports.pop(port)) for port in _uuids(row["ports"])},
            {_nat(nats.pop(nat)) for nat in _uuids(row["nat"])},
            dict(_route(routes.pop(route)) for route in _uuids(row["static_routes"])),
        )
        for key, row in _by_uuid(tables["Logical_Router"]).items()
    }
    assert [] == [*router_ports, *nats, *routes], "all of them are some router's"
    subnets = {key: _read_subnet(row) for key, row in _by_uuid(tables["DHCP_Options"]).items()}
    gateways = {(network_id, gateway) for network_id, _, gateway, *_ in subnets.values()}
    return {
        "switches": {
            key: (
                _ids(row)["ovirt_network_name"],
                "ovirt_router_external" in _ids(row),
                _uuids(row["ports"]),
                {ip for ip in _excluded(row) if (key, ip) not in gateways},
            )
            for key, row in _by_uuid(tables["Logical_Switch"]).items()
        },
        "ports": {
            key: _read_port(row) for key, row in _by_uuid(tables["Logical_Switch_Port"]).items()
        },
        "subnets": subnets,
        "groups": {key: ports for key, ports in members.items() if key not in base},
        "dropped": set().union(*(members[key] for key in dropped)),
        "routers": routers,
    }


def _side(row: Row) -> Any:
    mode = dict(row["ipv6_ra_configs"][1]).get("address_mode")
    return row["mac"], frozenset(_elements(row["networks"])), mode and mode.replace("_", "-")


def _nat(row: Row) -> Any:
    floating_ip_id = _ids(row).get("ovirt_floating_ip_id")
    return row["type"], row["external_ip"], row["logical_ip"], floating_ip_id


def _route(row: Row) -> tuple[str, str]:
    return row["ip_prefix"], row["nexthop"]


def _read_port(row: Row) -> Any:
    ids = _ids(row)
    if "ovirt_floating_ip_address" in ids:
        assert ("", []) == (row["type"], _elements(row["addresses"]))
        kinds = ("ip_address", "mac_address", "port_id", "fixed_ip_address", "router_id")
        return (ids["ovirt_device_id"], *(ids.get(f"ovirt_floating_{kind}") for kind in kinds))
    return (
        ids["ovirt_nic_name"],
        row["type"],
        " ".join(_elements(row["addresses"])),
        " ".join(_elements(row["port_security"])),
        next(iter(_uuids(row["dhcpv4_options"])), None),
        next(iter(_uuids(row["dhcpv6_options"])), None),
        tuple(sorted(ids.get("ovirt_floating_ips", "").split())),
    )


def _excluded(row: Row) -> list[str]:
    return str(dict(row["other_config"][1]).get("exclude_ips", "")).split()


def _read_subnet(row: Row) -> Any:
    ids = _ids(row)
    options = ids if ":" in row["cidr"] else dict(row["options"][1])
    modes = (ids.get(f"ovirt_ipv6_{kind}_mode") for kind in ("address", "ra"))
    shown = (mode and mode.replace("_", "-") for mode in modes)
    return (ids["ovirt_network_id"], row["cidr"], options.get("router"), *shown)


def _by_uuid(rows: Iterable[Row]) -> dict[str, Row]:
    return {str(row["_uuid"][1]): row for row in rows}


def _ids(row: Row) -> dict[str, str]:
    return dict(row["external_ids"][1])


def _elements(value: Any) -> list[str]:
    """Return the texts of a set column (RFC 7047 section 5.1)."""
    return list(value[1]) if isinstance(value, list) else [value]


def _uuids(value: Any) -> set[str]:
    """Return the uuids of a set column."""
    kind, content = value
    return {str(content)} if kind == "uuid" else {str(one[1]) for one in content}
