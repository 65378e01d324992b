# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Readers: one attribute's JSON value to its checked Python value.

Pure. A reader is called with the attribute's name, for the message, and the
value; it returns what the rest of the program may rely on or raises BadRequest.
The rules are the Networking API's (api-ref "Request parameters"); query strings
go through the same readers, so text forms of numbers and booleans are accepted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, NoReturn

from ..errors import BadRequest
from ..nb.addresses import normalize_mac

Reader = Callable[[str, Any], Any]

TEXT_LIMIT = 255
INTEGER_LIMIT = 2**31 - 1
# Beyond them the time for a number grows with their square, up to Python 3.10 without a limit.
MOST_DIGITS = 1000

_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}

_INTEGER = re.compile(f"-?[0-9]{{1,{MOST_DIGITS}}}")
_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# OVSDB refuses NUL, and half of a surrogate pair is no character.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def invalid(field: str, value: Any, reason: str, error_type: str = "HTTPBadRequest") -> NoReturn:
    """Refuse a value: name the attribute, show the value, say what is wrong."""
    raise BadRequest(error_type, f"Invalid input for {field}. Reason: {shown(value)} {reason}.")


def check_count(field: str, value: Sized, limit: int, error_type: str = "HTTPBadRequest") -> None:
    """Refuse more than `limit` elements."""
    if len(value) > limit:
        reason = f"has {len(value)} elements, at most {limit} are allowed"
        invalid(field, value, reason, error_type)


def shown(value: Any) -> str:
    """Return a value for a message, cut to a length that suits a log line."""
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def text(limit: int = TEXT_LIMIT) -> Reader:
    """Read a string of at most `limit` characters."""

    def read(field: str, value: Any) -> str:
        if not isinstance(value, str):
            invalid(field, value, "is not a string")
        if len(value) > limit:
            invalid(field, value, f"exceeds the maximum length of {limit}")
        if _UNSTORABLE.search(value):
            invalid(field, value, "contains a character that cannot be stored")
        return value

    return read


def name(field: str, value: Any) -> str:
    """Read a name: printable, without white space around it."""
    read: str = text()(field, value)
    if read != read.strip():
        invalid(field, value, "has white space at its beginning or end")
    if not read.isprintable():
        invalid(field, value, "contains characters that cannot be printed")
    return read


def boolean(field: str, value: Any) -> bool:
    """Read a boolean, also as a number or in the usual words."""
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    invalid(field, value, "cannot be converted to boolean")


def integer(minimum: int = 0, maximum: int = INTEGER_LIMIT) -> Reader:
    """Read an integer of a range, also as decimal text."""

    def read(field: str, value: Any) -> int:
        number = value
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            number = int(value)
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if isinstance(number, bool) or not isinstance(number, int):
            invalid(field, value, "is not an integer")
        if not minimum <= number <= maximum:
            invalid(field, value, f"is not in the range {minimum} to {maximum}")
        return int(number)

    return read


def choice(*values: str) -> Reader:
    """Read one of a few words."""

    def read(field: str, value: Any) -> str:
        if value not in values or not isinstance(value, str):
            invalid(field, value, f"is not one of {', '.join(values)}")
        return value

    return read


def identifier(field: str, value: Any) -> str:
    """Read a UUID; it is lower-cased as the database does."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        invalid(field, value, "is not a valid UUID")
    return value.lower()


def mac(field: str, value: Any) -> str:
    """Read a MAC address of one station; returns lower-case aa:bb:cc:dd:ee:ff."""
    read = normalize_mac(value) if isinstance(value, str) and len(value) <= 40 else None
    if read is None:
        invalid(field, value, "is not a valid MAC address")
    if read == "00:00:00:00:00:00" or int(read[:2], 16) & 1:
        invalid(field, value, "is not the MAC address of one station")
    return read


def address(field: str, value: Any) -> str:
    """Read an IP address; returns its shortest form."""
    try:
        return str(ipaddress.ip_address(_plain(value)))
    except ValueError:
        invalid(field, value, "is not a valid IP address")


def gateway(field: str, value: Any) -> str:
    """Read a gateway address; the engine's form field sends "" for none."""
    return "" if value == "" else address(field, value)


def cidr(field: str, value: Any) -> str:
    """Read an address with a prefix length; host bits are cleared, IPv6 is compressed."""
    try:
        written, separator, length = _plain(value).partition("/")
        if not separator or not re.fullmatch(r"[0-9]{1,3}", length):
            raise ValueError
        return str(ipaddress.ip_network(f"{written}/{length}", strict=False))
    except ValueError:
        invalid(field, value, "is not a valid CIDR")


def address_or_cidr(field: str, value: Any) -> str:
    """Read an address, with or without a prefix length."""
    return cidr(field, value) if "/" in str(value) else address(field, value)


def list_of(read: Reader, limit: int | None = None, error_type: str = "HTTPBadRequest") -> Reader:
    """Read a list; more than `limit` elements are refused with `error_type`."""

    def read_list(field: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            invalid(field, value, "is not a list")
        if limit is not None:
            check_count(field, value, limit, error_type)
        return [read(f"{field}[{index}]", element) for index, element in enumerate(value)]

    return read_list


def record(fields: Mapping[str, Reader], required: Iterable[str] = ()) -> Reader:
    """Read an object with known keys; keys left out stay out."""
    needed = tuple(required)

    def read(field: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            invalid(field, value, "is not an object")
        for key in value:
            if key not in fields:
                invalid(field, key, f"is not a known key; these are: {', '.join(fields)}")
        for key in needed:
            if key not in value:
                invalid(field, value, f"lacks the key {key}")
        return {key: fields[key](f"{field}.{key}", item) for key, item in value.items()}

    return read


def routes(limit: int, error_type: str) -> Reader:
    """Read a list of {destination, nexthop}; more than `limit` are refused with `error_type`."""
    fields = {"destination": cidr, "nexthop": address}
    return list_of(record(fields, tuple(fields)), limit, error_type)


def flat_object(field: str, value: Any) -> dict[str, Any]:
    """Read an object of plain values: the engine's client cannot read nested ones."""
    if not isinstance(value, dict):
        invalid(field, value, "is not an object")
    read_text = text()
    for key, item in value.items():
        read_text(field, key)
        if isinstance(item, str):
            read_text(f"{field}.{key}", item)
        elif item is not None and not isinstance(item, (bool, int)):
            invalid(f"{field}.{key}", item, "is neither text nor a whole number nor a boolean")
        elif isinstance(item, int) and not -(2**63) <= item < 2**63:
            invalid(f"{field}.{key}", item, "has more than 64 bits")
    return dict(value)


def _plain(value: Any) -> str:
    """Return text that `ipaddress` may see: it would take integers and scopes too."""
    if not isinstance(value, str) or "%" in value:
        raise ValueError
    return value
