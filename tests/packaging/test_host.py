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
    "after_vm_destroy",
    "after_vm_migrate_destination",
    "after_vm_start",
    "before_device_create",
    "before_device_migrate_destination",
    "before_device_migrate_source",
    "before_network_setup",
    "before_nic_hotplug",
    "before_update_device",
    "before_vdsm_start",
    "before_vm_migrate_destination",
    "before_vm_migrate_source",
}
# Of what fails, the guards of these let nothing pass on, but a refusal.
ENDING = {
    "after_vm_destroy",
    "after_vm_migrate_destination",
    "before_network_setup",
    "before_vm_migrate_destination",
    "before_vm_migrate_source",
}
# These have something to do on each host.
ALWAYS = {"after_get_caps", "after_get_stats", "before_network_setup", "before_vdsm_start"}
# These start nothing: they leave a mark for those of the VM.
MARKING = {"before_device_migrate_destination", "before_device_migrate_source"}
LIBRARY = "usr/share/ovirt-provider-ovn-driver"
SETTINGS = "etc/ovirt-provider-ovn-driver"
DROP_IN = "usr/lib/systemd/system/ovn-controller.service.d/50-ovirt-provider-ovn-driver.conf"
SITELIB = "usr/lib/python3.9/site-packages"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of a host, made under a strict umask."""
    target = tmp_path_factory.mktemp("image")
    install(target, f"PYTHON_SITELIB=/{SITELIB}")
    return target


def install(target: Path, *variables: str) -> None:
    """Install as an ordinary build does it, but with a strict umask."""
    variables = (f"DESTDIR={target}", f"HOST_PYTHON={sys.executable}", *variables)
    subprocess.run(
        ["make", "--silent", "-C", str(ROOT), "install-host", *variables],
        check=True,
        timeout=60,
        umask=0o077,
    )


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
        f"{SITELIB}/vdsm/tool/ovn_config.py": 0o644,
        f"{SITELIB}/vdsm/tool/configurators/ovn.py": 0o644,
        f"{SETTINGS}/ovn.conf": 0o644,
        DROP_IN: 0o644,
        "usr/lib/firewalld/services/ovirt-provider-ovn-driver.xml": 0o644,
        "usr/share/man/man8/vdsm-tool-ovn.8": 0o644,
    } == modes
    assert (installed / SETTINGS / "conf.d").is_dir()


def test_the_tool_finds_the_package(installed: Path) -> None:
    """What vdsm-tool imports knows where our package is."""
    for module in ("ovn_config.py", "configurators/ovn.py"):
        text = (installed / SITELIB / "vdsm/tool" / module).read_text()
        assert f'\nsys.path.append("/{LIBRARY}")\n' in text


def test_the_tool_goes_beside_vdsms(tmp_path: Path) -> None:
    """vdsm-tool lists one folder only, that of VDSM's own modules, wherever that is."""
    standins = ROOT / "tests" / "standins"
    (tmp_path / "python").write_text(
        f'#!/bin/sh\nPYTHONPATH={standins} exec "{sys.executable}" "$@"\n'
    )
    (tmp_path / "python").chmod(0o755)
    install(tmp_path / "image", f"HOST_PYTHON={tmp_path / 'python'}")
    assert (tmp_path / f"image{standins}" / "vdsm/tool/configurators/ovn.py").exists()


def test_settings_are_kept(installed: Path) -> None:
    """A second installation leaves the administrator's file as it is."""
    settings = installed / SETTINGS / "ovn.conf"
    sample = settings.read_text()
    settings.write_text("[ovn]\n")
    install(installed, f"PYTHON_SITELIB=/{SITELIB}")
    assert "[ovn]\n" == settings.read_text()
    settings.write_text(sample)


def test_the_unit_stops_by_the_drop_in_alone(installed: Path) -> None:
    """What the unit itself does to stop is dropped, and what is done instead keeps the chassis."""
    lines = [line for line in (installed / DROP_IN).read_text().splitlines() if line[:1] != "#"]
    stop = "/usr/bin/ovn-appctl --timeout=10 --target=ovn-controller exit --restart"
    assert ["[Service]", "ExecStop=", f"ExecStop=-{stop}"] == lines


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


@pytest.mark.parametrize("point", sorted(POINTS - MARKING))
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
    assert ([] if point in ENDING else ["exec"]) == prefix
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", guard], check=True, timeout=10)


@pytest.mark.parametrize("shell", [["sh"], ["bash", "--posix"]], ids=["sh", "bash"])
@pytest.mark.parametrize("point", sorted(POINTS - ALWAYS))
def test_what_is_not_ours_ends_in_the_guard(installed: Path, point: str, shell: list[str]) -> None:
    """Nothing is said, and no Python is started, in the shells of all distributions."""
    guard = (installed / f"usr/libexec/vdsm/hooks/{point}/50_ovn").read_text()
    # The program is there, and who starts it is heard.
    text = guard.replace(f"/{LIBRARY}/hook.py", "/dev/null").replace(sys.executable, "echo started")
    assert text.count("echo started") == (0 if point in MARKING else 1)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "provider_type": "EXTERNAL_NETWORK",
        "plugin_type": "OTHER",
        "vmId": "no-vm",
    }
    done = subprocess.run(
        [*shell, "-c", text], env=environment, capture_output=True, text=True, timeout=10
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("shell", [["sh"], ["bash", "--posix"]], ids=["sh", "bash"])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_guards_of_a_migration(
    installed: Path, tmp_path: Path, side: str, shell: list[str]
) -> None:
    """A vNIC of OVN has the VM's guard start its program, once, in the shells of all."""

    def run(point: str, plugin: str = "OVIRT_PROVIDER_OVN") -> tuple[int, str, str]:
        guard = (installed / f"usr/libexec/vdsm/hooks/{point}_{side}/50_ovn").read_text()
        text = guard.replace("/run/vdsm", str(tmp_path)).replace(sys.executable, "echo started")
        text = text.replace(f"/{LIBRARY}/hook.py", "/dev/null")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "vmId": "vm 1"}
        custom = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": plugin}
        done = subprocess.run(
            [*shell, "-c", text],
            env={**environment, **(custom if "device" in point else {})},
            capture_output=True,
            text=True,
            timeout=10,
        )
        return done.returncode, done.stdout, done.stderr

    vnic, vm = "before_device_migrate", "before_vm_migrate"
    nothing = (0, "", "")
    assert [nothing] * 3 == [run(vnic, "OTHER"), run(vnic, ""), run(vm)]
    assert [nothing] * 3 == [run(vnic), run(vnic), run(vnic, "OTHER")]
    assert (0, f"started -I /dev/null {vm}_{side}\n", "") == run(vm)
    assert nothing == run(vm)
    assert [] == list(tmp_path.iterdir())
    # A mark that cannot be left is said, and stops nothing.
    tmp_path.rmdir()
    status, output, errors = run(vnic)
    assert (0, "", 1) == (status, output, errors.count("\n"))
    assert "/ovn-migrating-vm 1: " in errors


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
