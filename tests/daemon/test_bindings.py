# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bindings of ports on a real Northbound: who is told what, races, lost replies, the way back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import ENGINE, Answer, Api, running_api
from daemon.wire_tap import Fault, WireTap
from ovirt_ovn_proxy import maintenance
from ovirt_ovn_proxy.cli import main
from ovirt_ovn_proxy.maintenance import Chores
from ovirt_ovn_proxy.wire.binding import ACTIVATION_STRATEGY, REQUESTED_CHASSIS

pytestmark = pytest.mark.daemon

SRC_DST = {REQUESTED_CHASSIS: "hv1,hv2", ACTIVATION_STRATEGY: "rarp"}


@pytest.fixture
def api(nb: OvsdbServer) -> Iterator[Api]:
    """The networking application on a Northbound alone."""
    with running_api(nb) as api:
        yield api


def make_port(api: Api, host: str = "hv1", **values: Any) -> str:
    """Create a port of a VM on this host, in a network of its own; return its id."""
    values = {"device_owner": "oVirt", "binding:host_id": host, **values}
    network_id = api.create("network", name="red")["id"]
    return str(api.create("port", network_id=network_id, **values)["id"])


def told(api: Api, port_id: str) -> dict[str, str]:
    """Return what OVN is told about a port."""
    api.get("networks")  # the replica shows what others did
    replica = api.connection.replica
    assert replica is not None
    return dict(replica.indexes.ports_by_name[port_id].options)


def announce(api: Api, port_id: str, host: str = "hv2", **values: Any) -> Answer:
    """Have a host announce that the VM moves there."""
    return api("POST", f"ports/{port_id}/bindings", {"binding": {"host": host, **values}})


def set_host(api: Api, port_id: str, host: str) -> Answer:
    """Have the engine say where the VM is."""
    return api("PUT", f"ports/{port_id}", {"port": {"binding:host_id": host}}, ENGINE)


def bindings(api: Api, port_id: str, query: str = "") -> list[Any]:
    """Return the bindings of a port."""
    found: list[Any] = api.get(f"ports/{port_id}/bindings{query}")["bindings"]
    return found


def test_extension(api: Api) -> None:
    """The extension is announced by its name."""
    assert "binding-extended" == api.get("extensions/binding-extended")["extension"]["alias"]


def test_lists(api: Api) -> None:
    """Bindings can be filtered and projected, and are shown one by one."""
    port_id = make_port(api)
    announce(api, port_id, profile={"a": "b"})
    announce(api, port_id, "hv3")

    for query, expected in (
        ("", ["hv1", "hv2", "hv3"]),
        ("?status=ACTIVE", ["hv1"]),
        ("?status=INACTIVE", ["hv2", "hv3"]),
        ("?host=hv2&host=hv1", ["hv1", "hv2"]),
        ("?host=nobody", []),
        ("?vnic_type=normal&nonsense=1", ["hv1", "hv2", "hv3"]),
        ("?vif_type=unbound", []),
    ):
        assert expected == [one["host"] for one in bindings(api, port_id, query)], query
    assert [{"host": "hv1"}] == bindings(api, port_id, "?fields=host&status=ACTIVE")
    shown = api.get(f"ports/{port_id}/bindings/hv2")["binding"]
    assert {"a": "b"} == shown["profile"]
    assert bindings(api, port_id)[1] == shown
    assert {"status": "INACTIVE"} == api.get(f"ports/{port_id}/bindings/hv2?fields=status")[
        "binding"
    ]


def test_the_port_of_a_migrating_vm(api: Api) -> None:
    """The port itself is on its old host until the new one is active, in lists too."""
    port_id = make_port(api)
    announce(api, port_id, profile={"a": "b"})
    assert "hv1" == api.get(f"ports/{port_id}")["port"]["binding:host_id"]
    assert SRC_DST == told(api, port_id)

    api("PUT", f"ports/{port_id}/bindings/hv2/activate")
    port = api.get(f"ports/{port_id}")["port"]
    assert ("hv2", {"a": "b"}) == (port["binding:host_id"], port["binding:profile"])
    assert {} == told(api, port_id)
    assert ["hv2"] == [one["host"] for one in bindings(api, port_id)]


@pytest.mark.parametrize("host", ["hv1", "hv2", "hv3"])
def test_the_engine_ends_a_migration(api: Api, host: str) -> None:
    """Where the engine says that the VM is, there it is, and nothing else is left."""
    port_id = make_port(api)
    announce(api, port_id)
    assert 200 == set_host(api, port_id, host).status

    assert {} == told(api, port_id)
    assert [host] == [one["host"] for one in bindings(api, port_id)]
    # A host that comes late finds nothing to end.
    late = [
        api("PUT", f"ports/{port_id}/bindings/hv2/activate").status,
        api("DELETE", f"ports/{port_id}/bindings/hv2").status,
    ]
    assert ([409, 409] if host == "hv2" else [404, 404]) == late
    assert {} == told(api, port_id)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_lost_replies(nb: OvsdbServer, fault: Fault) -> None:
    """A host that asked once gets the answer to that, though the session with NB broke."""
    with WireTap(nb) as tap, running_api(tap.server) as api:
        port_id = make_port(api)
        path = f"ports/{port_id}/bindings"
        hv2, hv3 = ({"binding": {"host": host}} for host in ("hv2", "hv3"))
        for method, below, body, status in (
            ("POST", "", hv2, 201),
            ("POST", "", hv3, 201),
            ("DELETE", "/hv3", None, 204),
            ("PUT", "/hv2/activate", None, 200),
        ):
            tap.arm(fault)
            assert status == api(method, path + below, body).status, (method, below)
        assert {} == told(api, port_id)
        assert ["hv2"] == [one["host"] for one in bindings(api, port_id)]


def test_races(nb: OvsdbServer) -> None:
    """Whoever is first, with another proxy between plan and transaction: no list is left over."""
    with WireTap(nb) as tap, running_api(tap.server) as api, running_api(nb) as other:
        port_id = make_port(api)
        # The engine's word comes before the host's.
        tap.before_next_write(lambda: set_host(other, port_id, "hv2"))
        assert 409 == announce(api, port_id).status
        assert {} == told(api, port_id)

        # The host's comes before the engine's.
        tap.before_next_write(lambda: announce(other, port_id, "hv1"))
        assert 200 == set_host(api, port_id, "hv3").status
        assert {} == told(api, port_id)

        # Two hosts at once: both are told, and each can end it.
        tap.before_next_write(lambda: announce(other, port_id, "hv1"))
        assert 201 == announce(api, port_id).status
        assert "hv3,hv1,hv2" == told(api, port_id)[REQUESTED_CHASSIS]
        assert {"hv3", "hv1", "hv2"} == {one["host"] for one in bindings(api, port_id)}

        # The end of the one, and of the other.
        path = f"ports/{port_id}/bindings"
        tap.before_next_write(lambda: other("DELETE", f"{path}/hv1"))
        assert 200 == api("PUT", f"{path}/hv2/activate").status
        assert {} == told(api, port_id)
        assert ["hv2"] == [one["host"] for one in bindings(api, port_id)]


def nbctl(nb: OvsdbServer, *arguments: str) -> str:
    """Run ovn-nbctl; return what it prints."""
    command = ["ovn-nbctl", f"--db={nb.remote}", *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=10
    ).stdout.strip()


def test_release(
    nb: OvsdbServer,
    api: Api,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One command takes from all ports of ours what migrations left, in small transactions."""
    monkeypatch.setattr(maintenance, "_AT_ONCE", 3)
    moving = [make_port(api, name=f"p{number}") for number in range(7)]
    for port_id in moving:
        announce(api, port_id)
    settled, pinned, unknown = make_port(api), make_port(api, ""), make_port(api, "")
    announce(api, unknown)
    nbctl(nb, "lsp-set-options", pinned, "requested-chassis=hv9", "qos_burst=5")
    nbctl(nb, "ls-add", "foreign", "--", "lsp-add", "foreign", "pod")
    nbctl(nb, "lsp-set-options", "pod", "requested-chassis=node1,node2")
    before = api.get(f"ports/{settled}")
    file = tmp_path / "main.conf"
    file.write_text(f"[OVN REMOTE]\novn-remote={nb.remote}\n")
    command = ["release-bindings", "--config-file", str(file)]

    assert 0 == main(command)
    lines = capsys.readouterr().out.splitlines()
    assert "ports released: 9" == lines.pop()
    assert {*moving, pinned, unknown} == {line.split()[1].rstrip(":") for line in lines}
    told_of = next(line for line in lines if moving[0] in line)
    assert "requested-chassis=hv1,hv2 activation-strategy=rarp before, free now" in told_of
    assert told_of.endswith("its host is hv1")
    for port_id in (*moving, settled, unknown):
        assert {} == told(api, port_id)
    assert {"qos_burst": "5"} == told(api, pinned)
    assert "hv9" == api.get(f"ports/{pinned}")["port"]["binding:host_id"]
    assert ["hv1"] == [one["host"] for one in bindings(api, moving[0])]
    assert before == api.get(f"ports/{settled}")
    assert '{requested-chassis="node1,node2"}' == nbctl(
        nb, "get", "Logical_Switch_Port", "pod", "options"
    )
    assert nb.database.read_bytes().count(b'"release-bindings"') == 3

    assert 0 == main(command)
    assert "ports released: 0\n" == capsys.readouterr().out
    assert nb.database.read_bytes().count(b'"release-bindings"') == 3


def test_release_without_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a database nothing is released, and the exit code says so."""
    file = tmp_path / "main.conf"
    remote = f"ovn-remote=unix:{tmp_path}/nowhere"
    file.write_text(f"[OVN REMOTE]\n{remote}\n[PROVIDER]\nrequest-timeout=0.5\n")

    assert 1 == main(["release-bindings", "--config-file", str(file)])
    assert "no Northbound database" in capsys.readouterr().err


def test_a_vm_that_stops_in_the_midst(nb: OvsdbServer, api: Api) -> None:
    """What a migration has left of a port ends when its VM does not run; others keep it."""
    running, flapping, stopped = (make_port(api) for _ in range(3))
    for port_id in (running, flapping, stopped):
        announce(api, port_id)
    chores = Chores(api.config, api.connection, pause_s=0)

    def run(up: dict[str, str]) -> None:
        for port_id, value in up.items():
            nbctl(nb, "set", "Logical_Switch_Port", port_id, f"up={value}")
        api.get("ports")
        chores.run()

    run({running: "true", flapping: "true", stopped: "true"})
    run({flapping: "false", stopped: "false"})
    run({flapping: "true"})
    assert {} == told(api, stopped)
    assert ["hv1"] == [one["host"] for one in bindings(api, stopped)]
    for port_id in (running, flapping):
        assert "hv1,hv2" == told(api, port_id)["requested-chassis"]
        assert ["hv1", "hv2"] == [one["host"] for one in bindings(api, port_id)]
