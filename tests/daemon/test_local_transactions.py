# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hooks read from and write to a host's Open_vSwitch database."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from daemon.ovsdb import VSWITCH_SCHEMA, OvsdbServer, ovsdb_server, short_folder
from ovirt_ovn_host import localdb, ovnfacts, ovsdb
from ovirt_ovn_host.encap import plan_change
from ovirt_ovn_host.links import pack
from ovirt_ovn_host.snapshot import as_map

pytestmark = pytest.mark.daemon


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[OvsdbServer]:
    """An Open_vSwitch database with its one row, where hooks look for it."""
    with ovsdb_server(schema=VSWITCH_SCHEMA, name="db") as server:
        monkeypatch.setattr(localdb, "SOCKET", str(server.socket))
        vsctl(server, "init")
        yield server


def vsctl(server: OvsdbServer, *command: str) -> str:
    """Run ovs-vsctl; there is no ovs-vswitchd to wait for."""
    done = subprocess.run(
        ["ovs-vsctl", f"--db={server.remote}", "--no-wait", *command],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


def test_facts(database: OvsdbServer) -> None:
    """The facts about OVN come from one transaction on a real database."""
    vsctl(
        database,
        *("set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=192.0.2.10"),
        *("external_ids:ovn-bridge-mappings=physnet:br-ex", "--", "add-br", "br-int"),
        *("--", "add-port", "br-int", "vnet0", "--", "set", "Interface", "vnet0"),
        *("external_ids:iface-id=x", "--", "add-br", "br-ex", "--", "add-port", "br-ex", "eth3"),
        *("--", "add-bond", "br-ex", "bond0", "eth4", "eth5"),
    )

    facts = ovnfacts.decode(ovsdb.read(ovnfacts.TABLES))

    assert facts == ovnfacts.OvnFacts(
        encap_value="192.0.2.10",
        mappings={"physnet": "br-ex"},
        interfaces={
            "br-int": ovnfacts.Interface("br-int", "internal"),
            "vnet0": ovnfacts.Interface("br-int", is_vnic=True),
            "br-ex": ovnfacts.Interface("br-ex", "internal"),
            **{name: ovnfacts.Interface("br-ex") for name in ("eth3", "eth4", "eth5")},
        },
    )


def test_many_ports(database: OvsdbServer) -> None:
    """A reply that comes in many pieces, with braces in it, is read whole."""
    command = ["add-br", "br-int"]
    for number in range(500):
        name = f"vnet{number}"
        keys = f'external_ids:iface-id="}}{number}{{"'
        command += ["--", "add-port", "br-int", name, "--", "set", "Interface", name, keys]
    vsctl(database, *command)

    rows = ovsdb.read({"Interface": ["name", "external_ids"]})["Interface"]

    found = {row["name"]: as_map(row["external_ids"]).get("iface-id") for row in rows}
    assert found == {
        "br-int": None,
        **{f"vnet{number}": f"}}{number}{{" for number in range(500)},
    }


def test_tunnel_address_changes(database: OvsdbServer) -> None:
    """The new address takes the old one's place, among others too, and nothing else changes."""
    vsctl(
        database,
        *("set", "Open_vSwitch", ".", 'external_ids:ovn-encap-ip="192.0.2.1,192.0.2.2"'),
        'external_ids:ovn-remote="ssl:192.0.2.9:6642"',
    )
    ovn = ovnfacts.decode(ovsdb.read(ovnfacts.TABLES))
    old, new = pack("192.0.2.2"), pack("2001:db8::2")
    assert ovn is not None
    assert old is not None
    assert new is not None

    ovsdb.transact(plan_change(ovn, old, new))

    (row,) = ovsdb.read({"Open_vSwitch": ["external_ids"]})["Open_vSwitch"]
    assert as_map(row["external_ids"]) == {
        "ovn-encap-ip": "192.0.2.1,2001:db8::2",
        "ovn-remote": "ssl:192.0.2.9:6642",
    }


def test_tunnel_address_changed_by_another(database: OvsdbServer) -> None:
    """What somebody else wrote meanwhile stays."""
    vsctl(database, "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=192.0.2.1")
    ovn = ovnfacts.decode(ovsdb.read(ovnfacts.TABLES))
    old, new = pack("192.0.2.1"), pack("192.0.2.2")
    assert ovn is not None
    assert old is not None
    assert new is not None
    vsctl(database, "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=192.0.2.7")

    ovsdb.transact(plan_change(ovn, old, new))

    assert vsctl(database, "get", "Open_vSwitch", ".", "external_ids:ovn-encap-ip") == '"192.0.2.7"'


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "select", "table": "None", "where": []}, "No table named None"),
        ({"op": "abort"}, "aborted"),
        ({"op": "insert", "table": "Open_vSwitch", "row": {}}, "constraint violation"),
    ],
)
def test_refused(database: OvsdbServer, operation: dict[str, object], message: str) -> None:
    """What the server refuses is an error with its words, at once or at the commit."""
    with pytest.raises(localdb.LocalDatabaseError, match=message):
        ovsdb.transact([operation])


def test_hanging(database: OvsdbServer) -> None:
    """A server that does not answer is given up after the time-out."""
    database.signal(signal.SIGSTOP)
    start = time.monotonic()

    with pytest.raises(localdb.LocalDatabaseError, match=r"within 0\.3 seconds"):
        ovsdb.read({"Bridge": ["name"]}, timeout_s=0.3)

    assert time.monotonic() - start < 2


def test_stopped(database: OvsdbServer) -> None:
    """A server that is gone, with or without its socket left behind, is told apart."""
    database.kill()
    with pytest.raises(ovsdb.NoLocalDatabase, match="Connection refused"):
        ovsdb.read({"Bridge": ["name"]})

    database.socket.unlink()
    with pytest.raises(ovsdb.NoLocalDatabase, match="No such file"):
        ovsdb.read({"Bridge": ["name"]})


def _drip(client: socket.socket) -> None:
    for _ in range(100):
        client.sendall(b'{"id": ')
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        (lambda client: None, "closed the connection"),
        (lambda client: client.sendall(b'{"id": 0, '), "closed the connection"),
        (lambda client: client.sendall(b'{"id": 0, "error": "no", "result": null}'), "no"),
        (_drip, "within 0.5 seconds"),
    ],
)
def test_broken_server(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[[socket.socket], None], message: str
) -> None:
    """A server that ends early, refuses, or answers for ever is an error within the time-out."""

    def accept() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(1 << 16)
            try:
                serve(client)
            except OSError:
                return

    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.setattr(localdb, "SOCKET", str(folder / "db.sock"))
        listener.bind(str(folder / "db.sock"))
        listener.listen()
        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(localdb.LocalDatabaseError, match=message):
            ovsdb.read({"Bridge": ["name"]}, timeout_s=0.5)
        thread.join()
