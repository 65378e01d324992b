# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Parsers of option values: the text of a file -> value.

Pure. Each raises ValueError with the words for what is expected ("one of on,
off"); `config.py` adds file, section and key. Functions that take limits or
choices return the parser.
"""

from __future__ import annotations

import configparser
import ipaddress
import math
import re
import ssl
from typing import Callable
from urllib.parse import urlsplit

from .errors import ConfigError
from .nb.remote import Remote, parse_remotes


def text(value: str) -> str:
    """Accept any single line, an empty one too."""
    if "\n" in value:
        # An indented line continues the value above it: nearly always an accident.
        raise ValueError("one line (the lines below it must not be indented)")
    return value


def name(value: str) -> str:
    """Accept any single line that is not empty."""
    if not text(value):
        raise ValueError("a value that is not empty")
    return value


def several(separator: str = ",") -> Callable[[str], tuple[str, ...]]:
    """Accept one or more words between separators."""

    def parse(value: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in text(value).split(separator) if word.strip())
        if not words:
            raise ValueError(f"one value at least, several with {separator!r} between them")
        return words

    return parse


def url(value: str) -> str:
    """Accept an http or https URL without query; https is what a site should have."""
    try:
        parts = urlsplit(name(value))
        is_known = parts.scheme in ("http", "https") and bool(parts.hostname)
        if not is_known or parts.query or parts.fragment or parts.username or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError("a URL such as https://engine.example.com:443") from None
    return value


def names(value: str) -> tuple[str, ...]:
    """Accept words separated by commas, each once, or nothing."""
    found = tuple(item.strip() for item in text(value).split(",") if item.strip())
    if len(set(found)) < len(found) or any(" " in item for item in found):
        raise ValueError("names separated by commas, each once")
    return found


def boolean(value: str) -> bool:
    """Accept the words of ConfigParser, in any case."""
    states = configparser.RawConfigParser.BOOLEAN_STATES
    if value.lower() not in states:
        raise ValueError("one of " + ", ".join(states))
    return states[value.lower()]


def integer(low: int, high: int) -> Callable[[str], int]:
    """Accept decimal digits whose value is from `low` to `high`."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    """Accept a number of seconds, with or without a fraction."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"seconds from {low:g} to {high:g}")
        return number

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Accept one of the words, in any case, with dashes or underscores."""

    def parse(value: str) -> str:
        # Files of old versions spell dhcpv6_stateful.
        word = value.lower().replace("_", "-")
        if word not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return word

    return parse


def mac(value: str) -> str:
    """Accept a unicast MAC address with colons; return it in lower case."""
    if not re.fullmatch(r"[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}", value):
        raise ValueError("a unicast MAC address such as 02:00:00:00:00:00")
    return value.lower()


def host(value: str) -> str:
    """Accept a host name or an address; return IPv6 without brackets."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not re.fullmatch(r"[A-Za-z0-9._-]+", bare) and not _is_ipv6(bare):
        raise ValueError("a host name or an IP address")
    return bare


def listen_address(value: str) -> str:
    """Accept an IP address, or nothing for all of them."""
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise ValueError("an IP address of this machine, or nothing for all of them") from None


def remotes(value: str) -> tuple[Remote, ...]:
    """Accept OVSDB remotes to connect to, separated by commas."""
    try:
        return parse_remotes(text(value))
    except ConfigError as error:
        expected = "ssl:HOST:PORT, tcp:HOST:PORT or unix:PATH, several with commas"
        raise ValueError(f"{expected} ({error})") from None


def ciphers(value: str) -> str:
    """Accept a cipher list that this machine's OpenSSL understands, or nothing."""
    if value:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(value)
        except (ssl.SSLError, ValueError):
            raise ValueError("a cipher list that this machine's OpenSSL understands") from None
    return value


def _is_ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True
