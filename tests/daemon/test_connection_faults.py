# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection, with servers that crash, stall, or break off in the middle of a word."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.northbound import (
    Forwarder,
    RawReplica,
    connected,
    in_thread,
    insert,
    ready,
    shown,
    within,
)
from daemon.ovsdb import (
    OvsdbServer,
    free_port,
    ovsdb_server,
    short_folder,
    wait_until,
)
from ovirt_ovn_proxy.errors import (
    NotReady,
    OutcomeUnknown,
)
from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import parse_remotes

pytestmark = pytest.mark.daemon


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    yield
    assert "northbound" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def server() -> Iterator[OvsdbServer]:
    """A standalone server with an empty database."""
    with ovsdb_server() as running:
        yield running


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
        assert 0.2 < time.monotonic() - start < 2
        start = time.monotonic()
        for _ in range(100):
            with pytest.raises(NotReady):
                connection.wait_ready(within(5))
        assert time.monotonic() - start < 2


def test_deadline_of_the_wait() -> None:
    """The wait for a server ends at the request's deadline."""
    with connected("unix:/nonexistent/socket") as connection:
        start = time.monotonic()
        with pytest.raises(NotReady):
            connection.wait_ready(within(0.2))
        assert 0.1 < time.monotonic() - start < 2


def test_stalled_server(server: OvsdbServer) -> None:
    """With a stopped server deadlines hold, the outcome is unknown, and late replies do no harm."""
    with ready(server.remote) as connection:
        connection.transact([insert("a")], within(5))
        server.signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            connection.transact([insert("b")], within(0.3))
        assert 0.2 < time.monotonic() - start < 2
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


def test_silence(server: OvsdbServer) -> None:
    """A session on which nothing happens goes on: the server is asked whether it is alive."""

    class Listening(Forwarder):
        answers = 0

        def changed(self, _far: socket.socket, data: bytes) -> bytes:
            self.answers += b'"id":"echo","result":[]' in data
            return data

    listening = Listening(server.socket)
    with listening, ready(listening.remote, probe_interval_ms=1000) as connection:
        wait_until(lambda: listening.answers >= 2)

        assert connection.ready
        assert listening.connections == 1


def test_name_of_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name's addresses each is tried, in the order of the resolver."""
    open_port, closed_port = free_port(), free_port()
    asked = []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        if "flags" in options:
            raise socket.gaierror(socket.EAI_NONAME, "no literal")
        asked.append((host, port))
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", number)) for number in (closed_port, open_port)]

    with ovsdb_server(remotes=[f"ptcp:{open_port}:127.0.0.1"]):
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with ready("tcp:central.test:6641") as connection:
            assert connection.status() == "connected to tcp:central.test:6641"

    assert asked == [("central.test", 6641)]


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


# --- broken streams ----------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 40, 150, 400, 1500, 5000])
def test_stream_that_ends_anywhere(server: OvsdbServer, limit: int) -> None:
    """A session that ends in the middle of a message, at any stage, is begun again."""
    with ready(server.remote) as connection:
        connection.transact([insert(f"s{n}") for n in range(100)], within(5))
        expected = shown(connection)
    forwarder = Forwarder(server.socket, limit=limit)
    with forwarder, ready(forwarder.remote) as connection:
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
    assert 1 <= len(connections) <= 2
