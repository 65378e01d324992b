# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab that most system tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator
from typing import Any

import pytest

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
