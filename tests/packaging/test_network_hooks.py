# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the network hooks: how they start, and what they may import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "vdsm_plugin"
HOOKS = [
    PLUGIN / "hooks" / point / "50_ovn" for point in ("before_network_setup", "after_network_setup")
]

# What the hooks' modules import, and what those import in their turn on any Python from
# 3.9 to 3.13. Names that begin with "_" are parts of these.
IMPORTED = {"collections", "json", "os", "ovirt_ovn_host", "socket", "struct", "time", "typing"}
IN_TURN = {
    *("array", "contextlib", "copyreg", "enum", "errno", "functools", "genericpath", "heapq"),
    *("itertools", "keyword", "math", "operator", "posixpath", "re", "reprlib", "select"),
    *("selectors", "sre_compile", "sre_constants", "sre_parse", "stat", "types", "warnings"),
}
PRINT_IMPORTS = """
import sys
bare = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import ovirt_ovn_host.network_setup
print(*{name.partition(".")[0] for name in set(sys.modules) - bare})
"""


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.parent.name)
def test_isolated_executable(hook: Path) -> None:
    """VDSM can start the file, and nothing in the environment changes what it imports."""
    assert os.access(hook, os.X_OK)
    assert hook.read_text().startswith("#!/usr/bin/python3 -I\n# SPDX-FileCopyrightText: ")


def test_imports() -> None:
    """A network hook imports a few small modules of the standard library only."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PRINT_IMPORTS, str(PLUGIN)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    imported = {name for name in done.stdout.split() if not name.startswith("_")}

    assert imported - IMPORTED - IN_TURN == set()
