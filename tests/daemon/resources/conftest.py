# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one real central for all tests of a module, each with networks of its own.

The modules hold tables of what a request gives and what comes of it: in the answer, and in
the columns that OVN acts upon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from daemon.ovsdb import OvsdbServer, northd
from daemon.proxy import Api, running_api


@pytest.fixture(scope="module")
def central() -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd, for all tests of this module."""
    with northd() as servers:
        yield servers


@pytest.fixture(scope="module")
def nb(central: Mapping[str, OvsdbServer]) -> OvsdbServer:
    """The Northbound of that central."""
    return central["nb"]


@pytest.fixture(scope="module")
def api(nb: OvsdbServer) -> Iterator[Api]:
    """The networking application on that central."""
    with running_api(nb) as api:
        yield api
