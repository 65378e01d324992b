# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers of the local Open_vSwitch database for tests, in OVSDB's notation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ovirt_ovn_host.snapshot import Snapshot

VM1 = "bbbbbbbb-0000-4000-8000-000000000001"
VM2 = "bbbbbbbb-0000-4000-8000-000000000002"


def port_id(number: int) -> str:
    return f"aaaaaaaa-0000-4000-8000-{number:012d}"


def ovs_map(values: Mapping[str, Any]) -> list[Any]:
    return ["map", [[key, value] for key, value in values.items()]]


def ovs_set(members: Sequence[Any]) -> Any:
    """A set as the server writes it: one member stands alone."""
    return members[0] if len(members) == 1 else ["set", list(members)]


class Link:
    """A Port with its one Interface; `bridge` is the one that it is on.

    `kind` is the Interface's type, None where that is not read.
    """

    def __init__(
        self,
        name: str,
        *,
        bridge: str = "br-int",
        kind: str | None = None,
        port_ids: Mapping[str, str] | None = None,
        ids: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        statistics: Mapping[str, int] | None = None,
    ) -> None:
        self.bridge = bridge
        self.uuid = ["uuid", f"port-{name}"]
        interface = ["uuid", f"interface-{name}"]
        self.port = {
            "_uuid": self.uuid,
            "external_ids": ovs_map(port_ids or {}),
            "interfaces": interface,
        }
        self.interface = {
            "_uuid": interface,
            "name": name,
            "external_ids": ovs_map(ids or {}),
            "options": ovs_map(options or {}),
            "statistics": ovs_map(statistics or {}),
        }
        if kind is not None:
            self.interface["type"] = kind


def vif(number: int, vm_id: str = VM1, is_installed: bool = True, **more: Any) -> Link:
    """A VIF as libvirt and ovn-controller leave it."""
    ids = {
        "attached-mac": f"56:6f:00:00:00:{number:02x}",
        "iface-id": port_id(number),
        "iface-status": "active",
        "vm-id": vm_id,
    }
    if is_installed:
        ids.update({"ovn-installed": "true", "ovn-installed-ts": "1700000000000"})
    return Link(f"vnet{number}", ids=ids, **more)


def tunnel(chassis: str, remote_ip: str, number: int = 0, **more: Any) -> Link:
    """A tunnel as ovn-controller makes it."""
    return Link(
        f"ovn-{chassis[:4]}-{number}",
        port_ids={"ovn-chassis-id": f"{chassis}@{remote_ip}"},
        options={"csum": "true", "key": "flow", "remote_ip": remote_ip},
        **more,
    )


def results(
    *links: Link,
    ids: Mapping[str, str] | None = None,
    ovs_version: Sequence[str] = (),
    bridges: Sequence[str] = ("br-int",),
) -> list[dict[str, Any]]:
    """The results of the selects for a host with these links."""
    return [
        {"rows": [{"external_ids": ovs_map(ids or {}), "ovs_version": ovs_set(ovs_version)}]},
        {
            "rows": [
                {
                    "name": bridge,
                    "ports": ovs_set([link.uuid for link in links if link.bridge == bridge]),
                }
                for bridge in bridges
            ]
        },
        {"rows": [link.port for link in links]},
        {"rows": [link.interface for link in links]},
    ]


def snapshot(*links: Link, **more: Any) -> Snapshot:
    """What a host with these links is to us."""
    return Snapshot(results(*links, **more))
