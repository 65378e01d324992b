# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses of this host: by netifaces where it is installed, else by `ip`.

I/O, reading only.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

from . import commands
from .errors import HostError

IpAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# linux/if_addr.h: temporary, failed in duplicate detection, deprecated.
_PASSING_FLAGS = 0x01 | 0x08 | 0x20
_IPV6_ADDRESSES = Path("/proc/net/if_inet6")


class Address(NamedTuple):
    """One address of a link. `is_passing`: it is not meant to be used for long."""

    link: str
    ip: IpAddress
    length: int
    is_passing: bool = False

    def __str__(self) -> str:
        return f"{self.ip} on {self.link}"

    @property
    def is_of_use(self) -> bool:
        """Whether other hosts can reach it, today and tomorrow."""
        return not (self.ip.is_loopback or self.ip.is_link_local or self.is_passing)


def read(timeout_s: float) -> list[Address]:
    """Return all addresses of this host, in the kernel's order by link. Raises HostError."""
    try:
        import netifaces
    except ImportError:
        found = by_ip(timeout_s)
    else:
        found = by_netifaces(netifaces)
    passing = set(_passing())
    return [it._replace(is_passing=True) if it.ip in passing else it for it in found]


def by_netifaces(netifaces: Any) -> list[Address]:
    """Return the addresses that the module netifaces knows."""
    return [
        # With a label of its own ("eth0:1") an address is shown as if it had a link of its own.
        Address(link.partition(":")[0], _ip(entry["addr"]), _length(entry["netmask"]))
        for link in netifaces.interfaces()
        for family, entries in netifaces.ifaddresses(link).items()
        if family in (socket.AF_INET, socket.AF_INET6)
        for entry in entries
        if "addr" in entry and "netmask" in entry
    ]


def by_ip(timeout_s: float) -> list[Address]:
    """Return the addresses that ip(8) shows. Raises HostError."""
    try:
        output = commands.run(["/usr/sbin/ip", "-json", "address"], timeout_s)
    except commands.CommandError as error:
        raise HostError(f"this host's addresses cannot be read: {error}") from error
    try:
        return [
            Address(link["ifname"], _ip(entry["local"]), entry["prefixlen"])
            for link in json.loads(output)
            for entry in link.get("addr_info", ())
            if "local" in entry
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(f"ip -json address: what it prints is not known here: {error!r}") from error


def _ip(text: str) -> IpAddress:
    return ipaddress.ip_address(text.partition("%")[0])


def _length(netmask: str) -> int:
    """Return the length of a netmask: 255.255.255.0, ffff:: or ffff::/16."""
    text, _, length = netmask.partition("/")
    return int(length) if length else bin(int(ipaddress.ip_address(text))).count("1")


def _passing() -> Iterator[IpAddress]:
    """Yield IPv6 addresses that will go: netifaces does not tell."""
    try:
        lines = _IPV6_ADDRESSES.read_text().splitlines()
    except OSError:
        return  # a kernel without IPv6
    for line in lines:
        address, _, _, _, flags, _ = line.split()
        if int(flags, 16) & _PASSING_FLAGS:
            yield ipaddress.IPv6Address(bytes.fromhex(address))
