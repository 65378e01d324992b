# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: that it tells the truth, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from daemon.ovsdb import northd, wait_until
from ovirt_ovn_host.errors import HostError
from system.lab import CENTRAL_IP, ChassisSpec, Lab, frames, namespace
from system.lab.cluster import ClusteredCentral
from system.leftovers import NOTHING, leftovers

pytestmark = pytest.mark.system

TESTS = Path(__file__).resolve().parents[1]

# A test run that makes a lab with a machine and a probe in it, and then hangs. Who starts
# tests in the background may have Ctrl-C ignored, which children inherit.
HANGING = f"""
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent / "proxy")!r}]
import time
from system.lab import Lab, namespace
with Lab(1) as lab:
    alice = lab.create_vm(lab.create_network("10.0.0.0/24"), lab.chassis[0])
    with alice.probe(alice.ip):
        print(lab.prefix, namespace.start_heir(), flush=True)
        time.sleep(60)
"""


class Hanging(NamedTuple):
    """A test run, the prefix of its lab, and who cleans up after it."""

    process: subprocess.Popen[str]
    prefix: str
    heir: int


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """A test run in the middle of its test."""
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            prefix, heir = process.stdout.readline().split()
            yield Hanging(process, prefix, int(heir))
        finally:
            process.kill()
            namespace.remove_leftovers()


def links_of_the_machine() -> str:
    return subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout


def test_nothing_is_left() -> None:
    """After a lab there is no process, namespace, link or folder of it."""
    before = links_of_the_machine()
    with Lab([ChassisSpec("hv1", ["physnet"])]) as lab:
        lab.create_vm(lab.create_network("10.0.0.0/24"), lab.chassis[0])
        lab.add_outside("physnet", "192.0.2.1/24")
        here, folders, processes = leftovers(lab.prefix)
        assert (5, 1, 8) == (len(here), len(folders), len(processes)), processes
        assert before == links_of_the_machine()

    assert NOTHING == leftovers(lab.prefix)
    assert before == links_of_the_machine()


def test_nothing_is_left_after_a_failure() -> None:
    """A lab whose block fails, or which does not come up, is cleaned up as well."""
    with pytest.raises(ZeroDivisionError), Lab(1) as lab:
        raise ZeroDivisionError
    assert NOTHING == leftovers(lab.prefix)

    broken = Lab([ChassisSpec("hv1", external_ids={"ovn-remote": "ssl:198.51.100.1"})])
    with pytest.raises(HostError, match=r"ovn-key\.pem"), broken:
        pass
    assert NOTHING == leftovers(broken.prefix)


def test_nothing_is_left_after_an_interrupt(hanging: Hanging) -> None:
    """Ctrl-C ends a test run in order."""
    process, prefix, _ = hanging
    process.send_signal(signal.SIGINT)

    assert "KeyboardInterrupt" in process.communicate(timeout=10)[1]
    assert NOTHING == leftovers(prefix)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_killed_run(hanging: Hanging, number: signal.Signals) -> None:
    """What a run that is killed has left is gone in a moment, and nothing of one that lives."""
    process, prefix, _ = hanging
    with Lab(0) as ours:
        process.send_signal(number)

        wait_until(lambda: NOTHING == leftovers(prefix))
        assert leftovers(ours.prefix)[0]


def test_leftovers_of_a_killed_run(hanging: Hanging) -> None:
    """If its heir dies, too, the next lab removes what a killed run has left, and no more."""
    process, prefix, heir = hanging
    with Lab(0) as ours:
        namespace.remove_leftovers()
        assert leftovers(prefix)[0]
        assert leftovers(ours.prefix)[0]

        os.kill(heir, signal.SIGKILL)
        process.kill()
        process.wait()
        assert leftovers(prefix)[0]
        with Lab(0):
            assert NOTHING == leftovers(prefix)
            assert leftovers(ours.prefix)[0]


def test_who_died_is_told() -> None:
    """The report of a failed test names a daemon that has ended by itself, with its last words."""
    with Lab(["hv1"]) as lab:
        hv1 = lab.chassis[0]
        hv1.controller.stop()
        assert "ended with" not in lab.describe()
        hv1.vswitchd.signal(signal.SIGABRT)
        hv1.vswitchd.wait(5)
        assert f"{hv1.vswitchd.log} ended with -6: 20" in lab.describe()


def test_side_by_side() -> None:
    """Two labs with the same names and addresses know nothing of each other."""
    with Lab(["hv1"]) as here, Lab(["hv1"]) as there:
        alice = here.create_vm(here.create_network("10.0.0.0/24"), here.chassis[0])
        assert [] == there.api.get("ports")["ports"]
        eve = there.create_vm(there.create_network("10.0.0.0/24"), there.chassis[0])
        assert alice.ip == eve.ip
        with eve.capture() as heard:
            alice.ping("10.0.0.9", 1, timeout_s=0.3)
            assert [] == heard.frames(lambda frame: frame.kind == frames.ARP)


def test_who_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root, or without a program, the test fails with a sentence that says so."""
    with monkeypatch.context() as changed:
        changed.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(AssertionError, match="run this as root"), Lab():
            pass
    monkeypatch.setenv("PATH", str(TESTS))
    with pytest.raises(AssertionError, match=r"needs ip, .*ovn-controller.*system-packages"), Lab():
        pass


def test_chassis_by_tcp() -> None:
    """A chassis can have the Southbound at an address."""
    central = partial(northd, sb_remotes=["ptcp:6642"])
    spec = ChassisSpec("hv1", external_ids={"ovn-remote": f"tcp:{CENTRAL_IP}:6642"})
    with Lab([spec], central=central) as lab:
        assert lab.chassis[0].is_connected()


def test_cluster_without_tls() -> None:
    """A central of three nodes works without certificates, too."""
    central = ClusteredCentral(CENTRAL_IP)
    spec = ChassisSpec("hv1", external_ids={"ovn-remote": central.sb.public_remote})
    with Lab([spec], central=central) as lab:
        red = lab.create_network("10.0.0.0/24")
        alice, bob = (lab.create_vm(red, lab.chassis[0]) for _ in range(2))
        assert 3 == alice.ping(bob.ip)


def test_our_parts_say_where_machines_are_plugged() -> None:
    """The bridge that our configurator finds is the one that our hook puts a vNIC on."""
    spec = ChassisSpec("hv1", external_ids={"ovn-bridge": "br-ovn"})
    with Lab([spec, "hv2"]) as lab:
        hv1, hv2 = lab.chassis
        red = lab.create_network("10.0.0.0/24")
        alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

        assert alice.tap in hv1.vsctl("list-ports", "br-ovn").split()
        assert bob.tap in hv2.vsctl("list-ports", "br-int").split()
        assert 3 == alice.ping(bob.ip)
