# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for a host, made on a real Open_vSwitch database."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.ovsdb import SB_SCHEMA, OvsdbServer, ovsdb_server
from ovirt_ovn_host import (
    chassis,
    config_files,
    config_values,
    database,
    engine,
    localdb,
    ovsdb,
    services,
)
from ovirt_ovn_host.chassis import Plan, Wanted
from ovirt_ovn_host.errors import DatabaseError, NoDatabase
from ovirt_ovn_host.live import Live
from ovirt_ovn_host.localdb import LocalDatabaseError
from ovirt_ovn_host.outlook import Paths

pytestmark = pytest.mark.daemon

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
FILES = ("/key", "/cert", "/ca")
WANTED = Wanted(
    "hv1", ("ssl:[2001:db8::1]:6642",), "geneve", "2001:db8::5", 60000, 60, 8000, None, FILES
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OvsdbServer]:
    """This host's database: new, with what ovs-ctl puts there."""
    with ovsdb_server(schema=SCHEMA, name="db") as server:
        monkeypatch.setattr(localdb, "SOCKET", str(server.socket))
        vsctl(server, "init")
        vsctl(server, "set", "Open_vSwitch", ".", "external_ids:hostname=hv1")
        yield server


def vsctl(server: OvsdbServer, *words: str) -> str:
    """Run ovs-vsctl."""
    return run("ovs-vsctl", f"--db={server.remote}", "--no-wait", "--timeout=5", *words)


def run(*command: str) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def join(now: Live) -> Plan:
    return chassis.join(WANTED, now)


def leave(now: Live) -> Plan:
    return chassis.leave(now, FILES, None)


def test_a_host_comes_and_goes(server: OvsdbServer) -> None:
    """What comes with one plan goes with the other, but for the name of the chassis."""
    vsctl(server, "set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=physnet:br-ex")
    before = database.read()

    made = database.change(join)
    assert 12 == len(made.changes)
    assert [] == list(join(database.read()).changes)
    assert '"2001:db8::5"' == vsctl(server, "get", "Open_vSwitch", ".", "external_ids:ovn-encap-ip")
    assert "Private key: /key" in vsctl(server, "get-ssl")
    assert "br-int" == vsctl(server, "list-br")
    assert "secure" == vsctl(server, "get-fail-mode", "br-int")
    assert [] == list(database.change(join).operations)

    database.change(leave)
    after = database.read()
    assert {**before.external_ids, "system-id": "hv1"} == after.external_ids
    assert (before.other_config, None, {}) == (after.other_config, after.ssl, after.bridges)
    # The rows are gone too, not only the references to them.
    assert "" == vsctl(server, "--columns=_uuid", "list", "SSL")
    assert [] == list(database.change(leave).operations)


def test_it_is_one_transaction(server: OvsdbServer) -> None:
    """The whole difference is one transaction, which says in the log what it was for."""
    database.change(join)
    log = run("ovsdb-tool", "-m", "show-log", str(server.database))
    assert 1 == log.count('"ovirt-provider-ovn-driver: external_ids:system-id, ')
    assert log.rstrip().rpartition("\nrecord ")[2].count("ovirt-provider-ovn-driver: ") == 1


def test_rows_of_others_are_changed_in_place(server: OvsdbServer) -> None:
    """A bridge and TLS files that are there already are corrected, and ports stay."""
    vsctl(server, "set-ssl", "/old", "/cert", "/ca", "--", "add-br", "br-int")
    vsctl(server, "add-port", "br-int", "vnet0")
    uuids = [vsctl(server, "get", table, key, "_uuid") for table, key in IN_PLACE]

    database.change(join)

    assert uuids == [vsctl(server, "get", table, key, "_uuid") for table, key in IN_PLACE]
    assert "vnet0" == vsctl(server, "list-ports", "br-int")
    assert "secure" == vsctl(server, "get-fail-mode", "br-int")
    database.change(leave)
    assert "br-int" == vsctl(server, "list-br")


IN_PLACE = (("Bridge", "br-int"), ("Port", "vnet0"), ("SSL", "."))


@pytest.mark.parametrize(
    "words",
    [
        ("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=a:b"),
        ("remove", "Open_vSwitch", ".", "external_ids", "hostname"),
        ("set", "Open_vSwitch", ".", "other_config:vlan-limit=0"),
        ("add-br", "br-int"),
        ("set-ssl", "/a", "/b", "/c"),
    ],
)
def test_a_change_in_between_makes_a_new_plan(server: OvsdbServer, words: tuple[str, ...]) -> None:
    """A plan that somebody else has overtaken changes nothing, and is made again."""
    seen: list[Live] = []

    def plan(now: Live) -> Plan:
        seen.append(now)
        if len(seen) == 1:
            vsctl(server, *words)
        return join(now)

    database.change(plan)
    assert 2 == len(seen)
    assert [] == list(join(database.read()).changes)
    with pytest.raises(ovsdb.Outrun):
        ovsdb.transact(join(seen[0]).operations)


def test_it_is_not_tried_for_ever(server: OvsdbServer) -> None:
    """Where somebody else is always faster, that is said in the end."""

    def plan(now: Live) -> Plan:
        vsctl(server, "set", "Open_vSwitch", ".", f"external_ids:x={time.monotonic()}")
        return join(now)

    with pytest.raises(DatabaseError, match="all the time"):
        database.change(plan)
    assert "ovn-remote" not in database.read().external_ids


def test_the_engines_file_is_as_before_if_the_database_refuses(
    server: OvsdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that could not be applied are not kept, those from before are."""
    monkeypatch.setattr(database, "_MOST_TRIES", 0)
    monkeypatch.setattr(services, "exists", lambda service: True)
    monkeypatch.setattr(services, "missing", lambda names: [])
    paths = Paths(tmp_path, tmp_path / "system-id.conf", tmp_path / "hooks")
    given = {engine.TUNNEL: "127.0.0.1", engine.SYSTEM_ID: "hv1"}
    with ovsdb_server(schema=SB_SCHEMA, name="sb") as central:
        given[engine.CENTRAL] = central.remote
        for old in ({}, {("hooks", "start-timeout"): "7"}):
            config_files.write_engine(tmp_path, old)
            with pytest.raises(DatabaseError, match="all the time"):
                engine.set_up(paths, lambda text: None, given)
            said = {(it.section, it.key): it.text for it in config_files.read_engine(tmp_path)}
            assert old == said
    assert ["conf.d"] == [it.name for it in tmp_path.iterdir()]


def test_a_refused_transaction_says_why(server: OvsdbServer) -> None:
    """What the server does not accept is told with its words, and changes nothing."""
    insert = {"op": "insert", "table": "Bridge", "row": {"name": "br-int", "fail_mode": "open"}}
    with pytest.raises(DatabaseError, match="constraint violation"):
        database.change(lambda now: Plan([], [insert]))
    assert {} == database.read().bridges


def test_open_vswitch_is_stopped(server: OvsdbServer) -> None:
    """A stopped Open vSwitch is told as such, with the command that starts it."""
    server.stop()
    with pytest.raises(NoDatabase, match="systemctl start openvswitch"):
        database.read()
    server.socket.unlink(missing_ok=True)
    with pytest.raises(NoDatabase, match="No such file"):
        database.read()


def test_a_server_that_hangs(server: OvsdbServer) -> None:
    """A server that takes the connection and says nothing is given up after three seconds."""
    server.signal(signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(DatabaseError, match="no answer within 3 seconds"):
        database.read()
    assert time.monotonic() - begin < 5
    server.signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "closed the connection"),
        (b"[1]}", "closed the connection"),
        (b'{"id":0,"result":null,"error":"unknown database"}', "unknown database"),
        (b'{"id":0,"result":"?","error":null}', "unexpected answer '?'"),
        (b'{"id":0}', "unexpected answer"),
    ],
)
def test_something_else_behind_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    """Whatever it is that answers, one line comes of it."""
    monkeypatch.setattr(localdb, "SOCKET", str(tmp_path / "db.sock"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "db.sock"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(LocalDatabaseError, match=re.escape(words)):
            ovsdb.transact([{"op": "comment", "comment": "x"}])
        thread.join()


@pytest.mark.parametrize(
    "name",
    ["hv1", "hv1.example.com", "_x", "a-b.c", "1hv", "192.0.2.1", "true", "false", "hv 1", "-x",
     "hv1:x", "trueish", "b98a72c7-04e6-4cea-bdda-50612607a923", "b98a72c7.example.com"],
)  # fmt: skip
def test_which_names_vdsm_can_match(server: OvsdbServer, name: str) -> None:
    """A name is accepted exactly if ovs-vsctl prints it without quotes: VDSM compares that."""
    vsctl(server, "set", "Open_vSwitch", ".", f"external_ids:system-id={json.dumps(name)}")
    printed = vsctl(server, "get", "Open_vSwitch", ".", "external_ids:system-id")
    try:
        config_values.system_id(name)
    except ValueError:
        assert f'"{name}"' == printed
    else:
        assert name == printed
