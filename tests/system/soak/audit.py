# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is after a soak, compared: clients, REST, Northbound, Southbound, switches."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from daemon.proxy import running_api
from ovirt_ovn_proxy.nb import keys
from system.lab import Lab

from .clients import PATIENCE_S, Client

COLLECTIONS = ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules")


def rss_kb(pid: int) -> int:
    """Return the memory that a process has, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} is gone")


def audit(
    lab: Lab, clients: Iterable[Client], shared_network_id: str, timeout_s: float = PATIENCE_S
) -> None:
    """Compare all with all; AssertionError for what differs, and goes on to do so."""
    clients = list(clients)
    shown = {name: listed(lab, name) for name in COLLECTIONS}
    _compare_with_clients(shown, clients, shared_network_id)
    _compare_with_northbound(lab, shown)
    _compare_with_fresh_proxy(lab, shown)
    lab.sync()
    # A tunnel or a binding goes a moment after what it was for.
    end = time.monotonic() + timeout_s
    while stale := sorted(_stale(lab, clients)):
        assert time.monotonic() < end, f"left, or not there: {stale}"
        time.sleep(0.1)


def listed(lab: Lab, name: str) -> dict[str, Any]:
    """Return the objects that REST shows, by id."""
    (objects,) = lab.rest.get(name).values()
    return {it["id"]: it for it in objects}


def agree(what: str, expected: Iterable[str], found: Iterable[str]) -> None:
    """Compare ids; AssertionError with those that only one side has."""
    lost, stray = set(expected) - set(found), set(found) - set(expected)
    assert not lost, f"{what}: without {sorted(lost)}"
    assert not stray, f"{what}: {sorted(stray)} on top"


def _is_interface(port: dict[str, Any]) -> bool:
    return bool(port["device_owner"].startswith("network:"))


def _compare_with_clients(
    shown: dict[str, dict[str, Any]], clients: list[Client], shared_network_id: str
) -> None:
    networks = {shared_network_id}.union(*(client.networks for client in clients))
    agree("REST, networks", networks, shown["networks"])
    ports = {guest.vm.port["id"] for client in clients for guest in client.guests}
    ports.update(*(client.spares for client in clients))
    interfaces = {it["id"] for it in shown["ports"].values() if _is_interface(it)}
    agree("REST, ports", ports, shown["ports"].keys() - interfaces)
    routers = [client.router for client in clients if client.router is not None]
    agree("REST, routers", routers, shown["routers"])
    routed = sum(len(client.routed) for client in clients)
    assert routed == len(interfaces), f"REST: {len(interfaces)} interfaces instead of {routed}"
    # There is always the default group.
    groups = {group for client in clients for group in client.groups}
    made = [it["id"] for it in shown["security-groups"].values() if it["name"].startswith("soak-")]
    agree("REST, security groups", groups, made)
    taken = Counter(
        (it["subnet_id"], it["ip_address"])
        for port in shown["ports"].values()
        for it in port["fixed_ips"]
    )
    assert not taken or max(taken.values()) == 1, f"an address twice: {taken.most_common(1)}"


def _compare_with_northbound(lab: Lab, shown: dict[str, dict[str, Any]]) -> None:
    for name, table, key in (
        ("networks", "Logical_Switch", "_uuid"),
        ("subnets", "DHCP_Options", "_uuid"),
        ("ports", "Logical_Switch_Port", "name"),
        ("routers", "Logical_Router", "_uuid"),
    ):
        agree(f"Northbound, {table}", shown[name], column(lab, table, key))
    interfaces = {f"lrp{it['id']}" for it in shown["ports"].values() if _is_interface(it)}
    agree("Northbound, Logical_Router_Port", interfaces, column(lab, "Logical_Router_Port", "name"))
    # The group that drops what no other one lets in is not shown, nor are its rules.
    name = f"name={keys.DROP_GROUP}"
    hidden = {*lab.nbctl("--bare", "--columns=_uuid,acls", "find", "Port_Group", name).split()}
    for name, table in (("security-groups", "Port_Group"), ("security-group-rules", "ACL")):
        agree(f"Northbound, {table}", shown[name], {*column(lab, table, "_uuid")} - hidden)
    for table in ("Address_Set", "NAT", "HA_Chassis_Group", "Logical_Router_Static_Route"):
        agree(f"Northbound, {table}", (), column(lab, table, "_uuid"))


def _compare_with_fresh_proxy(lab: Lab, shown: dict[str, dict[str, Any]]) -> None:
    """What the proxy has kept up to date all the while is what another one reads now."""
    with running_api(lab.nb) as fresh:
        for name in COLLECTIONS:
            (objects,) = fresh.get(name).values()
            read = {it["id"]: it for it in objects}
            agree(f"another proxy, {name}", shown[name], read)
            for key, value in shown[name].items():
                assert value == read[key], f"another proxy, {name}: {read[key]}, not {value}"


def column(lab: Lab, table: str, name: str) -> list[str]:
    """Return a column of all rows of Northbound."""
    rows = json.loads(lab.nbctl("--format=json", f"--columns={name}", "list", table))["data"]
    return [row[0][1] if isinstance(row[0], list) else row[0] for row in rows]


def _stale(lab: Lab, clients: list[Client]) -> Iterator[str]:
    """Yield what Southbound and the switches have that nobody has asked for, or lack."""
    guests = [guest for client in clients for guest in client.guests if guest.is_plugged]
    bindings = json.loads(
        lab.sbctl("--format=json", "--columns=logical_port,chassis,type", "list", "Port_Binding")
    )["data"]
    chassis_rows = lab.sbctl("--format=json", "--columns=_uuid,name", "list", "Chassis")
    names = {uuid[1]: name for uuid, name in json.loads(chassis_rows)["data"]}
    bound = {
        (port, names.get(chassis[1], chassis[1]))
        for port, chassis, kind in bindings
        if kind == "" and chassis[0] == "uuid"
    }
    wanted = {(guest.vm.port["id"], guest.vm.chassis.name) for guest in guests}
    yield from map(str, bound ^ wanted)
    known = set(column(lab, "Logical_Switch_Port", "name"))
    known.update(column(lab, "Logical_Router_Port", "name"))
    yield from {port for port, _, _ in bindings} - known
    for chassis in lab.chassis:
        ports = set(chassis.vsctl("list-ports", chassis.bridge).split())
        taps = {guest.vm.tap for guest in guests if guest.vm.chassis is chassis}
        tunnels = {port for port in ports if port.startswith("ovn-")}
        yield from ports - tunnels ^ taps
        if len(tunnels) != len(lab.chassis) - 1:
            yield f"{chassis.name}: {sorted(tunnels)}"
