# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ping: ICMP and ICMPv6 echo from a namespace, by this process."""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
import struct
import time

from .frames import ICMP, ICMPV6, checksum
from .namespace import Namespace

# linux/in.h, linux/in6.h
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 23, 3
ECHO_HEAD_BYTES = 8
# An IPv4 packet of ping(8) as it comes.
PACKET_BYTES = 84
_identifiers = itertools.count(os.getpid())


class Pinger:
    """Echo requests of a target and their replies; a context manager.

    Requests are never fragmented, and are sent as large as the link takes them,
    whatever was learnt of the path before. `source` None leaves the address to the kernel.
    """

    def __init__(self, namespace: Namespace, target: str, source: str | None = None) -> None:
        self._is_v6 = ipaddress.ip_address(target.partition("%")[0]).version == 6
        if self._is_v6:
            family, protocol, header_bytes = socket.AF_INET6, ICMPV6, 40
            level, option = socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER
            self._request, self._reply = 128, 129
        else:
            family, protocol, header_bytes = socket.AF_INET, ICMP, 20
            level, option = socket.IPPROTO_IP, IP_MTU_DISCOVER
            self._request, self._reply = 8, 0
        self._heads_bytes = header_bytes + ECHO_HEAD_BYTES
        self._id = next(_identifiers) & 0xFFFF
        with namespace.entered():
            # The numbers in "fe80::1%eth0" differ from namespace to namespace.
            self._address = socket.getaddrinfo(target, None, family)[0][4]
            self._socket = socket.socket(family, socket.SOCK_RAW, protocol)
        try:
            self._socket.setsockopt(level, option, IP_PMTUDISC_PROBE)
            if source is not None:
                self._socket.bind((source, 0))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Pinger:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, sequence: int, packet_bytes: int = PACKET_BYTES) -> bool:
        """Send a request as an IP packet of this size; False if it cannot leave this machine."""
        data = bytes(packet_bytes - self._heads_bytes)
        head = struct.pack("!BBHHH", self._request, 0, 0, self._id, sequence & 0xFFFF)
        if not self._is_v6:
            head = head[:2] + struct.pack("!H", checksum(head + data)) + head[4:]
        try:
            self._socket.sendto(head + data, self._address)
        except OSError:
            return False
        return True

    def receive(self, timeout_s: float) -> int | None:
        """Return the sequence number of the next reply, None if none comes in time."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet = self._socket.recv(65536)
            except (BlockingIOError, socket.timeout):
                return None
            except OSError:
                # An ICMP error came back.
                continue
            if not self._is_v6:
                packet = packet[(packet[0] & 0xF) * 4 :]
            kind, _, _, identifier, sequence = struct.unpack_from("!BBHHH", packet)
            if (kind, identifier) == (self._reply, self._id):
                return int(sequence)
        return None


def count_replies(
    pinger: Pinger, count: int, packet_bytes: int, interval_s: float, timeout_s: float
) -> int:
    """Send `count` requests; return how many are answered, `timeout_s` after the last at most."""
    answered: set[int] = set()
    for sequence in range(count):
        pinger.send(sequence, packet_bytes)
        is_last = sequence == count - 1
        end = time.monotonic() + (timeout_s if is_last else interval_s)
        while len(answered) <= sequence:
            reply = pinger.receive(end - time.monotonic())
            if reply is None:
                break
            answered.add(reply)
        if not is_last:
            time.sleep(max(0.0, end - time.monotonic()))
    return len(answered)


def wait_for_reply(pinger: Pinger, timeout_s: float) -> bool:
    """Ask again and again; say whether an answer comes within `timeout_s`."""
    end = time.monotonic() + timeout_s
    sequences = itertools.count()
    while (left := end - time.monotonic()) > 0:
        pause_s = min(left, 0.1)
        if not pinger.send(next(sequences)):
            time.sleep(pause_s)
        elif pinger.receive(pause_s) is not None:
            return True
    return False
