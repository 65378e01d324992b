# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames: bytes from values, and values from bytes. Pure.

What a test sends and looks for, no more: ARP, IPv4 and IPv6 with UDP, the first packet
of a TCP connection, or ICMP.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, RARP, VLAN, IPV6 = 0x0800, 0x0806, 0x8035, 0x8100, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ARP_REQUEST, ARP_REPLY, RARP_REQUEST = 1, 2, 3
TCP_SYN = 2


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _mac(octets: bytes) -> str:
    return octets.hex(":")


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ethernet(
    source: str, destination: str, kind: int, payload: bytes, vlan: int | None = None
) -> bytes:
    """Return a frame; `vlan` None means untagged."""
    tag = struct.pack("!HH", VLAN, vlan) if vlan is not None else b""
    return _octets(destination) + _octets(source) + tag + struct.pack("!H", kind) + payload


def arp(
    sender_mac: str,
    sender_ip: str,
    target_ip: str,
    target_mac: str = "00:00:00:00:00:00",
    operation: int = ARP_REQUEST,
) -> bytes:
    """Return an ARP packet (RFC 826)."""
    return (
        struct.pack("!HHBBH", 1, IPV4, 6, 4, operation)
        + _octets(sender_mac)
        + ipaddress.IPv4Address(sender_ip).packed
        + _octets(target_mac)
        + ipaddress.IPv4Address(target_ip).packed
    )


def rarp_frame(mac: str) -> bytes:
    """Return what QEMU announces a machine with after a migration."""
    packet = arp(mac, "0.0.0.0", "0.0.0.0", mac, RARP_REQUEST)
    return ethernet(mac, BROADCAST, RARP, packet)


def ip(source: str, destination: str, protocol: int, payload: bytes, hops: int = 64) -> bytes:
    """Return an IPv4 or IPv6 packet, as the addresses are."""
    start, end = ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed
    if len(start) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + start + end + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, hops, protocol, 0)
    total = checksum(head + start + end)
    return head[:10] + struct.pack("!H", total) + start + end + payload


def udp(source: str, destination: str, ports: tuple[int, int], payload: bytes) -> bytes:
    """Return an IP packet with a UDP datagram from `ports[0]` to `ports[1]`."""
    datagram = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    return ip(source, destination, UDP, _with_checksum(source, destination, UDP, datagram, 6))


def tcp_syn(source: str, destination: str, ports: tuple[int, int]) -> bytes:
    """Return an IP packet that asks for a TCP connection from `ports[0]` to `ports[1]`."""
    segment = struct.pack("!HHIIHHHH", *ports, 1, 0, 5 << 12 | TCP_SYN, 65535, 0, 0)
    return ip(source, destination, TCP, _with_checksum(source, destination, TCP, segment, 16))


def icmp(source: str, destination: str, kind: int, rest: bytes, hops: int = 64) -> bytes:
    """Return an IP packet with an ICMP or ICMPv6 message; `rest` is what follows its checksum."""
    message = struct.pack("!BBH", kind, 0, 0) + rest
    protocol = ICMPV6 if ":" in source else ICMP
    message = _with_checksum(source, destination, protocol, message, 2)
    return ip(source, destination, protocol, message, hops)


def echo_request(source: str, destination: str, identifier: int) -> bytes:
    """Return an IP packet with an echo request."""
    kind = 128 if ":" in source else 8
    return icmp(source, destination, kind, struct.pack("!HH", identifier, 1))


def _with_checksum(
    source: str, destination: str, protocol: int, content: bytes, offset: int
) -> bytes:
    """Return what an IP packet is to carry with its checksum in place."""
    pseudo = b""
    if protocol != ICMP:
        ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
        pseudo = ends + struct.pack("!HH", protocol, len(content))
    total = checksum(pseudo + content) or 0xFFFF
    return content[:offset] + struct.pack("!H", total) + content[offset + 2 :]


def ip_frame(
    source_mac: str, destination_mac: str, packet: bytes, vlan: int | None = None
) -> bytes:
    """Return a frame with an IP packet."""
    kind = IPV6 if packet[0] >> 4 == 6 else IPV4
    return ethernet(source_mac, destination_mac, kind, packet, vlan)


def udp_frame(
    source: tuple[str, str],
    destination: tuple[str, str],
    payload: bytes,
    ports: tuple[int, int] = (4000, 4000),
    vlan: int | None = None,
) -> bytes:
    """Return a UDP datagram from one (MAC, address) to another."""
    (source_mac, source_ip), (destination_mac, destination_ip) = source, destination
    packet = udp(source_ip, destination_ip, ports, payload)
    return ip_frame(source_mac, destination_mac, packet, vlan)


class Frame(NamedTuple):
    """What was on the wire. What the frame does not have is None, or empty for bytes.

    `kind` is the Ethernet type behind a VLAN tag, `hops` the time to live. For ARP `source_ip` and
    `destination_ip` are its sender and target. `payload` is that of UDP and TCP (with
    TCP's options), else all that follows the last header that was understood.
    """

    source_mac: str
    destination_mac: str
    kind: int
    vlan: int | None = None
    source_ip: Address | None = None
    destination_ip: Address | None = None
    protocol: int | None = None
    hops: int | None = None
    source_port: int | None = None
    destination_port: int | None = None
    payload: bytes = b""


def parse(data: bytes) -> Frame:
    """Read a frame; what is cut short is read as far as it goes."""
    frame = Frame(_mac(data[6:12]), _mac(data[:6]), int.from_bytes(data[12:14], "big"))
    rest = data[14:]
    if frame.kind == VLAN and len(rest) >= 4:
        tag, kind = struct.unpack_from("!HH", rest)
        frame, rest = frame._replace(vlan=tag & 0xFFF, kind=kind), rest[4:]
    if frame.kind in (ARP, RARP) and len(rest) >= 28:
        return frame._replace(
            source_ip=ipaddress.IPv4Address(rest[14:18]),
            destination_ip=ipaddress.IPv4Address(rest[24:28]),
            payload=rest,
        )
    if frame.kind == IPV4 and len(rest) >= 20:
        frame = frame._replace(
            source_ip=ipaddress.IPv4Address(rest[12:16]),
            destination_ip=ipaddress.IPv4Address(rest[16:20]),
            protocol=rest[9],
            hops=rest[8],
        )
        # Short frames are padded, so the length in the header counts.
        rest = rest[(rest[0] & 0xF) * 4 : int.from_bytes(rest[2:4], "big")]
    elif frame.kind == IPV6 and len(rest) >= 40:
        frame = frame._replace(
            source_ip=ipaddress.IPv6Address(rest[8:24]),
            destination_ip=ipaddress.IPv6Address(rest[24:40]),
            protocol=rest[6],
            hops=rest[7],
        )
        rest = rest[40 : 40 + int.from_bytes(rest[4:6], "big")]
    if frame.protocol in (TCP, UDP) and len(rest) >= 8:
        ports = struct.unpack_from("!HH", rest)
        frame = frame._replace(source_port=ports[0], destination_port=ports[1])
        rest = rest[20 if frame.protocol == TCP else 8 :]
    return frame._replace(payload=rest)
