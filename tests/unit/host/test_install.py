# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the VDSM plugin is put, and what its unit drop-in says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STANDINS = ROOT / "tests" / "standins"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder, installed into on a machine where VDSM is in tests/standins."""
    folder = tmp_path_factory.mktemp("root")
    install(folder, HOST_PYTHON=f"env PYTHONPATH={STANDINS} /usr/bin/python3")
    return folder


def install(folder: Path, **variables: str) -> None:
    words = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "-s", "-C", str(ROOT), "install-host", f"DESTDIR={folder}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def test_what_is_installed_where(installed: Path) -> None:
    """The package and the tool's modules go beside VDSM's own, everything else where it belongs."""
    files = {
        str(path.relative_to(installed)): oct(path.stat().st_mode & 0o777)
        for path in installed.rglob("*")
        if path.is_file()
    }
    library = str(STANDINS).lstrip("/")
    assert "0o644" == files[f"{library}/ovirt_ovn_host/configure.py"]
    assert "0o644" == files[f"{library}/vdsm/tool/ovn_config.py"]
    assert "0o644" == files[f"{library}/vdsm/tool/configurators/ovn.py"]
    assert "0o755" == files["usr/libexec/vdsm/hooks/before_vdsm_start/50_ovn"]
    assert "0o644" == files["etc/ovirt-provider-ovn-driver/ovn.conf"]
    assert (installed / "etc/ovirt-provider-ovn-driver/conf.d").is_dir()
    # VDSM's packages are VDSM's, so nothing of ours makes them one.
    assert not [name for name in files if name.endswith("vdsm/tool/__init__.py")]
    assert not [name for name in files if "__pycache__" in name]


def test_settings_are_kept(installed: Path) -> None:
    """A second installation leaves the administrator's file as it is."""
    settings = installed / "etc/ovirt-provider-ovn-driver/ovn.conf"
    settings.write_text("[ovn]\n")
    install(installed, PYTHON_SITELIB="/usr/lib/python3.9/site-packages", PREFIX="/usr")
    assert "[ovn]\n" == settings.read_text()
    assert (installed / "usr/lib/python3.9/site-packages/vdsm/tool/configurators/ovn.py").exists()


def test_the_unit_stops_by_the_drop_in_alone(installed: Path) -> None:
    """What the unit itself does to stop is dropped, and what is done instead keeps the chassis."""
    (drop_in,) = (installed / "usr/lib/systemd/system/ovn-controller.service.d").iterdir()
    lines = [line for line in drop_in.read_text().splitlines() if line[:1] != "#"]
    stop = "/usr/bin/ovn-appctl --timeout=10 --target=ovn-controller exit --restart"
    assert ["[Service]", "ExecStop=", f"ExecStop=-{stop}"] == lines
