# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make install` puts on hosts."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ovirt_ovn_host import localdb

ROOT = Path(__file__).resolve().parents[2]
SUDOERS = ROOT / "vdsm_plugin" / "sudoers"
POINTS = {
    "after_get_all_vm_stats",
    "after_get_caps",
    "after_get_stats",
    "after_get_vm_stats",
    "after_network_setup",
    "after_vm_start",
    "before_device_create",
    "before_network_setup",
    "before_nic_hotplug",
    "before_update_device",
}
LIBRARY = "usr/share/ovirt-provider-ovn-driver"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of a host, made under a strict umask."""
    target = tmp_path_factory.mktemp("image")
    variables = [f"DESTDIR={target}", f"HOST_PYTHON={sys.executable}"]
    subprocess.run(
        ["make", "--silent", "-C", str(ROOT), "install-host", *variables],
        check=True,
        timeout=60,
        umask=0o077,
    )
    return target


def test_files(installed: Path) -> None:
    """The hooks may be run by all, the package read by all, the rules for sudo by root."""
    modes = {
        str(path.relative_to(installed)): stat.S_IMODE(path.stat().st_mode)
        for path in installed.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    package = ROOT / "vdsm_plugin" / "ovirt_ovn_host"
    modules = {f"ovirt_ovn_host/{path.relative_to(package)}" for path in package.rglob("*.py")}

    assert {
        **{f"usr/libexec/vdsm/hooks/{point}/50_ovn": 0o755 for point in POINTS},
        **{f"{LIBRARY}/{module}": 0o644 for module in {"hook.py", *modules}},
        "etc/sudoers.d/50_vdsm_hook_ovn": 0o440,
    } == modes


def test_compiled(installed: Path) -> None:
    """VDSM's user cannot compile the package, so it comes compiled, for where it will be."""
    folder = installed / LIBRARY / "ovirt_ovn_host"
    compiled = {path.name.split(".")[0] for path in (folder / "__pycache__").glob("*.pyc")}

    assert {path.stem for path in folder.glob("*.py")} == compiled
    closed = [
        path for path in installed.rglob("*") if path.is_dir() and path.stat().st_mode % 8 < 5
    ]
    assert [] == closed
    (vif,) = (folder / "__pycache__").glob("vif.*.pyc")
    assert f"/{LIBRARY}/ovirt_ovn_host/vif.py".encode() in vif.read_bytes()
    assert str(installed).encode() not in vif.read_bytes()


@pytest.mark.parametrize("point", sorted(POINTS))
def test_guards(installed: Path, point: str) -> None:
    """Each guard starts an isolated Python with its own point, and is plain POSIX shell."""
    guard = installed / f"usr/libexec/vdsm/hooks/{point}/50_ovn"
    lines = guard.read_text().splitlines()
    *prefix, python, options, program, argument = shlex.split(
        next(line for line in lines if line.endswith(f" {point}"))
    )

    assert "#!/bin/sh" == lines[0]
    assert (sys.executable, f"/{LIBRARY}/hook.py", point) == (python, program, argument)
    assert options in ("-I", "-IS")
    # Of what fails, this one's guard lets nothing pass on but a refusal.
    assert ([] if point == "before_network_setup" else ["exec"]) == prefix
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", guard], check=True, timeout=10)


@pytest.mark.parametrize("shell", [["sh"], ["bash", "--posix"]], ids=["sh", "bash"])
@pytest.mark.parametrize("point", sorted(POINTS - {"after_get_caps", "after_get_stats"}))
def test_what_is_not_ours_ends_in_the_guard(installed: Path, point: str, shell: list[str]) -> None:
    """Nothing is said, and no Python is started, in the shells of all distributions."""
    guard = installed / f"usr/libexec/vdsm/hooks/{point}/50_ovn"
    environment = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OTHER", "vmId": "no-vm"}
    done = subprocess.run(
        [*shell, guard], env=environment, capture_output=True, text=True, timeout=10
    )

    # There is no Python at hand that would find the program at its place.
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_sudoers_is_valid() -> None:
    """sudo takes the file; it would ignore all of it otherwise."""
    done = subprocess.run(["visudo", "-c", "-f", SUDOERS], capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)


def test_sudoers_is_exact() -> None:
    """The rules are the commands that are run, to the letter: no pattern, no list, no alias."""
    rules = [line for line in SUDOERS.read_text().splitlines() if line and line[0] != "#"]
    commands = [rule.split("vdsm ALL=(root) NOPASSWD: ")[1] for rule in rules]

    assert [" ".join(localdb.read_command()), " ".join(localdb.watch_command())] == [
        re.sub(r"\\(.)", r"\1", command) for command in commands
    ]
    for command in commands:
        assert not re.search(r"(?<!\\)[][*?!,:=^]", command)
