# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask the kernel for its links and addresses.

I/O. By rtnetlink(7) itself: two requests on one socket, where `ip -j` would be two
children and a text form that changes with the version.
"""

from __future__ import annotations

import os
from _socket import AF_NETLINK, NETLINK_ROUTE, SOCK_RAW, socket
from struct import pack, unpack_from

from . import rtnetlink
from .links import Link

_GET_LINK, _GET_ADDRESS = 18, 22
_ERROR, _DONE = 2, 3
_REQUEST_DUMP = 0x001 | 0x300
_INTERRUPTED = 0x010
_TIMEOUT_S = 3.0
_MOST_TRIES = 5


class _ChangedMeanwhile(Exception):
    """The kernel says that a dump is no consistent picture."""


def read_links() -> dict[str, Link]:
    """Return all links of this network namespace by name. Raises OSError."""
    for _ in range(_MOST_TRIES):
        kernel = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
        try:
            kernel.settimeout(_TIMEOUT_S)
            return rtnetlink.decode(
                _dump(kernel, _GET_LINK, rtnetlink.NEW_LINK),
                _dump(kernel, _GET_ADDRESS, rtnetlink.NEW_ADDRESS),
            )
        except _ChangedMeanwhile:
            continue
        finally:
            kernel.close()
    raise OSError("the kernel's links change all the time")


def _dump(kernel: socket, request: int, wanted: int) -> list[bytes]:
    """Return the payloads of all objects of a kind; the header is that of linux/netlink.h."""
    body = bytes(16)  # of every family and index
    kernel.send(pack("=IHHII", 16 + len(body), request, _REQUEST_DUMP, 1, 0) + body)
    payloads: list[bytes] = []
    while True:
        data = kernel.recv(1 << 18)
        start = 0
        while start + 16 <= len(data):
            length, kind, flags = unpack_from("=IHH", data, start)
            if flags & _INTERRUPTED:
                raise _ChangedMeanwhile
            if kind == _DONE:
                return payloads
            if kind == _ERROR:
                code = -unpack_from("=i", data, start + 16)[0]
                raise OSError(code, os.strerror(code))
            if kind == wanted:
                payloads.append(data[start + 16 : start + length])
            start += (length + 3) & ~3
