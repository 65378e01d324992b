# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab and the host that most system tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from system.host_machine import HostMachine, central, host_image, host_machine
from system.lab import ChassisSpec, Lab


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    """Two chassis, "hv1" and "hv2", for all tests of a module."""
    specs = [ChassisSpec(name, ["physnet"], is_gateway=True) for name in ("hv1", "hv2")]
    with Lab(specs) as lab:
        yield lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of the lab to the report of a test that has failed."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if call.when == "call" and report.failed and isinstance(lab, Lab):
        try:
            report.sections.append(("lab", lab.describe()))
        except (AssertionError, subprocess.TimeoutExpired) as error:
            report.sections.append(("lab", f"no description: {error}"))
    return report


@pytest.fixture
def lab(module_lab: Lab) -> Iterator[Lab]:
    """Two chassis, both on the physical network "physnet", and nothing in Northbound.

    Who changes the chassis themselves makes a Lab of their own instead.
    """
    yield module_lab
    module_lab.clear()


@pytest.fixture(scope="session")
def image() -> Iterator[Path]:
    """What a host has more than this machine."""
    with host_image() as image:
        yield image


@pytest.fixture
def host(image: Path) -> Iterator[HostMachine]:
    """A host as the engine leaves it just before OVN is configured, and a central."""
    with host_machine(image) as host, central(host):
        host.start("openvswitch")
        host.start("ovn-controller")
        yield host
