# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What this host's Open_vSwitch database says now, as far as it is ours to set.

Pure: results of the selects of `OPERATIONS` -> values. Tables and columns are those of
ovs-vswitchd.conf.db(5), keys those of ovn-controller(8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .errors import DatabaseError
from .snapshot import as_map, key_in_use, members, selects

DEFAULT_BRIDGE = "br-int"
SYSTEM_ID = "system-id"
REMOTE = "ovn-remote"
ENCAP_TYPE = "ovn-encap-type"
ENCAP_IP = "ovn-encap-ip"
BRIDGE = "ovn-bridge"
DATAPATH_TYPE = "ovn-bridge-datapath-type"
REMOTE_PROBE = "ovn-remote-probe-interval"
OPENFLOW_PROBE = "ovn-openflow-probe-interval"
RESTART_WAIT = "ovn-ofctrl-wait-before-clear"

# What a plan rests on is read and guarded as a whole.
ROOT_COLUMNS = ("bridges", "external_ids", "other_config", "ssl")
_TABLES = {
    "Open_vSwitch": ["_uuid", *ROOT_COLUMNS],
    "SSL": ["_uuid", "private_key", "certificate", "ca_cert", "bootstrap_ca_cert"],
    "Bridge": ["_uuid", "name", "ports", "fail_mode", "other_config", "external_ids"],
    "Port": ["_uuid", "interfaces"],
    "Interface": ["_uuid", "name", "ofport", "external_ids"],
}
OPERATIONS = tuple(selects(_TABLES))


class Interface(NamedTuple):
    """One interface of the integration bridge; `ofport` is 0 where it has none."""

    name: str
    ofport: int
    external_ids: Mapping[str, str]


class Bridge(NamedTuple):
    """The integration bridge, with all its interfaces."""

    uuid: str
    name: str
    fail_mode: str
    other_config: Mapping[str, str]
    external_ids: Mapping[str, str]
    interfaces: Sequence[Interface]


class Ssl(NamedTuple):
    """The SSL row: paths of private key, certificate and authority."""

    uuid: str
    files: tuple[str, str, str]
    bootstraps: bool


class Live(NamedTuple):
    """The database at one moment. `root` are the columns of the Open_vSwitch row, as read."""

    uuid: str
    root: Mapping[str, Any]
    external_ids: Mapping[str, str]
    other_config: Mapping[str, str]
    ssl: Ssl | None
    bridges: Mapping[str, Bridge]

    @property
    def system_id(self) -> str:
        """The name of this chassis, "" if there is none."""
        return self.external_ids.get(SYSTEM_ID, "")

    def setting(self, key: str) -> str:
        """Return one of ovn-controller's settings, this chassis' own first; "" if not set."""
        return self.external_ids.get(key_in_use(self.external_ids, key), "")

    @property
    def is_chassis(self) -> bool:
        """Whether ovn-controller is told of a Southbound."""
        return bool(self.setting(REMOTE))

    @property
    def bridge_name(self) -> str:
        """The integration bridge that ovn-controller uses."""
        return self.setting(BRIDGE) or DEFAULT_BRIDGE

    @property
    def plugged(self) -> list[str]:
        """The interfaces of running virtual machines on the integration bridge."""
        bridge = self.bridges.get(self.bridge_name)
        return [
            interface.name
            for interface in (bridge.interfaces if bridge else ())
            if interface.ofport > 0 and "iface-id" in interface.external_ids
        ]


def decode(results: Sequence[Mapping[str, Any]]) -> Live:
    """Return the values from the results of `OPERATIONS`. Raises DatabaseError if it is empty."""
    rows = {table: result["rows"] for table, result in zip(_TABLES, results)}
    if not rows["Open_vSwitch"]:
        raise DatabaseError("Open vSwitch's database is empty: systemctl start openvswitch")
    root = rows["Open_vSwitch"][0]
    ssl_uuids = [*members(root["ssl"])]
    ports = {row["_uuid"][1]: [*members(row["interfaces"])] for row in rows["Port"]}
    interfaces = {row["_uuid"][1]: _interface(row) for row in rows["Interface"]}
    return Live(
        uuid=root["_uuid"][1],
        root={column: root[column] for column in ROOT_COLUMNS},
        external_ids=as_map(root["external_ids"]),
        other_config=as_map(root["other_config"]),
        ssl=next((_ssl(row) for row in rows["SSL"] if row["_uuid"][1] in ssl_uuids), None),
        bridges={
            row["name"]: Bridge(
                uuid=row["_uuid"][1],
                name=row["name"],
                fail_mode=next(members(row["fail_mode"]), ""),
                other_config=as_map(row["other_config"]),
                external_ids=as_map(row["external_ids"]),
                interfaces=[
                    interfaces[uuid] for port in members(row["ports"]) for uuid in ports[port]
                ],
            )
            for row in rows["Bridge"]
        },
    )


def _interface(row: Mapping[str, Any]) -> Interface:
    ofport = next(members(row["ofport"]), 0)
    return Interface(row["name"], ofport, as_map(row["external_ids"]))


def _ssl(row: Mapping[str, Any]) -> Ssl:
    files = (row["private_key"], row["certificate"], row["ca_cert"])
    return Ssl(row["_uuid"][1], files, row["bootstrap_ca_cert"])
