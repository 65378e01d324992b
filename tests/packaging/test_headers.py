# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file says whose it is, and under which licence."""

from __future__ import annotations

from rpms import ROOT

LINES = (
    "SPDX-FileCopyrightText: The oVirt OVN authors\n",
    "SPDX-License-Identifier: GPL-2.0-or-later\n",
)
FILES = (".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md", "pyproject.toml")
FOLDERS = (".ci", "docs", "man", "otopi", "proxy", "scripts", "specs", "tests", "vdsm_plugin")
# What others wrote, or is written as they do; but for what is said about it.
DATA = ROOT / "tests/data"


def test_headers() -> None:
    """The two lines stand at the top of each file of ours that is not empty."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    own = [
        path
        for path in (*(ROOT / name for name in FILES), *found)
        if "__pycache__" not in path.parts and (DATA not in path.parents or path.suffix == ".md")
    ]
    assert len(own) > 400

    for path in own:
        head = path.read_text(encoding="utf-8")[:500]
        assert not head or all(line in head for line in LINES), path
