# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel: what is in it, and that pip installs it, with what it needs, on each Python."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ovirt_ovn_proxy.cli import VERSION
from rpms import ROOT, run

PACKAGES = ("proxy/ovirt_ovn_proxy", "vdsm_plugin/ovirt_ovn_host")


def find_pythons() -> list[str]:
    """Return this interpreter, and of 3.9, 3.11 and 3.13 those that are on this machine."""
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    found = {sys.version_info[:2]: sys.executable}
    for minor in (9, 11, 13):
        for candidate in (
            *glob.glob(f"{pyenv}/versions/3.{minor}.*/bin/python"),
            f"python3.{minor}",
        ):
            try:
                # A name on PATH can be pyenv's for one that is not there.
                subprocess.run([candidate, "-c", ""], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                continue
            found.setdefault((3, minor), candidate)
    return [found[version] for version in sorted(found)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy as setuptools leaves things behind."""
    folder = tmp_path_factory.mktemp("wheel")
    leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("proxy", "vdsm_plugin"):
        shutil.copytree(ROOT / name, folder / name, ignore=leftovers)
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "out", folder)
    (wheel,) = (folder / "out").iterdir()
    return wheel


def test_contents(wheel: Path) -> None:
    """Both packages are in it, whole, and nothing else; what belongs beside VDSM is not."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(ROOT / package))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert expected == {name.partition("/")[2] for name in found}
    assert {Path(package).name for package in PACKAGES} == {name.split("/")[0] for name in found}
    assert f"ovirt_ovn-{VERSION}-py3-none-any.whl" == wheel.name


@pytest.mark.parametrize("python", find_pythons())
def test_clean_environment(wheel: Path, tmp_path: Path, python: str) -> None:
    """With the extra `proxy`, pip brings what the service needs to run its commands."""
    environment = tmp_path / "environment"
    run(python, "-m", "venv", environment)
    pip = (environment / "bin/pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, f"{wheel}[proxy]", timeout_s=240)
    command = environment / "bin/ovirt-provider-ovn"

    assert f"ovirt-provider-ovn {VERSION}\n" == run(command, "--version")
    config = tmp_path / "empty.conf"
    config.touch()
    options = ("--config-file", config, "--config-dir", tmp_path)
    assert "[OVN REMOTE]" in run(command, "check-config", *options)
    assert "[]\n" == run(command, "explain", *options, "GET", "/v2.0/networks")
    run(environment / "bin/python", "-c", "import ovirt_ovn_host.programs")
