# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that a real systemd runs, inside this one, with a package of ours installed.

Namespaces of its own, in which systemd is process 1 and starts nothing but what tests
start. Needs root, and a kernel with cgroup2. Everything in it ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from daemon.ovsdb import NB_SCHEMA, short_folder, wait_until
from rpms import Package, run

ENGINE_PKI = Path("/etc/pki/ovirt-engine")
UNITS = Path("/etc/systemd/system")
LOG = Path("/run/service.log")
# What the proxy imports, and they import.
_MODULES = (
    *("ovs", "webob", "requests", "urllib3", "idna", "certifi", "charset_normalizer"),
    "sortedcontainers",
)

_SET_UP = f"""
set -e
umask 022
mount --make-rprivate /
mount -t tmpfs none "$1"
for folder in etc usr var; do
    mkdir "$1/$folder" "$1/$folder.work"
    mount -t overlay overlay /$folder \\
        -o "lowerdir=$2/$folder:/$folder,upperdir=$1/$folder,workdir=$1/$folder.work"
done
mount -t tmpfs -o mode=755 none /run
# systemd would set some of the kernel's values, which are the whole machine's.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
# Not twice in one place.
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
for kind in service path; do
    mkdir -p {UNITS}/$kind.d
    printf '[Unit]\\nDefaultDependencies=no\\n' >{UNITS}/$kind.d/test.conf
done
printf '[Service]\\nStandardError=append:{LOG}\\n' >>{UNITS}/service.d/test.conf
printf '[Unit]\\nDefaultDependencies=no\\nWants=end.service\\n' >{UNITS}/nothing.target
# Should the test be killed, this ends as well.
printf '[Unit]\\nSuccessAction=exit-force\\n[Service]\\nExecStart=/bin/sleep 900\\n' \\
    >{UNITS}/end.service
ip link set lo up
# systemd mounts credentials from a process of its own.
mount --make-rshared /
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --unit=nothing.target --show-status=no --log-target=null
"""
# A control group of its own, which systemd takes for the root of all.
_ENTER = """
set -e
mount --make-rprivate /
mount -t cgroup2 none /sys/fs/cgroup
if [ "$1" = leave ]; then
    find "/sys/fs/cgroup/$2" -depth -type d -exec rmdir {} +
    exit
fi
mkdir "/sys/fs/cgroup/$2"
echo $$ >"/sys/fs/cgroup/$2/cgroup.procs"
shift 2
exec unshare --mount --net --uts --ipc --pid --cgroup --fork --mount-proc "$@"
"""


class SystemdMachine:
    """Commands inside. `folder` is seen from both sides."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.folder = folder
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--uts", "--pid", "--"]

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return subprocess.run(
            [*self._enter, *command], input=stdin, capture_output=True, text=True, timeout=60
        )

    def do(self, *command: str, stdin: str = "") -> str:
        """Run a command inside that has to succeed, and return what it prints."""
        done = self.run(*command, stdin=stdin)
        assert done.returncode == 0, (command, done.stdout, done.stderr, self.log)
        return done.stdout.strip()

    def write(self, path: Path, text: str, mode: str = "0644") -> None:
        """Put a file there; as a renewal does it, under a new name first."""
        self.do("install", "-D", "-m", mode, "/dev/stdin", f"{path}.new", stdin=text)
        self.do("mv", f"{path}.new", str(path))

    def show(self, unit: str, what: str) -> str:
        """Return a property of a unit."""
        return self.do("systemctl", "show", unit, f"--property={what}", "--value")

    @property
    def log(self) -> str:
        """What services have said."""
        return self.run("cat", str(LOG)).stdout

    def start_northbound(self, content: Path | None = None) -> None:
        """Run a Northbound where the package's configuration looks for it, empty or as a file."""
        database = self.folder / "nb.db"
        if content is not None:
            shutil.copy(content, database)
        else:
            self.do("ovsdb-tool", "create", str(database), str(NB_SCHEMA))
        self.do(
            "ovsdb-server",
            *("--detach", "--no-chdir", f"--pidfile={self.folder}/nb.pid", "-vconsole:off"),
            *(f"--unixctl={self.folder}/nb.ctl", f"--log-file={self.folder}/nb.log"),
            *("--remote=ptcp:6641:127.0.0.1", str(database)),
        )


def make_image(folder: Path, package: Package) -> None:
    """Install a package into a folder, and what this machine's Python lacks for it."""
    database = ["--root", str(folder), "--dbpath", "/var/lib/rpm"]
    run("rpm", *database, "--nodeps", "--noscripts", "-i", package.path)
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    libraries = Path(f"{folder}{run('/usr/bin/python3', '-c', script).strip()}")
    for module in _MODULES:
        source = Path(sysconfig.get_path("purelib"), module)
        if source.is_dir():
            shutil.copytree(source, libraries / module)


@contextlib.contextmanager
def systemd_machine(image: Path) -> Iterator[SystemdMachine]:
    """Run a machine that has what is in `image`, and the package's user."""
    assert os.geteuid() == 0, "this test makes namespaces and needs root"
    with short_folder() as folder:
        (folder / "top").mkdir()
        # Its user gets to what is put here.
        folder.chmod(0o755)
        group = f"ovirt-ovn-{folder.name}"
        enter = ["unshare", "--mount", "sh", "-c", _ENTER, "sh"]
        set_up = ["sh", "-c", _SET_UP, "sh", str(folder / "top"), str(image)]
        command = [*enter, "enter", group, *set_up]
        with (folder / "console").open("wb") as console:
            holder = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
        try:

            def is_up() -> bool:
                assert holder.poll() is None, (folder / "console").read_text()
                pids = children.read_text().split()
                if not pids:
                    return False
                inside = SystemdMachine(int(pids[0]), folder)
                return inside.run("systemctl", "is-active", "nothing.target").returncode == 0

            wait_until(is_up, 30, "systemd runs")
            machine = SystemdMachine(int(children.read_text()), folder)
            machine.do("systemd-sysusers", "ovirt-provider-ovn.conf")
            yield machine
        finally:
            # systemd itself: it does not care for the end of its parent.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(children.read_text()), signal.SIGKILL)
            holder.kill()
            holder.wait()
            leave = [*enter, "leave", group]
            wait_until(lambda: not subprocess.run(leave, capture_output=True).returncode)
