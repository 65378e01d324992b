# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Backup and restore of the Northbound, by the commands of docs/backup.md and docs/central.md."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon.ovsdb import leader_of, northd, ovsdb_server, raft_cluster
from daemon.proxy import Api, running_api

pytestmark = pytest.mark.daemon

SITE = Path(__file__).parents[1] / "data" / "peer-site" / "nb.backup"
KINDS = ("networks", "ports", "subnets", "routers", "security-groups", "security-group-rules")


def seen(api: Api) -> list[Any]:
    """Return all objects, whole."""
    found = [api.get(kind)[kind.replace("-", "_")] for kind in KINDS]
    return [sorted(objects, key=lambda it: str(it["id"])) for objects in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A backup of a site in service, and what its proxy says of it."""
    backup = tmp_path_factory.mktemp("site") / "nb.backup"
    with northd(nb_content=SITE) as servers, running_api(servers["nb"]) as api:
        api.create("network", name="made just before")
        before = seen(api)
        remote = servers["nb"].remote
        command = ["ovsdb-client", "backup", remote, "OVN_Northbound"]
        backup.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return backup, before


def test_look_inside(site: tuple[Path, list[Any]]) -> None:
    """The command that the page shows has all networks of a backup."""
    page = Path(__file__).parents[2] / "docs" / "backup.md"
    command = re.search("^ovsdb-tool query .*$", page.read_text(encoding="utf-8"), re.M)
    assert command is not None
    words = shlex.split(command[0])
    shown = subprocess.check_output(words, text=True, cwd=site[0].parent)
    assert len(site[1][0]) == len(json.loads(shown)[0]["rows"])


def test_single_server(site: tuple[Path, list[Any]]) -> None:
    """A server on the backup has everything as it was, ids included."""
    backup, before = site
    with ovsdb_server(content=backup) as server, running_api(server) as api:
        assert before == seen(api)


def test_cluster(site: tuple[Path, list[Any]]) -> None:
    """So has a cluster that is made of it, after the others have joined."""
    backup, before = site
    with raft_cluster(schema=backup) as servers:
        leader = leader_of(servers, "OVN_Northbound")
        assert leader is not None
        with running_api(leader) as api:
            assert before == seen(api)
