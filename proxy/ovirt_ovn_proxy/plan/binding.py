# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for the bindings of a port, by which hosts announce a live migration. Pure.

While a port has an inactive binding, OVN has it on several chassis: on the main one as
ever, on the others only from the moment at which the VM wakes there and says so by a
RARP (ovn-nb(5), "options : activation-strategy"). Without one OVN is told of no chassis
at all, so that a message which never comes leaves no VM without network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import Config
from ..errors import BadRequest, Conflict, NotFound
from ..nb import keys
from ..nb.rows import SwitchPort
from ..wire.binding import (
    ACTIVATION_STRATEGY,
    REQUESTED_CHASSIS,
    Binding,
    bindings_of,
    chassis_of,
    encode_binding,
    is_chassis_name,
    to_stored,
)
from ..wire.port import SERVICE_OWNER, is_service_port
from .common import put, updated
from .draft import Draft

Values = Mapping[str, Any]

MOST_INACTIVE = 8
"""Hosts that a port may be announced on at a time; the oldest makes room for one more.

A VM moves to one host at a time, so all but the newest are left over.
"""


def add(draft: Draft, port: SwitchPort, values: Values) -> dict[str, Any]:
    """Plan an inactive binding; returns its JSON form.

    What an earlier migration left stays beside it: if that one's end was never heard
    of, the VM runs there now.
    """
    active, *inactive = found = bindings_of(port)
    host = values["host"]
    if any(binding.host == host for binding in found):
        raise Conflict(
            "PortBindingAlreadyExists",
            f"Binding for port {port.name} on host {host} already exists.",
        )
    new = Binding(host, False, values.get("vnic_type"), values.get("profile"))
    # A certificate is for a name in any spelling: one host must not push all others out by its.
    others = [binding for binding in inactive if binding.host.lower() != host.lower()]
    wanted = _with_bindings(draft, port, active.host, [*others, new][-MOST_INACTIVE:])
    return encode_binding(new, plan_row(draft, port, wanted))


def change(draft: Draft, port: SwitchPort, host: str, values: Values) -> dict[str, Any]:
    """Plan another profile or vNIC type of a binding; returns its JSON form."""
    active, *inactive = bindings_of(port)
    if values.get("host", host) != host:
        raise BadRequest(
            "BadRequest", f"Bad binding request: the binding on host {host} stays on it."
        )
    old = find_binding(port, host)
    changed = old._replace(**{name: values[name] for name in values if name != "host"})
    if old.is_active:
        wanted = _with_attributes(port, changed)
    else:
        others = [changed if binding == old else binding for binding in inactive]
        wanted = _with_bindings(draft, port, active.host, others)
    return encode_binding(changed, plan_row(draft, port, wanted))


def activate(draft: Draft, port: SwitchPort, host: str) -> dict[str, Any]:
    """Plan the port on the host of an inactive binding alone; returns the binding's JSON form."""
    if find_binding(port, host).is_active:
        raise _is_active(port, host, "already active")
    return confirm(draft, port, host)


def confirm(draft: Draft, port: SwitchPort, host: str) -> dict[str, Any]:
    """Plan the port on a host alone, whatever is known of it; returns the binding's JSON form.

    That is where the VM is, and from where it is about to move: what an earlier migration
    has left does not survive it.
    """
    wanted = port
    for binding in bindings_of(port)[1:]:
        if binding.host == host:
            wanted = _with_attributes(port, binding)
    active = plan_row(draft, port, _with_bindings(draft, wanted, host, ()))
    return encode_binding(active, active)


def remove(draft: Draft, port: SwitchPort, host: str) -> None:
    """Plan the end of an inactive binding; the active one cannot be taken away."""
    active, *inactive = bindings_of(port)
    old = find_binding(port, host)
    if old.is_active:
        raise _is_active(port, host, "active and cannot be deleted")
    others = [binding for binding in inactive if binding != old]
    plan_row(draft, port, _with_bindings(draft, port, active.host, others))


def without_inactive(port: SwitchPort, host: str, config: Config) -> SwitchPort:
    """Return a port with the binding to its host alone, "" for none.

    OVN is told of a chassis only where the site says `ovs-version-2.9`; what an earlier
    start or a migration left goes: a port pinned to another host would stay without
    network.
    """
    external_ids = dict(port.external_ids)
    external_ids.pop(keys.INACTIVE_BINDINGS, None)
    options = _with_chassis(port, [host] if config.ovs_version_2_9 else [])
    return port.copy(options=options, external_ids=external_ids)


def check_bindable(port: SwitchPort) -> None:
    """Raise BadRequest for a port that is no VM's, which has no bindings."""
    owner = port.external_ids.get(keys.DEVICE_OWNER, "")
    if is_service_port(port) or owner.startswith(SERVICE_OWNER):
        raise BadRequest(
            "BadRequest",
            f"Bad port request: Invalid port {port.name}. Only ports of VMs have bindings.",
        )


def find_binding(port: SwitchPort, host: str) -> Binding:
    """Return the binding of a port on a host; raises NotFound where there is none."""
    for binding in bindings_of(port):
        if binding.host == host:
            return binding
    raise NotFound(
        "PortBindingNotFound",
        f"Binding for port {port.name} for host {host} could not be found.",
    )


def _is_active(port: SwitchPort, host: str, what: str) -> Conflict:
    return Conflict(
        "PortBindingAlreadyActive", f"Binding for port {port.name} on host {host} is {what}."
    )


def _with_bindings(
    draft: Draft, port: SwitchPort, host: str, inactive: Sequence[Binding]
) -> SwitchPort:
    """Return a port with these bindings, of which the one on `host` is active."""
    wanted = without_inactive(port, host, draft.context.config)
    external_ids = dict(wanted.external_ids)
    put(external_ids, keys.HOST_ID, host, "")
    put(external_ids, keys.INACTIVE_BINDINGS, to_stored(inactive), [])
    options = wanted.options
    if inactive:
        # The chassis that has the VM must be the main one, or it would lose the port. If
        # nobody knows it, there is no list, and the hosts compete as they do without us.
        names = chassis_of(port) or [host]
        known = [host, *(binding.host for binding in inactive)]
        names = [name for name in names if name in known]
        names += [name for name in known[1:] if name not in names]
        if all(map(is_chassis_name, names)):
            options = _with_chassis(port, names)
    return wanted.copy(options=options, external_ids=external_ids)


def _with_chassis(port: SwitchPort, names: Sequence[str]) -> dict[str, str]:
    """Return the options of a port for which OVN is told of these chassis."""
    options = dict(port.options)
    options.pop(REQUESTED_CHASSIS, None)
    options.pop(ACTIVATION_STRATEGY, None)
    if any(names):
        options[REQUESTED_CHASSIS] = ",".join(names)
    if len(names) > 1:
        options[ACTIVATION_STRATEGY] = "rarp"
    return options


def _with_attributes(port: SwitchPort, binding: Binding) -> SwitchPort:
    """Return a port with what a binding says of its own."""
    external_ids = dict(port.external_ids)
    if binding.vnic_type is not None:
        put(external_ids, keys.VNIC_TYPE, binding.vnic_type, "normal")
    if binding.profile is not None:
        put(external_ids, keys.BINDING_PROFILE, binding.profile, {})
    return port.copy(external_ids=external_ids)


def plan_row(draft: Draft, port: SwitchPort, wanted: SwitchPort) -> Binding:
    """Plan a port with other bindings; returns its active one."""
    draft.rest_on(port, "options")
    if port.difference(wanted):
        wanted = wanted.copy(external_ids=updated(wanted.external_ids, draft.context))
    draft.update(wanted)
    return bindings_of(wanted)[0]
