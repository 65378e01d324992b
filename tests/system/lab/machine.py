# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine on a network: a namespace with one link, and what can be done from there."""

from __future__ import annotations

import ipaddress
import json
import socket

from . import echo, services
from .capture import Capture
from .frames import parse
from .namespace import Namespace
from .probe import Probe

LINK = "eth0"


class Machine:
    """What a virtual machine and a machine outside have in common.

    `name` is for people, `mac` the address of its link `eth0`.
    """

    def __init__(self, name: str, namespace: Namespace, mac: str) -> None:
        self.name = name
        self.namespace = namespace
        self.mac = mac
        # Duplicate address detection takes a second, in which nothing can be sent.
        namespace.sysctl("net/ipv6/conf/default/accept_dad", 0)
        namespace.sysctl("net/ipv6/conf/default/keep_addr_on_down", 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def stop(self) -> None:
        """Make an end of it."""
        self.namespace.delete()

    # Configuration

    def add_address(self, address: str, link: str = LINK) -> None:
        """Add an address with its length ("10.0.0.5/24"), usable at once."""
        nodad = " nodad" if ":" in address else ""
        self.namespace.ip(f"addr add {address} dev {link}{nodad}")

    def remove_address(self, address: str, link: str = LINK) -> None:
        """Remove an address."""
        self.namespace.ip(f"addr del {address} dev {link}")

    def add_route(self, destination: str, via: str) -> None:
        """Add a route ("default", "10.1.0.0/16"); a next hop off the network is fine."""
        self.namespace.ip(f"route replace {destination} via {via} dev {LINK} onlink")

    def set_mtu(self, mtu_bytes: int) -> None:
        """Set the MTU of its link."""
        self.namespace.ip(f"link set {LINK} mtu {mtu_bytes}")

    def set_up(self, is_up: bool = True) -> None:
        """Switch its link on or off."""
        self.namespace.ip(f"link set {LINK} {'up' if is_up else 'down'}")

    def forget(self) -> None:
        """Remove all addresses but the link-local one, with their routes, and all it has learnt."""
        self.namespace.ip(
            f"addr flush dev {LINK} scope global",
            f"route flush dev {LINK}",
            f"neigh flush dev {LINK}",
        )

    def addresses(self) -> list[str]:
        """Return the addresses of its link, each with its length, but for link-local ones."""
        shown = self.namespace.run("ip", "-json", "addr", "show", "dev", LINK)
        return [
            f"{entry['local']}/{entry['prefixlen']}"
            for entry in json.loads(shown)[0]["addr_info"]
            if entry["scope"] == "global"
        ]

    def mtu_bytes(self) -> int:
        """Return the MTU of its link."""
        shown = self.namespace.run("ip", "-json", "link", "show", "dev", LINK)
        return int(json.loads(shown)[0]["mtu"])

    def link_local(self) -> str:
        """Return the address that IPv6 forms from the MAC."""
        return eui64("fe80::/64", self.mac)

    # Traffic

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open any socket there."""
        return self.namespace.open_socket(family, kind, protocol)

    def ping(
        self,
        target: str,
        count: int = 3,
        *,
        packet_bytes: int = echo.PACKET_BYTES,
        interval_s: float = 0.05,
        timeout_s: float = 1.0,
        source: str | None = None,
    ) -> int:
        """Send echo requests and return how many were answered.

        `packet_bytes` counts the IP header too, and packets are never fragmented.
        Returns early when all are answered, else `timeout_s` after the last.
        """
        with echo.Pinger(self.namespace, target, source) as pinger:
            return echo.count_replies(pinger, count, packet_bytes, interval_s, timeout_s)

    def can_ping(self, target: str, timeout_s: float = 10.0, source: str | None = None) -> bool:
        """Say whether an answer comes within `timeout_s`, asked ten times a second."""
        with echo.Pinger(self.namespace, target, source) as pinger:
            return echo.wait_for_reply(pinger, timeout_s)

    def probe(self, target: str, interval_ms: int = 10) -> Probe:
        """Return a context manager that pings all the while and measures the gaps."""
        return Probe(self.namespace, target, interval_ms)

    def serve_tcp(self, port: int, address: str = "::") -> services.TcpService:
        """Return a context manager: a TCP service that sends back what it gets."""
        return services.TcpService(self.namespace, port, address)

    def connect_tcp(
        self, host: str, port: int, timeout_s: float = 10.0, source: str | None = None
    ) -> socket.socket:
        """Open a TCP connection; OSError if there is none within `timeout_s`."""
        return services.connect_tcp(self.namespace, host, port, timeout_s, source)

    def can_reach_tcp(
        self, host: str, port: int, timeout_s: float = 5.0, source: str | None = None
    ) -> bool:
        """Say whether a TCP connection can be opened within `timeout_s`."""
        try:
            self.connect_tcp(host, port, timeout_s, source).close()
        except OSError:
            return False
        return True

    def exchange_tcp(
        self,
        host: str,
        port: int,
        payload: bytes = b"hello",
        timeout_s: float = 10.0,
        source: str | None = None,
    ) -> bool:
        """Say whether a TCP service sends a payload back whole within `timeout_s`."""
        try:
            with self.connect_tcp(host, port, timeout_s, source) as connection:
                return services.exchange_tcp(connection, payload)
        except OSError:
            return False

    def serve_udp(self, port: int, address: str = "::") -> services.UdpService:
        """Return a context manager: a UDP service that sends back what it gets.

        On a machine with several addresses `address` makes it answer from the right one.
        """
        return services.UdpService(self.namespace, port, address)

    def exchange_udp(
        self,
        host: str,
        port: int,
        payload: bytes = b"hello",
        timeout_s: float = 3.0,
        source: str | None = None,
    ) -> bool:
        """Say whether a UDP service sends a datagram back within `timeout_s`."""
        return services.exchange_udp(self.namespace, host, port, payload, timeout_s, source)

    # Frames

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire as it is (see `frames`)."""
        with self.open_socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
            link.bind((LINK, 0))
            link.send(frame)

    def delivers(self, frame: bytes, to: Machine, timeout_s: float = 3.0) -> bool:
        """Put a frame on the wire; say whether another machine gets it as it is."""
        sent = parse(frame)
        with to.capture() as heard:
            self.send(frame)
            return heard.wait_for(lambda it: it == sent, timeout_s) is not None

    def capture(self) -> Capture:
        """Return a context manager that holds what arrives here from now on."""
        return Capture(self.namespace, LINK)


def eui64(network: str, mac: str) -> str:
    """Return the address of a /64 that is formed from a MAC (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    octets[3:3] = b"\xff\xfe"
    return str(ipaddress.IPv6Network(network)[int.from_bytes(octets, "big")])
