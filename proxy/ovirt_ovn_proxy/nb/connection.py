# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The process's one connection to the Northbound database.

I/O. One thread owns the socket and keeps the replica current; request threads
send their transactions, or hand them over, and wait for the reply with a deadline, one of
them by reading in the thread's place. It follows the cluster's leader over several remotes
and comes back by itself after any failure. Nothing is ever sent twice.
"""

from __future__ import annotations

import itertools
import logging
import os
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic

from ..errors import GuardFailed, NotReady, OutcomeUnknown, ProxyError, TransactionRefused
from .calls import Call, CallQueue, encode, nothing
from .framing import Framer, ProtocolError
from .remote import Remote, TlsFiles
from .reply import check_reply, refusal
from .rotation import CONNECT, DISCONNECT, PROBE, Rotation
from .schema import DATABASE, NB_GLOBAL
from .session import ECHO, Copy, R, Session, SessionOver
from .transport import Transport
from .watch import CLOSED, Watch

_log = logging.getLogger(__name__)

# What a server says when it gives up a transaction (RFC 7047 section 4.1.4), for a new schema
# say; of a cluster, the others may commit it yet.
_CANCELED = "canceled"
# A cluster's server that waits for the others longer than twice the election timer, which is
# 100 ms or more, executes the transaction again, though the first may be committed yet. Then
# guards fail on what it did itself.
_AGAIN_AFTER_S = 0.2
# So long at most reads who waits for a reply: nobody can end the session meanwhile.
_READ_FOR_S = 0.1
_BARRIER_KEY = "ovirt_barrier"


class Connection(Generic[R]):
    """Keeps a replica of the Northbound database, and sends transactions to it.

    `remotes`: the servers; of a cluster all of them. `make_replica` is called,
    in the connection's thread, for each full load. `tls` is for "ssl" remotes.
    After `probe_interval_ms` of silence the server is asked whether it is alive,
    after as much again it is given up; 0 = never, else at least 1,000.
    `write_barrier` makes barrier() a real write, which a leader that was cut
    off from its cluster cannot acknowledge. `patience_s`: how long requests wait
    for a lost database before they are refused at once.
    All deadlines are in terms of time.monotonic(). Thread-safe.
    """

    def __init__(
        self,
        remotes: Sequence[Remote],
        make_replica: Callable[[], R],
        *,
        tls: TlsFiles | None = None,
        probe_interval_ms: int = 5000,
        write_barrier: bool = False,
        patience_s: float = 5.0,
    ) -> None:
        self._make_replica = make_replica
        self._tls = tls
        self._write_barrier = write_barrier

        self._watch = Watch()
        wake = self._watch.wake
        self._calls = CallQueue(patience_s, self._send_now, self._read_for, wake, self.status)
        self._ids = itertools.count(1)
        self._stopping = False
        self._thread: threading.Thread | None = None

        # The rest belongs to the thread, but for what is sent, which is under the queue's lock,
        # and what is read, which takes the turn to read.
        self._copy: Copy[R] = Copy()
        self._transport: Transport | None = None
        self._session: Session[R] | None = None
        self._framer = Framer()
        self._was_ready = False  # in this session, which may be about to end
        self._failure: Exception | None = None  # of whoever read
        self._sent: dict[int, Call] = {}
        self._servers = Rotation(remotes, probe_interval_ms)

    # --- for any thread ----------------------------------------------------

    def start(self) -> None:
        """Begin to connect; a second call does nothing."""
        if self._thread is None and not self._stopping:
            self._calls.closed_since = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="northbound", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the session and the thread, for good; who waits for a reply is told so.

        Returns when the thread has ended, or after `timeout_s`.
        """
        self._stopping = True
        self._calls.end()
        self._watch.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._thread is None or not self._thread.is_alive():
            self._watch.close()

    @property
    def replica(self) -> R | None:
        """The newest replica, None before the first complete load.

        It is current while `ready`. A later session may put another one in its
        place; it is never emptied and filled again.
        """
        return self._copy.replica

    @property
    def ready(self) -> bool:
        """Whether there is a session with a usable server, which the replica follows."""
        return self._calls.is_open

    def wait_ready(self, deadline: float) -> None:
        """Return as soon as `ready`.

        Raises NotReady when the deadline passes, or at once when the database
        has been away for longer than `patience_s`.
        """
        self._calls.wait_open(deadline)

    def transact(
        self,
        operations: Sequence[Mapping[str, Any]],
        deadline: float,
        meanwhile: Callable[[], object] = nothing,
    ) -> list[Any]:
        """Have one transaction committed (RFC 7047 section 4.1.3) and return its results.

        `meanwhile` is called once the transaction is sent or queued, before its reply is
        waited for; it must not raise.
        When it returns, or raises GuardFailed or TransactionRefused, `replica`
        shows everything that was committed before, this transaction included.
        Raises NotReady if certainly nothing was sent (no session, or the
        deadline passed in the queue), OutcomeUnknown if it was sent and the
        session broke or the deadline passed before the reply, or if the reply of a
        cluster does not tell.
        """
        call_id = next(self._ids)
        payload = encode(operations, call_id)
        started = time.monotonic()
        reply = self._calls.call(payload, call_id, deadline, meanwhile)
        if reply.get("error") == _CANCELED:
            raise OutcomeUnknown(f"{self._servers.remote}: canceled the transaction")
        if reply.get("error"):
            raise refusal(reply["error"])
        try:
            return check_reply(operations, reply.get("result"))
        except (GuardFailed, TransactionRefused) as error:
            is_cluster = self._copy.cluster_id is not None
            if is_cluster and time.monotonic() - started >= _AGAIN_AFTER_S:
                raise OutcomeUnknown(f"refused, perhaps for what it did itself: {error}") from error
            raise

    def barrier(self, deadline: float) -> None:
        """Return when `replica` shows everything that was committed before the call.

        Raises as transact() does; whatever it raises, nothing was changed.
        """
        if not self._write_barrier:
            self.transact([], deadline)
            return
        mutations = [
            ["external_ids", "delete", ["set", [_BARRIER_KEY]]],
            ["external_ids", "insert", ["map", [[_BARRIER_KEY, str(uuid.uuid4())]]]],
        ]
        write = {"op": "mutate", "table": NB_GLOBAL, "where": [], "mutations": mutations}
        if self.transact([write], deadline)[0].get("count") == 0:
            # No row, hence no write. ovn-northd creates the row.
            raise NotReady(f"{NB_GLOBAL} is empty, is ovn-northd running?")

    def status(self) -> str:
        """Return the state, and the last trouble with each server, for people to read."""
        if self.ready:
            return f"connected to {self._servers.remote}"
        if self._stopping:
            return "stopped"
        servers = self._servers
        problems = [f"{remote}: {reason}" for remote, reason in list(servers.problems.items())]
        session = self._session
        if session is not None and session.greeted:
            problems.append(f"{servers.remote}: loading")
        return f"{DATABASE} is not available: " + ("; ".join(problems) or "connecting")

    def _send_now(self, call: Call) -> bool:
        """Send a call from the thread that has it, which saves waking another; under the lock.

        Only while nothing else waits to be sent.
        """
        transport = self._transport
        if transport is None or not transport.is_free:
            return False
        self._sent[call.id] = call
        if not transport.send_now(call.payload):
            self._watch.wake()  # for the rest, or to see what has become of the connection
        return True

    def _read_for(self, call: Call, deadline: float) -> None:
        """Read until a call has its reply, if that is all that is waited for; raises nothing.

        Of several calls the connection's thread reads the replies, many at a time. What goes
        wrong is for that thread too. A signal handler may raise anywhere in the main thread,
        which therefore waits.
        """
        if len(self._sent) > 1 or threading.get_ident() == threading.main_thread().ident:
            return
        if not self._watch.take_turn():
            return
        session = self._session
        end = min(deadline, time.monotonic() + _READ_FOR_S)
        with suppress(Exception):  # it is in `_failure`
            while not call.is_done and self._failure is None:
                remaining_s = end - time.monotonic()
                if remaining_s <= 0 or not self._watch.has_input(remaining_s):
                    break
                self._read()
        self._watch.end_turn()
        if self._failure is not None or (session is not None and session.outgoing):
            self._watch.wake()

    # --- the thread --------------------------------------------------------

    def _run(self) -> None:
        self._servers.start()
        while not self._stopping:
            try:
                self._step()
            except SessionOver as error:
                self._leave(str(error), answered=error.elsewhere)
            except OSError as error:
                self._leave(_reason(error))
            except ProxyError as error:
                self._copy.forget()  # some of the nonsense may be in it
                self._servers.slow_down()
                self._leave(str(error))
            except Exception as error:
                _log.exception("northbound: unexpected, everything will be loaded anew")
                self._copy.forget()
                self._servers.slow_down()
                self._leave(f"unexpected: {error!r}")
        self._close("the connection was stopped")

    def _step(self) -> None:
        """Do what is due, wait for something to happen, and handle it."""
        action = self._servers.due()
        if action == CONNECT:
            self._connect()
        elif action == DISCONNECT:
            raise SessionOver("does not answer")
        elif action == PROBE and self._transport and self._session:
            self._session.outgoing.append(ECHO)
            self._write(self._transport, self._session)
        events = self._wait()
        if self._transport is None:
            return
        if self._session is None:
            self._establish(self._transport)
            return
        if events or self._failure is not None:
            # What another thread leaves is told again; that the server has closed, all the time.
            self._read_in_turn(blocking=bool(events & CLOSED))
        if not self._watch.reading.locked():  # else that thread takes note of what it reads
            self._servers.listened()
        self._write(self._transport, self._session)

    def _connect(self) -> None:
        self._transport = Transport(self._servers.take_turn(), self._tls, self._watch.wake)
        self._establish(self._transport)

    def _establish(self, transport: Transport) -> None:
        if transport.advance():
            self._servers.connected()
            self._framer = Framer()
            self._session = Session(self._copy, self._make_replica, self._replied)
            self._write(transport, self._session)

    def _wait(self) -> int:
        """Wait for the socket, another thread or the next deadline; return the socket's events."""
        transport, timeout_ms = self._transport, self._servers.timeout_ms()
        fd = transport.fileno() if transport is not None else -1
        events = transport.events(bool(self._calls)) if transport is not None and fd >= 0 else 0
        return self._watch.wait(fd, events, timeout_ms)

    def _read_in_turn(self, blocking: bool) -> None:
        """Read, unless another thread does (`blocking`: after it); raise what went wrong there."""
        if self._watch.reading.acquire(blocking=blocking):
            try:
                if self._failure is None:
                    self._read()
            finally:
                self._watch.reading.release()
        if self._failure is not None:
            raise self._failure

    def _read(self) -> None:
        """Take what has arrived, by whichever thread has the turn to read.

        After an error nobody reads on in this session, as a message may be lost.
        """
        transport, session = self._transport, self._session
        if transport is None or session is None:
            return
        try:
            for data in transport.receive():
                self._servers.heard()
                for message, body in self._framer.read(data):
                    session.handle(message, body)
                    if session.greeted and not self._was_ready:
                        self._servers.greeted()
                        if session.synced:
                            self._become_ready()
        except Exception as error:
            self._failure = error
            raise
        self._servers.listened()

    def _become_ready(self) -> None:
        self._was_ready = True
        _log.info("northbound: in sync with %s", self._servers.remote)
        self._servers.all_is_well()
        self._calls.open()
        self._watch.lend()
        if self._copy.replica is not None:
            self._copy.replica.settle()

    def _write(self, transport: Transport, session: Session[R]) -> None:
        try:
            with self._calls.lock:
                outgoing = session.outgoing[:]
                if outgoing:
                    transport.send(b"".join(outgoing))  # one write wakes the server once
                    del session.outgoing[: len(outgoing)]  # who reads may have added some
                if transport.flush() and self._calls:
                    for call in self._calls.take():
                        self._sent[call.id] = call
                        transport.send(call.payload)
                    transport.flush()
        except OSError:
            # What the server said before it closed is worth more: replies, a TLS alert.
            self._read_in_turn(blocking=True)
            raise

    def _replied(self, call_id: Any, message: Mapping[str, Any]) -> None:
        call = self._sent.pop(call_id, None)
        if call is not None:
            call.succeed(message)
        elif call_id != "echo":
            raise ProtocolError(f"a reply to a request that was not sent: id {call_id!r:.40}")

    # --- leaving a server --------------------------------------------------

    def _leave(self, reason: str, answered: bool = False) -> None:
        """End the session or the try; `answered`: the server works, but is not the right one."""
        if self._servers.blame(reason) or self.ready:
            _log.warning("northbound: %s: %s", self._servers.remote, reason)
        self._close(reason)
        away_s = time.monotonic() - self._calls.closed_since
        self._servers.end_turn(answered=answered, away_s=away_s)

    def _close(self, reason: str) -> None:
        problem = f"{self._servers.remote}: {reason}"
        self._calls.close(problem)
        with self._watch.reading:
            self._watch.forget()
            if self._transport is not None:
                self._transport.close()
            self._transport = self._session = self._failure = None
            self._was_ready = False
        sent, self._sent = self._sent, {}
        for call in sent.values():
            call.fail(OutcomeUnknown(problem))


def _reason(error: OSError) -> str:
    """Return the telling part of an error's text."""
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's own
        return str(getattr(error, "verify_message", "") or error.reason or error)
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
