# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make install` does with the proxy, without rpm."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from rpms import MAIN, ROOT, run


def install(target: Path) -> None:
    """Install below /opt/ovn."""
    variables = (f"DESTDIR={target}", "PREFIX=/opt/ovn", f"COMPILE_PYTHON={sys.executable}")
    run("make", "--silent", "-C", ROOT, "install-proxy", *variables)


def test_paths(tmp_path: Path) -> None:
    """The command and the unit know where things are."""
    install(tmp_path)
    command = (tmp_path / f"opt/ovn/bin/{MAIN}").read_text()
    assert f'sys.path.insert(0, "/opt/ovn/share/{MAIN}")' in command
    unit = (tmp_path / f"opt/ovn/lib/systemd/system/{MAIN}.service").read_text()
    assert f"ExecStart=/opt/ovn/bin/{MAIN} serve\n" in unit
    assert f":/etc/{MAIN}\n" in unit


def test_settings_are_kept(tmp_path: Path) -> None:
    """New settings are for root alone; a second installation leaves files as they are."""
    install(tmp_path)
    settings = tmp_path / f"etc/{MAIN}"
    files = [settings / f"{MAIN}.conf", tmp_path / f"etc/logrotate.d/{MAIN}"]
    assert [0o600, 0o644] == [stat.S_IMODE(path.stat().st_mode) for path in files]
    assert not (settings / "logger.conf").exists()
    for path in files:
        path.write_text("# mine\n")
        path.chmod(0o640)
    install(tmp_path)

    assert ["# mine\n"] * 2 == [path.read_text() for path in files]
    assert [0o640] * 2 == [stat.S_IMODE(path.stat().st_mode) for path in files]
