# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Transactions and barriers over the connection, on servers of several schemas."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.northbound import (
    SWITCH,
    RawReplica,
    connected,
    in_thread,
    insert,
    ready,
    shown,
    within,
)
from daemon.ovsdb import (
    NB_SCHEMA,
    OvsdbServer,
    northd,
    ovsdb_server,
    wait_until,
)
from ovirt_ovn_proxy.errors import (
    GuardFailed,
    NotReady,
    TransactionRefused,
)
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
    # Without probes, which would wake the connection's thread after a while.
    with ready(server.remote, probe_interval_ms=0) as connection:
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
    lacking = [("Logical_Switch_Port", "dynamic_addresses"), ("NAT", "gateway_port")]
    schema = edited_schema(tmp_path, *lacking)
    with ovsdb_server(schema=schema) as server, ready(server.remote) as connection:
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
    schema = edited_schema(tmp_path, ("Logical_Switch_Port", "dynamic_addresses"))
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
