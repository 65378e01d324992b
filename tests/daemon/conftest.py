# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a real central for each test, and the proxy on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.engine_sso import EngineSso, engine_sso
from daemon.ovsdb import OvsdbServer, northd, ovsdb_server, short_folder
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


@pytest.fixture(scope="session")
def engine_pki() -> Iterator[Path]:
    """ca.pem with engine.pem and engine.key of an engine on 127.0.0.1; and otherca.pem."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "engine", "ca")
        make_certificate(folder, "otherca")
        yield folder


@pytest.fixture
def sso(engine_pki: Path) -> Iterator[EngineSso]:
    """The single sign-on of an engine."""
    with engine_sso(engine_pki / "engine.pem", engine_pki / "engine.key") as sso:
        yield sso
