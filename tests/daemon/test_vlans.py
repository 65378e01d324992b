# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs of a site that ovirt-provider-ovn has set up last, whatever OVN does with them."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from daemon.ovsdb import OvsdbServer, northd, wait_until
from daemon.proxy import http, proxy_process, running_api
from ovirt_ovn_proxy.auth.static_token import WELL_KNOWN_TOKEN
from ovirt_ovn_proxy.maintenance import Chores

pytestmark = pytest.mark.daemon

SITE = Path(__file__).parents[1] / "data" / "peer-site" / "nb.backup"
# Its network "phys", VLAN 100.
LOCALNET = "3679de6c-70ba-45bf-baaf-35018ffaa7ad"


def nbctl(nb: OvsdbServer, *words: str) -> str:
    """Run ovn-nbctl; return what it prints."""
    command = ["ovn-nbctl", f"--db={nb.remote}", *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=10
    ).stdout.strip()


def test_a_site_is_taken_over(tmp_path: Path) -> None:
    """A service asks for the VLANs that it finds, once, and nothing else is changed by it."""
    with northd(nb_content=SITE) as servers:
        nb = servers["nb"]

        def dump(*columns: str) -> str:
            return nbctl(nb, "--columns", ",".join(columns), "list", "Logical_Switch_Port")

        def column(name: str) -> str:
            return nbctl(nb, "get", "Logical_Switch_Port", LOCALNET, name)

        before = dump("_uuid", "name", "tag", "external_ids")
        assert "[]" == column("tag_request")
        for name in ("first", "second"):
            with proxy_process(nb.folder, nb.remote, name) as proxy:
                wait_until(lambda: "100" == column("tag_request"))
                headers = {"X-Auth-Token": WELL_KNOWN_TOKEN}
                answer = http("GET", f"{proxy.networking_url}/v2.0/networks", headers=headers)
        assert before == dump("_uuid", "name", "tag", "external_ids")
        assert 1 == nb.database.read_bytes().count(b'"keep VLANs"')
        vlans = [one["provider:segmentation_id"] for one in answer.json["networks"]]
        assert 1 == vlans.count(100)

        # What ovn-northd takes away it now makes anew.
        nbctl(nb, "clear", "Logical_Switch_Port", LOCALNET, "tag")
        wait_until(lambda: "100" == column("tag"))


def test_a_database_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """A service that cannot write says so once a minute, in two seconds, and goes on."""
    with northd(nb_content=SITE) as servers, running_api(servers["nb"]) as api:
        chores = Chores(api.config, api.connection)
        servers["nb"].signal(signal.SIGSTOP)
        for _ in range(3):
            chores.run()
        servers["nb"].signal(signal.SIGCONT)
    warnings = [it.message for it in caplog.records if "keep VLANs: not done" in it.message]
    assert 1 == len(warnings), caplog.text
