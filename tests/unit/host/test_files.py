# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that everybody may read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovirt_ovn_host import files
from ovirt_ovn_host.errors import HostError


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """A shell as hardened hosts give it to root."""
    old = os.umask(0o077)
    yield
    os.umask(old)


def test_everybody_may_read(tmp_path: Path, strict_umask: None) -> None:
    """What is written as root under a strict umask is for VDSM's user all the same."""
    path = tmp_path / "new" / "newer" / "file"
    files.write(path, "one\n")
    files.write(path, "two\n")

    assert "two\n" == path.read_text()
    modes = [it.stat().st_mode & 0o7777 for it in (path, path.parent, path.parent.parent)]
    assert [0o644, 0o755, 0o755] == modes
    assert [path] == list(path.parent.iterdir())


def test_folders_that_are_there_stay(tmp_path: Path) -> None:
    """Whoever has made a folder has decided who may look into it."""
    folder = tmp_path / "there"
    folder.mkdir()
    folder.chmod(0o750)
    files.write(folder / "file", "text")

    assert 0o750 == folder.stat().st_mode & 0o7777


def test_no_folder(tmp_path: Path) -> None:
    """A file where a folder should be is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot be written: "):
        files.write(tmp_path / "file" / "other", "text")
