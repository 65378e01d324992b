# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VDSM's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovirt_ovn_host import vdsmconf


def test_running_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is a network or a bond; a host new to VDSM has none."""
    monkeypatch.setattr(vdsmconf, "RUNNING", str(tmp_path / "netconf"))
    assert vdsmconf.read_running("nets") == {}

    (tmp_path / "real" / "nets").mkdir(parents=True)
    (tmp_path / "netconf").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "nets" / "red").write_text('{\n    "nic": "eth0"\n}')
    assert vdsmconf.read_running("nets") == {"red": {"nic": "eth0"}}
    assert vdsmconf.read_running("bonds") == {}


def test_spoiled_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no JSON is an error that names it."""
    monkeypatch.setattr(vdsmconf, "RUNNING", str(tmp_path))
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "red").write_text("{")

    with pytest.raises(ValueError, match="nets/red is no JSON: "):
        vdsmconf.read_running("nets")
