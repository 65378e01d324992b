# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that wait for a reply and read it themselves, in place of the connection's thread.

The main thread never does, so `transact` here is called in another one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from daemon.northbound import SWITCH, RawReplica, in_thread, insert, ready, shown, within
from daemon.ovsdb import OvsdbServer, raft_cluster, wait_until
from daemon.wire_tap import Fault, WireTap, _Session
from ovirt_ovn_proxy.errors import NorthboundError, OutcomeUnknown
from ovirt_ovn_proxy.nb.calls import nothing
from ovirt_ovn_proxy.nb.connection import Connection

pytestmark = pytest.mark.daemon


def transact(
    connection: Connection[RawReplica],
    name: str,
    timeout_s: float = 5.0,
    meanwhile: Callable[[], object] = nothing,
) -> Any:
    """Create a switch in a thread of its own, "reader"; return what came of it, errors too."""
    deadline = within(timeout_s)
    call = partial(connection.transact, [insert(name)], deadline, meanwhile)
    return in_thread(call, name="reader")()


def readers(connection: Connection[RawReplica]) -> set[str]:
    """Return who has changed the replica since the last call."""
    assert connection.replica is not None
    names, connection.replica.applied_by = connection.replica.applied_by, set()
    return names


def test_who_reads(nb: OvsdbServer) -> None:
    """What comes with a reply is read by who waits for it, all else by the connection's thread."""
    with ready(nb.remote) as connection, ready(nb.remote) as other:
        for number in range(200):
            transact(connection, f"a{number}")
            if "reader" in readers(connection):
                break
        else:
            pytest.fail("never read by who waited")
        # A signal handler may raise anywhere in the main thread.
        for number in range(20):
            connection.transact([insert(f"m{number}")], within(5))
        assert readers(connection) == {"northbound"}
        for number in range(20):
            other.transact([insert(f"b{number}")], within(5))
            wait_until(lambda number=number: f"b{number}" in shown(connection))  # type: ignore[misc]

        assert readers(connection) == {"northbound"}


def test_many_readers(nb: OvsdbServer) -> None:
    """Threads that wait at once, and changes of others, leave the replica as the database is."""

    def work(connection: Connection[RawReplica], thread: int) -> bool:
        for number in range(30):
            name = f"{thread}-{number}"
            connection.transact([insert(name)], within(20))
            assert name in shown(connection)
            where = [["name", "==", f"{thread}-{number - 2}"]]
            connection.transact([{"op": "delete", "table": SWITCH, "where": where}], within(20))
        return True

    with ready(nb.remote) as one, ready(nb.remote) as two:
        results = [
            in_thread(lambda c=connection, t=thread: work(c, t))  # type: ignore[misc]
            for thread, connection in enumerate([one, two] * 6)
        ]
        assert all(result() is True for result in results)
        for connection in (one, two):
            connection.barrier(within(5))
        with ready(nb.remote) as fresh:
            assert one.replica is not None
            assert two.replica is not None
            assert fresh.replica is not None
            assert one.replica.tables == two.replica.tables == fresh.replica.tables


class Asking(WireTap):
    """Asks the client whether it is alive before each reply, as servers do after a silence."""

    answers = 0

    def _reply(self, session: _Session, message: bytearray) -> None:
        if isinstance(json.loads(message).get("id"), int):
            session.near.sendall(b'{"method":"echo","params":[1],"id":"alive"}')
        super()._reply(session, message)

    def _request(self, session: _Session, message: bytearray) -> None:
        body = json.loads(message)
        if body.get("id") == "alive":
            assert body["result"] == [1]
            self.answers += 1
        else:
            super()._request(session, message)


def test_questions_of_the_server(nb: OvsdbServer) -> None:
    """The server's probe is answered at once, whoever reads it."""
    tap = Asking(nb)
    with tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        for number in range(1, 101):
            transact(connection, f"a{number}")
            wait_until(lambda number=number: tap.answers == number)  # type: ignore[misc]


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_lost_sessions(nb: OvsdbServer, fault: Fault) -> None:
    """A session that breaks while somebody reads is followed by the next one within moments."""
    with WireTap(nb) as tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        for number in range(20):
            tap.arm(fault)
            assert isinstance(transact(connection, f"a{number}"), OutcomeUnknown)
            connection.wait_ready(within(2))

        transact(connection, "last")
        assert len(shown(connection)) == 1 + (20 if fault is Fault.CUT_AFTER else 0)


def test_a_session_that_is_over(nb: OvsdbServer) -> None:
    """Who would read for a reply when the session has ended touches nothing of the next one."""
    is_tried = threading.Event()
    with WireTap(nb) as tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        tap.arm(Fault.CUT_BEFORE)
        tap.before_next_session(is_tried.wait)
        outcome = transact(
            connection, "a", meanwhile=lambda: wait_until(lambda: not connection.ready)
        )
        is_tried.set()
        assert isinstance(outcome, OutcomeUnknown)
        connection.wait_ready(within(2))
        transact(connection, "b")

        assert shown(connection) == {"b"}


class Failing(RawReplica):
    """Fails once to take an update, in a thread of the name `fails_in`."""

    fails_in = ""

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        if threading.current_thread().name == Failing.fails_in:
            Failing.fails_in = ""
            raise KeyError("bug")
        super().apply(updates)


def test_a_reader_that_fails(nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread has left half done is loaded anew."""
    monkeypatch.setattr(Failing, "fails_in", "reader")
    with ready(nb.remote, make_replica=Failing) as connection:
        before = connection.replica
        sent: list[str] = []
        while Failing.fails_in:
            sent.append(f"a{len(sent)}")
            transact(connection, sent[-1])
        wait_until(lambda: connection.replica is not before)
        connection.wait_ready(within(5))
        transact(connection, "last")

        assert shown(connection) == {*sent, "last"}


@contextlib.contextmanager
def users(connection: Connection[RawReplica], count: int) -> Iterator[None]:
    """Have so many threads create switches meanwhile, one at a time each."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            with contextlib.suppress(NorthboundError):
                connection.transact([insert(str(uuid.uuid4()))], within(0.3))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(10)


class SlowHandler(logging.Handler):
    """Gives others time while the connection's thread says what went wrong."""

    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(0.05)


@pytest.fixture
def slow_log() -> Iterator[None]:
    handler = SlowHandler()
    logging.getLogger("ovirt_ovn_proxy").addHandler(handler)
    yield
    logging.getLogger("ovirt_ovn_proxy").removeHandler(handler)


@pytest.mark.usefixtures("slow_log")
def test_nobody_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection's thread fails, nothing is read behind the message that it lost.

    In a cluster, whose sessions go on from the last transaction that was read.
    """
    with raft_cluster(size=1) as (server,), ready(server.remote) as other:
        for turn in range(3):
            with ready(server.remote, make_replica=Failing, patience_s=10) as connection:
                before = connection.replica
                with users(connection, 1):
                    monkeypatch.setattr(Failing, "fails_in", "northbound")
                    while Failing.fails_in:
                        other.transact([insert(f"{turn}-{uuid.uuid4()}")], within(5))
                    wait_until(lambda: connection.replica is not before)  # noqa: B023
                connection.wait_ready(within(5))
                connection.barrier(within(5))
                with ready(server.remote) as fresh:
                    fresh.barrier(within(5))
                    assert connection.replica is not None
                    assert fresh.replica is not None
                    assert connection.replica.tables == fresh.replica.tables


def test_stop_while_somebody_reads(nb: OvsdbServer) -> None:
    """Nobody who reads takes the end of a session for its beginning."""
    for _ in range(10):
        with ready(nb.remote) as connection, users(connection, 2):
            time.sleep(0.02)
            connection.stop()
            assert not connection.ready


NEWS = (
    b'{"method":"update3","id":null,"params":'
    b'["OVN_Northbound","00000000-0000-0000-0000-000000000000",{}]}'
)


class Talking(WireTap):
    """Tells news without an end once it is asked to change something, and no reply."""

    is_over = False

    def _request(self, session: _Session, message: bytearray) -> None:
        if json.loads(message).get("method") != "transact":
            super()._request(session, message)
            return
        with contextlib.suppress(OSError):
            while not self.is_over:
                session.near.sendall(100 * NEWS)


def test_news_without_an_end(nb: OvsdbServer) -> None:
    """Whoever reads news for others ends in time, and leaves them to the connection's thread."""
    tap = Talking(nb)
    with tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        started = time.monotonic()
        outcome = transact(connection, "a", timeout_s=0.3)
        took_s = time.monotonic() - started
        connection.stop()
        tap.is_over = True

    assert isinstance(outcome, OutcomeUnknown)
    assert 0.3 <= took_s < 2


class Slow(RawReplica):
    """Takes longer for an update, in a "reader", than a server may be silent; once."""

    taken_by = ""

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        if threading.current_thread().name == "reader" and not Slow.taken_by:
            Slow.taken_by = "reader"
            time.sleep(2.5)
        super().apply(updates)


def test_a_lively_server_is_kept(nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose answer to a probe nobody could read yet is not taken for dead."""
    monkeypatch.setattr(Slow, "taken_by", "")
    with ready(nb.remote, make_replica=Slow, probe_interval_ms=1000) as connection:
        before = connection.replica
        number = 0
        while not Slow.taken_by:
            number += 1
            assert not isinstance(transact(connection, f"a{number}"), Exception)

        assert connection.ready
        assert connection.replica is before
