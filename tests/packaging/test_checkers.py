# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What others' checkers say of the packages and of the files in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rpms import DRIVER, MAIN, ROOT, Built, Root, run

UNITS = "/usr/lib/systemd/system"
SERVICE = f"{UNITS}/{MAIN}.service"


@pytest.fixture(scope="module")
def root(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The packages installed."""
    root = Root(tmp_path_factory.mktemp("root"))
    root.change("-i", *built["el9"].values())
    return root


def said(*command: str | Path) -> tuple[int, str, str]:
    """Return exit code, output and errors."""
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("dist", ["el9", "el10", "fedora"])
def test_rpmlint(built: Built, dist: str) -> None:
    """rpmlint has nothing to say but what specs/rpmlint.toml answers."""
    config = ROOT / "specs" / "rpmlint.toml"
    packages = [it.path for it in built[dist].values()]
    spec = packages[0].parents[2] / "SPECS" / f"{MAIN}.spec"
    code, out, _ = said("rpmlint", "--config", config, *packages, spec)
    assert (0, True) == (code, " 0 errors, 0 warnings" in out), out


def test_units(root: Root) -> None:
    """systemd understands each line of the units: of those that it does not it only warns."""
    for unit in sorted(root.path(UNITS).glob(f"{MAIN}*")):
        name = unit.name.replace("@.", "@etc-pki-site-ovn.key.")
        words = ["systemd-analyze", "verify", "--man=no", f"--root={root.folder}", name]
        _, _, err = said(*words)
        # Of what else is in a whole system nothing is in the root.
        problems = [
            line
            for line in err.splitlines()
            if "not found" not in line and "No such file" not in line
        ]
        assert [] == problems, unit


def test_unknown_lines_would_be_found(root: Root, tmp_path: Path) -> None:
    """The check above can fail."""
    unit = tmp_path / "broken.service"
    unit.write_text(root.path(SERVICE).read_text().replace("ProtectHome", "ProtectHouse"))
    _, _, err = said("systemd-analyze", "verify", "--man=no", unit)
    assert "Unknown key" in err
    assert "ProtectHouse" in err


def test_exposure(root: Root) -> None:
    """The service can do little harm: systemd's own measure, of 10, is below 2."""
    code, out, _ = said(
        "systemd-analyze", "security", "--offline=yes", "--threshold=20", root.path(SERVICE)
    )
    assert 0 == code, out


def test_users_and_temporary_files(root: Root) -> None:
    """systemd-sysusers and systemd-tmpfiles take our files, of whose mistakes they only warn."""
    for command in (["systemd-sysusers", "--dry-run"], ["systemd-tmpfiles", "--create"]):
        code, _, err = said(*command, f"--root={root.folder}", f"{MAIN}.conf")
        assert (0, "") == (code, err), command


def test_firewalld(root: Root, tmp_path: Path) -> None:
    """firewalld takes the services, which open what the documentation says."""
    services = tmp_path / "services"
    services.mkdir()
    for name in (MAIN, DRIVER):
        shutil.copy(root.path(f"/usr/lib/firewalld/services/{name}.xml"), services)
    (tmp_path / "firewalld.conf").touch()
    offline = ["firewall-offline-cmd", f"--system-config={tmp_path}"]

    assert 0 == said(*offline, "--check-config")[0]
    for name, ports in ((MAIN, "9696/tcp 35357/tcp 9697/tcp"), (DRIVER, "6081/udp")):
        assert ports == run(*offline, f"--service={name}", "--get-ports").strip()
    broken = (services / f"{MAIN}.xml").read_text().replace('"9697"', '"96970"')
    (services / f"{MAIN}.xml").write_text(broken)
    assert 0 != said(*offline, "--check-config")[0]


def test_logrotate(root: Root, tmp_path: Path) -> None:
    """logrotate understands the file."""
    # It knows users of this machine only.
    text = root.path(f"/etc/logrotate.d/{MAIN}").read_text()
    assert f"su {MAIN} {MAIN}" in text
    file = tmp_path / MAIN
    file.write_text(text.replace(f"su {MAIN} {MAIN}", "su root root"))
    file.chmod(0o644)
    code, _, err = said("logrotate", "-d", "-s", tmp_path / "state", file)
    assert (0, False) == (code, "error:" in err), err


def test_sudoers(root: Root) -> None:
    """sudo takes the rules as they are installed, with their mode and owner."""
    rules = root.path("/etc/sudoers.d/50_vdsm_hook_ovn")
    code, _, err = said("visudo", "--check", "--strict", "--perms", "--file", rules)
    assert (0, "") == (code, err)
