# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tasks for the end of an engine's host deployment, run by Ansible as they are.

Ansible has an environment of its own, .venvs/ansible, which `make check` makes. The tasks
run on this machine, but for the one that installs packages; otopi is the tests' stand-in.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from unit.otopi.runs import ROOT, Host, launcher

PLAYBOOK = ROOT / ".venvs" / "ansible" / "bin" / "ansible-playbook"
TASKS = ROOT / "otopi" / "ansible" / "ovirt-host-deploy-post-tasks.yml"
SERVERS = "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642,ssl:192.0.2.3:6642"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with settings, on which the command `otopi` is there."""
    made = Host(tmp_path)
    made.settings.mkdir()
    command, environment = launcher()
    words = [
        "env",
        *(f"{name}={value}" for name, value in environment.items()),
        *command,
        f"APPEND:BASE/pluginPath=str:{made.plugins}",
        f"OVN/settingsFolder=str:{made.settings}",
        f"SYSTEM/commandPath=str:{made.bin}:{os.environ['PATH']}",
        "APPEND:BASE/pluginGroups=str:recording",
    ]
    # The group of the tests' doubles has to come after what the tasks say.
    script = f'#!/bin/sh\nexec {shlex.join(words[:-1])} "$*" {words[-1]}\n'
    (made.bin / "otopi").write_text(script)
    (made.bin / "otopi").chmod(0o755)
    return made


def play(host: Host, *options: str, how: str = "include_tasks", **variables: object) -> str:
    """Run the tasks as an engine does, with its variables; returns Ansible's output."""
    assert PLAYBOOK.exists(), f"{PLAYBOOK} is missing: make tools-ansible"
    site = host.folder / "site.yml"
    task = {"name": "post tasks", how: str(TASKS)}
    site.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    (host.folder / "ansible.cfg").touch()
    done = subprocess.run(
        [str(PLAYBOOK), "-e", json.dumps(variables), *options, str(site)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=host.folder,
        env={
            "PATH": f"{host.bin}:{os.environ['PATH']}",
            "HOME": str(host.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(host.folder / "ansible.cfg"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "CALLS": str(host.folder / "calls"),
            "SETTINGS": str(host.settings),
            "SEEN": str(host.seen),
            "OTOPI_LOGDIR": str(host.folder),
        },
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def changed(output: str) -> int:
    """Return how many tasks changed something."""
    (count,) = re.findall(r"^localhost .* changed=([0-9]+)", output, re.MULTILINE)
    return int(count)


def test_syntax(host: Host) -> None:
    """Ansible understands the tasks, also the one that tests do not run."""
    play(host, "--syntax-check", how="import_tasks")
    assert "otopi with the plugin" in play(host, "--list-tasks", how="import_tasks")


def test_post_tasks(host: Host) -> None:
    """The engine's variables get to the host's tool; a second deployment changes nothing."""
    tunnel = "Tunnels of O'Neill"
    variables = {
        "host_deploy_ovn_tunneling_interface": tunnel,
        "ovirt_vds_hostname": "host1.example.com",
    }
    assert 1 == changed(play(host, "--skip-tags", "packages", **variables))
    assert 0 == changed(play(host, "--skip-tags", "packages", **variables))

    expected = f"vdsm-tool ovn-config {SERVERS} {tunnel} host1.example.com"
    assert [expected, expected] == (host.folder / "calls").read_text().splitlines()


def test_post_tasks_without_the_engine(host: Host) -> None:
    """By hand, the tunnel ends at the management network and the host says its own name."""
    assert 1 == changed(play(host, "--skip-tags", "packages"))

    expected = f"vdsm-tool ovn-config {SERVERS} ovirtmgmt"
    assert [expected] == (host.folder / "calls").read_text().splitlines()


def test_post_tasks_on_a_storage_host(host: Host) -> None:
    """A host that runs no virtual machines is left alone."""
    assert 0 == changed(play(host, "--skip-tags", "packages", host_deploy_virt_enabled=False))

    assert not (host.folder / "calls").exists()
