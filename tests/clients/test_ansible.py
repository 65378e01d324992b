# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ansible's collection openstack.cloud on the service, which asks for a password.

Ansible has an environment of its own, .venvs/ansible, which `make check` makes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer, northd, short_folder
from daemon.proxy import ProxyProcess, http, proxy_process

pytestmark = pytest.mark.daemon

SECRET = "hunter2"
ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / ".venvs" / "ansible" / "bin" / "ansible-playbook"
HERE = Path(__file__).parent
DOMAINS = {"user_domain_name": "Default", "project_domain_name": "Default"}


class Playbook:
    """A playbook for the service, and what Ansible says at the end of it."""

    def __init__(self, name: str, process: ProxyProcess, home: Path) -> None:
        self._file = HERE / name
        cloud = {
            "auth": {
                "auth_url": process.identity_url,
                "username": "admin@internal",
                "password": SECRET,
                "project_name": "tenant",
                **DOMAINS,
            },
            "region_name": "RegionOne",
        }
        clouds = home / "clouds.yaml"
        clouds.write_text(json.dumps({"clouds": {"ovn": cloud}}))
        # No settings of whoever runs the tests, or of the machine.
        settings = home / "ansible.cfg"
        settings.touch()
        kept = ("PATH", "TMPDIR")
        self._environment = {name: os.environ[name] for name in kept if name in os.environ}
        self._environment.update(
            HOME=str(home),
            LC_ALL="C.UTF-8",
            OS_CLIENT_CONFIG_FILE=str(clouds),
            ANSIBLE_CONFIG=str(settings),
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            ANSIBLE_PIPELINING="true",
        )
        self._home = home

    def run(self, **variables: Any) -> Mapping[str, int]:
        """Run it; returns how many tasks were ok, changed, failed and so on."""
        assert PLAYBOOK.exists(), f"{PLAYBOOK} is missing: make tools-ansible"
        done = subprocess.run(
            [str(PLAYBOOK), "-e", json.dumps(variables), str(self._file)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self._home,
            env=self._environment,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        recap = re.search(r"^localhost +:(.*)$", done.stdout, re.MULTILINE)
        assert recap is not None, done.stdout
        return {name: int(count) for name, count in re.findall(r"(\w+)=([0-9]+)", recap[1])}


def play_a_site(home: Path) -> None:
    """Make, keep, change and remove a network, a subnet and a port."""
    present = {"state": "present", "mtu": 1400, "dns": "192.0.2.1", "vm": "vm1", "looks": True}
    with (
        short_folder() as folder,
        northd(folder) as servers,
        proxy_process(folder, servers["nb"].remote, secret=SECRET) as process,
    ):
        playbook = Playbook("site.yml", process, home)

        made = playbook.run(**present)
        ports = _ports(servers["nb"])
        kept = playbook.run(**{**present, "looks": False})
        changed = playbook.run(**{**present, "mtu": 1300, "dns": "192.0.2.2", "vm": "vm2"})
        still = _ports(servers["nb"])
        removed = playbook.run(state="absent")
        again = playbook.run(state="absent")

        runs = (made, kept, changed, removed, again)
        assert [3, 0, 3, 3, 0] == [run["changed"] for run in runs]
        assert 1 == len(ports)
        assert ports == still
        assert [] == _ports(servers["nb"])
        assert "POST /v3/auth/tokens 201" in process.log.read_text()


def play_routing(home: Path) -> None:
    """Make, keep and remove a group, a router and a floating IP."""
    present = {"state": "present", "web_port": 80}
    with (
        short_folder() as folder,
        northd(folder) as servers,
        proxy_process(
            folder,
            servers["nb"].remote,
            secret=SECRET,
            extra="[NETWORK]\ngateway-chassis=hv1\n",
        ) as process,
    ):
        playbook = Playbook("routing.yml", process, home)
        _create_network(process)

        made = playbook.run(looks=True, **present)
        ports = _ports(servers["nb"])
        kept = playbook.run(looks=False, **present)
        removed = playbook.run(state="absent")
        again = playbook.run(state="absent")

        assert [8, 0] == [made["changed"], kept["changed"]]
        # The floating IPs' loop counts as one task.
        assert [5, 0] == [removed["changed"], again["changed"]]
        assert ports
        assert [] == _ports(servers["nb"])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[None]]]:
    """What comes of both, each on a central of its own, at once: Ansible takes its time."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            play.__name__: pool.submit(play, tmp_path_factory.mktemp("home"))
            for play in (play_a_site, play_routing)
        }


def test_a_site(played: Mapping[str, Future[None]]) -> None:
    """A playbook makes, keeps, changes and removes a network, a subnet and a port."""
    played["play_a_site"].result()


def test_routing(played: Mapping[str, Future[None]]) -> None:
    """A playbook makes, keeps and removes a group, a router and a floating IP."""
    played["play_routing"].result()


def _create_network(process: ProxyProcess) -> None:
    """Create the network "inside" with a subnet."""
    headers = {"X-Auth-Token": process.log_in()}

    def create(kind: str, **values: Any) -> str:
        url = f"{process.networking_url}/v2.0/{kind}s"
        return str(http("POST", url, {kind: values}, headers).json[kind]["id"])

    network_id = create("network", name="inside", port_security_enabled=True)
    create("subnet", name="inside-v4", network_id=network_id, cidr="10.0.0.0/24", ip_version=4)


def _ports(nb: OvsdbServer) -> list[str]:
    """Return the names of all ports in OVN."""
    command = ["ovn-nbctl", f"--db={nb.remote}", "--bare", "--columns=name"]
    done = subprocess.run(
        [*command, "list", "Logical_Switch_Port"], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().split()
