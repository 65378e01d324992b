# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The `openstack` command, set up for a service that a test runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

USER = {"username": "admin@internal", "password": "secret"}
REGION = "RegionOne"
PROGRAM = Path(__file__).with_name("command_program.py")


class Program:
    """The command, loaded for all calls until `stop` (see command_program)."""

    def __init__(self, home: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        # No settings of whoever runs the tests.
        environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home), LC_ALL="C.UTF-8")
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def call(self, *arguments: str, **environment: str) -> str:
        """Make a call, with further variables; returns what it prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"arguments": arguments, "environment": environment}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        done = json.loads(self._process.stdout.readline())
        assert 0 == done["status"], (arguments, done["stdout"], done["stderr"])
        return str(done["stdout"])

    def stop(self) -> None:
        """End it."""
        self._process.communicate(timeout=10)


class Command:
    """The command, led to a service by options or by variables."""

    def __init__(
        self, program: Program, options: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        self._program = program
        self._options = [f"--os-{name}={value}" for name, value in options.items()]
        self._environment = dict(environment)

    def __call__(self, *arguments: str, **environment: str) -> str:
        """Run it, with further variables; returns what it prints."""
        variables = {**self._environment, **environment}
        return self._program.call(*self._options, *arguments, **variables)

    def json(self, *arguments: str, **environment: str) -> Any:
        """Run it with JSON as the output's form."""
        return json.loads(self(*arguments, "-f", "json", **environment))
