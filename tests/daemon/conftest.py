# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a real central for each test, and the proxy on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from daemon.ovsdb import OvsdbServer, northd, ovsdb_server
from daemon.proxy import Api, running_api


@pytest.fixture
def central() -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd; keys "nb" and "sb"."""
    with northd() as servers:
        yield servers


@pytest.fixture
def nb() -> Iterator[OvsdbServer]:
    """A Northbound server alone, its database new and empty: not even an NB_Global row."""
    with ovsdb_server() as server:
        yield server


@pytest.fixture
def api(central: Mapping[str, OvsdbServer]) -> Iterator[Api]:
    """The networking application on a central of its own."""
    with running_api(central["nb"]) as api:
        yield api
