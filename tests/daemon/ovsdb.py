# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real OVSDB servers and ovn-northd for tests, each a context manager.

Every process is started directly, so that its pid is known and nothing but it
is ever stopped; files are in a short temporary folder of their own (a unix
socket's path is limited to about 100 characters) and nothing of the system's
Open vSwitch is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Protocol

NB_SCHEMA = Path("/usr/share/ovn/ovn-nb.ovsschema")
SB_SCHEMA = Path("/usr/share/ovn/ovn-sb.ovsschema")
VSWITCH_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Give a temporary folder with a short path, below TESTS_FOLDER in the environment if any."""
    path = tempfile.mkdtemp(prefix="ovn", dir=os.environ.get("TESTS_FOLDER", "/tmp"))
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Poll `condition` until it is true; AssertionError after `timeout_s`."""
    end = time.monotonic() + timeout_s
    # Most is there within milliseconds, and what is not costs less to ask for more seldom.
    pause_s = 0.001
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what or condition}"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.032)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which programs of OVS and OVN have their files in a folder."""
    kinds = ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")
    names = (f"{project}_{kind}" for project in ("OVS", "OVN") for kind in kinds)
    return {**os.environ, **dict.fromkeys(names, str(folder))}


class HasRemote(Protocol):
    """What can be connected to: a server, or several that serve one database."""

    @property
    def remote(self) -> str:
        """Where to connect to, in OVSDB's notation."""


class Daemon:
    """One process, with its output in a log file beside its data."""

    restore_signals = True
    """Whether signals that Python ignores end it (subprocess.Popen)."""

    def __init__(self, folder: Path, name: str, command: Sequence[str], socket: Path | None):
        self.folder = folder
        self.name = name
        self.log = folder / f"{name}.out"
        self._command = list(command)
        self._socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def obituary(self) -> str:
        """Return how it ended, with its last words, if nobody here has ended it; else nothing."""
        if self._process is None or self.running:
            return ""
        words = self.log.read_text(errors="replace").splitlines()[-1:]
        return " ".join([f"{self.log} ended with {self._process.returncode}:", *words])

    def start(self) -> None:
        """Start the process and wait until its socket, if it has one, accepts."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                restore_signals=self.restore_signals,
                env=environment(self.folder),
            )
        if self._socket is not None:
            path = self._socket
            wait_until(lambda: self._up() and _accepts(path), what=f"{self.name} listens")

    def _up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return True

    def wait(self, timeout_s: float) -> int:
        """Wait for its end; return the exit status. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to this process only."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it like a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in an orderly way (SIGTERM), or by force after some seconds."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        if number != signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class OvsdbServer(Daemon):
    """An ovsdb-server that serves one database file on a unix socket, and on `remotes` too."""

    # So that a limit on the size of its file (RLIMIT_FSIZE) is to it what a full disk is.
    restore_signals = False

    def __init__(
        self,
        folder: Path,
        name: str,
        database: Path,
        remotes: Sequence[str],
        options: Sequence[str],
    ):
        self.socket = folder / f"{name}.sock"
        self.database = database
        self.control = folder / f"{name}.ctl"
        command = [
            "ovsdb-server",
            f"--remote=punix:{self.socket}",
            f"--unixctl={self.control}",
            *(f"--remote={remote}" for remote in remotes),
            *options,
            str(database),
        ]
        super().__init__(folder, name, command, self.socket)

    def start(self) -> None:
        """Start the process and wait until it accepts sessions and commands."""
        super().start()
        # It listens for sessions first.
        wait_until(lambda: self._up() and _accepts(self.control), what=f"{self.name} obeys")

    @property
    def remote(self) -> str:
        """Where to connect to, in OVSDB's notation."""
        return f"unix:{self.socket}"

    def appctl(self, *command: str) -> str:
        """Run a command of ovs-appctl on this server and return what it prints."""
        done = subprocess.run(
            ["ovs-appctl", "-t", str(self.control), *command],
            check=True,
            capture_output=True,
            timeout=10,
        )
        return done.stdout.decode()


@contextlib.contextmanager
def ovsdb_server(
    folder: Path | None = None,
    *,
    schema: Path = NB_SCHEMA,
    name: str = "nb",
    remotes: Sequence[str] = (),
    options: Sequence[str] = (),
    content: Path | None = None,
) -> Iterator[OvsdbServer]:
    """Run a standalone server with a new database: empty, or a copy of the file `content`.

    `folder` needs a short path; None makes a temporary one. `remotes` are
    further listeners ("ptcp:0:127.0.0.1"), `options` further arguments.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(short_folder())
        database = folder / f"{name}.db"
        if content is None:
            database.write_bytes(_empty_database(schema))
        else:
            database.write_bytes(_converted(content.read_bytes(), schema))
        server = OvsdbServer(folder, name, database, remotes, options)
        stack.callback(server.stop)
        server.start()
        yield server


@cache
def _empty_database(schema: Path) -> bytes:
    """Return the file of a new database. One is like the other, so it is made once."""
    with short_folder() as folder:
        database = folder / "empty.db"
        subprocess.run(["ovsdb-tool", "create", str(database), str(schema)], check=True)
        return database.read_bytes()


@cache
def _converted(content: bytes, schema: Path) -> bytes:
    """Return a database with the schema of the OVN that is installed."""
    with short_folder() as folder:
        database = folder / "converted.db"
        database.write_bytes(content)
        command = ["ovsdb-tool", "needs-conversion", str(database), str(schema)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=10)
        if done.stdout.strip() == b"yes":
            convert = ["ovsdb-tool", "convert", str(database), str(schema)]
            subprocess.run(convert, check=True, timeout=10)
        return database.read_bytes()


@contextlib.contextmanager
def raft_cluster(
    folder: Path | None = None,
    size: int = 3,
    *,
    schema: Path = NB_SCHEMA,
    database: str = "OVN_Northbound",
    name: str = "n",
    method: str = "tcp",
    remotes: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Iterator[list[OvsdbServer]]:
    """Run a cluster of `size` servers on the loopback and wait until all have joined.

    Their names are `name` with a number. By "ssl" they talk to each other with the
    certificates in `options`, which all have; `remotes` are a further listener for each.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(short_folder())
        addresses = [f"{method}:127.0.0.1:{free_port()}" for _ in range(size)]
        servers = []
        for number, address in enumerate(addresses):
            file = folder / f"{name}{number}.db"
            if number == 0:
                command = ["create-cluster", str(file), str(schema), address]
            else:
                command = ["join-cluster", str(file), database, address, addresses[0]]
            subprocess.run(["ovsdb-tool", *command], check=True)
            own = remotes[number : number + 1]
            server = OvsdbServer(folder, f"{name}{number}", file, own, options)
            stack.callback(server.stop)
            server.start()
            servers.append(server)
            wait_until(partial(_is_member, server, database), what=f"{server.name} is a member")
        wait_until(lambda: leader_of(servers, database) is not None, what="there is a leader")
        yield servers


def _is_member(server: OvsdbServer, database: str) -> bool:
    return "cluster member" in server.appctl("cluster/status", database)


def leader_of(
    servers: Sequence[OvsdbServer], database: str = "OVN_Northbound"
) -> OvsdbServer | None:
    """Return the server that calls itself leader, None if none does."""
    for server in servers:
        with contextlib.suppress(subprocess.SubprocessError):
            if "Role: leader" in server.appctl("cluster/status", database):
                return server
    return None


def listens_as_told(database: str, root: str) -> Sequence[str]:
    """Return the options by which a database says where its server listens, as with ovn-ctl.

    `ovn-nbctl set-connection` and `set-ssl` change it then; `root` is the table of one row.
    """
    return (
        f"--remote=db:{database},{root},connections",
        f"--private-key=db:{database},SSL,private_key",
        f"--certificate=db:{database},SSL,certificate",
        f"--ca-cert=db:{database},SSL,ca_cert",
    )


@contextlib.contextmanager
def northd(
    folder: Path | None = None,
    sb_remotes: Sequence[str] = (),
    sb_options: Sequence[str] = (),
    nb_content: Path | None = None,
    nb_options: Sequence[str] = (),
) -> Iterator[Mapping[str, OvsdbServer]]:
    """Run a Northbound and a Southbound server and ovn-northd; keys "nb" and "sb".

    `sb_remotes` and `sb_options` are the Southbound's, `nb_content` and `nb_options` the
    Northbound's, as of `ovsdb_server`.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(short_folder())
        nb = stack.enter_context(ovsdb_server(folder, content=nb_content, options=nb_options))
        sb = stack.enter_context(
            ovsdb_server(
                folder, schema=SB_SCHEMA, name="sb", remotes=sb_remotes, options=sb_options
            )
        )
        control = folder / "northd.ctl"
        command = [
            "ovn-northd",
            f"--ovnnb-db={nb.remote}",
            f"--ovnsb-db={sb.remote}",
            f"--unixctl={control}",
        ]
        daemon = Daemon(folder, "northd", command, control)
        stack.callback(daemon.stop)
        daemon.start()
        yield {"nb": nb, "sb": sb}
