# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the local Open_vSwitch database says of OVN on this host. Pure; values are dicts.

The keys of external_ids are those of ovn-controller(8) and, for `vm-id` and
`attached-mac`, libvirt's; values have OVSDB's notation (RFC 7047 section 5.1).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Row = Mapping[str, Any]

DEFAULT_BRIDGE = "br-int"

# What is read, all in one transaction: table and columns.
TABLES = {
    "Open_vSwitch": ["external_ids", "ovs_version"],
    "Bridge": ["name", "ports"],
    "Port": ["_uuid", "external_ids", "interfaces"],
    "Interface": ["_uuid", "name", "external_ids", "options", "statistics"],
}


class Snapshot:
    """The chassis, its OVN ports and its tunnels, at one moment.

    `external_ids` are those of the host itself, `ports` and `tunnels` in the order of
    their ids. A port is a dict of `id`, `vm_id`, `mac`, `interface`, `is_installed`,
    `installed_ms` (milliseconds since 1970, None if it is not, or nobody says since when)
    and `statistics`; a tunnel of `chassis`, `remote_ip`, `interface` and `statistics`.
    """

    __slots__ = ("external_ids", "ovs_version", "ports", "tunnels")

    def __init__(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Take the results of the selects of `TABLES`; ValueError if one has failed."""
        rows = rows_of(TABLES, results)
        self.external_ids: dict[str, str] = {}
        self.ovs_version = ""
        for row in rows["Open_vSwitch"]:
            self.external_ids = as_map(row["external_ids"])
            self.ovs_version = next(members(row["ovs_version"]), "")
        self.ports: list[dict[str, Any]] = []
        self.tunnels: list[dict[str, Any]] = []
        integration_bridge = self.bridge
        for bridge, port, interface in plugged(rows):
            if bridge != integration_bridge:
                continue
            chassis = as_map(port["external_ids"]).get("ovn-chassis-id")
            if chassis:
                self.tunnels.append(_tunnel(chassis, interface))
            elif "iface-id" in as_map(interface["external_ids"]):
                self.ports.append(_port(interface))
        self.ports.sort(key=lambda port: str(port["id"]))
        self.tunnels.sort(key=lambda tunnel: (str(tunnel["chassis"]), str(tunnel["remote_ip"])))

    @property
    def chassis(self) -> str:
        """The chassis' name, "" if the host has none."""
        return self.external_ids.get("system-id", "")

    @property
    def bridge(self) -> str:
        """The integration bridge."""
        return self.setting("ovn-bridge") or DEFAULT_BRIDGE

    def setting(self, key: str) -> str:
        """Return one of ovn-controller's settings, this chassis' own first; "" if not set."""
        return self.external_ids.get(key_in_use(self.external_ids, key), "")


def key_in_use(external_ids: Mapping[str, str], key: str) -> str:
    """Return which key counts for ovn-controller: the one with the chassis' name goes first."""
    own = f"{key}-{external_ids.get('system-id', '')}"
    return own if own in external_ids else key


def selects(tables: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return the operations that read columns of all rows of tables."""
    return [
        {"op": "select", "table": table, "where": [], "columns": columns}
        for table, columns in tables.items()
    ]


def rows_of(
    tables: Iterable[str], results: Sequence[Mapping[str, Any]]
) -> dict[str, Sequence[Row]]:
    """Return the rows by table from the results of `selects`; ValueError if one has failed."""
    return dict(zip(tables, map(_rows, results)))


def plugged(rows: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, Row, Row]]:
    """Yield the name of each Bridge with each of its Ports and each Interface of that."""
    ports = {row["_uuid"][1]: row for row in rows["Port"]}
    interfaces = {row["_uuid"][1]: row for row in rows["Interface"]}
    for bridge in rows["Bridge"]:
        for port_uuid in members(bridge["ports"]):
            port = ports[port_uuid]
            for interface_uuid in members(port["interfaces"]):
                yield bridge["name"], port, interfaces[interface_uuid]


def as_map(value: Sequence[Any]) -> dict[str, Any]:
    """Return a map of OVSDB's as a dict."""
    return dict(value[1])


def members(value: Any) -> Iterator[Any]:
    """Yield the members of a set, which stands alone if it is one; UUIDs without their tag."""
    found: Iterable[Any] = [value]
    if isinstance(value, list) and value[0] == "set":
        found = value[1]
    for member in found:
        yield member[1] if isinstance(member, list) else member


def installations(update: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the id of each port in a monitor's update, and whether it is installed now.

    An update is a table as `ovsdb-client --format=json monitor` prints it, of the columns
    row, action and external_ids.
    """
    for _, action, external_ids in update["data"]:
        ids = as_map(external_ids)
        if "iface-id" in ids:
            is_gone = action in ("old", "delete")
            yield ids["iface-id"], not is_gone and _is_installed(ids)


def _port(interface: Row) -> dict[str, Any]:
    ids = as_map(interface["external_ids"])
    return {
        "id": ids["iface-id"],
        "vm_id": ids.get("vm-id", ""),
        "mac": ids.get("attached-mac", ""),
        "interface": interface["name"],
        "is_installed": _is_installed(ids),
        "installed_ms": _installed_ms(ids),
        "statistics": as_map(interface["statistics"]),
    }


def _tunnel(chassis: str, interface: Row) -> dict[str, Any]:
    # CHASSIS@REMOTE, and with several addresses of one's own CHASSIS@REMOTE%LOCAL.
    return {
        "chassis": chassis.rpartition("@")[0] or chassis,
        "remote_ip": as_map(interface["options"]).get("remote_ip", ""),
        "interface": interface["name"],
        "statistics": as_map(interface["statistics"]),
    }


def _is_installed(external_ids: Mapping[str, str]) -> bool:
    return external_ids.get("ovn-installed") == "true"


def _installed_ms(external_ids: Mapping[str, str]) -> int | None:
    moment = external_ids.get("ovn-installed-ts", "")
    is_number = moment.isascii() and moment.isdigit()
    return int(moment) if is_number and _is_installed(external_ids) else None


def _rows(result: Mapping[str, Any]) -> Sequence[Row]:
    if "rows" not in result:
        raise ValueError(f"the database answered {result}")
    rows: Sequence[Row] = result["rows"]
    return rows
