# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of rtnetlink(7) to links.

Pure. Layouts are those of linux/netlink.h, linux/if_link.h and linux/if_addr.h.
"""

from __future__ import annotations

from struct import unpack_from

from .links import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEW_LINK = 16
NEW_ADDRESS = 20
_LINK_HEADER_BYTES = 16
_ADDRESS_HEADER_BYTES = 8
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_LINK_NETNSID = 18, 37
_IFLA_INFO_KIND = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2


def decode(link_messages: Iterable[bytes], address_messages: Iterable[bytes]) -> dict[str, Link]:
    """Return links by name from the payloads of RTM_NEWLINK and RTM_NEWADDR messages.

    Raises struct.error or UnicodeDecodeError where they are cut short or spoiled.
    """
    addresses: dict[int, list[bytes]] = {}
    for message in address_messages:
        found = _attributes(message, _ADDRESS_HEADER_BYTES)
        # Of a point-to-point link IFA_ADDRESS is the other side.
        address = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
        if address:
            addresses.setdefault(_index(message), []).append(address)
    decoded = {
        _index(message): _attributes(message, _LINK_HEADER_BYTES) for message in link_messages
    }
    names = {index: _text(found.get(_IFLA_IFNAME)) for index, found in decoded.items()}
    links = {}
    for index, found in decoded.items():
        kind = _text(_attributes(found.get(_IFLA_LINKINFO, b""), 0).get(_IFLA_INFO_KIND))
        # A veth's IFLA_LINK is its other end; one with a namespace's id is in that namespace.
        is_on_another = kind != "veth" and _IFLA_LINK_NETNSID not in found
        links[names[index]] = Link(
            name=names[index],
            kind=kind,
            lower=names.get(_number(found.get(_IFLA_LINK)), "") if is_on_another else "",
            controller=names.get(_number(found.get(_IFLA_MASTER)), ""),
            mtu_bytes=_number(found.get(_IFLA_MTU)),
            addresses=tuple(addresses.get(index, ())),
        )
    return links


def _index(message: bytes) -> int:
    # Of both headers the second four bytes.
    return int(unpack_from("=i", message, 4)[0])


def _attributes(message: bytes, start: int) -> dict[int, bytes]:
    return dict(_each_attribute(message, start))


def _each_attribute(message: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    while start + 4 <= len(message):
        length, kind = unpack_from("=HH", message, start)
        if length < 4:
            return
        yield kind & 0x3FFF, message[start + 4 : start + length]
        start += (length + 3) & ~3


def _number(value: bytes | None) -> int:
    return int(unpack_from("=I", value)[0]) if value else 0


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode()
