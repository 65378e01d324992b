# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that wait for a reply and read it themselves, in place of the connection's thread."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from daemon.northbound import SWITCH, RawReplica, in_thread, insert, ready, shown, within
from daemon.ovsdb import OvsdbServer, ovsdb_server, wait_until
from daemon.wire_tap import Fault, WireTap, _Session
from ovirt_ovn_proxy.errors import OutcomeUnknown
from ovirt_ovn_proxy.nb.connection import Connection

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


def readers(connection: Connection[RawReplica]) -> set[str]:
    """Return who has changed the replica since the last call."""
    assert connection.replica is not None
    names, connection.replica.applied_by = connection.replica.applied_by, set()
    return names


def test_who_reads(server: OvsdbServer) -> None:
    """What comes with a reply is read by who waits for it, all else by the connection's thread."""
    own = threading.current_thread().name
    with ready(server.remote) as connection, ready(server.remote) as other:
        for number in range(200):
            connection.transact([insert(f"a{number}")], within(5))
            if own in readers(connection):
                break
        else:
            pytest.fail("never read by who waited")
        for number in range(20):
            other.transact([insert(f"b{number}")], within(5))
            wait_until(lambda number=number: f"b{number}" in shown(connection))  # type: ignore[misc]

        assert readers(connection) == {"northbound"}


def test_many_readers(server: OvsdbServer) -> None:
    """Threads that wait at once, and changes of others, leave the replica as the database is."""

    def work(connection: Connection[RawReplica], thread: int) -> bool:
        for number in range(30):
            name = f"{thread}-{number}"
            connection.transact([insert(name)], within(20))
            assert name in shown(connection)
            where = [["name", "==", f"{thread}-{number - 2}"]]
            connection.transact([{"op": "delete", "table": SWITCH, "where": where}], within(20))
        return True

    with ready(server.remote) as one, ready(server.remote) as two:
        results = [
            in_thread(lambda c=connection, t=thread: work(c, t))  # type: ignore[misc]
            for thread, connection in enumerate([one, two] * 6)
        ]
        assert all(result() is True for result in results)
        for connection in (one, two):
            connection.barrier(within(5))
        with ready(server.remote) as fresh:
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


def test_questions_of_the_server(server: OvsdbServer) -> None:
    """The server's probe is answered at once, whoever reads it."""
    tap = Asking(server)
    with tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        for number in range(1, 101):
            connection.transact([insert(f"a{number}")], within(5))
            wait_until(lambda number=number: tap.answers == number)  # type: ignore[misc]


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_lost_sessions(server: OvsdbServer, fault: Fault) -> None:
    """A session that breaks while somebody reads is followed by the next one within moments."""
    with WireTap(server) as tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        for number in range(20):
            tap.arm(fault)
            with pytest.raises(OutcomeUnknown):
                connection.transact([insert(f"a{number}")], within(5))
            connection.wait_ready(within(2))

        connection.transact([insert("last")], within(5))
        assert len(shown(connection)) == 1 + (20 if fault is Fault.CUT_AFTER else 0)


def test_a_session_that_is_over(server: OvsdbServer) -> None:
    """Who would read for a reply when the session has ended touches nothing of the next one."""
    is_tried = threading.Event()
    with WireTap(server) as tap, ready(tap.server.remote, probe_interval_ms=0) as connection:
        tap.arm(Fault.CUT_BEFORE)
        tap.before_next_session(is_tried.wait)
        with pytest.raises(OutcomeUnknown):
            connection.transact(
                [insert("a")], within(5), lambda: wait_until(lambda: not connection.ready)
            )
        is_tried.set()
        connection.wait_ready(within(2))
        connection.transact([insert("b")], within(5))

        assert shown(connection) == {"b"}


class Failing(RawReplica):
    """Raises `error`, once, in a thread other than the connection's that changes it."""

    error: BaseException | None = None

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        error = Failing.error
        if error is not None and threading.current_thread().name != "northbound":
            Failing.error = None
            raise error
        super().apply(updates)


@pytest.mark.parametrize(
    ("error", "seen"), [(KeyboardInterrupt(), KeyboardInterrupt), (KeyError("bug"), OutcomeUnknown)]
)
def test_failing_readers(
    server: OvsdbServer,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    seen: type[BaseException],
) -> None:
    """Whatever interrupts a thread that reads, what it left half done is loaded anew."""
    monkeypatch.setattr(Failing, "error", error)
    with ready(server.remote, make_replica=Failing) as connection:
        before = connection.replica
        sent: list[str] = []
        while Failing.error:
            sent.append(f"a{len(sent)}")
            with contextlib.suppress(seen):
                connection.transact([insert(sent[-1])], within(5))
        wait_until(lambda: connection.replica is not before)
        connection.wait_ready(within(5))
        connection.transact([insert("last")], within(5))

        assert shown(connection) == {*sent, "last"}
