# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a hypervisor with the hooks installed, without and with Open vSwitch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.host.machine import BRIDGE, Machine, OpenVSwitch, open_vswitch


@pytest.fixture(scope="session")
def only_machine() -> Iterator[Machine]:
    """The one hypervisor of the run; tests ask for `machine`."""
    machine = Machine()
    yield machine
    machine.stop()


@pytest.fixture
def machine(only_machine: Machine) -> Iterator[Machine]:
    """A hypervisor whose Open vSwitch is not running."""
    yield only_machine
    only_machine.clean()


@pytest.fixture
def bridge(machine: Machine) -> Iterator[str]:
    """A link in the place of the integration bridge, where no more than that is needed."""
    machine.run("ip", "tuntap", "add", BRIDGE, "mode", "tap")
    yield BRIDGE
    machine.run("ip", "link", "del", BRIDGE)


@pytest.fixture
def switch(machine: Machine) -> Iterator[OpenVSwitch]:
    """A running Open vSwitch with an integration bridge, and no settings of a chassis."""
    with open_vswitch(machine) as running:
        yield running
