# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of each value: what can be told to be wrong without looking at the host.

Pure. Each function takes a text that a key has, and raises ValueError with the words for
what is expected. What a text means on this host, only `vdsm-tool` decides.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Callable

from . import keys

_HOST_AND_PORT = re.compile(r"(\[.*\]|[^:]*)(?::([0-9]{1,5}))?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# What is not a name of anything, but an address, maybe a wrong one.
_LIKE_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
# A name that ovs-vsctl prints without quotes, and no UUID or boolean: VDSM compares what it
# prints.
_FQDN = re.compile(r"(?!true$|false$)[A-Za-z_][A-Za-z0-9._-]{0,63}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_BRIDGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,14}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:~^-]*")


def remotes(text: str) -> tuple[str, ...]:
    """Return the servers of a list with commas, as they were given."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def central(text: str) -> None:
    """Accept one or several servers: by name, by address, or as OVSDB writes them."""
    if not remotes(text) or not all(map(_is_remote, remotes(text))):
        raise ValueError("a name or an address, or ssl:HOST:PORT, several with commas")


def uses_tls(text: str) -> bool:
    """Say whether one of the servers is reached by TLS."""
    return any(not remote.startswith("tcp:") for remote in remotes(text))


def _is_remote(text: str) -> bool:
    method, colon, rest = text.partition(":")
    if colon and method in ("ssl", "tcp"):
        match = _HOST_AND_PORT.fullmatch(rest)
        if match is None or not 0 < int(match[2] or 6642) < 65536:
            return False
        text = match[1]
    if text.startswith("[") and text.endswith("]"):
        return ":" in text and _is_address(text[1:-1])
    # What looks like an address must be one, and is not looked up.
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        return _is_address(text)
    return _HOST_NAME.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # One with the link that it is on means nothing on the way to a server.
    return "%" not in text


def tunnel(text: str) -> None:
    """Accept an address, a subnet, or anything that can be the name of a network."""
    if not text.strip() or not text.isprintable() or text.startswith("-"):
        raise ValueError("an address, a subnet, a network or an interface of this host")
    address, slash, _ = text.strip("[]").partition("/")
    if _LIKE_ADDRESS.fullmatch(address):
        try:
            ipaddress.ip_interface(text) if slash else ipaddress.ip_address(address)
        except ValueError:
            raise ValueError("an address such as 192.0.2.7, or ADDRESS/LENGTH") from None


def fqdn(text: str) -> None:
    """Accept what can be the name of a chassis, which VDSM and the engine compare."""
    if _is_address(text):
        # So the engine knows some hosts. vdsm-tool takes no notice of it.
        return
    is_name = _FQDN.fullmatch(text) and not _UUID.fullmatch(text)
    if not is_name or text.partition(".")[0] == "localhost":
        raise ValueError(
            "the host's full name: a letter first, then letters, digits, dots and dashes, "
            "64 characters at the most, and not localhost"
        )


def bridge(text: str) -> None:
    """Accept the name of a bridge."""
    if not _BRIDGE.fullmatch(text):
        raise ValueError(
            "the name of a bridge: a letter or digit, then up to 14 letters, digits, dashes and "
            "dots"
        )


def path(text: str) -> None:
    """Accept an absolute path."""
    if not text.startswith("/") or not text.isprintable():
        raise ValueError("an absolute path")


def packages(text: str) -> tuple[str, ...]:
    """Return the names of a list with spaces or commas."""
    names = tuple(filter(None, re.split(r"[\s,]+", text)))
    if not all(map(_PACKAGE.fullmatch, names)):
        raise ValueError("names of packages, with spaces or commas")
    return names


CHECKS: dict[str, Callable[[str], object]] = {
    keys.CENTRAL: central,
    keys.TUNNEL: tunnel,
    keys.FQDN: fqdn,
    keys.BRIDGE: bridge,
    keys.PRIVATE_KEY: path,
    keys.CERTIFICATE: path,
    keys.CA_CERTIFICATE: path,
    keys.PACKAGES: packages,
}
