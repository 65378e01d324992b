# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection to Northbound, on real servers that crash, stall, vote and renew certificates."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from daemon.ovsdb import (
    NB_SCHEMA,
    OvsdbServer,
    free_port,
    leader_of,
    northd,
    ovsdb_server,
    raft_cluster,
    short_folder,
    wait_until,
)
from ovirt_ovn_proxy.errors import (
    GuardFailed,
    NorthboundError,
    NotReady,
    OutcomeUnknown,
    TransactionRefused,
)
from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import TlsFiles, parse_remotes

pytestmark = pytest.mark.daemon

SWITCH = "Logical_Switch"


class RawReplica:
    """The rows as the server tells them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.complete = False
        self.applied = 0
        self.raise_next: Exception | None = None

    def load(self, table: str, uuid: str, row: Mapping[str, Any]) -> None:
        self.tables.setdefault(table, {})[uuid] = dict(row)

    def loaded(self) -> None:
        self.complete = True

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        if self.raise_next is not None:
            error, self.raise_next = self.raise_next, None
            raise error
        self.applied += 1
        for table, rows in updates.items():
            for row_uuid, change in rows.items():
                for kind, row in change.items():
                    if kind == "delete":
                        del self.tables[table][row_uuid]
                    else:
                        self.tables.setdefault(table, {}).setdefault(row_uuid, {}).update(row)

    def names(self) -> set[str]:
        """The names of all switches."""
        return {row.get("name", "") for row in dict(self.tables.get(SWITCH, {})).values()}


def within(seconds: float) -> float:
    """Return the deadline that is so many seconds away."""
    return time.monotonic() + seconds


def insert(name: str, row_uuid: str | None = None) -> dict[str, Any]:
    """Return the operation that creates a switch."""
    chosen = {"uuid": row_uuid} if row_uuid else {}
    return {"op": "insert", "table": SWITCH, "row": {"name": name}, **chosen}


@contextlib.contextmanager
def connected(remotes: str, **options: Any) -> Iterator[Connection[RawReplica]]:
    """Give a connection, started, and see to it that its thread really ends."""
    connection = Connection(parse_remotes(remotes), RawReplica, **options)
    connection.start()
    try:
        yield connection
    finally:
        connection.stop()
        assert "northbound" not in [thread.name for thread in threading.enumerate()]


@contextlib.contextmanager
def ready(remotes: str, **options: Any) -> Iterator[Connection[RawReplica]]:
    """Give a connection that is in sync."""
    with connected(remotes, **options) as connection:
        connection.wait_ready(within(5))
        yield connection


def shown(connection: Connection[RawReplica]) -> set[str]:
    """Return the switches that the newest replica shows."""
    assert connection.replica is not None
    assert connection.replica.complete
    return connection.replica.names()


def in_thread(action: Callable[[], Any]) -> Callable[[], Any]:
    """Start `action` in a thread; the returned function waits and gives result or error."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(action())
        except NorthboundError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(10)
        return outcome[0]

    return result


class Forwarder:
    """Passes bytes on between its own socket and a server's, until it is told to stop.

    `limit`: the first session ends after so many bytes from the server.
    """

    def __init__(self, target: Path, limit: int | None = None) -> None:
        self._target = target
        self._limit = limit
        self._folder = contextlib.ExitStack()
        self._path = self._folder.enter_context(short_folder()) / "f"
        self._sockets: list[socket.socket] = []
        self.remote = f"unix:{self._path}"
        self.connections = 0

    def __enter__(self) -> Forwarder:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._folder.close()

    def mend(self) -> None:
        """Accept sessions."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen()
        self._sockets = [listener]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """End all sessions and accept no more."""
        self._path.unlink()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                self.connections += 1
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._target))
                self._sockets += [near, far]
                limit, self._limit = self._limit, None
                for ends in ((near, far, None), (far, near, limit)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        with contextlib.suppress(OSError):
            while limit is None or limit > 0:
                data = source.recv(65536 if limit is None else limit)
                if not data:
                    break
                sink.sendall(data)
                limit = None if limit is None else limit - len(data)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[OvsdbServer]:
    """A standalone server with an empty database."""
    with ovsdb_server() as running:
        yield running


# --- transactions and barriers ---------------------------------------------


def test_own_commits_are_shown_when_transact_returns(server: OvsdbServer) -> None:
    """The replica shows a transaction as soon as transact() has returned."""
    with ready(server.remote) as connection:
        for number in range(200):
            row_uuid = str(uuid.uuid4())
            result = connection.transact([insert(f"s{number}", row_uuid)], within(5))

            assert result == [{"uuid": ["uuid", row_uuid]}]
            assert f"s{number}" in shown(connection)


def test_barrier_shows_the_commits_of_others(server: OvsdbServer) -> None:
    """After a barrier the replica shows what another session committed before it."""
    with ready(server.remote) as reader, ready(server.remote) as writer:
        for number in range(500):
            writer.transact([insert(f"s{number}")], within(5))
            reader.barrier(within(5))

            assert f"s{number}" in shown(reader)


def test_many_threads_at_once(server: OvsdbServer) -> None:
    """Transactions of many threads all succeed, and each sees its own."""

    def work(connection: Connection[RawReplica], thread: int) -> bool:
        for number in range(25):
            connection.transact([insert(f"{thread}-{number}")], within(20))
            assert f"{thread}-{number}" in shown(connection)
        return True

    with ready(server.remote) as connection:
        results = [in_thread(lambda t=t: work(connection, t)) for t in range(32)]  # type: ignore[misc]

        assert all(result() is True for result in results)
        assert len(shown(connection)) == 32 * 25


def test_big_transaction(server: OvsdbServer) -> None:
    """A transaction and an update of several megabytes go through in one piece."""
    with ready(server.remote) as connection:
        connection.transact([insert(f"s{n}" + "x" * 500) for n in range(6000)], within(20))

        assert len(shown(connection)) == 6000
        with ready(server.remote) as another:
            assert another.replica is not None
            assert connection.replica is not None
            assert another.replica.tables == connection.replica.tables


def test_guard(server: OvsdbServer) -> None:
    """A wait that does not hold is GuardFailed, and nothing is changed."""
    guard = {
        "op": "wait",
        "table": SWITCH,
        "where": [["name", "==", "a"]],
        "columns": ["name"],
        "until": "==",
        "rows": [],
        "timeout": 0,
    }
    with ready(server.remote) as connection:
        connection.transact([guard, insert("a")], within(5))
        with pytest.raises(GuardFailed):
            connection.transact([guard, insert("b")], within(5))

        assert shown(connection) == {"a"}


def test_refusals(server: OvsdbServer) -> None:
    """The server's refusals are told with its words, at the operation or at the commit."""
    row_uuid = str(uuid.uuid4())
    unknown = {"op": "insert", "table": SWITCH, "row": {"nope": 1}}
    dangling = {
        "op": "insert",
        "table": SWITCH,
        "row": {"ports": ["uuid", row_uuid]},
    }
    with ready(server.remote) as connection:
        connection.transact([insert("a", row_uuid)], within(5))
        cases = [
            ([insert("b", row_uuid)], "duplicate uuid", 0),
            ([insert("b"), unknown], "unknown column", 1),
            ([dangling], "referential integrity violation", None),
        ]
        for operations, error, index in cases:
            with pytest.raises(TransactionRefused) as refused:
                connection.transact(operations, within(5))

            assert refused.value.error == error
            assert refused.value.operation == (None if index is None else operations[index])
        assert shown(connection) == {"a"}


@pytest.mark.parametrize("text", ["\0", "\\\0", "half \ud800", float("nan")])
def test_values_that_break_sessions(server: OvsdbServer, text: Any) -> None:
    """What the server would close the session over is refused, and others do not notice."""
    with ready(server.remote) as connection:
        with pytest.raises(TransactionRefused):
            connection.transact([insert(text)], within(5))
        connection.transact([insert('\\u0000 \\\\u0000 } { " ž \U0001f40e \x01\x7f')], within(5))

        assert shown(connection) == {'\\u0000 \\\\u0000 } { " ž \U0001f40e \x01\x7f'}


def test_write_barrier() -> None:
    """As a write, the barrier changes its own key only, and needs the row that northd makes."""
    with northd() as servers:
        nb = servers["nb"].remote
        with ready(nb, write_barrier=True) as reader, ready(nb) as writer:
            wait_until(lambda: reader.replica and reader.replica.tables.get("NB_Global"))
            for number in range(20):
                writer.transact([insert(f"s{number}")], within(5))
                reader.barrier(within(5))

                assert f"s{number}" in shown(reader)
            assert reader.replica is not None
            (row,) = reader.replica.tables["NB_Global"].values()
            assert "ovirt_barrier" in json.dumps(row)


def test_write_barrier_needs_a_row(server: OvsdbServer) -> None:
    """Without a row nothing would be written, so the barrier does not pass."""
    with ready(server.remote, write_barrier=True) as connection, pytest.raises(NotReady):
        connection.barrier(within(5))


# --- servers that go and come ----------------------------------------------


def test_restart_after_crash(server: OvsdbServer) -> None:
    """After kill -9 and a new start the connection is back within a second, with a new replica."""
    with ready(server.remote) as connection:
        connection.transact([insert("a")], within(5))
        before = connection.replica
        server.kill()
        wait_until(lambda: not connection.ready)
        with pytest.raises(NotReady, match=str(server.socket)):
            connection.transact([insert("lost")], within(5))
        assert connection.replica is before
        server.start()
        start = time.monotonic()
        connection.wait_ready(within(5))

        assert time.monotonic() - start < 1.0
        assert shown(connection) == {"a"}
        assert connection.replica is not before
        connection.transact([insert("b")], within(5))
        assert shown(connection) == {"a", "b"}


def test_server_comes_late() -> None:
    """A server that starts after the connection is found, and the wait ends with it."""
    with ovsdb_server() as server:
        server.stop()
        with connected(server.remote) as connection:
            assert connection.replica is None
            result = in_thread(lambda: connection.wait_ready(within(5)))
            time.sleep(0.3)
            server.start()

            assert result() is None


def test_no_server() -> None:
    """Without a server requests wait a little, later they are refused at once, with the reason."""
    with connected("unix:/nonexistent/socket", patience_s=0.3) as connection:
        start = time.monotonic()
        with pytest.raises(NotReady, match="/nonexistent/socket: No such file"):
            connection.wait_ready(within(5))
        assert 0.2 < time.monotonic() - start < 1.0
        start = time.monotonic()
        with pytest.raises(NotReady):
            connection.wait_ready(within(5))
        assert time.monotonic() - start < 0.1


def test_deadline_of_the_wait() -> None:
    """The wait for a server ends at the request's deadline."""
    with connected("unix:/nonexistent/socket") as connection:
        start = time.monotonic()
        with pytest.raises(NotReady):
            connection.wait_ready(within(0.2))
        assert 0.1 < time.monotonic() - start < 0.6


def test_stalled_server(server: OvsdbServer) -> None:
    """With a stopped server deadlines hold, the outcome is unknown, and late replies do no harm."""
    with ready(server.remote) as connection:
        connection.transact([insert("a")], within(5))
        server.signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            connection.transact([insert("b")], within(0.3))
        assert 0.2 < time.monotonic() - start < 0.8
        server.signal(signal.SIGCONT)
        connection.barrier(within(5))

        assert shown(connection) == {"a", "b"}


def test_stalled_server_is_given_up(server: OvsdbServer) -> None:
    """A server that does not answer probes is left, and those who wait are told."""
    with ready(server.remote, probe_interval_ms=1000) as connection:
        server.signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="does not answer"):
            connection.transact([insert("a")], within(10))
        assert time.monotonic() - start < 4
        server.signal(signal.SIGCONT)
        connection.wait_ready(within(5))


def test_what_was_not_sent_is_not_sent_later(server: OvsdbServer) -> None:
    """What a stalled server did not take before the deadline is NotReady and never committed."""
    filler = [insert("x" * 1_000_000) for _ in range(4)]
    with ready(server.remote) as connection:
        server.signal(signal.SIGSTOP)
        first = in_thread(lambda: connection.transact(filler, within(0.5)))
        time.sleep(0.3)  # fills the socket
        with pytest.raises(NotReady):
            connection.transact([insert("late")], within(0.2))
        assert isinstance(first(), OutcomeUnknown)
        server.signal(signal.SIGCONT)
        connection.barrier(within(5))

        assert "late" not in shown(connection)


def test_crash_under_load(server: OvsdbServer) -> None:
    """Whatever was acknowledged before a crash is there after it, the rest is not acknowledged."""
    acknowledged: set[str] = set()
    certainly_not: set[str] = set()
    stop = threading.Event()

    def work(connection: Connection[RawReplica], thread: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{thread}-{number}"
            try:
                connection.transact([insert(name)], within(2))
                acknowledged.add(name)
            except NotReady:
                certainly_not.add(name)
                with contextlib.suppress(NotReady):
                    connection.wait_ready(within(2))
            except OutcomeUnknown:
                pass

    with ready(server.remote) as connection:
        workers = [in_thread(lambda t=t: work(connection, t)) for t in range(8)]  # type: ignore[misc]
        for _ in range(3):
            time.sleep(0.3)
            server.kill()
            time.sleep(0.1)
            server.start()
        time.sleep(0.5)
        stop.set()
        for worker in workers:
            worker()
        connection.wait_ready(within(5))

        assert len(acknowledged) > 100
        assert acknowledged <= shown(connection)
        assert not certainly_not & shown(connection)


def test_replica_that_fails(server: OvsdbServer) -> None:
    """A replica that cannot take an update is thrown away, and the thread lives on."""
    with ready(server.remote) as connection:
        before = connection.replica
        assert before is not None
        before.raise_next = KeyError("nonsense")
        with pytest.raises(OutcomeUnknown):
            connection.transact([insert("a")], within(5))
        connection.wait_ready(within(5))

        assert connection.replica is not before
        assert shown(connection) == {"a"}


def test_stop_while_busy(server: OvsdbServer) -> None:
    """stop() ends the thread and every wait, at once and as often as it is called."""
    with ready(server.remote) as connection:
        server.signal(signal.SIGSTOP)
        waits = [in_thread(lambda: connection.transact([insert("a")], within(8))) for _ in range(4)]
        time.sleep(0.1)
        start = time.monotonic()
        connection.stop()
        connection.stop()

        assert all(isinstance(wait(), (OutcomeUnknown, NotReady)) for wait in waits)
        assert time.monotonic() - start < 1
        with pytest.raises(NotReady, match="stopped"):
            connection.wait_ready(within(5))
        with pytest.raises(NotReady):
            connection.transact([], within(5))


def test_stop_before_start() -> None:
    """A connection that was never started can be stopped, and stays so."""
    connection = Connection(parse_remotes("unix:/nonexistent"), RawReplica)
    connection.stop()
    connection.start()

    assert not connection.ready
    assert connection.status() == "stopped"


# --- schemas ----------------------------------------------------------------


def edited_schema(folder: Path, *removed: tuple[str, str]) -> Path:
    """Write the Northbound schema without some columns."""
    schema = json.loads(NB_SCHEMA.read_text())
    schema.pop("cksum", None)
    for table, column in removed:
        del schema["tables"][table]["columns"][column]
    path = folder / "edited.ovsschema"
    path.write_text(json.dumps(schema))
    return path


def test_older_schema(tmp_path: Path) -> None:
    """Columns that are optional for us may be missing."""
    lacking = [("Logical_Switch_Port", "tag_request"), ("Logical_Switch_Port", "dynamic_addresses")]
    with ovsdb_server(schema=edited_schema(tmp_path, *lacking)) as server:
        with ready(server.remote) as connection:
            connection.transact([insert("a")], within(5))

            assert shown(connection) == {"a"}


def test_unsupported_schema(tmp_path: Path) -> None:
    """A column that we cannot do without is named; after an upgrade of the schema all is well."""
    schema = edited_schema(tmp_path, (SWITCH, "other_config"))
    with ovsdb_server(schema=schema) as server, connected(server.remote) as connection:
        wait_until(lambda: "lacks Logical_Switch.other_config" in connection.status())
        assert connection.replica is None
        command = ["ovsdb-client", "convert", server.remote, str(NB_SCHEMA)]
        subprocess.run(command, check=True, timeout=10)

        connection.wait_ready(within(4))


def test_schema_upgrade_under_a_session(tmp_path: Path) -> None:
    """When the server converts its database, everything is loaded anew with the new columns."""
    schema = edited_schema(tmp_path, ("Logical_Switch_Port", "tag_request"))
    with ovsdb_server(schema=schema) as server, ready(server.remote) as connection:
        connection.transact([insert("a")], within(5))
        before = connection.replica
        command = ["ovsdb-client", "convert", server.remote, str(NB_SCHEMA)]
        subprocess.run(command, check=True, timeout=10)
        wait_until(lambda: connection.replica is not before)

        connection.wait_ready(within(5))
        assert shown(connection) == {"a"}


def test_database_not_there_yet(server: OvsdbServer) -> None:
    """A server that does not have the database is asked again until it has."""
    server.appctl("ovsdb-server/remove-db", "OVN_Northbound")
    with connected(server.remote) as connection:
        wait_until(lambda: "has no database OVN_Northbound" in connection.status())
        server.appctl("ovsdb-server/add-db", str(server.database))

        connection.wait_ready(within(5))


def test_database_taken_away(server: OvsdbServer) -> None:
    """When the database goes, the session ends; when it is back, there is a new one."""
    with ready(server.remote) as connection:
        connection.transact([insert("a")], within(5))
        server.appctl("ovsdb-server/remove-db", "OVN_Northbound")
        wait_until(lambda: not connection.ready)
        server.appctl("ovsdb-server/add-db", str(server.database))
        connection.wait_ready(within(5))

        assert shown(connection) == {"a"}


# --- broken streams ----------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 40, 150, 400, 1500, 5000])
def test_stream_that_ends_anywhere(server: OvsdbServer, limit: int) -> None:
    """A session that ends in the middle of a message, at any stage, is begun again."""
    with ready(server.remote) as connection:
        connection.transact([insert(f"s{n}") for n in range(100)], within(5))
        expected = shown(connection)
    with Forwarder(server.socket, limit=limit) as forwarder:
        with connected(forwarder.remote) as connection:
            connection.wait_ready(within(5))

            assert forwarder.connections == 2
            assert shown(connection) == expected


@pytest.mark.parametrize(
    "talk",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"[]",
        b'{"id":"set_db_change_aware","result":{}}{"id":7,"result":[]}',
        b'{"id":"set_db_change_aware","result":{}}{"id":"monitor_cond","error":null}',
        b'{"id":"set_db_change_aware","result":{}}{"id":"monitor_cond","result":{"Database":7}}',
        b'{"method":"update3","params":["OVN_Northbound","0",{}],"id":null}',
        b'{"method":"update2","params":null,"id":null}',
        b'{"id":"\xff"}',
    ],
)
def test_nonsense(talk: bytes) -> None:
    """A server that talks nonsense is left, tried again without haste, and never believed."""
    connections = []
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()
        listener.settimeout(0.3)
        with connected(f"unix:{folder / 's'}") as connection:
            for _ in range(100):
                try:
                    session, _address = listener.accept()
                except socket.timeout:
                    break
                connections.append(session)
                session.sendall(talk)

            assert not connection.ready
            assert connection.replica is None
            assert "connecting" not in connection.status()
        for session in connections:
            session.close()
    assert 5 < len(connections) < 20


# --- clusters ---------------------------------------------------------------


def test_cluster() -> None:
    """The leader is found among followers; after its death its successor, within 2.5 seconds."""
    with raft_cluster() as servers:
        leader = leader_of(servers)
        assert leader is not None
        followers = [server for server in servers if server is not leader]
        remotes = ",".join(server.remote for server in [*followers, leader])
        with ready(remotes) as connection:
            assert connection.status() == f"connected to {leader.remote}"
            connection.transact([insert("a")], within(5))
            before = connection.replica
            leader.kill()
            start = time.monotonic()
            wait_until(lambda: not connection.ready)
            connection.wait_ready(within(5))
            took_s = time.monotonic() - start

            assert took_s < 2.5
            assert shown(connection) == {"a"}
            assert connection.replica is before, "the session was resumed"
            connection.transact([insert("b")], within(5))

            # The old leader comes back as a follower, and another session commits.
            leader.start()
            with ready(remotes) as other:
                other.transact([insert("c")], within(5))
            connection.barrier(within(5))
            assert shown(connection) == {"a", "b", "c"}


def test_resumed_session_catches_up() -> None:
    """A session that was cut off gets what happened meanwhile, into the same replica."""
    with raft_cluster(size=1) as (server,), Forwarder(server.socket) as forwarder:
        with ready(forwarder.remote) as connection, ready(server.remote) as other:
            connection.transact([insert("a"), insert("gone")], within(5))
            before = connection.replica
            forwarder.cut()
            wait_until(lambda: not connection.ready)
            other.transact([insert("b")], within(5))
            gone = {"op": "delete", "table": SWITCH, "where": [["name", "==", "gone"]]}
            other.transact([gone], within(5))
            forwarder.mend()
            connection.wait_ready(within(5))

            assert connection.replica is before
            assert shown(connection) == {"a", "b"}


def test_follower_is_refused() -> None:
    """A follower is not used, and the status says so."""
    with raft_cluster() as servers:
        leader = leader_of(servers)
        follower = next(server for server in servers if server is not leader)
        with connected(follower.remote) as connection:
            wait_until(lambda: "is not the leader" in connection.status())

            assert not connection.ready
            assert connection.replica is None


def test_cluster_without_quorum() -> None:
    """A leader that lost its followers is left as soon as it knows, and used again later."""
    with raft_cluster() as servers:
        leader = leader_of(servers)
        assert leader is not None
        with ready(",".join(server.remote for server in servers)) as connection:
            followers = [server for server in servers if server is not leader]
            for follower in followers:
                follower.kill()
            with pytest.raises(OutcomeUnknown):
                connection.transact([insert("maybe")], within(8))
            for follower in followers:
                follower.start()
            connection.wait_ready(within(8))
            connection.transact([insert("b")], within(5))

            assert "b" in shown(connection)


# --- TLS -----------------------------------------------------------------------


def make_certificate(folder: Path, name: str, authority: str | None = None) -> None:
    """Make NAME.key and NAME.pem: an authority, or a certificate for 127.0.0.1 signed by one."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    if authority is not None:
        signer = folder / authority
        command += ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    """Two authorities, with a server's and a client's certificate of the first one."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "otherca")
        make_certificate(folder, "server", "ca")
        make_certificate(folder, "client", "ca")
        yield folder


@pytest.fixture
def tls_port(pki: Path) -> Iterator[int]:
    """The port of a server that asks for a certificate of the first authority."""
    options = [f"--private-key={pki}/server.key", f"--certificate={pki}/server.pem"]
    options.append(f"--ca-cert={pki}/ca.pem")
    port = free_port()
    with ovsdb_server(remotes=[f"pssl:{port}:127.0.0.1"], options=options):
        yield port


def tls_files(folder: Path, **changes: Any) -> TlsFiles:
    """Return the client's files, with some replaced."""
    files = {name: str(folder / f"client.{end}") for name, end in TLS_NAMES}
    return TlsFiles(**{**files, "ca": str(folder / "ca.pem"), **changes})


TLS_NAMES = (("key", "key"), ("certificate", "pem"))


def test_tls(pki: Path, tls_port: int) -> None:
    """Over TLS all works as without, big messages in both directions too."""
    with ready(f"ssl:127.0.0.1:{tls_port}", tls=tls_files(pki)) as connection:
        connection.transact([insert(f"s{n}" + "x" * 500) for n in range(4000)], within(20))
        results = [
            in_thread(lambda n=n: connection.transact([insert(f"t{n}" * 9000)], within(9)))  # type: ignore[misc]
            for n in range(20)
        ]

        assert all(isinstance(result(), list) for result in results)
        assert len(shown(connection)) == 4020
        for number in range(200):
            connection.transact([insert(f"u{number}")], within(5))
            assert f"u{number}" in shown(connection)


def test_tls_by_name(pki: Path, tls_port: int) -> None:
    """A name is resolved; the certificate has to carry it unless that check is switched off."""
    remote = f"ssl:localhost:{tls_port}"
    with connected(remote, tls=tls_files(pki)) as connection:
        wait_until(lambda: "localhost" in connection.status().partition("ssl:")[2][10:])
        assert "not valid for 'localhost'" in connection.status()
    with ready(remote, tls=tls_files(pki, check_hostname=False)):
        pass


def test_tls_failures(pki: Path, tls_port: int) -> None:
    """Each way in which TLS can fail is told in the status."""
    cases = [
        ({"ca": str(pki / "otherca.pem")}, "unable to get local issuer|self-signed|self signed"),
        ({"key": None, "certificate": None}, "certificate required|CERTIFICATE_REQUIRED"),
        ({"ca": str(pki / "none.pem")}, r"none\.pem: No such file"),
        ({"key": str(pki / "server.key")}, "client.pem with key .*server.key: .*MISMATCH"),
    ]
    for changes, complaint in cases:
        with connected(f"ssl:127.0.0.1:{tls_port}", tls=tls_files(pki, **changes)) as connection:
            with pytest.raises(NotReady, match=complaint):
                connection.wait_ready(within(0.5))


def test_tls_with_a_server_that_speaks_none(server: OvsdbServer) -> None:
    """A plain server behind an ssl: remote, or the other way round, is told and left."""
    port = free_port()
    with ovsdb_server(remotes=[f"ptcp:{port}:127.0.0.1"]):
        with connected(f"ssl:127.0.0.1:{port}", tls=TlsFiles()) as connection:
            wait_until(lambda: "connecting" not in connection.status())
            assert not connection.ready


def test_renewed_certificates(pki: Path, tls_port: int) -> None:
    """Files that are replaced are used by the next connection, without a restart."""
    folder = pki / "renewed"
    folder.mkdir(exist_ok=True)
    for name in ("client.key", "client.pem", "ca.pem"):
        (folder / name).write_bytes((pki / name.replace("ca.", "otherca.")).read_bytes())
    with connected(f"ssl:127.0.0.1:{tls_port}", tls=tls_files(folder)) as connection:
        wait_until(lambda: "connecting" not in connection.status())
        assert not connection.ready
        (folder / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())

        connection.wait_ready(within(4))


def test_unknown_name() -> None:
    """A name that cannot be resolved is told, and does not keep stop() waiting."""
    with connected("tcp:does-not-exist.invalid:6641") as connection:
        wait_until(lambda: "connecting" not in connection.status(), 20)
        assert "does-not-exist.invalid" in connection.status()
