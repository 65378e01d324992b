# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether packets of a size reach other hosts whole, by ICMP echo (RFC 792, RFC 4443). I/O.

A few small and a few large packets to each, all at once, within a time-out. None may be
fragmented on the way, as packets of tunnels are not either.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence

from .facts import Echo

_SMALL_BYTES = 100
_ROUNDS = 3
_PAUSE_S = 0.3
# linux/in.h, linux/in6.h: do not fragment, whatever is believed of the way.
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_IP_BYTES = {4: 20, 6: 40}
_HEADER = struct.Struct("!BBHHH")
_TOKEN_BYTES = 8


def probe(
    targets: Sequence[tuple[str, str]], source: str, size_bytes: int, timeout_s: float
) -> list[Echo]:
    """Return what each of the targets, by chassis and address, has answered.

    `source` is our end of the tunnels, `size_bytes` the size of the large packets with their
    IP header. Targets of the other family than the source's are left out. Raises OSError,
    PermissionError if this user may not.
    """
    version = ipaddress.ip_address(source).version
    wanted = [it for it in targets if _version(it[1]) == version]
    if not wanted:
        return []
    prober = _Prober(version, [ip for _, ip in wanted], size_bytes)
    with contextlib.closing(_open(version)) as connection:
        connection.bind((source, 0))
        connection.setblocking(False)
        connection.setsockopt(*_MTU_DISCOVER[version], _PROBE)
        prober.run(connection, timeout_s)
    return [
        Echo(
            chassis,
            ip,
            size_bytes,
            has_small=(ip, False) in prober.answered,
            has_large=(ip, True) in prober.answered,
            is_sent=ip not in prober.too_long,
        )
        for chassis, ip in wanted
    ]


def _version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _open(version: int) -> socket.socket:
    family, protocol = _FAMILIES[version], _PROTOCOLS[version]
    try:
        return socket.socket(family, socket.SOCK_RAW, protocol)
    except PermissionError:
        # For everybody, where net.ipv4.ping_group_range says so.
        return socket.socket(family, socket.SOCK_DGRAM, protocol)


class _Prober:
    """Requests that are on their way, and the answers to them."""

    def __init__(self, version: int, ips: Sequence[str], size_bytes: int) -> None:
        self._version = version
        self._token = os.urandom(_TOKEN_BYTES)
        sizes = {False: min(_SMALL_BYTES, size_bytes), True: size_bytes}
        keys = [(ip, is_large) for is_large in (False, True) for ip in ips]
        self._requests: Mapping[int, tuple[str, bool]] = dict(enumerate(keys, 1))
        self._sizes = sizes
        self.answered: set[tuple[str, bool]] = set()
        self.too_long: set[str] = set()

    def run(self, connection: socket.socket, timeout_s: float) -> None:
        """Send all requests several times, until all are answered or the time is up."""
        end = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        for number in range(_ROUNDS):
            self._send(connection)
            until = end if number == _ROUNDS - 1 else min(end, time.monotonic() + _PAUSE_S)
            while len(self.answered) < len(self._requests):
                left_s = until - time.monotonic()
                if left_s <= 0 or not poll.poll(left_s * 1000):
                    break
                with contextlib.suppress(OSError):  # an error of ICMP's
                    self._receive(connection.recv(1 << 16))

    def _send(self, connection: socket.socket) -> None:
        for number, (ip, is_large) in self._requests.items():
            if (ip, is_large) in self.answered:
                continue
            try:
                connection.sendto(self._packet(number, self._sizes[is_large]), (ip, 0))
            except OSError as error:
                # Anything else is no answer.
                if error.errno == errno.EMSGSIZE and is_large:
                    self.too_long.add(ip)

    def _packet(self, number: int, size_bytes: int) -> bytes:
        padding = size_bytes - _IP_BYTES[self._version] - _HEADER.size - _TOKEN_BYTES
        body = self._token + bytes(max(padding, 0))
        head = (_REQUEST[self._version], 0, 0, os.getpid() & 0xFFFF, number)
        # That of IPv6 is the kernel's business.
        checksum = _checksum(_HEADER.pack(*head) + body)
        return _HEADER.pack(*head[:2], checksum, *head[3:]) + body

    def _receive(self, data: bytes) -> None:
        if self._version == 4 and data[:1] and data[0] >> 4 == 4:
            # A raw socket shows the IP header too.
            data = data[(data[0] & 15) * 4 :]
        if len(data) < _HEADER.size or data[0] != _REPLY[self._version]:
            return
        if data[_HEADER.size : _HEADER.size + _TOKEN_BYTES] != self._token:
            return
        request = self._requests.get(_HEADER.unpack_from(data)[4])
        if request is not None:
            self.answered.add(request)


def _checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
