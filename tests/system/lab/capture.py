# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What arrives at a link."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Callable

from .frames import Frame, parse
from .namespace import Namespace

# linux/if_ether.h, linux/if_packet.h, asm-generic/socket.h
ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 0x10
SO_RCVBUFFORCE = 33
BUFFER_BYTES = 16 * 1024 * 1024


class Capture:
    """The frames that have arrived since it was opened, in their order; a context manager.

    What the machine itself sends is not among them, unless it is asked for both ways: on
    the tap of a VM that is what the VM gets.
    """

    def __init__(self, namespace: Namespace, link: str, both_ways: bool = False) -> None:
        self._both_ways = both_ways
        self._socket = namespace.open_socket(socket.AF_PACKET, socket.SOCK_RAW)
        # In a user namespace the default has to do.
        with contextlib.suppress(PermissionError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self._socket.bind((link, ETH_P_ALL))
        self._seen: list[Frame] = []

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def frames(self, wanted: Callable[[Frame], bool] = lambda frame: True) -> list[Frame]:
        """Return what has arrived by now, of that what is wanted."""
        self._read(0.0)
        return [frame for frame in self._seen if wanted(frame)]

    def wait_for(self, wanted: Callable[[Frame], bool], timeout_s: float = 3.0) -> Frame | None:
        """Return the first wanted frame, None if none has arrived within `timeout_s`."""
        end = time.monotonic() + timeout_s
        known = 0
        while True:
            for frame in self._seen[known:]:
                if wanted(frame):
                    return frame
            known = len(self._seen)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._read(left)

    def _read(self, timeout_s: float) -> None:
        """Read all there is, at least one frame unless `timeout_s` passes."""
        self._socket.settimeout(timeout_s)
        while True:
            try:
                data, control, _, address = self._socket.recvmsg(65536, 256)
            except (BlockingIOError, TimeoutError, socket.timeout):
                return
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                # Said once when the link goes down; what comes after it is up again is heard.
                continue
            self._socket.settimeout(0.0)
            if self._both_ways or address[2] != socket.PACKET_OUTGOING:
                self._seen.append(parse(_with_tag(data, control)))


def _with_tag(data: bytes, control: list[tuple[int, int, bytes]]) -> bytes:
    """Put back the VLAN tag that the kernel has taken out of a frame."""
    for level, kind, value in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            # struct tpacket_auxdata
            status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", protocol, tag) + data[12:]
    return data
