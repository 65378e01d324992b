# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports: their attributes, and Logical_Switch_Port rows as JSON.

Pure. Source: Networking API v2.0 "Ports", with the extensions binding,
allowed-address-pairs, extra_dhcp_opt, port-security, security-group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..config import Config
from ..errors import BadRequest
from ..nb import keys
from ..nb.addresses import Addressing, ip_number
from ..nb.rows import SwitchPort
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable
from .common import standard, stored_json
from .subnet import Range

ENGINE_OWNER = "oVirt"
SERVICE_OWNER = "network:"
INTERFACE_OWNER = "network:router_interface"
GATEWAY_OWNER = "network:router_gateway"
FLOATING_IP_OWNER = "network:floatingip"

VNIC_TYPES = (
    "normal",
    "direct",
    "direct-physical",
    "macvtap",
    "baremetal",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)

_FIXED_IP = readers.record({"subnet_id": readers.identifier, "ip_address": readers.address})
_PAIR_FIELDS = {"ip_address": readers.address_or_cidr, "mac_address": readers.mac}
_ADDRESS_PAIR = readers.record(_PAIR_FIELDS)
_STORED_PAIRS = readers.list_of(readers.record(_PAIR_FIELDS, ("ip_address",)))


def read_fixed_ips(field: str, value: Any) -> list[dict[str, Any]]:
    """Read fixed IPs; none is given twice."""
    entries: list[dict[str, Any]] = readers.list_of(_FIXED_IP, limit=100)(field, value)
    ips = [entry["ip_address"] for entry in entries if "ip_address" in entry]
    for ip in ips:
        if ips.count(ip) > 1:
            readers.invalid(field, ip, "is there twice")
    return entries


def _optional(read: readers.Reader) -> readers.Reader:
    return lambda field, value: None if value is None else read(field, value)


def _one_line(field: str, value: Any) -> str:
    read: str = readers.text()(field, value)
    if not read.isprintable():
        readers.invalid(field, value, "is not one line of text")
    return read


_EXTRA_DHCP_OPT = readers.record(
    {
        "opt_name": readers.text(64),
        "opt_value": _optional(_one_line),
        "ip_version": readers.integer(4, 6),
    },
    ("opt_name", "opt_value"),
)
# Options that a blank value takes away.
_BLANK_DHCP_OPTS = ("router", "classless-static-route")


def _extra_dhcp_opts(field: str, value: Any) -> list[dict[str, Any]]:
    """Read extra DHCP options; the IP version defaults to 4."""
    options: list[dict[str, Any]] = readers.list_of(_EXTRA_DHCP_OPT, limit=64)(field, value)
    for option in options:
        option["ip_version"] = option.get("ip_version", 4)
        if option["ip_version"] == 5:
            readers.invalid(f"{field}.ip_version", 5, "is not 4 or 6")
        if not option["opt_name"].strip():
            readers.invalid(f"{field}.opt_name", option["opt_name"], "is blank")
        text = option["opt_value"]
        if text is not None and not text.strip() and option["opt_name"] not in _BLANK_DHCP_OPTS:
            readers.invalid(f"{field}.opt_value", text, f"is blank, for {option['opt_name']}")
    return options


def _address_pairs(field: str, value: Any) -> list[dict[str, Any]]:
    """Read allowed address pairs; each needs an address."""
    limited = readers.list_of(_ADDRESS_PAIR, limit=10, error_type="AllowedAddressPairExhausted")
    pairs: list[dict[str, Any]] = limited(field, value)
    for pair in pairs:
        if "ip_address" not in pair:
            raise BadRequest(
                "AllowedAddressPairsMissingIP", f"{field} must have an ip_address in each pair."
            )
        number = ip_number(pair["ip_address"].partition("/")[0])
        if number is not None and (
            number[1] >> 28 == 0xE if number[0] == 4 else number[1] >> 120 == 0xFF
        ):
            readers.invalid(field, pair["ip_address"], "is a multicast address")
    return pairs


PORT = AttributeTable(
    "port",
    "ports",
    (
        *STANDARD,
        Attribute(
            "network_id",
            readers.identifier,
            put=False,
            required=True,
            is_filter=True,
            is_sortable=True,
        ),
        Attribute(
            "admin_state_up", readers.boolean, default=True, is_filter=True, is_sortable=True
        ),
        Attribute("mac_address", readers.mac, is_filter=True, is_sortable=True),
        Attribute("fixed_ips", read_fixed_ips, is_filter=True),
        Attribute("device_id", readers.text(), default="", is_filter=True, is_sortable=True),
        Attribute("device_owner", readers.text(), default="", is_filter=True, is_sortable=True),
        Attribute(
            "status", readers.text(), post=False, put=False, is_filter=True, is_sortable=True
        ),
        # What null means depends on the client.
        Attribute(
            "security_groups",
            readers.list_of(readers.text()),
            null=None,
            is_filter=True,
            read_filter=readers.text(),
        ),
        Attribute("port_security_enabled", readers.boolean, is_filter=True),
        Attribute("allowed_address_pairs", _address_pairs, default=(), null=()),
        Attribute("extra_dhcp_opts", _extra_dhcp_opts, default=(), null=()),
        Attribute("binding:host_id", readers.text(), default="", null="", is_filter=True),
        Attribute("binding:vnic_type", readers.choice(*VNIC_TYPES), default="normal"),
        Attribute("binding:profile", readers.flat_object, default=None, null=None),
        Attribute("binding:vif_type", readers.text(), post=False, put=False),
        Attribute("binding:vif_details", readers.flat_object, post=False, put=False),
    ),
)


def is_router_port(row: SwitchPort) -> bool:
    """Say whether the port belongs to a router, which then owns its addresses."""
    return row.type == "router"


def is_floating_ip(row: SwitchPort) -> bool:
    """Say whether the port does nothing but hold the address of a floating IP."""
    return keys.FLOATING_ADDRESS in row.external_ids


def is_service_port(row: SwitchPort) -> bool:
    """Say whether the port is a router's or a floating IP's, and changes with those alone."""
    return is_router_port(row) or is_floating_ip(row)


def host_of(row: SwitchPort) -> str:
    """Return the host that a port was last announced on, "" for none."""
    pinned = row.options.get("requested-chassis", "").partition(",")[0]
    return row.external_ids.get(keys.HOST_ID) or pinned


def asked_admin_state(row: SwitchPort) -> bool:
    """Return what was asked for; `enabled` is also off while the network is down."""
    asked = row.external_ids.get(keys.ADMIN_STATE)
    return row.enabled is not False if asked is None else asked == "True"


def has_port_security(row: SwitchPort) -> bool:
    """Say whether the port may send from its own addresses only."""
    return bool(row.port_security)


def address_pairs(row: SwitchPort, mac: str | None) -> list[dict[str, str]]:
    """Return a port's allowed address pairs; those without a MAC of their own have `mac`, its."""
    pairs = stored_json(row.external_ids, keys.ADDRESS_PAIRS, _STORED_PAIRS, [])
    return [{"mac_address": mac or "", **pair} for pair in pairs]


def extra_dhcp_opts(row: SwitchPort) -> list[dict[str, Any]]:
    """Return a port's extra DHCP options."""
    options: list[dict[str, Any]] = stored_json(
        row.external_ids, keys.EXTRA_DHCP_OPTS, _extra_dhcp_opts, []
    )
    return [option for option in options if option["opt_value"] is not None]


def fixed_ips(found: Addressing, ranges: Sequence[Range]) -> list[dict[str, str]]:
    """Return the addresses of a port that lie in subnets of its network."""
    result = []
    for ip in found.ips:
        number = ip_number(ip)
        for subnet in ranges:
            if subnet.holds(number):
                result.append({"subnet_id": subnet.subnet_id, "ip_address": ip})
                break
    return result


def encode_port(
    row: SwitchPort,
    network_id: str,
    found: Addressing,
    ranges: Sequence[Range],
    groups: list[str],
    config: Config,
    in_list: bool = False,
) -> dict[str, Any]:
    """Return a port as JSON values; `groups` are the ids of its security groups.

    `in_list`: a port of the engine that is not up shows no host. The engine then
    announces the host at each start of the VM, and repairs the MAC with it.
    """
    external_ids = row.external_ids
    is_up = row.up is True or is_router_port(row)
    owner = external_ids.get(keys.DEVICE_OWNER, "")
    host = "" if in_list and owner == ENGINE_OWNER and not is_up else host_of(row)
    return {
        "id": row.name,
        **standard(external_ids, external_ids.get(keys.NIC_NAME, ""), config),
        "network_id": network_id,
        "admin_state_up": asked_admin_state(row),
        "mac_address": found.mac or "",
        "fixed_ips": fixed_ips(found, ranges),
        "device_id": external_ids.get(keys.DEVICE_ID, ""),
        "device_owner": owner,
        "status": _status(row, is_up),
        "security_groups": groups,
        "port_security_enabled": has_port_security(row),
        "allowed_address_pairs": address_pairs(row, found.mac),
        "extra_dhcp_opts": extra_dhcp_opts(row),
        "binding:host_id": host,
        "binding:vnic_type": external_ids.get(keys.VNIC_TYPE, "normal"),
        "binding:profile": stored_json(external_ids, keys.BINDING_PROFILE, readers.flat_object, {}),
        "binding:vif_type": "ovs" if host else "unbound",
        "binding:vif_details": {},
    }


def _status(row: SwitchPort, is_up: bool) -> str:
    if is_floating_ip(row):
        return "N/A"
    return "ACTIVE" if is_up and row.enabled is not False else "DOWN"
