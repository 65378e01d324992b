# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for ports: Logical_Switch_Port rows of VMs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadRequest, Conflict
from ..nb import keys
from ..nb.addresses import is_dynamic
from ..nb.rows import Switch, SwitchPort
from ..wire import readers
from ..wire.network import has_port_security as network_has_port_security
from ..wire.network import is_up
from ..wire.port import (
    INTERFACE_OWNER,
    SERVICE_OWNER,
    address_pairs,
    asked_admin_state,
    encode_port,
    extra_dhcp_opts,
    has_port_security,
    is_floating_ip,
    is_service_port,
)
from ..wire.security_group import groups_of_port
from ..wire.subnet import ranges_of
from .addresses import Allocator, make_mac, take_mac
from .binding import without_inactive
from .common import created, put, updated
from .common import network as _network
from .dhcp import with_dhcp
from .draft import Draft
from .floating_nat import follow_port, leave_port
from .membership import change_groups, join_groups
from .port_row import with_addresses, with_asked_state
from .router_addresses import readdress_router_port

Values = Mapping[str, Any]

# Attribute -> (key, value that needs no key)
_KEPT = {
    "device_id": (keys.DEVICE_ID, ""),
    "device_owner": (keys.DEVICE_OWNER, ""),
    "description": (keys.DESCRIPTION, ""),
    "binding:host_id": (keys.HOST_ID, ""),
    "binding:vnic_type": (keys.VNIC_TYPE, "normal"),
}
_FREE_OF_ROUTERS = {"name", "description", "admin_state_up", "fixed_ips"}
_FREE_OF_FLOATING_IPS = {"name"}
_ADDRESS_ATTRIBUTES = {
    "mac_address",
    "fixed_ips",
    "port_security_enabled",
    "allowed_address_pairs",
}


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new port; returns its JSON form. Raises NotFound for an unknown network."""
    context = draft.context
    switch = _network(draft, values["network_id"])
    port_id = context.row_uuid(label)
    given = values.get("mac_address")
    mac = take_mac(draft, switch, given) if given else make_mac(draft, switch, label)
    allocator = Allocator(draft, switch, mac)
    wanted = values.get("fixed_ips")
    ips = allocator.default() if wanted is None else allocator.wanted(wanted)
    security = values.get("port_security_enabled")
    if security is None:
        security = network_has_port_security(switch, context.config)
    if values["device_owner"].startswith(SERVICE_OWNER):
        # Routers and servers of the network send for others.
        security = False
    pairs = _pairs(values["allowed_address_pairs"], mac)
    _check_pairs(pairs, security)
    external_ids = created(values, context)
    external_ids[keys.NIC_NAME] = values["name"]
    _put_attributes(external_ids, values)
    _put_pairs(external_ids, pairs, mac)
    put(external_ids, keys.EXTRA_DHCP_OPTS, _merged_options([], values["extra_dhcp_opts"]), [])
    port = SwitchPort.new(port_id, name=port_id, external_ids=external_ids)
    port = with_asked_state(port, values["admin_state_up"], is_up(switch))
    port = with_addresses(port, mac, ips, security, pairs)
    port = without_inactive(port, values["binding:host_id"], context.config)
    port = with_dhcp(draft, port, draft.subnets_of(switch.uuid))
    port = join_groups(draft, port, values, security)
    draft.insert_into(switch, "ports", port)
    draft.advance(switch.uuid)
    return _encode(draft, switch, port)


def update(draft: Draft, port: SwitchPort, values: Values) -> dict[str, Any]:
    """Plan a change of a port; returns its JSON form."""
    switch = _network(draft, port.switch or "")
    if is_service_port(port):
        values = _of_service_port(draft, switch, port, values)
        if "fixed_ips" in values:
            readdress_router_port(draft, port, values.pop("fixed_ips"))
            port = draft.current(port)
    external_ids = dict(port.external_ids)
    if "name" in values:
        external_ids[keys.NIC_NAME] = values["name"]
    _put_attributes(external_ids, values)
    if external_ids.get(keys.VNIC_TYPE) != port.external_ids.get(keys.VNIC_TYPE):
        _check_unplugged(draft, port, "binding:vnic_type")
    wanted = port.copy(external_ids=external_ids)
    if "admin_state_up" in values and values["admin_state_up"] != asked_admin_state(port):
        draft.advance(switch.uuid)
        wanted = with_asked_state(wanted, values["admin_state_up"], is_up(switch))
    if "binding:host_id" in values:
        # That there is nothing left to clear is for a guard as well.
        draft.rest_on(port, "options")
        wanted = without_inactive(wanted, values["binding:host_id"], draft.context.config)
    if _ADDRESS_ATTRIBUTES & set(values):
        wanted = _readdressed(draft, switch, port, wanted, values)
    if "extra_dhcp_opts" in values:
        external_ids = dict(wanted.external_ids)
        options = _merged_options(extra_dhcp_opts(port), values["extra_dhcp_opts"])
        put(external_ids, keys.EXTRA_DHCP_OPTS, options, [])
        wanted = wanted.copy(external_ids=external_ids)
    wanted = change_groups(draft, port, wanted, values)
    moved = wanted.addresses != port.addresses
    if moved or wanted.external_ids.get(keys.EXTRA_DHCP_OPTS) != port.external_ids.get(
        keys.EXTRA_DHCP_OPTS
    ):
        draft.advance(switch.uuid)
        wanted = with_dhcp(draft, wanted, draft.subnets_of(switch.uuid))
    if port.difference(wanted):
        wanted = wanted.copy(external_ids=updated(wanted.external_ids, draft.context))
    draft.update(wanted)
    follow_port(draft, wanted)
    return _encode(draft, switch, wanted)


def delete(draft: Draft, port: SwitchPort) -> None:
    """Plan the end of a port; those of routers and floating IPs go with these alone."""
    if is_service_port(port):
        owner = port.external_ids.get(keys.DEVICE_OWNER, INTERFACE_OWNER)
        raise Conflict(
            "ServicePortInUse",
            f"Port {port.name} cannot be deleted directly via the port API: "
            f"has device owner {owner}.",
        )
    for row in draft.options_of(port.name):
        draft.delete(row)
    leave_port(draft, port)
    # A row of its own, or a floating IP, that somebody gives it meanwhile would stay.
    draft.rest_on(port, "dhcpv4_options", "dhcpv6_options", "external_ids")
    draft.delete_from(_network(draft, port.switch or ""), "ports", port)


def _encode(draft: Draft, switch: Switch, port: SwitchPort) -> dict[str, Any]:
    ranges = ranges_of(draft.subnets_of(switch.uuid))
    groups = groups_of_port(port, draft)
    config = draft.context.config
    return encode_port(port, switch.uuid, draft.addressing(port), ranges, groups, config)


def _of_service_port(
    draft: Draft, switch: Switch, port: SwitchPort, values: Values
) -> dict[str, Any]:
    """Return what a PUT changes of a router's or a floating IP's port; the rest must stay."""
    shown = _encode(draft, switch, port)
    # Null stands for what is empty.
    changed = {
        name: value for name, value in values.items() if (value or None) != (shown[name] or None)
    }
    free = _FREE_OF_FLOATING_IPS if is_floating_ip(port) else _FREE_OF_ROUTERS
    refused = changed.keys() - free
    if refused:
        raise BadRequest(
            "BadRequest",
            f"Bad port request: {', '.join(sorted(refused))} of port {port.name} "
            f"belong to its {port.external_ids.get(keys.DEVICE_OWNER, INTERFACE_OWNER)}.",
        )
    return changed


def _put_attributes(external_ids: dict[str, str], values: Values) -> None:
    """Keep what a POST and a PUT treat alike."""
    for name, (key, default) in _KEPT.items():
        if name in values:
            put(external_ids, key, values[name], default)
    if "binding:profile" in values:
        put(external_ids, keys.BINDING_PROFILE, values["binding:profile"] or {}, {})


def _readdressed(
    draft: Draft, switch: Switch, port: SwitchPort, wanted: SwitchPort, values: Values
) -> SwitchPort:
    """Return the port with the addresses, pairs and port security that a PUT asks for."""
    found = draft.addressing(port)
    mac = values.get("mac_address", found.mac)
    security = values.get("port_security_enabled", has_port_security(port))
    pairs = address_pairs(port, mac)
    if "allowed_address_pairs" in values:
        pairs = _pairs(values["allowed_address_pairs"], mac or "")
    before = (found.mac, has_port_security(port), address_pairs(port, found.mac))
    if (mac, security, pairs) == before and ("fixed_ips" not in values):
        return wanted
    if mac is None:
        raise BadRequest("BadRequest", f"Bad port request: port {port.name} has no MAC address.")
    _check_pairs(pairs, security)
    if mac != found.mac:
        _check_unplugged(draft, port, "mac_address")
        take_mac(draft, switch, mac)
    external_ids = dict(wanted.external_ids)
    _put_pairs(external_ids, pairs, mac)
    wanted = wanted.copy(external_ids=external_ids)
    # Of another MAC OVN would derive another IPv6 address.
    keeps_ips = mac == found.mac or not any(":" in ip for ip in found.ips)
    if is_dynamic(port) and "fixed_ips" not in values and keeps_ips:
        return _dynamic(wanted, mac, security, pairs)
    allocator = Allocator(draft, switch, mac, found.ips)
    if values.get("fixed_ips"):
        ips = allocator.wanted(values["fixed_ips"])
    else:
        ips = allocator.following(found.mac)
        if "fixed_ips" in values:
            # Addresses that a host makes itself cannot be taken from it.
            ips = [ip for ip in ips if allocator.is_automatic(ip)]
    return with_addresses(wanted, mac, ips, security, pairs)


def _dynamic(
    port: SwitchPort, mac: str, is_secured: bool, pairs: list[dict[str, str]]
) -> SwitchPort:
    """Return a port whose IP addresses OVN chooses, with this MAC and these pairs.

    As its addresses are not known beforehand, only MACs are checked, but for the pairs'.
    """
    element = next(element for element in port.addresses if "dynamic" in element.split())
    items = element.split()
    own = " ".join([mac, *(items if items[0] == "dynamic" else items[1:])])
    others = with_addresses(
        port, mac, (), is_secured, [p for p in pairs if p["mac_address"] != mac]
    )
    addresses = [own if item == mac else item for item in others.addresses]
    return others.copy(addresses=tuple(sorted(addresses)))


def _check_unplugged(draft: Draft, port: SwitchPort, attribute: str) -> None:
    """Refuse to change what a plugged port is plugged with.

    Not to the engine: it gives a VM's port the MAC that the VM starts with, while
    `up` may still tell of the VM's last run.
    """
    if port.up and not draft.context.is_engine:
        raise Conflict(
            "PortBound",
            f"Unable to complete operation on port {port.name}, port is already bound; "
            f"its {attribute} cannot change.",
        )


def _pairs(pairs: Any, mac: str) -> list[dict[str, str]]:
    """Return address pairs with the MAC filled in that they leave to the port, each once."""
    filled = [{"mac_address": mac, **pair} for pair in pairs]
    for pair in filled:
        if filled.count(pair) > 1:
            raise BadRequest(
                "DuplicateAddressPairInRequest",
                f"allowed_address_pairs has {pair['ip_address']} twice for {pair['mac_address']}.",
            )
    return filled


def _put_pairs(external_ids: dict[str, str], pairs: list[dict[str, str]], mac: str) -> None:
    """Keep address pairs; the port's own MAC is left out, and follows when it changes."""
    kept = [
        pair if pair["mac_address"] != mac else {"ip_address": pair["ip_address"]} for pair in pairs
    ]
    put(external_ids, keys.ADDRESS_PAIRS, kept, [])


def _check_pairs(pairs: list[dict[str, str]], is_secured: bool) -> None:
    if pairs and not is_secured:
        raise Conflict(
            "AddressPairAndPortSecurityRequired",
            "Port Security must be enabled in order to have allowed address pairs on a port; "
            f"port_security_enabled is False, allowed_address_pairs {readers.shown(pairs)}.",
        )


def _merged_options(kept: list[Any], given: Any) -> list[dict[str, Any]]:
    """Return extra DHCP options with the given ones set; a null value removes one."""
    merged = {(option["opt_name"], option["ip_version"]): option for option in kept}
    merged.update({(option["opt_name"], option["ip_version"]): option for option in given})
    return [option for option in merged.values() if option["opt_value"] is not None]
