# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that hooks read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovirt_ovn_host import settings, vdsmconf


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are lines of key=value; other lines, and a missing file, say nothing."""
    file = tmp_path / "settings"
    monkeypatch.setattr(settings, "PATH", str(file))
    assert settings.read() == {}

    file.write_text("# a=b\n\ntunnel-network = tunnel \nnonsense\nempty=\nurl=https://x/?a=b\n")
    assert settings.read() == {
        "tunnel-network": "tunnel",
        "empty": "",
        "url": "https://x/?a=b",
    }


def test_running_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is a network or a bond; a host new to VDSM has none."""
    monkeypatch.setattr(vdsmconf, "RUNNING", str(tmp_path / "netconf"))
    assert vdsmconf.read_running("nets") == {}

    (tmp_path / "real" / "nets").mkdir(parents=True)
    (tmp_path / "netconf").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "nets" / "red").write_text('{\n    "nic": "eth0"\n}')
    assert vdsmconf.read_running("nets") == {"red": {"nic": "eth0"}}
    assert vdsmconf.read_running("bonds") == {}
