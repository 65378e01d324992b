# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses of a switch port, wherever OVN keeps them.

Pure. A VM's port has them in `addresses`, or, where OVN chose them itself
("<mac> dynamic"), in `dynamic_addresses`; a router's in its Logical_Router_Port
(ovn-nb(5), "Logical_Switch_Port: Addressing"); a floating IP in keys of ours, as OVN's
switch must not answer for it: the router does.
"""

from __future__ import annotations

import json
import re
import socket
from typing import NamedTuple

from . import keys
from .rows import RouterPort, SwitchPort

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Addressing(NamedTuple):
    """The MAC of a port (None: not known) and its IP addresses as text."""

    mac: str | None
    ips: tuple[str, ...]


_NOT_OWN = ("unknown", "router")
NOTHING = Addressing(None, ())


def normalize_mac(text: str) -> str | None:
    """Return a MAC as lower-case aa:bb:cc:dd:ee:ff, or None if it is none.

    Colons, dashes, dots ("aabb.ccdd.eeff") and no separators are understood.
    """
    if _MAC.fullmatch(text):
        return text
    digits = re.sub(r"[:.-]", "", text.strip().lower())
    if len(digits) != 12 or not digits.isalnum():
        return None
    mac = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return mac if _MAC.fullmatch(mac) else None


def addressing(port: SwitchPort, router_port: RouterPort | None) -> Addressing:
    """Return what the port answers to. Never raises: a malformed row gives what is readable.

    `router_port` is the other side of a port of type "router", None for any other.
    """
    if port.type == "router":
        if router_port is None:
            return NOTHING
        hosts = (network.partition("/")[0] for network in router_port.networks)
        return Addressing(normalize_mac(router_port.mac), tuple(hosts))
    element = _main_element(port)
    if element is None:
        floating = port.external_ids.get(keys.FLOATING_ADDRESS)
        if floating is None:
            return NOTHING
        return Addressing(normalize_mac(port.external_ids.get(keys.FLOATING_MAC, "")), (floating,))
    mac, *rest = element
    if "dynamic" in element:
        assigned = (port.dynamic_addresses or "").split()
        # "dynamic" alone leaves the MAC to OVN as well.
        if mac == "dynamic":
            mac = assigned[0] if assigned else ""
        # "dynamic 10.0.0.5" asks for an address that is then assigned.
        rest = [item for item in rest if item not in ("dynamic", *assigned)] + assigned[1:]
    return Addressing(normalize_mac(mac), tuple(rest))


def is_dynamic(port: SwitchPort) -> bool:
    """Say whether OVN itself chooses the addresses of this port."""
    return any("dynamic" in element.split() for element in port.addresses)


def ip_number(text: str) -> tuple[int, int] | None:
    """Return (IP version, address as integer), or None if the text is no address."""
    family, version = (socket.AF_INET6, 6) if ":" in text else (socket.AF_INET, 4)
    try:
        return version, int.from_bytes(socket.inet_pton(family, text), "big")
    except (OSError, ValueError, UnicodeError):
        return None


def pair_macs(port: SwitchPort) -> frozenset[str]:
    """Return the MACs that the port may use beside its own (allowed address pairs)."""
    text = port.external_ids.get(keys.ADDRESS_PAIRS)
    if not text:
        return frozenset()
    try:
        return frozenset(pair["mac_address"] for pair in json.loads(text) if "mac_address" in pair)
    except (ValueError, TypeError, KeyError, RecursionError):
        return frozenset()


def _main_element(port: SwitchPort) -> list[str] | None:
    """Return the port's own element of `addresses`, split; None if there is none.

    The column is a set without order, so the elements of address pairs are told
    from the port's own by their MACs.
    """
    if len(port.addresses) == 1:
        only = port.addresses[0].split()
        return only if only and only[0] not in _NOT_OWN else None
    split = [element.split() for element in port.addresses]
    split = [element for element in split if element and element[0] not in _NOT_OWN]
    if len(split) > 1:
        others = pair_macs(port)
        split = [element for element in split if element[0] not in others] or split
    return split[0] if split else None
