# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that says nonsense never brings the proxy down, and is believed again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.liar import LIES
from faults.lying import Lied, lied, tell_lies
from faults.scenario import SEED

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def to() -> Iterator[Lied]:
    """Whom the lies are told."""
    with lied() as to:
        yield to


@pytest.mark.parametrize("name", LIES)
def test_lies(to: Lied, name: str) -> None:
    """Requests are answered, or refused for now; with the truth all is as it is."""
    tell_lies(to, name, trials=2, seed=SEED)
