# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The `openstack` command, loaded once for many calls. A program.

To load it takes most of a call's time. Each line that it reads is a call as JSON: arguments
and further variables. The call is made in a process of its own, a fork of this one. Each
line that it prints is what came of a call: status, stdout and stderr.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from importlib.metadata import distribution
from typing import Any

TIMEOUT_S = 60
# What the command loads late, beside its own parts.
LATE = ("openstack.network.v2._proxy", "openstack.identity.v3._proxy", "keystoneauth1.loading")


def main() -> None:
    """Make calls until there are no more."""
    parts = distribution("python-openstackclient").entry_points
    for part in parts:
        part.load()
    for name in LATE:
        importlib.import_module(name)
    (command,) = (it.load() for it in parts if it.group == "console_scripts")
    # Else each fork would look at, and so copy, all that is loaded.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_call(command, **json.loads(line))), flush=True)


def _call(command: Any, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        child = os.fork()
        if child == 0:
            signal.alarm(TIMEOUT_S)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            os.environ.update(environment)
            sys.argv = ["openstack", *arguments]
            sys.exit(command())
        _, status = os.waitpid(child, 0)
        stdout.seek(0)
        stderr.seek(0)
        return {"status": status, "stdout": stdout.read(), "stderr": stderr.read()}


if __name__ == "__main__":
    main()
