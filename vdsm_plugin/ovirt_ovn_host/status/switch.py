# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Open vSwitch has on this host, beyond its settings: virtual machines' ports, tunnels.

Pure: rows of `TABLES` -> values. Columns are those of ovs-vswitchd.conf.db(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..snapshot import DEFAULT_BRIDGE, as_map, key_in_use, plugged

TABLES = {
    "Open_vSwitch": ["external_ids", "ovs_version", "cur_cfg", "next_cfg"],
    "SSL": ["private_key", "certificate", "ca_cert"],
    "Bridge": ["name", "ports", "fail_mode", "datapath_type"],
    "Port": ["_uuid", "interfaces", "external_ids"],
    "Interface": [
        *("_uuid", "name", "type", "ofport", "error", "mtu", "external_ids"),
        *("options", "statistics"),
    ],
}


class Vif(NamedTuple):
    """The end of a vNIC on the integration bridge; `error` is Open vSwitch's, `mtu` 0 if unknown.

    `ofport` is 0 where Open vSwitch has given none, -1 where it has failed to.
    """

    interface: str
    port: str
    vm_id: str = ""
    ofport: int = 1
    error: str = ""
    is_installed: bool = True
    mtu_bytes: int = 0


class TunnelEnd(NamedTuple):
    """The tunnel to another chassis, and how many packets have come through it."""

    chassis: str
    ip: str
    rx_packets: int = 0
    error: str = ""


class Switch(NamedTuple):
    """Open vSwitch at one moment.

    `tls_files` are private key, certificate and authority, None if none are set; `fail_mode`
    is None without integration bridge, and "" where that has none.
    """

    external_ids: Mapping[str, str]
    version: str = ""
    is_behind: bool = False
    tls_files: tuple[str, str, str] | None = None
    fail_mode: str | None = None
    datapath_type: str = ""
    vifs: Sequence[Vif] = ()
    tunnels: Sequence[TunnelEnd] = ()

    def setting(self, key: str) -> str:
        """Return one of ovn-controller's settings, this chassis' own first; "" if not set."""
        return self.external_ids.get(key_in_use(self.external_ids, key), "")

    @property
    def bridge(self) -> str:
        """The integration bridge."""
        return self.setting("ovn-bridge") or DEFAULT_BRIDGE

    @property
    def system_id(self) -> str:
        """The name of this chassis, "" if there is none."""
        return self.external_ids.get("system-id", "")

    @property
    def encaps(self) -> list[tuple[str, str]]:
        """Types and addresses of this host's ends of tunnels."""
        ips = [ip.strip() for ip in self.setting("ovn-encap-ip").split(",") if ip.strip()]
        kinds = [kind.strip() for kind in self.setting("ovn-encap-type").split(",") if kind.strip()]
        return [(kind, ip) for kind in kinds for ip in ips]


def decode(rows: Mapping[str, Sequence[Any]]) -> Switch:
    """Return the values from rows of `TABLES`."""
    root = rows["Open_vSwitch"][0] if rows["Open_vSwitch"] else {}
    found = Switch(
        external_ids=as_map(root.get("external_ids", ["map", []])),
        version=str(_one(root.get("ovs_version"), "")),
        is_behind=root.get("cur_cfg", 0) < root.get("next_cfg", 0),
        # There is one row at the most: it goes when the root does not refer to it.
        tls_files=next(map(_files, rows["SSL"]), None),
    )
    vifs, tunnels = [], []
    for bridge, port, interface in plugged(rows):
        if bridge != found.bridge:
            continue
        chassis = as_map(port["external_ids"]).get("ovn-chassis-id", "")
        if chassis:
            tunnels.append(_tunnel(chassis.rpartition("@")[0] or chassis, interface))
        elif "iface-id" in as_map(interface["external_ids"]):
            vifs.append(_vif(interface))
    row = next((row for row in rows["Bridge"] if row["name"] == found.bridge), None)
    return found._replace(
        fail_mode=None if row is None else str(_one(row["fail_mode"], "")),
        datapath_type="" if row is None else row["datapath_type"],
        vifs=tuple(sorted(vifs)),
        tunnels=tuple(sorted(tunnels)),
    )


def _files(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["private_key"], row["certificate"], row["ca_cert"]


def _vif(interface: Mapping[str, Any]) -> Vif:
    ids = as_map(interface["external_ids"])
    return Vif(
        interface=interface["name"],
        port=ids["iface-id"],
        vm_id=ids.get("vm-id", ""),
        ofport=_one(interface["ofport"], 0),
        error=str(_one(interface["error"], "")),
        is_installed=ids.get("ovn-installed") == "true",
        mtu_bytes=_one(interface["mtu"], 0),
    )


def _tunnel(chassis: str, interface: Mapping[str, Any]) -> TunnelEnd:
    return TunnelEnd(
        chassis=chassis,
        ip=as_map(interface["options"]).get("remote_ip", ""),
        rx_packets=as_map(interface["statistics"]).get("rx_packets", 0),
        error=str(_one(interface["error"], "")),
    )


def _one(value: Any, default: Any) -> Any:
    """Return the value of an optional column."""
    if isinstance(value, list):
        return value[1][0] if value[1] else default
    return default if value is None else value
