# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether packets of a size reach other hosts, tried between network namespaces."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovirt_ovn_host.status import echo
from ovirt_ovn_host.status.facts import Echo
from system.lab import links
from system.lab.namespace import Namespace, new_prefix, remove_leftovers

pytestmark = pytest.mark.system

TIMEOUT_S = 2.0
OURS = {4: "192.0.2.5", 6: "2001:db8::5"}
THEIRS = {4: "192.0.2.6", 6: "2001:db8::6"}
NOBODY = {4: "192.0.2.99", 6: "2001:db8::99"}


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts on one cable."""
    remove_leftovers()
    prefix = new_prefix()
    with contextlib.ExitStack() as stack:
        hosts = Namespace(f"{prefix}near"), Namespace(f"{prefix}far")
        for host in hosts:
            stack.callback(host.delete)
            host.create()
        links.connect((hosts[0], "eth0"), (hosts[1], "eth0"))
        for host, addresses in zip(hosts, (OURS, THEIRS)):
            host.ip(
                f"address add {addresses[4]}/24 dev eth0",
                f"address add {addresses[6]}/64 dev eth0 nodad",
                "link set eth0 up",
            )
        yield hosts


def probe(near: Namespace, version: int, size_bytes: int) -> list[Echo]:
    """Try the other host, one that does not exist, and one of the other family."""
    targets = [("far", THEIRS[version]), ("nobody", NOBODY[version]), ("x", THEIRS[10 - version])]
    begin = time.monotonic()
    with near.entered():
        found = echo.probe(targets, OURS[version], size_bytes, TIMEOUT_S)
    assert time.monotonic() - begin < 4 * TIMEOUT_S
    assert ["far", "nobody"] == [it.chassis for it in found]
    assert (False, False) == (found[1].has_small, found[1].has_large)
    return found


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size_bytes", [1500, 1499])
def test_what_reaches_a_host(
    pair: tuple[Namespace, Namespace], version: int, size_bytes: int
) -> None:
    """Packets of exactly this size get there and back."""
    far, _ = probe(pair[0], version, size_bytes)
    assert (True, True, True) == (far.has_small, far.has_large, far.is_sent)


@pytest.mark.parametrize("version", [4, 6])
def test_what_vanishes_on_the_way(pair: tuple[Namespace, Namespace], version: int) -> None:
    """Packets that the other end does not take, and nobody says so, are not taken for whole."""
    pair[1].ip("link set eth0 mtu 1400")
    far, _ = probe(pair[0], version, 1500)
    assert (True, False, True) == (far.has_small, far.has_large, far.is_sent)


@pytest.mark.parametrize("version", [4, 6])
def test_what_does_not_even_leave(pair: tuple[Namespace, Namespace], version: int) -> None:
    """Packets that the host's own link does not take are told apart, and never fragmented."""
    pair[0].ip("link set eth0 mtu 1400")
    far, _ = probe(pair[0], version, 1500)
    assert (True, False, False) == (far.has_small, far.has_large, far.is_sent)


def test_without_privileges(pair: tuple[Namespace, Namespace]) -> None:
    """Where the kernel lets everybody ping, no raw socket is needed."""
    near, _ = pair
    near.sysctl("net/ipv4/ping_group_range", "0 2147483647")
    program = (
        "from ovirt_ovn_host.status import echo\n"
        f"for version in ({OURS[4]!r}, {THEIRS[4]!r}), ({OURS[6]!r}, {THEIRS[6]!r}):\n"
        f"    print(echo.probe([('far', version[1])], version[0], 1500, {TIMEOUT_S})[0].has_large)"
    )
    plugin = Path(__file__).resolve().parents[2] / "vdsm_plugin"
    command = ["setpriv", "--reuid=36", "--regid=36", "--clear-groups", "--bounding-set=-all"]
    output = near.run(*command, "env", f"PYTHONPATH={plugin}", "/usr/bin/python3", "-c", program)
    assert "True\nTrue\n" == output


def test_nobody_to_try(pair: tuple[Namespace, Namespace]) -> None:
    """Without anybody nothing is sent, and no address is needed."""
    with pair[0].entered():
        assert [] == echo.probe([("x", "not an address")], OURS[4], 1500, TIMEOUT_S)
