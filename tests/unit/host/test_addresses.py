# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two ways to read addresses, on what they have been seen to give."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest

from ovirt_ovn_host import addresses, commands
from ovirt_ovn_host.errors import HostError


class Netifaces:
    """The module, with what it gave for a host; netmasks of IPv6 differ between its versions."""

    LINKS: dict[str, dict[int, list[dict[str, str]]]] = {  # noqa: RUF012
        "lo": {
            socket.AF_PACKET: [{"addr": "00:00:00:00:00:00"}],
            socket.AF_INET: [{"addr": "127.0.0.1", "netmask": "255.0.0.0", "peer": "127.0.0.1"}],
        },
        "eth0": {
            socket.AF_INET6: [
                {"addr": "2001:db8::5", "netmask": "ffff:ffff:ffff:ffff::/64"},
                {"addr": "fe80::5%eth0", "netmask": "ffff:ffff:ffff:ffff::"},
            ]
        },
        "eth0:1": {socket.AF_INET: [{"addr": "192.0.2.7", "netmask": "255.255.255.255"}]},
        "tun0": {socket.AF_INET: [{"peer": "192.0.2.8"}]},
        "eth1": {},
    }

    def interfaces(self) -> list[str]:
        return list(self.LINKS)

    def ifaddresses(self, link: str) -> dict[int, list[dict[str, str]]]:
        return self.LINKS[link]


def test_by_netifaces() -> None:
    """Labels are not links, scopes are not addresses, and netmasks come in two forms."""
    found = addresses.by_netifaces(Netifaces())
    assert [
        ("127.0.0.1 on lo", 8),
        ("2001:db8::5 on eth0", 64),
        ("fe80::5 on eth0", 64),
        ("192.0.2.7 on eth0", 32),
    ] == [(str(it), it.length) for it in found]


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("[]", []),
        ('[{"ifname": "eth0"}, {}]', []),
        (
            '[{"ifname": "a", "addr_info": [{}, {"local": "192.0.2.1", "prefixlen": 24}]}]',
            ["192.0.2.1 on a"],
        ),
    ],
)
def test_by_ip(monkeypatch: pytest.MonkeyPatch, output: str, found: list[str]) -> None:
    """What is not an address is passed over."""
    monkeypatch.setattr(commands, "run", lambda *_: output.encode())
    assert found == [str(it) for it in addresses.by_ip(1)]


@pytest.mark.parametrize(
    "output", ["", 'Object "address" is unknown', "{}x", '[{"addr_info": [{"local": "x"}]}]', "1"]
)
def test_ip_of_another_kind(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """An ip that prints something else is told, in one line."""
    monkeypatch.setattr(commands, "run", lambda *_: output.encode())
    with pytest.raises(HostError, match="ip -json address"):
        addresses.by_ip(1)


def test_a_kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no IPv6, nothing of it can go."""
    found: list[Any] = [addresses.Address("eth0", ipaddress.ip_address("192.0.2.1"), 24)]
    monkeypatch.setattr(addresses, "by_netifaces", lambda _: found)
    monkeypatch.setattr(addresses, "_IPV6_ADDRESSES", tmp_path / "none")
    assert found == addresses.read(1)
