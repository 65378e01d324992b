# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripts around `make`, on machines made of stand-in commands.

A machine is a folder: its `bin` is the whole PATH, and SYSTEM_ROOT is its root. A
stand-in package manager writes down how it was called and "installs" programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PACKAGES = ROOT / "scripts" / "system-packages"
VENV = ROOT / "scripts" / "venv"

RUN_PROGRAMS = ("ovsdb-server", "ovsdb-tool", "ovn-nbctl", "ovn-northd", "curl")
KERNEL = "6.1.0-1"
PACKAGERS = (
    "rpmbuild",
    "rpmlint",
    "dnf",
    "createrepo_c",
    "systemd-analyze",
    "firewall-offline-cmd",
    "logrotate",
)
DEMO_PROGRAMS = ("ovs-vswitchd", "ovn-controller", "ip", "dhclient")
CHECK_PROGRAMS = (
    *DEMO_PROGRAMS,
    *("openssl", "visudo"),
    *("libvirtd", "virsh", "qemu-system-x86_64", "busybox"),
    *PACKAGERS,
)
# Their packages; dnf is there where it is the package manager.
ON_DEBIAN = ["rpm", "rpmlint", "dnf", "createrepo-c", "systemd", "firewalld", "logrotate"]
ON_FEDORA = ["rpm-build", "rpmlint", "createrepo_c", "systemd", "firewalld", "logrotate"]

FEDORA = 'ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43"\n'
STREAM9 = 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\nPRETTY_NAME="CentOS Stream 9"\n'
ALMA10 = 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.1"\n'
EL8 = 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"\nPRETTY_NAME="Rocky Linux 8"\n'

# What a package manager does when it installs: note policy-rc.d, start what is let start.
INSTALL = f"""
for program in {" ".join(RUN_PROGRAMS + CHECK_PROGRAMS)} ; do
    [ -e "$BIN/$program" ] && continue
    printf '#!/bin/sh\\n' >"$BIN/$program"
    chmod 755 "$BIN/$program"
done
mkdir -p "$SYSTEM_ROOT/lib/modules/{KERNEL}" "$SYSTEM_ROOT/boot"
: >"$SYSTEM_ROOT/lib/modules/{KERNEL}/modules.dep" >"$SYSTEM_ROOT/boot/vmlinuz-{KERNEL}"
if [ -x "$SYSTEM_ROOT/usr/sbin/policy-rc.d" ] && ! "$SYSTEM_ROOT/usr/sbin/policy-rc.d"; then
    echo "starts are denied" >>"$CALLS"
elif [ -d "$SYSTEM_ROOT/run/systemd/system" ]; then
    touch "$SYSTEM_ROOT/ovn-central.is-active" "$SYSTEM_ROOT/ovn-central.is-enabled"
fi
"""
SYSTEMCTL = """
[ "$1" = --quiet ] && shift
case $1 in
    stop) echo "systemctl $*" >>"$CALLS"; rm "$SYSTEM_ROOT/$2.is-active" ;;
    disable) echo "systemctl $*" >>"$CALLS"; rm "$SYSTEM_ROOT/$2.is-enabled" ;;
    *) [ -e "$SYSTEM_ROOT/$2.$1" ] ;;
esac
"""


class Machine:
    """A pretended machine; root's unless `user_id` says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.bin = folder / "bin"
        self.policy = folder / "usr" / "sbin" / "policy-rc.d"
        self.calls_file = folder / "calls"
        self.calls_file.touch()
        for directory in (self.bin, self.policy.parent, folder / "etc"):
            directory.mkdir(parents=True)
        needed = "sh env cat chmod cksum grep mkdir rm touch tr dirname"
        for name in needed.split():
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.add("id", "echo 0")
        self.add("python3")

    def add(self, name: str, body: str = "") -> None:
        """Put a stand-in onto PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def add_package_manager(self, name: str, body: str = "") -> None:
        """Add one that writes down its calls; `body` runs first, with the same arguments."""
        words = f'echo "{name} $*" >>"$CALLS"\n{body}\ncase " $* " in *" install "*) ;; *) exit ;;'
        self.add(name, f"{words} esac\n{INSTALL}")

    def add_kernel(self, image: str = f"boot/vmlinuz-{KERNEL}") -> None:
        """Add a kernel, at the place where one distribution or another has it, and its modules."""
        for file in (f"lib/modules/{KERNEL}/modules.dep", image):
            path = self.root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def add_systemd(self) -> None:
        (self.root / "run" / "systemd" / "system").mkdir(parents=True)
        self.add("systemctl", SYSTEMCTL)

    def execute(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.bin),
            "BIN": str(self.bin),
            "CALLS": str(self.calls_file),
            "SYSTEM_ROOT": str(self.root),
            **variables,
        }
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with Python, without OVN and without a package manager."""
    return Machine(tmp_path)


def installed(machine: Machine) -> list[list[str]]:
    """The packages of each call that installed, options left out."""
    found = []
    for call in machine.calls:
        if not call.startswith("sudo") and " install " in call:
            found.append([word for word in call.split(" install ")[1].split() if word[0] != "-"])
    return found


@pytest.mark.parametrize(
    ("wanted", "programs"),
    [
        ("run", RUN_PROGRAMS),
        ("demo", RUN_PROGRAMS + DEMO_PROGRAMS),
        ("check", RUN_PROGRAMS + CHECK_PROGRAMS),
    ],
)
def test_nothing_is_done_where_everything_is_present(
    machine: Machine, wanted: str, programs: tuple[str, ...]
) -> None:
    """A complete machine needs no package manager, no root, and no words."""
    machine.add("id", "echo 1000")
    machine.add_kernel()
    for program in programs:
        machine.add(program)

    done = machine.execute(SYSTEM_PACKAGES, wanted)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_programs_outside_of_an_ordinary_path_count(machine: Machine) -> None:
    """Daemons in /usr/sbin are found although that is not on PATH."""
    for program in RUN_PROGRAMS:
        machine.add(program)
        (machine.bin / program).rename(machine.policy.parent / program)

    assert 0 == machine.execute(SYSTEM_PACKAGES, "run").returncode


@pytest.mark.parametrize(
    ("wanted", "packages"),
    [
        ("run", ["openvswitch-common", "ovn-central", "curl"]),
        (
            "demo",
            [
                "openvswitch-common",
                "ovn-central",
                "curl",
                "openvswitch-switch",
                "ovn-host",
                "iproute2",
                "isc-dhcp-client",
            ],
        ),
        (
            "check",
            [
                "openvswitch-common",
                "ovn-central",
                "curl",
                "openvswitch-switch",
                "ovn-host",
                "iproute2",
                "isc-dhcp-client",
                "openssl",
                "sudo",
                "libvirt-daemon",
                "libvirt-clients",
                "qemu-system-x86",
                "busybox-static",
                "tiny-initramfs",
                "linux-image-cloud-amd64",
                *ON_DEBIAN,
            ],
        ),
    ],
)
def test_debian(machine: Machine, wanted: str, packages: list[str]) -> None:
    """Debian gets its packages by apt-get, announced first, with service starts denied."""
    machine.add_package_manager("apt-get")

    done = machine.execute(SYSTEM_PACKAGES, wanted)

    assert 0 == done.returncode, done.stderr
    assert [packages] == installed(machine)
    for package in packages:
        assert f"  {package} - " in done.stdout
    assert "starts are denied" in machine.calls
    assert not machine.policy.exists()


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    """What is there already is not asked for again."""
    machine.add_package_manager("apt-get")
    for program in RUN_PROGRAMS[:2]:
        machine.add(program)

    machine.execute(SYSTEM_PACKAGES, "run")

    assert [["ovn-central", "curl"]] == installed(machine)


@pytest.mark.parametrize(
    ("image", "packages"),
    [
        (f"boot/vmlinuz-{KERNEL}", []),
        (f"lib/modules/{KERNEL}/vmlinuz", []),
        ("boot/vmlinuz-5.0", ["tiny-initramfs", "linux-image-cloud-amd64"]),
    ],
)
def test_a_kernel_for_guests(machine: Machine, image: str, packages: list[str]) -> None:
    """A kernel that is there with its modules does; one without them does not."""
    machine.add_package_manager("apt-get")
    machine.add_kernel(image)

    machine.execute(SYSTEM_PACKAGES, "check")

    (names,) = installed(machine)
    assert packages == [name for name in names if "linux" in name or "initramfs" in name]


@pytest.mark.parametrize("tool", ["update-initramfs", "dracut"])
def test_a_tool_for_ram_disks_stays(machine: Machine, tool: str) -> None:
    """A machine that makes initial RAM disks already does not get another tool in its place."""
    machine.add_package_manager("apt-get")
    machine.add(tool)

    machine.execute(SYSTEM_PACKAGES, "check")

    (names,) = installed(machine)
    assert "linux-image-cloud-amd64" in names
    assert "tiny-initramfs" not in names


def test_a_second_run_does_nothing(machine: Machine) -> None:
    """What was installed is found the next time."""
    machine.add_package_manager("apt-get")
    machine.execute(SYSTEM_PACKAGES, "check")
    before = machine.calls

    done = machine.execute(SYSTEM_PACKAGES, "check")

    assert (0, "") == (done.returncode, done.stdout)
    assert before == machine.calls


def test_debian_without_venv_module(machine: Machine) -> None:
    """The venv module is a package of its own on Debian, and part of Python elsewhere."""
    machine.add_package_manager("apt-get")
    machine.add("python3", '[ -e "$BIN/ovn-northd" ]')

    machine.execute(SYSTEM_PACKAGES, "run")

    assert [["openvswitch-common", "ovn-central", "curl", "python3-venv"]] == installed(machine)


def test_an_interpreter_of_the_users_own_is_not_installed(machine: Machine) -> None:
    """With PYTHON set, the system's Python packages are none of our business."""
    machine.add_package_manager("apt-get")
    machine.add("python3", "exit 1")

    machine.execute(SYSTEM_PACKAGES, "run", PYTHON="/opt/python/bin/python")

    assert [["openvswitch-common", "ovn-central", "curl"]] == installed(machine)


def test_an_existing_service_policy_stays(machine: Machine) -> None:
    """The administrator's policy-rc.d is left as it is; what it lets start is stopped again."""
    machine.add_package_manager("apt-get")
    machine.add_systemd()
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    machine.policy.chmod(0o755)

    assert 0 == machine.execute(SYSTEM_PACKAGES, "run").returncode

    assert "#!/bin/sh\nexit 0\n" == machine.policy.read_text()
    assert ["systemctl stop ovn-central", "systemctl disable ovn-central"] == machine.calls[-2:]


def test_the_service_policy_of_a_killed_run_is_removed(machine: Machine) -> None:
    """A policy-rc.d of ours that was left behind does not outlive the next run."""
    machine.add_package_manager("apt-get", 'kill -9 "$PPID"')
    machine.execute(SYSTEM_PACKAGES, "run")
    assert machine.policy.exists()
    machine.add_package_manager("apt-get")

    machine.execute(SYSTEM_PACKAGES, "run")

    assert not machine.policy.exists()


def test_the_service_policy_is_removed_after_a_failure(machine: Machine) -> None:
    """A failing apt-get fails the script and leaves no policy-rc.d behind."""
    machine.add("apt-get", "exit 100")

    done = machine.execute(SYSTEM_PACKAGES, "run")

    assert 0 != done.returncode
    assert not machine.policy.exists()


def test_a_service_that_ran_before_is_not_stopped(machine: Machine) -> None:
    """What the administrator runs and enables stays so."""
    machine.add_package_manager("dnf")
    (machine.root / "etc" / "os-release").write_text(FEDORA)
    machine.add_systemd()
    for state in ("is-active", "is-enabled"):
        (machine.root / f"ovn-central.{state}").touch()

    assert 0 == machine.execute(SYSTEM_PACKAGES, "run").returncode

    assert not [call for call in machine.calls if call.startswith("systemctl")]


@pytest.mark.parametrize(
    ("release", "has_ovirt", "installs"),
    [
        pytest.param(
            FEDORA,
            False,
            [
                [
                    "openvswitch",
                    "ovn-central",
                    "curl",
                    "ovn-host",
                    "iproute",
                    "dhcp-client",
                    "openssl",
                    "sudo",
                    "libvirt-daemon",
                    "libvirt-daemon-driver-qemu",
                    "libvirt-client",
                    "qemu-system-x86-core",
                    "busybox",
                    "kernel-core",
                    *ON_FEDORA,
                ]
            ],
            id="fedora",
        ),
        pytest.param(
            STREAM9,
            False,
            [
                ["centos-release-nfv-openvswitch"],
                [
                    "openvswitch2.17",
                    "ovn22.09-central",
                    "curl",
                    "ovn22.09-host",
                    "iproute",
                    "dhcp-client",
                    "openssl",
                    "sudo",
                    "libvirt-daemon",
                    "libvirt-daemon-driver-qemu",
                    "libvirt-client",
                    "qemu-kvm-core",
                    "kernel-core",
                    *ON_FEDORA,
                ],
            ],
            id="el9",
        ),
        pytest.param(
            STREAM9,
            True,
            [
                [
                    "ovirt-openvswitch",
                    "ovirt-openvswitch-ovn-central",
                    "curl",
                    "ovirt-openvswitch-ovn-host",
                    "iproute",
                    "dhcp-client",
                    "openssl",
                    "sudo",
                    "libvirt-daemon",
                    "libvirt-daemon-driver-qemu",
                    "libvirt-client",
                    "qemu-kvm-core",
                    "kernel-core",
                    *ON_FEDORA,
                ]
            ],
            id="el9-with-ovirt",
        ),
        pytest.param(
            ALMA10,
            False,
            [
                ["centos-release-nfv-openvswitch"],
                [
                    "openvswitch3.5",
                    "ovn24.09-central",
                    "curl",
                    "ovn24.09-host",
                    "iproute",
                    "openssl",
                    "sudo",
                    "libvirt-daemon",
                    "libvirt-daemon-driver-qemu",
                    "libvirt-client",
                    "qemu-kvm-core",
                    "kernel-core",
                    *ON_FEDORA,
                ],
            ],
            id="el10",
        ),
    ],
)
def test_dnf(machine: Machine, release: str, has_ovirt: bool, installs: list[list[str]]) -> None:
    """Fedora and Enterprise Linux get the names that their repositories have."""
    # The release package brings a repository, not programs.
    listing = f'[ "$2" = list ] && exit {0 if has_ovirt else 1}'
    machine.add_package_manager("dnf", f'{listing}\ncase "$*" in *centos-release*) exit 0 ;; esac')
    (machine.root / "etc" / "os-release").write_text(release)

    done = machine.execute(SYSTEM_PACKAGES, "check")

    assert 0 == done.returncode, done.stderr
    assert installs == installed(machine)
    for package in (name for names in installs for name in names):
        assert f"  {package} - " in done.stdout


def test_unknown_enterprise_linux(machine: Machine) -> None:
    """A release whose package names are not known is named, and nothing is installed."""
    machine.add_package_manager("dnf", "exit 1")
    (machine.root / "etc" / "os-release").write_text(EL8)

    done = machine.execute(SYSTEM_PACKAGES, "run")

    assert 1 == done.returncode
    assert "Rocky Linux 8" in done.stderr
    assert [] == installed(machine)


def test_no_package_manager(machine: Machine) -> None:
    """Without apt-get and dnf the message names what is missing."""
    done = machine.execute(SYSTEM_PACKAGES, "run")

    assert 1 == done.returncode
    assert "ovn-northd" in done.stderr
    assert "neither apt-get nor dnf" in done.stderr


def test_not_root(machine: Machine) -> None:
    """An ordinary user is sent to root if there is no sudo."""
    machine.add_package_manager("apt-get")
    machine.add("id", "echo 1000")

    done = machine.execute(SYSTEM_PACKAGES, "run")

    assert 1 == done.returncode
    assert "as root" in done.stderr
    assert [] == machine.calls


def test_sudo(machine: Machine) -> None:
    """An ordinary user's installation goes by sudo, without a question if nobody can answer."""
    machine.add_package_manager("apt-get")
    machine.add("id", "echo 1000")
    machine.add("sudo", 'echo "sudo $*" >>"$CALLS"; shift; exec "$@"')

    done = machine.execute(SYSTEM_PACKAGES, "run")

    assert 0 == done.returncode, done.stderr
    assert "sudo -n apt-get -q update" in machine.calls
    assert [["openvswitch-common", "ovn-central", "curl"]] == installed(machine)
    assert not machine.policy.exists()


@pytest.mark.parametrize("arguments", [[], ["everything"]])
def test_usage(machine: Machine, arguments: list[str]) -> None:
    """Anything but run, demo and check is refused."""
    done = machine.execute(SYSTEM_PACKAGES, *arguments)

    assert (1, "system-packages: usage: scripts/system-packages run|demo|check\n") == (
        done.returncode,
        done.stderr,
    )


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        pytest.param("exit 127", "cannot be run", id="broken"),
        pytest.param(
            "case $2 in *print*) echo 3.8.1 ;; *) exit 1 ;; esac", "Python 3.8.1", id="old"
        ),
        pytest.param(
            "case $2 in *print*) echo 3.9.2 ;; *ensurepip*) exit 1 ;; esac",
            "no venv module",
            id="no-venv",
        ),
    ],
)
def test_venv_refuses(machine: Machine, python: str, reason: str) -> None:
    """An interpreter that cannot carry an environment is named with the reason."""
    machine.add("python3", python)
    folder = machine.root / "venv"

    done = machine.execute(VENV, "run", VENV=str(folder))

    assert 1 == done.returncode
    assert reason in done.stderr
    assert not folder.exists()


def test_venv_spares_other_folders(machine: Machine) -> None:
    """A folder that is no Python environment is not overwritten."""
    machine.add("python3", "case $2 in *print*) echo 3.9.2 ;; esac")
    folder = machine.root / "venv"
    folder.mkdir()
    (folder / "thesis.txt").touch()

    done = machine.execute(VENV, "run", VENV=str(folder))

    assert 1 == done.returncode
    assert "no Python environment" in done.stderr
    assert ["thesis.txt"] == os.listdir(folder)


@pytest.fixture
def pip(machine: Machine) -> Machine:
    """A machine whose Python makes environments, and notes what these are to install."""
    machine.add(
        "python3",
        """
case "$*" in
    *print*) echo 3.9.2 ;;
    *"-m venv"*)
        echo "$*" >>"$CALLS"
        mkdir -p "$4/bin"
        cat "$0" >"$4/bin/python"
        chmod 755 "$4/bin/python"
        ;;
    *"-m pip"*) echo "$*" >>"$CALLS" ;;
esac""",
    )
    path = shutil.which("mktemp")
    assert path is not None
    (machine.bin / "mktemp").symlink_to(path)
    return machine


def test_venv_is_made_once(pip: Machine) -> None:
    """The second run installs nothing; one for the checks does for a run too."""
    machine, folder = pip, str(pip.root / "venv")
    assert 0 == machine.execute(VENV, "check", VENV=folder).returncode
    before = machine.calls

    again = machine.execute(VENV, "check", VENV=folder)
    run = machine.execute(VENV, "run", VENV=folder)
    other = machine.execute(VENV, "check", "ovs==2.17.12", VENV=folder)

    assert ["", ""] == [again.stdout, run.stdout]
    assert before[-1].endswith("-e .[proxy,test]")
    assert machine.calls[-1].endswith("-e .[proxy,test] ovs==2.17.12")
    assert 0 == other.returncode
    assert len(before) + 2 == len(machine.calls)


@pytest.mark.parametrize(
    ("version", "release"),
    [("3.9.2", "8.7.0"), ("3.10.1", "10.7.0"), ("3.11.0", "12.3.0"), ("3.13.0", "12.3.0")],
)
def test_venv_of_ansible(pip: Machine, version: str, release: str) -> None:
    """Ansible's environment takes the collection from what the Python can have, once."""
    python = pip.bin / "python3"
    python.write_text(python.read_text().replace("echo 3.9.2", f"echo {version}"))
    folder = str(pip.root / "venv")

    first = pip.execute(VENV, "ansible", VENV=folder)
    calls = pip.calls
    again = pip.execute(VENV, "ansible", VENV=folder)

    assert (0, 0, "") == (first.returncode, again.returncode, again.stdout)
    assert calls == pip.calls
    assert calls[-2].endswith("-e .[ansible]")
    assert calls[-1].endswith(f"ansible=={release}")
    assert 0 == pip.execute(VENV, "run", VENV=folder).returncode
    assert pip.calls[-1].endswith("-e .[proxy]")
