# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which address of this host ends its tunnels.

Pure: the text of the setting, and what the host has -> one address and the reason, or a
ConfigError that lists what could be chosen.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from .addresses import Address, IpAddress
from .errors import ConfigError

# How the engine names a network on hosts whose own name would not do as one of a link:
# "on" and the beginning of its id (NetworkUtils.setNetworkVdsmName).
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_GENERATED = re.compile(r"on[0-9a-f]{13}")

T = TypeVar("T")


class Tunnel(NamedTuple):
    """The address, without brackets, why it is this one, and VDSM's network if one was named."""

    ip: str
    why: str
    network: str = ""


class Host(NamedTuple):
    """What a host has: its addresses, VDSM's networks (name -> link) and the engine's names.

    `names` are the engine's names by VDSM's; `current` is the address of the tunnels now.
    """

    addresses: Sequence[Address]
    networks: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    current: str = ""


def resolve(text: str, host: Host) -> Tunnel:
    """Return what a tunnel setting means on a host. Raises ConfigError."""
    literal = _parse(text.strip("[]"), ipaddress.ip_address)
    if literal is not None:
        return _literal(text, literal, host)
    subnet = _parse(text, lambda it: ipaddress.ip_network(it, strict=False))
    if subnet is not None:
        return _choose(text, [it for it in host.addresses if it.ip in subnet], "in", text, host)
    networks = _networks(text, host)
    if len(networks) > 1:
        raise _refusal(text, f"the engine's name of several networks ({', '.join(networks)})", host)
    if networks:
        network = networks[0]
        link = host.networks[network]
        where = f"network {network}" if link in (network, "") else f"network {network} ({link})"
        return _choose(text, _on(link, host), "of", where, host)._replace(network=network)
    if _on(text, host):
        return _choose(text, _on(text, host), "of", f"interface {text}", host)
    raise _refusal(text, "no network or interface that has an address on this host", host)


def _parse(text: str, parser: Callable[[str], T]) -> T | None:
    try:
        return parser(text)
    except ValueError:
        return None


def _literal(text: str, wanted: IpAddress, host: Host) -> Tunnel:
    found = [it for it in host.addresses if it.ip == wanted]
    if not found:
        raise _refusal(text, "no address of this host", host)
    why = f"the address on {found[0].link}"
    if wanted.is_loopback or wanted.is_link_local:
        why += ", which other hosts cannot reach"
    return Tunnel(str(wanted), why)


def _networks(text: str, host: Host) -> list[str]:
    """Return VDSM's names of the networks that a text means."""
    if text in host.networks:
        return [text]
    if _ID.fullmatch(text):
        text = f"on{text.replace('-', '').lower()[:13]}"
    return [name for name in host.networks if text in (name, host.names.get(name))]


def _on(link: str, host: Host) -> list[Address]:
    return [it for it in host.addresses if it.link == link]


def _choose(
    text: str, found: Sequence[Address], preposition: str, where: str, host: Host
) -> Tunnel:
    """Take the one address that can be meant: IPv4 goes first, and what is in use stays."""
    usable = [it for it in found if it.is_of_use]
    if not usable:
        raise _refusal(text, f"without an address for tunnels {preposition} {where}", host)
    for it in usable:
        if str(it.ip) == host.current:
            return Tunnel(host.current, f"the address {preposition} {where} that is in use")
    version = min(it.ip.version for it in usable)
    same = [it for it in usable if it.ip.version == version]
    if len({it.ip for it in same}) > 1:
        several = ", ".join(str(it.ip) for it in same)
        raise _refusal(text, f"more than one address {preposition} {where} ({several})", host)
    return Tunnel(str(same[0].ip), f"the IPv{version} address {preposition} {where}")


def _refusal(text: str, what: str, host: Host) -> ConfigError:
    return ConfigError(f"tunnel {text}: {what}; set tunnel to one of {_candidates(host)}")


def _candidates(host: Host) -> str:
    by_link: dict[str, list[str]] = {}
    for network, link in host.networks.items():
        name = host.names.get(network)
        words = f"network {network}" + (f' "{name}"' if name else "")
        if not name and _GENERATED.fullmatch(network):
            words += " (a name made by the engine)"
        by_link.setdefault(link, []).append(words)
    usable = [it for it in host.addresses if it.is_of_use]
    if not usable:
        return "this host's addresses, of which there is none yet"
    return ", ".join(
        f"{it.ip} ({', '.join([it.link, *by_link.get(it.link, [])])})" for it in usable
    )
