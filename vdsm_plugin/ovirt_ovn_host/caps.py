# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VDSM's capabilities with what the engine needs to know of OVN. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .snapshot import Snapshot

# The engine looks the host up by the provider's plugin type, and keeps up to 64 characters.
BINDING_HOST_IDS = "openstack_binding_host_ids"
PLUGIN_TYPE = "OVIRT_PROVIDER_OVN"
_MAX_HOST_ID = 64

# Our key, and ovn-controller's settings below it.
OVN = "ovn"
_SETTINGS = {"remote": "ovn-remote", "encapType": "ovn-encap-type", "encapIp": "ovn-encap-ip"}


def add_ovn(
    caps: Mapping[str, Any], snapshot: Snapshot, ovn_version: str
) -> tuple[dict[str, Any], str]:
    """Return the capabilities with OVN's added, and a note on what is missing, or "".

    Host ids of other plugins stay. Values that are not known ("") are left out.
    """
    chassis = snapshot.chassis
    facts = {
        "chassis": chassis,
        **{name: snapshot.setting(key) for name, key in _SETTINGS.items()},
        "bridge": snapshot.bridge,
        "ovsVersion": snapshot.ovs_version,
        "ovnVersion": ovn_version,
    }
    ovn: dict[str, Any] = {name: value for name, value in facts.items() if value}
    ovn["ports"] = [port["id"] for port in snapshot.ports]
    changed = {**caps, OVN: ovn}
    if not chassis:
        return changed, (
            "no host id for the engine: the host has no system-id, "
            "'vdsm-tool configure --module ovn' sets it"
        )
    if len(chassis) > _MAX_HOST_ID:
        return changed, (
            f"no host id for the engine: the system-id {chassis} is longer than "
            f"{_MAX_HOST_ID} characters"
        )
    changed[BINDING_HOST_IDS] = {**(caps.get(BINDING_HOST_IDS) or {}), PLUGIN_TYPE: chassis}
    return changed, ""
