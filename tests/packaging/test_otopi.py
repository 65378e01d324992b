# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where `make install` puts the otopi plugin, and that otopi finds it there."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from unit.otopi.runs import HOST_DEPLOY, OWN_GROUP, PLUGIN, ROOT, Host

KEYS = ("OVN/enable=bool:True", "OVN/central=str:tcp:192.0.2.1", "OVN/tunnel=str:eth0")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """The folder `share` of an installation, made under a strict umask."""
    subprocess.run(
        ["make", "-s", "-C", str(ROOT), "install-otopi", f"DESTDIR={tmp_path}/root", "PREFIX=/opt"],
        check=True,
        timeout=60,
        umask=0o077,
    )
    return tmp_path / "root" / "opt" / "share"


def test_files(share: Path) -> None:
    """Everything may be read by all and run by none; the modules are there once."""
    for path in share.rglob("*"):
        expected = 0o755 if path.is_dir() else 0o644
        assert expected == stat.S_IMODE(path.stat().st_mode), path
    installed = share / "ovirt-host-deploy" / "plugins" / HOST_DEPLOY / "ovn"

    assert {it.name for it in PLUGIN.glob("*.py")} == {it.name for it in installed.glob("*.py")}
    own = share / "otopi" / "plugins" / OWN_GROUP / "ovn"
    assert installed.resolve() == own.resolve()
    assert not Path(os.readlink(own)).is_absolute()
    assert not (ROOT / "otopi" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("folder", "group"),
    [("otopi/plugins", OWN_GROUP), ("ovirt-host-deploy/plugins", HOST_DEPLOY)],
)
def test_installed_groups(share: Path, tmp_path: Path, folder: str, group: str) -> None:
    """Both groups are found where otopi and an engine look, and configure the host."""
    (tmp_path / "host").mkdir()
    host = Host(tmp_path / "host")
    for name in (OWN_GROUP, HOST_DEPLOY):
        (host.plugins / name / "ovn").unlink()
    (host.plugins / HOST_DEPLOY / "deployment").unlink()
    run = host.run(*KEYS, group=group, plugins=f"{share / folder}:{host.plugins}")

    assert (0, []) == (run.code, run.errors)
    assert "vdsm-tool ovn-config tcp:192.0.2.1 eth0" == run.calls[-1]
