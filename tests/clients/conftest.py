# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: the whole service on a real central, and the clients that speak to it.

They come with the `test` extra; where they are missing the tests fail.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clients.command import REGION, USER, Command, Program
from daemon.ovsdb import OvsdbServer, northd, short_folder
from daemon.proxy import ProxyProcess, proxy_process


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short folder that all processes of a module share."""
    with short_folder() as path:
        yield path


@pytest.fixture(scope="module")
def central(folder: Path) -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd, for all tests of a module."""
    with northd(folder) as servers:
        yield servers


@pytest.fixture(scope="module")
def settings() -> str:
    """Further lines of the service's configuration file; for modules to replace."""
    return ""


@pytest.fixture(scope="module")
def process(
    folder: Path, central: Mapping[str, OvsdbServer], settings: str
) -> Iterator[ProxyProcess]:
    """The service on that central."""
    with proxy_process(folder, central["nb"].remote, extra=settings) as running:
        yield running


@pytest.fixture(scope="module")
def sdk() -> Any:
    """The package openstack; imported here, where its warnings are no errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("openstack")


@pytest.fixture(scope="module")
def network_api(process: ProxyProcess, sdk: Any) -> Iterator[Any]:
    """The SDK's network proxy."""
    connection = sdk.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="v2password",
        auth={"auth_url": f"{process.identity_url}/v2.0", "tenant_name": "tenant", **USER},
        region_name=REGION,
    )
    try:
        yield connection.network
    finally:
        connection.close()


@pytest.fixture(scope="session")
def openstack_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The `openstack` command, loaded once for all modules."""
    program = Program(tmp_path_factory.mktemp("home"))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def command(process: ProxyProcess, openstack_program: Program) -> Command:
    """The `openstack` command for the service of a module."""
    options = {
        "auth-type": "v2password",
        "auth-url": f"{process.identity_url}/v2.0",
        "project-name": "tenant",
        "region-name": REGION,
        **USER,
    }
    return Command(openstack_program, options, {})
