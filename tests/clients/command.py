# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The `openstack` command, set up for a service that a test runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from daemon.proxy import ProxyProcess

USER = {"username": "admin@internal", "password": "secret"}
REGION = "RegionOne"


class Command:
    """The command with the options that lead to the service."""

    def __init__(self, process: ProxyProcess, home: Path) -> None:
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith("OS_")
        }
        # No settings of whoever runs the tests.
        self._environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home), LC_ALL="C.UTF-8")
        options = {
            "auth-type": "v2password",
            "auth-url": f"{process.identity_url}/v2.0",
            "project-name": "tenant",
            "region-name": REGION,
            **USER,
        }
        # Installed beside the interpreter, whose folder need not be in PATH.
        self._command = [str(Path(sys.executable).parent / "openstack")]
        self._command += [f"--os-{name}={value}" for name, value in options.items()]

    def __call__(self, *arguments: str) -> str:
        """Run it; returns what it prints."""
        done = subprocess.run(
            [*self._command, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=self._environment,
            check=False,
        )
        assert 0 == done.returncode, (arguments, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run it with JSON as the output's form."""
        return json.loads(self(*arguments, "-f", "json"))
