# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Parsers of the settings' values: the text of a file, or of a command line -> value.

Pure. Each raises ValueError with the words for what is expected ("one of yes, no");
who calls adds where the text stood. Functions that take limits or choices return the parser.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Callable
from urllib.parse import urlsplit

SOUTHBOUND_PORT = 6642

# What ovs-vsctl prints without quotes: an identifier of OVSDB's lexer, and no UUID.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# The engine's database has room for so many characters of a binding host id.
_MAX_SYSTEM_ID = 64


def word(value: str) -> str:
    """Accept one line that is not empty."""
    if not value or "\n" in value:
        # An indented line continues the value above it: nearly always an accident.
        raise ValueError("one line that is not empty (the lines below it not indented)")
    return value


def path(value: str) -> str:
    """Accept an absolute path."""
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("an absolute path")
    return value


def boolean(value: str) -> bool:
    """Accept yes or no, and the other words that INI files have for them."""
    if value.lower() not in ("yes", "no", "true", "false", "on", "off", "1", "0"):
        raise ValueError("yes or no")
    return value.lower() in ("yes", "true", "on", "1")


def integer(low: int, high: int, *further: int) -> Callable[[str], int]:
    """Accept decimal digits whose value is from `low` to `high`, or one of `further`."""

    def parse(value: str) -> int:
        if re.fullmatch(r"[0-9]{1,10}", value):
            if low <= int(value) <= high or int(value) in further:
                return int(value)
        also = "".join(f"{number}, or " for number in further)
        raise ValueError(f"{also}a whole number from {low} to {high}")

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Accept one of the words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    return parse


def bridge(value: str) -> str:
    """Accept the name of a bridge, which is the name of a link too."""
    # IFNAMSIZ of Linux is 16, with a 0 at the end. Programs take a dash for an option.
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", value):
        raise ValueError(
            "the name of a bridge: a letter or digit, then up to 14 letters, digits, dashes and "
            "dots"
        )
    return value


def url(value: str) -> str:
    """Accept an https URL without query."""
    try:
        parts = urlsplit(word(value))
        is_known = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        if not is_known or parts.query or parts.fragment or parts.username:
            raise ValueError
    except ValueError:
        raise ValueError("a URL such as https://central.example.com:9697") from None
    return value


def system_id(value: str) -> str:
    """Accept a chassis name that VDSM and the engine can deal with, best the host's name.

    VDSM compares what ovs-vsctl prints, quotes and all, with the names in the host's
    certificate (lib/vdsm/network/ovn.py): a text that gets quotes never matches.
    """
    if not _IDENTIFIER.fullmatch(value) or value in ("true", "false") or _UUID.fullmatch(value):
        raise ValueError(
            "a name that begins with a letter and has letters, digits, dots and dashes only: "
            "VDSM could never match another one with the host's certificate"
        )
    if len(value) > _MAX_SYSTEM_ID:
        raise ValueError(f"a name of up to {_MAX_SYSTEM_ID} characters, the engine keeps no more")
    if value.partition(".")[0] == "localhost":
        raise ValueError("the name by which other hosts know this one")
    return value


def remotes(value: str) -> tuple[str, ...]:
    """Accept where Southbound is, one or several with commas, in OVSDB's notation or by host.

    A bare name or address means ssl: and the usual port; IPv6 goes with or without brackets.
    """
    found = tuple(_remote(part.strip()) for part in value.split(",") if part.strip())
    if not found:
        raise ValueError("an address, or ssl:HOST:PORT, several with commas")
    return found


def _remote(text: str) -> str:
    method, colon, rest = text.partition(":")
    if colon and method == "unix":
        return f"unix:{path(rest)}"
    if colon and method in ("ssl", "tcp"):
        match = re.fullmatch(
            r"(?:\[(?P<inner>[^]]*)\]|(?P<name>[^:]*))(?::(?P<port>[0-9]+))?", rest
        )
        if match is None:
            raise ValueError(f"{method}:HOST:PORT, an IPv6 address in brackets (not {text})")
        if match["inner"] is not None and not _is_ipv6(match["inner"]):
            raise ValueError(f"an IPv6 address in the brackets of {text}")
        port = int(match["port"] or SOUTHBOUND_PORT)
        if not 0 < port < 65536:
            raise ValueError(f"a port from 1 to 65535 in {text}")
        return f"{method}:{_host(match['inner'] or match['name'])}:{port}"
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return f"ssl:{_host(bare)}:{SOUTHBOUND_PORT}"


def _host(value: str) -> str:
    """Return a name or address as it stands in a remote."""
    if _is_ipv6(value):
        return f"[{ipaddress.IPv6Address(value)}]"
    # Nothing but digits and dots is meant to be an address, and 10.0.0 would be looked up.
    is_number = re.fullmatch(r"[0-9.]+", value) is not None
    if is_number != is_address(value) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", value):
        raise ValueError(f"a name or an address (not {value or 'nothing'})")
    return value


def is_address(value: str) -> bool:
    """Say whether a text is an address of IPv4 or IPv6, without brackets."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_ipv6(value: str) -> bool:
    return ":" in value and is_address(value) and "%" not in value
