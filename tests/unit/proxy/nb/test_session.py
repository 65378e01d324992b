# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol of a session, message by message, with servers of every kind and mood."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import UnsupportedSchema
from ovirt_ovn_proxy.nb.framing import ProtocolError
from ovirt_ovn_proxy.nb.schema import OPTIONAL, TABLES
from ovirt_ovn_proxy.nb.session import Copy, Session, SessionOver, choose_columns

NO_TXN = "00000000-0000-0000-0000-000000000000"
SCHEMA = {
    "name": "OVN_Northbound",
    "version": "7.0.0",
    "tables": {
        table: {"columns": {column: {"type": "string"} for column in columns}}
        for table, columns in TABLES.items()
    },
}
STANDALONE = {
    "name": "OVN_Northbound",
    "model": "standalone",
    "connected": True,
    "leader": True,
}
LEADER = {**STANDALONE, "model": "clustered", "cid": ["uuid", "c1"], "index": 10}
ROWS = {"Logical_Switch": {"u1": {"initial": {"name": "a"}}, "u2": {"initial": {}}}}


class FakeReplica:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Mapping[str, Any]]] = []
        self.updates: list[Any] = []
        self.is_loaded = False
        self.gc_was_on = False

    def load(self, table: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        assert not self.is_loaded
        self.gc_was_on |= gc.isenabled()
        self.rows += [(table, uuid, change["initial"]) for uuid, change in rows.items()]

    def loaded(self) -> None:
        self.is_loaded = True

    def settle(self) -> None:
        raise AssertionError("nobody has been told")

    def apply(self, updates: Any) -> None:
        assert self.is_loaded
        if updates == "nonsense":
            raise ValueError(updates)
        self.updates.append(updates)


class Peer:
    """The server's side of one session, played by hand."""

    def __init__(self, copy: Copy[FakeReplica] | None = None) -> None:
        self.copy: Copy[FakeReplica] = copy or Copy()
        self.replies: list[Any] = []
        self.session = Session(
            self.copy, FakeReplica, lambda call_id, message: self.replies.append(call_id)
        )

    def asked(self, method: str) -> list[Any]:
        """Take the first message that the session has to send, and return its parameters."""
        request = json.loads(self.session.outgoing.pop(0))
        assert request["method"] == request["id"] == method
        return list(request["params"])

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.session.handle(json.dumps(message).encode())

    def answer(self, method: str, result: Any = None, error: Any = None) -> list[Any]:
        """Expect a request, answer it, and return its parameters."""
        params = self.asked(method)
        self.say(id=method, result=result, error=error)
        return params

    def greet(self, *databases: Mapping[str, Any]) -> None:
        """Go through the questions about the server's own state."""
        assert self.asked("set_db_change_aware") == [True]
        assert self.asked("monitor_cond")[0] == "_Server"
        assert not self.session.outgoing
        self.say(id="set_db_change_aware", result={}, error=None)
        assert not self.session.outgoing
        rows = {f"d{n}": {"initial": row} for n, row in enumerate(databases)}
        self.say(id="monitor_cond", result={"Database": rows}, error=None)

    def sync(self, found: bool = False, txn: str = "t1", rows: Any = ROWS) -> str:
        """Go through everything; return the transaction id that the session asked from."""
        self.greet(STANDALONE)
        known = self.answer("monitor_cond_since", [found, txn, rows])[-1]
        assert self.session.synced
        assert not self.session.outgoing
        return str(known)


def test_first_load() -> None:
    """The first session asks for everything, and fills a replica without the garbage collector."""
    peer = Peer()

    assert peer.sync() == NO_TXN
    assert peer.copy.last_txn_id == "t1"
    assert peer.copy.replica is not None
    assert peer.copy.replica.is_loaded
    assert peer.copy.replica.rows == [
        ("Logical_Switch", "u1", {"name": "a"}),
        ("Logical_Switch", "u2", {}),
    ]
    assert not peer.copy.replica.gc_was_on
    assert gc.isenabled()


def test_long_first_load() -> None:
    """A reply too long to be decoded at once gives the same rows."""
    rows = {"Logical_Switch": {f"u{n}": {"initial": {"name": "x" * 100}} for n in range(2000)}}
    peer = Peer()
    peer.sync(rows=rows)

    assert peer.copy.replica is not None
    assert len(peer.copy.replica.rows) == 2000


def test_long_reply_to_somebody_else() -> None:
    """A long message that is no reply to the monitor request is not taken for one."""
    peer = Peer()
    peer.greet(STANDALONE)
    with pytest.raises(ProtocolError):
        peer.say(result=[False, "t", {}], error=None, id="x" * 100_000)
    assert peer.copy.replica is None


def test_monitored_columns() -> None:
    """Asked for are exactly our columns, those that are optional only where they exist."""
    tables: Any = json.loads(json.dumps(SCHEMA["tables"]))
    for table, column in OPTIONAL:
        del tables[table]["columns"][column]
    tables["Meter"] = {"columns": {"name": {}}}
    columns = choose_columns({"version": "7", "tables": tables})

    asked = {(table, column) for table, names in columns.items() for column in names}
    ours = {(table, column) for table, names in TABLES.items() for column in names}
    assert asked == ours - OPTIONAL
    assert choose_columns(SCHEMA) == {table: list(names) for table, names in TABLES.items()}


def test_missing_columns() -> None:
    """Whatever is missing of what we need is named at once."""
    tables: Any = json.loads(json.dumps(SCHEMA["tables"]))
    del tables["Logical_Switch"]["columns"]["ports"]
    del tables["NB_Global"]
    with pytest.raises(
        UnsupportedSchema, match=r"7\.0\.0 .* lacks Logical_Switch\.ports, NB_Global\.external_ids$"
    ):
        choose_columns({"version": "7.0.0", "tables": tables})


@pytest.mark.parametrize(
    ("changes", "reason", "elsewhere"),
    [
        ({"leader": False}, "is not the leader", True),
        ({"connected": False}, "is not connected", True),
        ({"model": "relay"}, "is a relay", False),
        ({"name": "other"}, "has no database", False),
    ],
)
def test_unusable_server(changes: Mapping[str, Any], reason: str, elsewhere: bool) -> None:
    """A server that cannot answer for the newest state is left, at the start or later.

    At the start this is before it is asked for anything else.
    """
    peer = Peer()
    with pytest.raises(SessionOver, match=reason) as over:
        peer.greet({**LEADER, **changes})
    assert over.value.elsewhere == elsewhere
    assert not peer.session.outgoing

    peer = Peer()
    peer.greet({"name": "_Server", "model": "standalone"}, LEADER)
    update = {"Database": {"d1": {"modify": changes}}}
    with pytest.raises(SessionOver, match=reason):
        peer.say(method="update2", params=["_Server", update], id=None)


def test_defaults_are_left_out() -> None:
    """A column that is not told has its default value: no leader."""
    row = {name: value for name, value in LEADER.items() if name != "leader"}
    with pytest.raises(SessionOver, match="is not the leader"):
        Peer().greet(row)


def test_database_that_goes() -> None:
    """When the database's own row is deleted, the server is left."""
    peer = Peer()
    peer.greet(STANDALONE)
    with pytest.raises(SessionOver, match="has no database"):
        peer.say(
            method="update2", params=["_Server", {"Database": {"d0": {"delete": None}}}], id=None
        )


def test_former_leader() -> None:
    """A server that calls itself leader with less of a log than already seen is left."""
    copy: Copy[FakeReplica] = Copy()
    peer = Peer(copy)
    peer.greet(LEADER)
    peer.say(method="update2", params=["_Server", {"Database": {"d0": {"modify": {"index": 30}}}}])
    with pytest.raises(SessionOver, match="lags") as over:
        Peer(copy).greet({**LEADER, "index": 29})
    assert over.value.elsewhere
    Peer(copy).greet({**LEADER, "index": 30})


def test_new_cluster() -> None:
    """The log of a newly made cluster begins anew, and is not compared."""
    copy: Copy[FakeReplica] = Copy()
    Peer(copy).greet(LEADER)

    Peer(copy).greet({**LEADER, "cid": ["uuid", "c2"], "index": 1})


def test_updates() -> None:
    """Updates go to the replica in order, each remembered as the newest transaction."""
    peer = Peer()
    peer.sync()
    assert peer.copy.replica is not None
    for number in range(2, 4):
        params = ["OVN_Northbound", f"t{number}", {"n": number}]
        peer.say(method="update3", params=params, id=None)

    assert peer.copy.replica.updates == [{"n": 2}, {"n": 3}]
    assert peer.copy.last_txn_id == "t3"


def test_resume() -> None:
    """A later session asks from the newest transaction, and goes on with the same replica."""
    first = Peer()
    first.sync()
    replica = first.copy.replica
    changes = {"Logical_Switch": {"u1": {"modify": {"name": "b"}}, "u2": {"delete": None}}}
    second = Peer(first.copy)

    assert second.sync(found=True, txn="t9", rows=changes) == "t1"
    assert second.copy.replica is replica
    assert replica is not None
    assert replica.updates == [changes]
    assert second.copy.last_txn_id == "t9"


def test_resume_without_news() -> None:
    """A resumed session with nothing new leaves all as it is."""
    first = Peer()
    first.sync()
    second = Peer(first.copy)
    second.sync(found=True, rows={})

    assert second.copy.last_txn_id == "t1"


def test_unknown_transaction() -> None:
    """A server that does not know the transaction tells all, into a new replica."""
    first = Peer()
    first.sync()
    replica = first.copy.replica
    second = Peer(first.copy)

    assert second.sync(txn="t5") == "t1"
    assert second.copy.replica is not replica
    assert second.copy.last_txn_id == "t5"


def test_refused_transaction() -> None:
    """A transaction id that the server does not take is not asked for in the next session."""
    copy = Peer().copy
    Peer(copy).sync(txn="nonsense")
    peer = Peer(copy)
    peer.greet(STANDALONE)
    error = {"error": "syntax error"}
    assert "nonsense" == peer.answer("monitor_cond_since", error=error)[-1]
    peer.answer("get_schema", SCHEMA)
    with pytest.raises(SessionOver, match="syntax error"):
        peer.answer("monitor_cond_since", error=error)

    assert NO_TXN == Peer(copy).sync()


def test_other_columns() -> None:
    """After an upgrade that brought new columns nothing is resumed."""
    first = Peer()
    first.sync()
    first.copy.columns = {"Logical_Switch": ["name"]}

    assert Peer(first.copy).sync() == NO_TXN


def test_update_that_cannot_be_applied() -> None:
    """After a failed update the replica is never resumed."""
    peer = Peer()
    peer.sync()
    with pytest.raises(ValueError, match="nonsense"):
        peer.say(method="update3", params=["OVN_Northbound", "t2", "nonsense"], id=None)

    assert Peer(peer.copy).sync() == NO_TXN


def test_older_schema() -> None:
    """A server that refuses is asked for its schema, then for the columns that it has."""
    schema: Any = json.loads(json.dumps(SCHEMA))
    for table, column in OPTIONAL:
        del schema["tables"][table]["columns"][column]
    copy: Copy[FakeReplica] = Copy()
    for found, txn, rows in ((False, "t1", ROWS), (True, "t2", {})):
        peer = Peer(copy)
        peer.greet(STANDALONE)
        known = copy.last_txn_id
        # Newer by now, perhaps; and then nothing can be resumed.
        assert peer.answer("monitor_cond_since", None, "syntax error")[-1] == NO_TXN
        assert peer.answer("get_schema", schema) == ["OVN_Northbound"]
        asked = peer.answer("monitor_cond_since", [found, txn, rows])

        assert peer.session.synced
        assert asked[-1] == (known or NO_TXN)
        assert asked[2] == {
            table: [{"columns": names}] for table, names in choose_columns(schema).items()
        }
        assert copy.last_txn_id == txn


@pytest.mark.parametrize("error", ["unknown method", {"error": "unknown method"}])
def test_server_without_transaction_ids(error: Any) -> None:
    """An old server is asked in its own way, and is not resumed."""
    peer = Peer()
    peer.greet(STANDALONE)
    peer.answer("monitor_cond_since", None, error)
    peer.answer("get_schema", SCHEMA)
    peer.answer("monitor_cond_since", None, error)
    peer.answer("monitor_cond", ROWS)
    peer.say(method="update2", params=["OVN_Northbound", {"n": 1}], id=None)

    assert peer.session.synced
    assert peer.copy.replica is not None
    assert peer.copy.replica.updates == [{"n": 1}]
    assert peer.copy.last_txn_id is None


@pytest.mark.parametrize("step", range(3))
def test_refused_requests(step: int) -> None:
    """Each question of the greeting may be refused, which ends the session with the reason."""
    error = {"error": "permission error", "details": "go away"}
    peer = Peer()
    if step == 0:
        peer.answer("set_db_change_aware", {})
    else:
        peer.greet(STANDALONE)
        peer.answer("monitor_cond_since", None, error)
    if step == 2:
        peer.answer("get_schema", SCHEMA)
    with pytest.raises(SessionOver, match="permission error: go away"):
        peer.answer(["monitor_cond", "get_schema", "monitor_cond_since"][step], None, error)
    assert peer.copy.replica is None


def test_echo() -> None:
    """The server's question whether we are alive is answered with its own words."""
    peer = Peer()
    peer.session.outgoing.clear()
    peer.say(method="echo", params=["x", 1], id="e7")

    (reply,) = peer.session.outgoing
    assert json.loads(reply) == {"id": "e7", "result": ["x", 1], "error": None}


def test_other_replies() -> None:
    """Replies to requests that are not the session's own are passed on."""
    peer = Peer()
    peer.sync()
    peer.say(id=5, result=[], error=None)
    peer.say(id="echo", result=[], error=None)

    assert peer.replies == [5, "echo"]


def test_unknown_notifications() -> None:
    """News of an unknown kind, or about other monitors, is let pass."""
    peer = Peer()
    peer.sync()
    peer.say(method="locked", params=["x"], id=None)
    peer.say(method="update3", params=["other", "t", {}], id=None)

    assert peer.copy.last_txn_id == "t1"


def test_monitor_canceled() -> None:
    """When the server cancels the monitor, the next session loads everything."""
    peer = Peer()
    peer.sync()
    with pytest.raises(SessionOver):
        peer.say(method="monitor_canceled", params=["OVN_Northbound"], id=None)

    assert peer.copy.last_txn_id is None


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b'{"method":"update","params":["OVN_Northbound",{}]}',
        b'{"method":"update3","params":["OVN_Northbound"]}',
        b'{"method":"update2","params":7}',
        b'{"method":"update3","params":["OVN_Northbound","t",{}]}',
        b'{"id":"\xff"}',
    ],
)
def test_nonsense(message: bytes) -> None:
    """What does not belong into a session ends it."""
    peer = Peer()
    with pytest.raises(ProtocolError):
        peer.session.handle(message)
