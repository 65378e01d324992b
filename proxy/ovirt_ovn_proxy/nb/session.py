# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol of one session with a Northbound server, from greeting to updates.

Pure: messages in, messages out, no socket, no clock, no thread. A session
first watches the server's own `_Server` database on the same connection (is
this the leader of the cluster, is it connected?), then monitors all columns of
`TABLES`. Only a server that refuses is asked for its schema, which costs more
than the rest of the greeting: it may lack some columns. Messages are handled
strictly in their order on the wire: that a reply comes after all updates that
were committed before it is what the barrier rests on (ovsdb-server sends a
session's pending updates before any reply).
"""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ..errors import NorthboundError, UnsupportedSchema
from .dump import Dump
from .framing import SMALL, ProtocolError, Text
from .reply import refusal
from .schema import DATABASE, OPTIONAL, TABLES

SERVER_DATABASE = "_Server"
_SERVER_COLUMNS = ["name", "model", "connected", "leader", "cid", "index"]
_NO_TXN = "00000000-0000-0000-0000-000000000000"

ECHO = b'{"method":"echo","params":[],"id":"echo"}'

Row = Mapping[str, Any]
Columns = Mapping[str, "list[str]"]
# <table-updates2> of ovsdb-server(7): {table: {uuid: {"insert" | "modify" | "delete": row}}}
TableUpdates = Mapping[str, Mapping[str, Mapping[str, Row]]]


class SessionOver(NorthboundError):
    """This server is of no use (any more); the message says why.

    `elsewhere`: the server works, but another one (or this one later, after
    an election) is the one to use.
    """

    def __init__(self, reason: str, elsewhere: bool = False) -> None:
        super().__init__(reason)
        self.elsewhere = elsewhere


class ReplicaLoader(Protocol):
    """What a session fills. One thread at a time calls it.

    It must be free of reference cycles: the garbage collector is kept off it.
    """

    def load(self, table: str, rows: Mapping[str, Mapping[str, Row]]) -> None:
        """Take rows of the initial content, {uuid: {"initial": row}}.

        A table may come in pieces; columns with default values are left out.
        """

    def loaded(self) -> None:
        """All rows are there."""

    def settle(self) -> None:
        """Do what can wait; those who waited for the replica to be current go on meanwhile."""

    def apply(self, updates: TableUpdates) -> None:
        """Take one committed transaction, as a whole."""


R = TypeVar("R", bound=ReplicaLoader)


@dataclass
class Copy(Generic[R]):
    """The newest complete replica, with what a later session needs to go on from it."""

    replica: R | None = None
    last_txn_id: str | None = None
    columns: Columns | None = None
    cluster_id: str | None = None
    log_index: int = 0

    def forget(self) -> None:
        """Make the next session load everything anew."""
        self.last_txn_id = None


class Session(Generic[R]):
    """Talks to one server.

    Put each message that arrives into handle(), and send what `outgoing`
    gathers. `on_reply(id, message)` gets the replies to requests that are not
    the session's own. handle() raises SessionOver when this server is not to be
    used, UnsupportedSchema, or ProtocolError; anything else is a bug, after
    which `copy` must not be resumed.
    """

    def __init__(
        self,
        copy: Copy[R],
        make_replica: Callable[[], R],
        on_reply: Callable[[Any, Mapping[str, Any]], None],
    ) -> None:
        self.outgoing: list[bytes] = []
        self.greeted = False  # the server said that it is the one to use
        self.synced = False  # the copy is complete and current
        self._copy = copy
        self._make_replica = make_replica
        self._on_reply = on_reply
        self._databases: dict[str, dict[str, Any]] = {}
        # The ids of our own requests, oldest first: the server answers in their order.
        self._awaited: deque[str] = deque()
        self._answered = ""
        self._greeting = self._greet()
        next(self._greeting)

    def handle(self, message: Text, body: Any = None) -> None:
        """Take one message from the server; `body` is what it says, if that is known."""
        awaited = self._awaited[0] if self._awaited else None
        dump_awaited = awaited is not None and awaited.startswith("monitor_cond")
        try:
            text = message if isinstance(message, str) else message.decode()
            # Before the reply there are no updates, and no other reply is due.
            if body is None and (not dump_awaited or len(text) <= SMALL):
                body = json.loads(text)
        except ValueError as error:
            raise ProtocolError(f"not a JSON-RPC message: {error}") from error
        if body is None:
            self._go_on(Dump(text))
        elif body.get("method") is not None:
            self._notification(body["method"], body)
        elif awaited is not None and body.get("id") == awaited:
            self._go_on(Dump(text) if dump_awaited else body)
        else:
            self._on_reply(body.get("id"), body)

    # --- greeting ----------------------------------------------------------

    def _request(self, method: str, params: Sequence[Any]) -> None:
        # No two with the same method are under way, so it serves as id.
        self._awaited.append(method)
        message = {"method": method, "params": params, "id": method}
        self.outgoing.append(json.dumps(message).encode())

    def _go_on(self, reply: Any) -> None:
        self._answered = self._awaited.popleft()
        with suppress(StopIteration):
            self._greeting.send(reply)

    def _greet(self) -> Generator[None, Any, None]:
        """Ask what is to be asked; each `yield` gives the reply to the oldest open request."""
        # Without this the server would close the session when a database changes
        # its state, instead of telling (ovsdb-server(7) section 4.1.17).
        self._request("set_db_change_aware", [True])
        tables: Mapping[str, Any] = {"Database": [{"columns": _SERVER_COLUMNS}]}
        self._request("monitor_cond", [SERVER_DATABASE, SERVER_DATABASE, tables])
        yield  # a server that does not know the first one is good enough
        dump = yield
        for _, rows in dump:
            for uuid, change in rows.items():
                self._database_changed(uuid, change)
        _check_error(self._end(dump))
        self._check_role()
        self.greeted = True

        columns: Columns = {table: list(names) for table, names in TABLES.items()}
        error = yield from self._follow("monitor_cond_since", columns)
        if error:
            self._request("get_schema", [DATABASE])
            reply = yield
            _check_error(reply.get("error"))
            columns = choose_columns(reply["result"])
            error = yield from self._follow("monitor_cond_since", columns)
        if "unknown method" in str(error):
            # A server without transaction ids.
            error = yield from self._follow("monitor_cond", columns)
        if error:
            # It may be about what an earlier session left.
            self._copy.forget()
        _check_error(error)
        self.synced = True

    def _follow(self, method: str, columns: Columns) -> Generator[None, Any, Any]:
        """Monitor the columns, and have the copy hold them; return the error if refused."""
        params = [DATABASE, DATABASE, {table: [{"columns": columns[table]}] for table in columns}]
        if method == "monitor_cond_since":
            known = self._copy.last_txn_id if columns == self._copy.columns else None
            params.append(known or _NO_TXN)
        self._request(method, params)
        dump = yield
        return self._resume(dump) if dump.found else self._load(dump, columns)

    def _load(self, dump: Dump, columns: Columns) -> Any:
        """Fill a new replica and put it in the place of the old one."""
        replica = self._make_replica()
        with _no_garbage_collection():
            for table, rows in dump:
                replica.load(table, rows)
            error = self._end(dump)
            if error:
                return error
            replica.loaded()
        self._copy.replica = replica
        self._copy.columns = columns
        self._copy.last_txn_id = dump.last_txn_id
        return None

    def _resume(self, dump: Dump) -> Any:
        """Bring the replica from an earlier session up to date."""
        updates: dict[str, dict[str, Mapping[str, Row]]] = {}
        for table, rows in dump:
            updates.setdefault(table, {}).update(rows)
        error = self._end(dump)
        if not error:
            self._apply(updates, dump.last_txn_id)
        return error

    def _end(self, dump: Dump) -> Any:
        """Return the error of a dump of which every row was read, None if there is none."""
        # A long reply is read without knowing whose it is; here it has ended.
        if dump.request_id != self._answered:
            raise ProtocolError(f"a reply to {dump.request_id!r:.40}, not to {self._answered}")
        return dump.error

    # --- notifications -----------------------------------------------------

    def _notification(self, method: str, body: Mapping[str, Any]) -> None:
        params = body.get("params")
        if method == "echo":
            reply = {"result": params, "error": None, "id": body.get("id")}
            self.outgoing.append(json.dumps(reply).encode())
        elif method in ("update2", "update3"):
            if not isinstance(params, list) or len(params) < 2:
                raise ProtocolError(f"{method} with params {params!r:.100}")
            if params[0] == DATABASE:
                self._apply(params[-1], params[1] if method == "update3" else None)
            elif params[0] == SERVER_DATABASE:
                for rows in params[-1].values():
                    for uuid, change in rows.items():
                        self._database_changed(uuid, change)
                self._check_role()
        elif method == "monitor_canceled":
            self._copy.forget()
            raise SessionOver("the server took the database away or converted it")
        elif method == "update":
            raise ProtocolError("an update in a form that was not asked for")
        # Anything else is news of a kind that this client did not ask for.

    def _apply(self, updates: TableUpdates, txn_id: str | None) -> None:
        copy = self._copy
        if copy.replica is None:
            raise ProtocolError("an update before the reply to the monitor request")
        copy.last_txn_id = None  # nothing to resume if this raises
        copy.replica.apply(updates)
        copy.last_txn_id = txn_id

    # --- the server's own state --------------------------------------------

    def _database_changed(self, uuid: str, change: Mapping[str, Row]) -> None:
        if "delete" in change:
            self._databases.pop(uuid, None)
        else:
            # Each column holds at most one value, so "modify" carries it whole.
            for row in change.values():
                self._databases.setdefault(uuid, {}).update(row)

    def _check_role(self) -> None:
        """Raise SessionOver unless this server answers for the newest committed state."""
        rows = (row for row in self._databases.values() if row.get("name") == DATABASE)
        row = next(rows, None)
        if row is None:
            raise SessionOver(f"has no database {DATABASE}")
        model = row.get("model", "standalone")
        if model == "relay":
            # It answers reads from its own copy, which may be any age.
            raise SessionOver("is a relay; name the servers of the cluster instead")
        if model != "clustered":
            return
        if not row.get("connected"):
            raise SessionOver("is not connected to its cluster", elsewhere=True)
        if not row.get("leader"):
            raise SessionOver("is not the leader of its cluster", elsewhere=True)
        self._check_index(row)

    def _check_index(self, row: Row) -> None:
        """Refuse a former leader that does not know yet, by the length of its log."""
        cluster_id, index = row.get("cid"), row.get("index")
        if not isinstance(index, int):
            return
        if cluster_id != self._copy.cluster_id:
            self._copy.cluster_id = cluster_id
        elif index < self._copy.log_index:
            raise SessionOver("lags behind what another server has shown", elsewhere=True)
        self._copy.log_index = index


def choose_columns(schema: Any) -> dict[str, list[str]]:
    """Return the columns to monitor, by table: ours, without OPTIONAL ones that the server lacks.

    `schema` is a <database-schema> (RFC 7047 section 3.2). Raises
    UnsupportedSchema that lists what is missing.
    """
    tables = schema["tables"]
    wanted = [(table, column) for table, columns in TABLES.items() for column in columns]
    present = [key for key in wanted if key[1] in tables.get(key[0], {}).get("columns", {})]
    missing = set(wanted) - set(present) - OPTIONAL
    if missing:
        names = ", ".join(sorted(".".join(key) for key in missing))
        raise UnsupportedSchema(f"schema {schema.get('version')} of {DATABASE} lacks {names}")
    return {table: [key[1] for key in present if key[0] == table] for table in TABLES}


def _check_error(error: Any) -> None:
    if error:
        raise SessionOver(f"refuses: {refusal(error)}")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the garbage collector off what is made meanwhile, now and later.

    Its first look at a big replica would stop all threads at once (40,000 ports:
    60 ms), every later full collection again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if was_enabled:
            gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
