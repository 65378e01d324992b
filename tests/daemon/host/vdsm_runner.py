# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Start the hooks of a point as VDSM does, and report what VDSM would see. A program.

It follows what lib/vdsm/common/hooks.py of VDSM does, of which nothing is at hand here.
It runs as long as VDSM does: each line that it reads is a call as JSON, each line that it
prints an outcome.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

HOOKS = "/usr/libexec/vdsm/hooks"
# Of vdsmd's unit and of what starts it.
DAEMON_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF8",
    "PYTHONPATH": "/usr/libexec/vdsm",
    "LIBVIRT_DEBUG": "1",
}
# Points whose failure is the caller's.
RAISING = (
    "before_device_migrate_source",
    "before_device_migrate_destination",
    "before_vm_migrate_source",
    "before_vm_migrate_destination",
    "before_device_create",
    "before_nic_hotplug",
    "before_update_device",
    "before_network_setup",
)


def scripts_of(point: str) -> list[str]:
    folder = os.path.join(HOOKS, point)
    if not os.path.isdir(folder):
        return []
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if name[0] != "."]
    return sorted(path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK))


def run_point(call: dict[str, Any]) -> dict[str, Any]:
    """Run all scripts of a point; the result is that of machine.Outcome."""
    is_json = "json" in call
    runs: list[dict[str, Any]] = []
    failures = []
    outcome: dict[str, Any] = {"data": None, "error": None, "runs": runs}
    descriptor, path = tempfile.mkstemp(dir=call.get("folder"))
    try:
        content = json.dumps(call["json"]) if is_json else call["xml"]
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        environment = {**DAEMON_ENVIRONMENT, **call["custom"], **call["vm_custom"]}
        if call["vm_id"]:
            environment["vmId"] = call["vm_id"]
        search = environment.get("PYTHONPATH", "").split(":")
        environment["PYTHONPATH"] = ":".join([*search, "/usr/lib/python3/site-packages/vdsm/hook"])
        environment["_hook_json" if is_json else "_hook_domxml"] = path
        cpus = f"0-{(os.cpu_count() or 1) - 1}"
        for script in scripts_of(call["point"]):
            process = subprocess.Popen(
                ["/usr/bin/taskset", "--cpu-list", cpus, script],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
            _, errors = process.communicate()
            status = process.returncode
            runs.append({"script": script, "status": status, "stderr": errors.decode()})
            if status:
                failures.append(status)
            if status == 2:
                break
        if failures and call["point"] in RAISING:
            # Of the last script that ran, whichever failed.
            outcome["error"] = f"Hook Error: ({errors!r},)"
            return outcome
        with open(path, encoding="utf-8") as file:
            text = file.read()
        outcome["data"] = json.loads(text) if is_json else text
    except (OSError, ValueError) as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
    finally:
        outcome["left"] = read_if_possible(path)
        folder, name = os.path.split(path)
        outcome["litter"] = [other for other in os.listdir(folder) if other.startswith(f"{name}.")]
        with contextlib.suppress(OSError):
            os.unlink(path)
    return outcome


def read_if_possible(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run_point(json.loads(line))), flush=True)
