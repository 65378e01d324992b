# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: starts, tells what to try, keeps its data, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue

import pytest

import central
import run as runner

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "scripts" / "run.py"
DEADLINE_S = 30.0


class Run:
    """One `make run`, with what it prints."""

    def __init__(self, state: Path, ports: tuple[int, int], arguments: Sequence[str]) -> None:
        self.state = state
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(RUN),
                f"--state={state}",
                f"--network-port={ports[0]}",
                f"--identity-port={ports[1]}",
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._queue: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, word: str) -> None:
        """Return once a line with the word was printed."""
        deadline = time.monotonic() + DEADLINE_S
        while not any(word in line for line in self.lines):
            try:
                self.lines.append(self._queue.get(timeout=deadline - time.monotonic()))
            except (Empty, ValueError):
                pytest.fail(f"no {word!r} in: {self.output}")

    def wait(self) -> int:
        """Return the exit code; all output is in `lines` then."""
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        while not self._queue.empty():
            self.lines.append(self._queue.get())
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def pid_of(self, name: str) -> int:
        return int((self.state / f"{name}.pid").read_text())

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._queue.put(line)


class Site:
    """A state folder and two ports, and the runs on them."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.ports = free_ports()
        self.runs: list[Run] = []

    def start(self, *arguments: str) -> Run:
        run = Run(self.state, self.ports, arguments)
        self.runs.append(run)
        return run

    def start_ready(self, *arguments: str) -> Run:
        run = self.start(*arguments)
        run.wait_for("Ctrl-C stops everything")
        return run

    def processes(self) -> list[int]:
        """The processes whose command line names this state folder, runs themselves aside."""
        if not self.state.exists():
            return []
        folder = central.Folder(self.state)
        own = {run.process.pid for run in self.runs}
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()} - own
        return [pid for pid in pids if central.is_ours(pid, folder)]

    def nbctl(self, *words: str) -> str:
        remote = central.Folder(self.state).remote("nb")
        return subprocess.run(
            ["ovn-nbctl", f"--db={remote}", "--timeout=10", *words],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def clean(self) -> None:
        for run in self.runs:
            if run.process.poll() is None:
                run.stop()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A fresh site; whatever still runs at the end is killed."""
    site = Site(tmp_path)
    yield site
    site.clean()


def free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_what_it_started(site: Site, number: int) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end all processes, with exit code 0."""
    run = site.start_ready()
    assert len(site.processes()) == 4

    assert 0 == run.stop(number), run.output

    assert [] == site.processes()
    assert [] == list(site.state.glob("*.pid"))


def test_the_commands_it_prints_work(site: Site) -> None:
    """The first commands can be pasted into a shell and do what they say; the log tells of it."""
    run = site.start_ready()
    commands = run.output[run.output.index("TOKEN=") : run.output.index("Ctrl-C stops")]

    done = subprocess.run(["bash", "-ec", commands], capture_output=True, text=True)

    assert 0 == done.returncode, done.stderr
    assert '"name":"blue"' in done.stdout
    assert re.search(r"^\| [0-9a-f-]{36} \| blue ", done.stdout, re.M), "openstack network list"
    assert re.search(r"^switch .*-blue-", done.stdout, re.M), "ovn-nbctl show"
    run.wait_for("POST /v2.0/networks 201")


def test_a_client_that_is_not_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no `openstack` yet gets it by the same line."""
    monkeypatch.setattr(sys, "executable", str(site.state / "bin" / "python"))
    monkeypatch.setenv("PATH", str(site.state))
    addresses = runner.Addresses("127.0.0.1", *site.ports)

    commands = runner.first_commands(central.Folder(site.state), addresses)

    programs = site.state / "bin"
    install = f"{programs}/pip install -q -e '{ROOT}[clients]'"
    assert f"\n{install} && {programs}/openstack network list\n" in commands


@pytest.mark.parametrize("state", ["/proc/x", "file", "of-others"])
def test_no_state_folder(tmp_path: Path, state: str) -> None:
    """A folder that cannot be, or cannot be written to, is one line, not a traceback."""
    (tmp_path / "file").touch()
    (tmp_path / "of-others/lock").mkdir(parents=True)
    command = [sys.executable, str(ROOT / "scripts/run.py"), "--state", str(tmp_path / state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)

    assert 1 == done.returncode
    assert re.fullmatch(r"make run: the state folder: .*\n", done.stderr)


def listened_on(port: int) -> set[str]:
    """The addresses on which somebody listens on the port, as proc(5) has them."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for lines in tables for line in lines]
    ends = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in ends if int(number, 16) == port}


@pytest.mark.parametrize(
    ("arguments", "address"), [((), "0100007F"), (("--listen=127.0.0.2",), "0200007F")]
)
def test_where_it_listens(site: Site, arguments: tuple[str, ...], address: str) -> None:
    """It listens on 127.0.0.1 alone, unless told otherwise, and its databases on no port."""
    site.start_ready(*arguments)

    for port in site.ports:
        assert {address} == listened_on(port)
    for name in ("nb", "sb"):
        command = Path(f"/proc/{site.runs[0].pid_of(name)}/cmdline").read_bytes().split(b"\0")
        remotes = [word for word in command if word.startswith(b"--remote=")]
        assert [b"--remote=punix:"] == [remote[:15] for remote in remotes]


def test_ovn_northd_works(site: Site) -> None:
    """What is written to the Northbound arrives in the Southbound."""
    site.start_ready()
    site.nbctl("--wait=sb", "ls-add", "green")

    datapaths = subprocess.run(
        [
            "ovn-sbctl",
            f"--db={central.Folder(site.state).remote('sb')}",
            "list",
            "Datapath_Binding",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "name=green" in datapaths


def test_data_survive_a_restart(site: Site) -> None:
    """What was made in one run is there in the next."""
    run = site.start_ready()
    site.nbctl("ls-add", "green")
    run.stop()

    site.start_ready()

    assert "(green)" in site.nbctl("ls-list")


def test_the_system_is_not_touched(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that name another central are not followed."""
    for name in central.FOREIGN_VARIABLES:
        monkeypatch.setenv(name, "unix:/nonexistent")

    site.start_ready()

    assert "" == site.nbctl("ls-list")


def test_a_second_one_is_refused(site: Site) -> None:
    """A second run in the same folder says who is there, and leaves the first alone."""
    first = site.start_ready()

    second = site.start()

    assert 1 == second.wait()
    assert f"pid {first.process.pid}" in second.output
    assert f":{site.ports[0]}" in second.output
    assert first.process.poll() is None
    assert len(site.processes()) == 4


def test_leftovers_of_a_killed_run_are_stopped(site: Site) -> None:
    """After kill -9 of the runner alone, its servers are stopped by the next run."""
    first = site.start_ready()
    site.nbctl("ls-add", "green")
    first.process.kill()
    first.process.wait()
    old = site.processes()
    assert len(old) == 4

    second = site.start_ready()

    assert second.output.count("left by a run that was killed") == 4
    assert len(site.processes()) == 4
    assert not set(old) & set(site.processes())
    assert "(green)" in site.nbctl("ls-list")


def test_stale_files_do_no_harm(site: Site) -> None:
    """After kill -9 of everything, sockets and pid files that remain are overwritten."""
    first = site.start_ready()
    pids = [first.process.pid, *site.processes()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    # A pid on record may be somebody else's by now: this test's own process.
    (site.state / "northd.pid").write_text(f"{os.getpid()}\n")

    second = site.start_ready()

    assert "left by" not in second.output
    assert 0 == second.stop()


@pytest.mark.parametrize("name", ["nb", "sb", "northd", "proxy"])
def test_it_ends_with_any_of_its_parts(site: Site, name: str) -> None:
    """When one process dies, the run names it, stops the others and fails."""
    run = site.start_ready()

    os.kill(run.pid_of(name), signal.SIGKILL)

    assert 1 == run.wait()
    assert f"{name} was killed by signal 9" in run.output
    assert [] == site.processes()


def test_a_port_in_use(site: Site) -> None:
    """A port that somebody else has is named before anything is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.ports[1]))
        other.listen()

        run = site.start()

        assert 1 == run.wait()
    assert f"port {site.ports[1]} on 127.0.0.1 is in use" in run.output
    assert "IDENTITY_PORT" in run.output
    assert not list(site.state.glob("*.db"))


def test_a_proxy_that_does_not_start(site: Site) -> None:
    """A proxy that ends before it is ready ends the run, with the reason."""
    (site.state / "conf.d").mkdir(parents=True)
    (site.state / "conf.d" / "own.conf").write_text("[AUTH]\nauth-plugin=Nobody\n")

    run = site.start()

    assert 1 == run.wait()
    assert "own.conf: [AUTH] auth-plugin" in run.output
    assert "proxy ended with exit code 1 before it was ready" in run.output
    assert [] == site.processes()


def test_a_long_path(site: Site) -> None:
    """A state folder too deep for a socket's path has its sockets elsewhere."""
    site.state = site.state.with_name("x" * 120)

    run = site.start_ready()

    assert "" == site.nbctl("ls-list")
    assert 0 == run.stop()
    shutil.rmtree(central.Folder(site.state).run)


def test_an_older_database_is_converted(tmp_path: Path) -> None:
    """A database of an older schema is brought up to date, with a copy kept."""
    schema = central.find_schema("ovn-nb.ovsschema")
    version = central.run_tool(["ovsdb-tool", "schema-version", str(schema)])
    older = tmp_path / "older.ovsschema"
    older.write_text(schema.read_text().replace(f'"{version}"', '"1.0.0"'))
    database = tmp_path / "nb.db"
    central.prepare_database(database, older)

    central.prepare_database(database, schema)

    versions = [
        central.run_tool(["ovsdb-tool", "db-version", str(path)])
        for path in (database, tmp_path / f"nb.db.before-{version}")
    ]
    assert [version, "1.0.0"] == versions


def test_a_newer_database_stays(tmp_path: Path) -> None:
    """A database of a newer schema is not converted back, which would drop columns."""
    schema = central.find_schema("ovn-nb.ovsschema")
    version = central.run_tool(["ovsdb-tool", "schema-version", str(schema)])
    newer = tmp_path / "newer.ovsschema"
    newer.write_text(schema.read_text().replace(f'"{version}"', '"99.0.0"'))
    database = tmp_path / "nb.db"
    central.prepare_database(database, newer)

    central.prepare_database(database, schema)

    assert "99.0.0" == central.run_tool(["ovsdb-tool", "db-version", str(database)])
