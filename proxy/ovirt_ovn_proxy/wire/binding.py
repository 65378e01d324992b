# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bindings of a port: the host it is on, and those that it may move to.

Pure. Source: Networking API v2.0 "Port binding", extension binding-extended. The
active binding is the port's own host. Others are kept under a key of ours, and are
among the chassis that OVN is told of (ovn-nb(5), "options : requested-chassis").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..nb import keys
from ..nb.rows import SwitchPort
from . import readers
from .attributes import Attribute, AttributeTable
from .common import stored_json
from .port import VNIC_TYPES, host_of

REQUESTED_CHASSIS = "requested-chassis"
ACTIVATION_STRATEGY = "activation-strategy"


def is_chassis_name(name: str) -> bool:
    """Say whether a name can stand in OVN's list of chassis, which commas separate."""
    return bool(name) and name.isprintable() and not any(c == "," or c.isspace() for c in name)


def read_host(field: str, value: Any) -> str:
    """Return the name of a host; raises BadRequest for what cannot be one."""
    read: str = readers.text()(field, value)
    if not is_chassis_name(read):
        readers.invalid(field, value, "is not the name of a host")
    return read


_vnic_type = readers.choice(*VNIC_TYPES)

BINDING = AttributeTable(
    "binding",
    "bindings",
    (
        Attribute("host", read_host, required=True, is_filter=True, read_filter=readers.text()),
        Attribute("vif_type", readers.text(), post=False, put=False, is_filter=True),
        Attribute("vif_details", readers.flat_object, post=False, put=False),
        Attribute("vnic_type", _vnic_type, is_filter=True),
        Attribute("profile", readers.flat_object, null={}),
        Attribute("status", readers.text(), post=False, put=False, is_filter=True),
        Attribute("tenant_id", readers.text(), put=False),
        Attribute("project_id", readers.text(), put=False),
    ),
)

_STORED = readers.list_of(
    readers.record(
        {"host": read_host, "vnic_type": _vnic_type, "profile": readers.flat_object}, ("host",)
    )
)


class Binding(NamedTuple):
    """One binding; None stands for what an inactive one has in common with the active one.

    `details` of an active one are what is known of the port there, of an inactive one nothing.
    """

    host: str
    is_active: bool = False
    vnic_type: str | None = None
    profile: Mapping[str, Any] | None = None
    details: Mapping[str, Any] | None = None


def bindings_of(row: SwitchPort) -> list[Binding]:
    """Return the bindings of a port: the active one, whose host may be "", then the others.

    The others are in the order in which they came. A chassis that another hand has
    left in OVN's list counts as one of them.
    """
    external_ids = row.external_ids
    active = Binding(
        host_of(row),
        True,
        external_ids.get(keys.VNIC_TYPE, "normal"),
        stored_json(external_ids, keys.BINDING_PROFILE, readers.flat_object, {}),
        # With several chassis a port is up while the main one has it, and no longer.
        {"plugged": bool(row.up)} if len(chassis_of(row)) > 1 else None,
    )
    found = {active.host: active}
    for stored in stored_json(external_ids, keys.INACTIVE_BINDINGS, _STORED, []):
        found.setdefault(stored["host"], Binding(**stored))
    for name in chassis_of(row):
        found.setdefault(name, Binding(name))
    return list(found.values())


def chassis_of(row: SwitchPort) -> list[str]:
    """Return the chassis that OVN is told to have the port on, the main one first."""
    return [name for name in row.options.get(REQUESTED_CHASSIS, "").split(",") if name]


def to_stored(bindings: Sequence[Binding]) -> list[dict[str, Any]]:
    """Return inactive bindings as they are kept in a row."""
    return [
        {
            name: value
            for name, value in binding._asdict().items()
            if name != "is_active" and value is not None
        }
        for binding in bindings
    ]


def encode_binding(binding: Binding, active: Binding) -> dict[str, Any]:
    """Return a binding as JSON values; `active` is the port's active one."""
    profile = active.profile if binding.profile is None else binding.profile
    return {
        "host": binding.host,
        "vif_type": "ovs" if binding.host else "unbound",
        "vif_details": dict(binding.details or {}),
        "vnic_type": binding.vnic_type or active.vnic_type,
        "profile": dict(profile or {}),
        "status": "ACTIVE" if binding.is_active else "INACTIVE",
    }


def encode_bindings(row: SwitchPort) -> list[dict[str, Any]]:
    """Return all bindings of a port as JSON values."""
    found = bindings_of(row)
    return [encode_binding(binding, found[0]) for binding in found]
