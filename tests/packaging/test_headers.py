# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file says whose it is, and under which licence."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from rpms import ROOT

LINES = (
    "SPDX-FileCopyrightText: The oVirt OVN authors\n",
    "SPDX-License-Identifier: GPL-2.0-or-later\n",
)
# What others wrote, or is written as they do.
AS_THEY_ARE = ("LICENSE", "tests/data/")


def test_headers() -> None:
    """The two lines stand at the top of each file of ours that is not empty."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no checkout: which files are ours is not known")
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    names = filter(None, listed.split("\0"))
    own = [name for name in names if not name.startswith(AS_THEY_ARE) or name.endswith(".md")]
    assert len(own) > 400

    heads = {name: (ROOT / name).read_text(encoding="utf-8")[:500] for name in own}
    for name, head in heads.items():
        assert not head or all(line in head for line in LINES), name
