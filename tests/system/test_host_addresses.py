# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses of a host, read in a network namespace: by netifaces, and by ip without it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import netifaces
import pytest

from ovirt_ovn_host import addresses
from ovirt_ovn_host.addresses import Address
from system.lab.namespace import Namespace, new_prefix, remove_leftovers

pytestmark = pytest.mark.system

OF_USE = {
    "192.0.2.5 on ovirtmgmt",
    "192.0.2.6 on ovirtmgmt",
    "192.0.2.7 on ovirtmgmt",
    "2001:db8::5 on ovirtmgmt",
    "198.51.100.1 on bond0.100",
    "fd00::1 on bond0.100",
}


@pytest.fixture(scope="module")
def there() -> Iterator[Namespace]:
    """A host with all kinds of addresses: second ones, labels, a peer's, IPv6 that will go."""
    remove_leftovers()
    namespace = Namespace(new_prefix() + "host")
    namespace.create()
    try:
        namespace.ip(
            "link add ovirtmgmt type bridge",
            "link add bond0.100 type bridge",
            "link add eth9 type bridge",
            "link set ovirtmgmt up",
            "link set bond0.100 up",
            "address add 192.0.2.5/24 dev ovirtmgmt",
            "address add 192.0.2.6/24 dev ovirtmgmt",
            "address add 192.0.2.7/32 dev ovirtmgmt label ovirtmgmt:1",
            "address add 169.254.7.7/16 dev ovirtmgmt",
            "address add 2001:db8::5/64 dev ovirtmgmt nodad",
            "address add 2001:db8::6/64 dev ovirtmgmt nodad preferred_lft 0",
            "address add 198.51.100.1 peer 198.51.100.2 dev bond0.100",
            "address add fd00::1/64 dev bond0.100 nodad",
        )
        yield namespace
    finally:
        namespace.delete()


def of_use(found: list[Address]) -> set[str]:
    """What tunnels could end at, the doubles gone."""
    return {str(it) for it in found if it.is_of_use}


def test_both_ways_find_the_same(there: Namespace) -> None:
    """Addresses, links and lengths are the same, whether netifaces tells them or ip."""
    with there.entered():
        by_netifaces = addresses.by_netifaces(netifaces)
        by_ip = addresses.by_ip(5)
    assert set(by_netifaces) == set(by_ip)
    lengths = {str(it): it.length for it in by_ip}
    assert 24 == lengths["192.0.2.5 on ovirtmgmt"]
    assert 32 == lengths["192.0.2.7 on ovirtmgmt"]
    assert 64 == lengths["2001:db8::5 on ovirtmgmt"]
    assert {"lo", "ovirtmgmt", "bond0.100"} == {it.link for it in by_ip}


@pytest.mark.parametrize("with_netifaces", [True, False])
def test_what_is_of_use(
    there: Namespace, monkeypatch: pytest.MonkeyPatch, with_netifaces: bool
) -> None:
    """Loopback, link-local and deprecated addresses are there, but not to be chosen."""
    if not with_netifaces:
        monkeypatch.setitem(sys.modules, "netifaces", None)
    with there.entered():
        found = addresses.read(5)
    assert OF_USE == of_use(found)
    assert {"127.0.0.1 on lo", "2001:db8::6 on ovirtmgmt"} < {str(it) for it in found}
