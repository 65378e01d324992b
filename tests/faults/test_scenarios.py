# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is lost, doubled or halved, whatever breaks while three proxies are at work."""

from __future__ import annotations

import pytest

from faults.scenario import SCENARIOS, SEED, run

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    """All that clients saw has one explanation, and Northbound holds what follows from it."""
    report = run(SCENARIOS[name], SEED, steps=300, strikes=2)

    assert not report.problems, "\n".join(report.problems)
    assert report.requests >= 300
    assert report.strikes >= 2
