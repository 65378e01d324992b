# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""An OVN central of one's own: both databases and ovn-northd, apart from the system's.

Everything lives in one state folder and is reached over unix sockets only. Starts,
watches and stops child processes; knows nothing of the proxy.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# sockaddr_un has 108 bytes, the last of them 0.
SOCKET_PATH_MAX = 107
SCHEMA_FOLDERS = (
    "/usr/share/ovn",
    "/usr/local/share/ovn",
    "/usr/share/openvswitch",
    "/usr/local/share/openvswitch",
)
# Variables that would point OVN's tools at another central than the one asked for.
FOREIGN_VARIABLES = ("OVN_NB_DB", "OVN_SB_DB", "OVN_NB_DAEMON", "OVN_SB_DAEMON")
START_TIMEOUT_S = 15.0
TOOL_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


class Failure(Exception):
    """Something that the user must know; the message is all there is to say."""


class Stopped(Exception):
    """The user asked to stop before the start was complete."""


class Folder:
    """The state folder: databases, logs, pid files, and the folder of the sockets.

    The sockets are in the state folder too, unless its path is too long for one.
    """

    def __init__(self, state: Path) -> None:
        self.state = state.resolve()
        self.logs = self.state / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.run = self.state if _fits(self.state) else _short_folder(self.state)

    def database(self, name: str) -> Path:
        return self.state / f"{name}.db"

    def socket(self, name: str) -> Path:
        return self.run / f"{name}.sock"

    def remote(self, name: str) -> str:
        """The database as OVN's tools and the proxy are told: unix:PATH."""
        return f"unix:{self.socket(name)}"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.state / f"{name}.pid"


class Child:
    """A process that was started here, with its pid on record for the next run."""

    def __init__(
        self,
        folder: Folder,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        log_to_file: bool,
    ) -> None:
        self.name = name
        self.log = folder.log(name) if log_to_file else None
        self._pid_file = folder.pid_file(name)
        with contextlib.ExitStack() as stack:
            output = None
            if self.log is not None:
                if self.log.exists():
                    self.log.replace(self.log.with_suffix(".log.old"))
                output = stack.enter_context(self.log.open("wb"))
            # A session of its own: Ctrl-C reaches only the parent, which stops in order.
            try:
                self.process = subprocess.Popen(
                    command,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise Failure(f"{command[0]} is not installed") from None
        self._pid_file.write_text(f"{self.process.pid}\n")

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def describe_end(self) -> str:
        """Say how it ended, with the last lines of its log if that is a file."""
        code = self.process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        text = f"{self.name} {how}"
        if self.log is None:
            return text
        tail = self.log.read_text(errors="replace").splitlines()[-5:]
        return "\n".join([f"{text}; {self.log} ends with:", *(f"  {line}" for line in tail)])

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to end, and kill it after the deadline."""
        if not self.has_ended():
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._pid_file.unlink(missing_ok=True)


class Central:
    """The three servers, started in order and stopped in reverse."""

    def __init__(self, folder: Folder, pause: Callable[[float], None]) -> None:
        """`pause(seconds)` is called while waiting; it may raise `Stopped`."""
        self.children: list[Child] = []
        self._folder = folder
        self._pause = pause
        self._environment = environment(folder)

    def start(self) -> None:
        """Make what is missing, start all, and return once ovn-northd follows the Northbound."""
        for name, schema in (("nb", "ovn-nb.ovsschema"), ("sb", "ovn-sb.ovsschema")):
            prepare_database(self._folder.database(name), find_schema(schema))
            self._start_database(name)
        folder = self._folder
        run_tool(["ovn-nbctl", f"--db={folder.remote('nb')}", "init"], self._environment)
        run_tool(["ovn-sbctl", f"--db={folder.remote('sb')}", "init"], self._environment)
        northd = self._start(
            "northd",
            [
                "ovn-northd",
                f"--ovnnb-db={folder.remote('nb')}",
                f"--ovnsb-db={folder.remote('sb')}",
            ],
        )
        sync = ["ovn-nbctl", f"--db={folder.remote('nb')}", "--wait=sb", "--timeout=2", "sync"]
        deadline = time.monotonic() + START_TIMEOUT_S
        while subprocess.run(sync, env=self._environment, capture_output=True).returncode != 0:
            self._check(northd, deadline)

    def stop(self) -> None:
        while self.children:
            self.children.pop().stop()

    def _start_database(self, name: str) -> None:
        folder = self._folder
        child = self._start(
            name,
            [
                "ovsdb-server",
                f"--remote=p{folder.remote(name)}",
                str(folder.database(name)),
            ],
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not accepts(folder.socket(name)):
            self._check(child, deadline)

    def _start(self, name: str, command: list[str]) -> Child:
        control = self._folder.run / f"{name}.ctl"
        # A killed predecessor leaves these behind.
        for path in (control, self._folder.socket(name)):
            path.unlink(missing_ok=True)
        program, *arguments = command
        options = ["--no-chdir", "-vsyslog:off", "-vconsole:info", f"--unixctl={control}"]
        child = Child(
            self._folder, name, [program, *options, *arguments], self._environment, log_to_file=True
        )
        self.children.append(child)
        return child

    def _check(self, child: Child, deadline: float) -> None:
        if child.has_ended():
            raise Failure(child.describe_end())
        if time.monotonic() > deadline:
            raise Failure(
                f"{child.name} is not ready after {START_TIMEOUT_S:.0f} seconds; see {child.log}"
            )
        self._pause(0.02)


def environment(folder: Folder) -> dict[str, str]:
    """The environment for OVN's programs: every default folder is ours."""
    variables = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
    for prefix in ("OVN", "OVS"):
        variables[f"{prefix}_RUNDIR"] = str(folder.run)
        variables[f"{prefix}_LOGDIR"] = str(folder.logs)
        variables[f"{prefix}_DBDIR"] = str(folder.state)
    variables["PATH"] = program_path()
    return variables


def program_path() -> str:
    """PATH with the folders that Debian leaves out of an ordinary user's."""
    return os.pathsep.join(
        [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    )


def find_schema(name: str) -> Path:
    for folder in SCHEMA_FOLDERS:
        path = Path(folder, name)
        if path.is_file():
            return path
    raise Failure(f"{name} is in none of {', '.join(SCHEMA_FOLDERS)}: is OVN's central installed?")


def prepare_database(database: Path, schema: Path) -> None:
    """Create the file, or bring it to a newer schema (keeping a copy of what it was).

    A file of a newer schema stays as it is: going back would drop columns.
    """
    if not database.exists():
        # Under another name first: a run that is killed here leaves no half-made database.
        new = database.with_suffix(".new")
        new.unlink(missing_ok=True)
        run_tool(["ovsdb-tool", "create", str(new), str(schema)])
        new.replace(database)
        new.with_name(f".{new.name}.~lock~").unlink(missing_ok=True)
        return
    if run_tool(["ovsdb-tool", "needs-conversion", str(database), str(schema)]) != "yes":
        return
    have = run_tool(["ovsdb-tool", "db-version", str(database)])
    want = run_tool(["ovsdb-tool", "schema-version", str(schema)])
    if _version(have) <= _version(want):
        shutil.copy2(database, database.with_suffix(f".db.before-{want}"))
        run_tool(["ovsdb-tool", "convert", str(database), str(schema)])


def run_tool(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run one of OVN's tools; return what it printed. Raises Failure with its complaint."""
    variables = dict(environment or {**os.environ, "PATH": program_path()})
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S
        )
    except FileNotFoundError:
        raise Failure(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)}: no answer in {TOOL_TIMEOUT_S:.0f} seconds") from None
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def accepts(path: Path) -> bool:
    """Whether a server listens on the unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def stop_leftovers(folder: Folder, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Stop what a killed run left behind, in the order of `names`.

    Only a process whose command line names a file of this state folder is ours: by
    now the pid of a record may be anybody's.
    """
    for name in names:
        path = folder.pid_file(name)
        try:
            pid = int(path.read_text())
        except (FileNotFoundError, ValueError):
            continue
        if is_ours(pid, folder):
            say(f"Stopping {name} (pid {pid}), left by a run that was killed")
            _end(pid, folder)
        path.unlink(missing_ok=True)


def is_ours(pid: int, folder: Folder) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    folders = {os.fsencode(folder.state) + b"/", os.fsencode(folder.run) + b"/"}
    return any(path in arguments for path in folders)


def _end(pid: int, folder: Folder) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if not is_ours(pid, folder):
                return
            time.sleep(0.02)
    raise Failure(f"process {pid} of an earlier run cannot be stopped")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / "northd.ctl")) <= SOCKET_PATH_MAX


def _short_folder(state: Path) -> Path:
    """A private folder with a short path, the same one for the same state folder."""
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    path = Path(tempfile.gettempdir(), f"ovirt-ovn-{os.getuid()}-{digest}")
    if not _fits(path):
        raise Failure(f"{state} and {path} are both too long for the path of a socket")
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise Failure(f"{path} belongs to somebody else ({os.strerror(errno.EPERM)})")
    return path
