# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN makes of bindings whose migration did not end as it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from system.lab import Lab, MovingVm, Vm

pytestmark = pytest.mark.system

PATIENCE_S = 10.0
LISTED = '{activation-strategy=rarp, requested-chassis="hv1,hv2"}'


@pytest.fixture(scope="module")
def three() -> Iterator[Lab]:
    """Three chassis."""
    with Lab(3) as lab:
        yield lab


@pytest.fixture
def machines(three: Lab) -> Iterator[tuple[Lab, MovingVm, Vm]]:
    """A lab, a machine on hv1 that can move, and one beside it on hv3 to talk to."""
    red = three.create_network("10.0.0.0/24")
    values: Any = {"binding:host_id": "hv1"}
    alice = three.create_moving_vm(red, three.chassis[0], **values)
    bob = three.create_vm(red, three.chassis[2])
    assert bob.can_ping(alice.ip)
    yield three, alice, bob
    three.clear()


def ask(lab: Lab, method: str, vm: Vm, below: str = "", host: str | None = None) -> None:
    """Send a request for a port's bindings, which succeeds."""
    body = {"binding": {"host": host}} if host else None
    answer = lab.api(method, f"ports/{vm.port['id']}/bindings{below}", body)
    assert answer.status in (200, 201, 204), answer
    lab.sync()


def options(lab: Lab, vm: Vm) -> str:
    """Return what OVN is told about a port."""
    return lab.nbctl("get", "Logical_Switch_Port", vm.port["id"], "options")


def test_the_next_migration_after_one_without_an_end(
    machines: tuple[Lab, MovingVm, Vm],
) -> None:
    """A VM whose arrival nobody told keeps its network while it moves on."""
    lab, alice, bob = machines
    hv1, hv2, hv3 = lab.chassis
    ask(lab, "POST", alice, host="hv2")
    alice.prepare_on(hv2)
    hv2.wait_installed(alice.taps["hv2"])
    alice.resume_on(hv2)
    assert bob.can_ping(alice.ip)  # before the original ends, as libvirt ends it
    alice.remove_from(hv1)
    assert bob.can_ping(alice.ip)

    # Neither the host nor the engine tells; now the next host announces itself.
    ask(lab, "POST", alice, host="hv3")
    assert 'requested-chassis="hv1,hv2,hv3"' in options(lab, alice)
    assert 10 == bob.ping(alice.ip, count=10)
    alice.prepare_on(hv3)
    hv3.wait_installed(alice.taps["hv3"])
    lab.sync()
    assert 10 == bob.ping(alice.ip, count=10)
    alice.resume_on(hv3)
    assert bob.can_ping(alice.ip)
    alice.remove_from(hv2)
    ask(lab, "PUT", alice, "/hv3/activate")
    alice.wait_up()

    assert "{}" == options(lab, alice)
    assert bob.can_ping(alice.ip)


def test_the_next_migration_after_one_that_was_cancelled(
    machines: tuple[Lab, MovingVm, Vm],
) -> None:
    """A VM that has not moved keeps its network though the host it did not move to is listed."""
    lab, alice, bob = machines
    _, hv2, hv3 = lab.chassis
    ask(lab, "POST", alice, host="hv2")
    alice.prepare_on(hv2)
    hv2.wait_installed(alice.taps["hv2"])
    ask(lab, "POST", alice, host="hv3")
    assert 10 == bob.ping(alice.ip, count=10)
    alice.remove_from(hv2)
    alice.prepare_on(hv3)
    hv3.wait_installed(alice.taps["hv3"])
    lab.sync()
    assert 10 == bob.ping(alice.ip, count=10)
    alice.remove_from(hv3)
    ask(lab, "DELETE", alice, "/hv3")
    ask(lab, "DELETE", alice, "/hv2")

    assert "{}" == options(lab, alice)
    assert bob.can_ping(alice.ip)
    assert alice.is_up()


def test_a_start_after_a_migration_without_an_end(
    machines: tuple[Lab, MovingVm, Vm],
) -> None:
    """A VM that stops and starts on a listed host has its network, though it sends no RARP."""
    lab, alice, bob = machines
    hv1, hv2, _ = lab.chassis
    ask(lab, "POST", alice, host="hv2")
    hv1.unplug(alice.tap)
    lab.wait_port(alice.port["id"], False, PATIENCE_S)
    assert LISTED == options(lab, alice)

    # As the engine starts it.
    lab.api.update("port", alice.port["id"], **{"binding:host_id": "hv2"})
    alice.prepare_on(hv2)
    alice.resume_on(hv2, announce=False)
    alice.wait_up()

    assert "{}" == options(lab, alice)
    assert bob.can_ping(alice.ip)


def test_hosts_that_are_no_chassis(machines: tuple[Lab, MovingVm, Vm]) -> None:
    """A destination that OVN does not know takes nothing from anybody, announced or active."""
    lab, alice, bob = machines
    for name in ("nobody", "hv1.nowhere.test", "*", "é"):
        ask(lab, "POST", alice, host=name)
    assert 10 == bob.ping(alice.ip, count=10)
    ask(lab, "PUT", alice, "/nobody/activate")

    assert "{}" == options(lab, alice)
    assert 10 == bob.ping(alice.ip, count=10)
    assert alice.is_up()
