# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ovn-status, which is root's, makes of the files of VDSM's user."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ovirt_ovn_host import blackout, migration
from ovirt_ovn_host.status import surroundings

VM = "bbbbbbbb-0000-4000-8000-00000000000{}"


def test_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are those of records alone; whatever else is there, nothing waits or fails."""
    monkeypatch.setattr(migration, "FOLDER", str(tmp_path))
    record = blackout.encode(blackout.new(["port"]))
    (tmp_path / VM.format(1)).write_bytes(record)
    os.utime(tmp_path / VM.format(1), (0, time.time() - 60))
    other = blackout.encode(blackout.new(["other"]))
    (tmp_path / f"{VM.format(1)}.done").write_bytes(other)
    (tmp_path / ".123").write_bytes(other)
    os.mkfifo(tmp_path / VM.format(2))
    (tmp_path / VM.format(3)).mkdir()
    (tmp_path / VM.format(4)).write_text('{"ports": {"x": 1}}')
    (tmp_path / VM.format(5)).write_text("[" * 100000)
    (tmp_path / VM.format(6)).symlink_to(tmp_path / ".123")
    (tmp_path / VM.format(7)).symlink_to("/dev/zero")
    with (tmp_path / VM.format(8)).open("wb") as file:
        file.truncate(1 << 40)

    found: list[dict[str, float]] = []
    thread = threading.Thread(
        target=lambda: found.append(dict(surroundings.announced(time.time()))), daemon=True
    )
    thread.start()
    thread.join(30)

    assert not thread.is_alive()
    assert [["port"]] == [list(ports) for ports in found]
    assert 60 <= found[0]["port"] < 120
