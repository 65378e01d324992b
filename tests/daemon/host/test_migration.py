# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks of a live migration on the host that a VM moves to, one by one.

What comes of them with a real proxy, and for the VM, is in tests/migration.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.host.listener import CENTRAL, CHASSIS, PKI, enroll, listening, make_certificates
from daemon.host.machine import (
    DB_SOCKET,
    PYTHON,
    Machine,
    OpenVSwitch,
    Outcome,
    open_vswitch,
)
from daemon.ovsdb import short_folder

pytestmark = pytest.mark.daemon

DATA = Path(__file__).resolve().parents[2] / "data" / "vdsm"
DOMAIN = (DATA / "domain.xml").read_text()
VM = "bbbbbbbb-0000-4000-8000-000000000001"
OVN = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OVIRT_PROVIDER_OVN"}
OTHER = {**OVN, "plugin_type": "OTHER"}
PORT1 = "aaaaaaaa-0000-4000-8000-000000000001"
PORT2 = "aaaaaaaa-0000-4000-8000-000000000004"
FOLDER = "/run/vdsm/ovn-migrations"
PACKAGE = "/usr/share/ovirt-provider-ovn-driver"
HOOK_PROGRAM = f"{PACKAGE}/hook.py"
LEAVING, COMING, CAME, GONE = (
    "before_vm_migrate_source",
    "before_vm_migrate_destination",
    "after_vm_migrate_destination",
    "after_vm_destroy",
)
IN_TIME = "no answer in time"
# No more than what this machine, which is busy, adds to the time that a hook gives itself.
PATIENCE_S = 8.0


def path_of(port_id: str, rest: str = "") -> str:
    return f"/v2.0/ports/{port_id}/bindings{rest}"


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """Those of a site."""
    with short_folder() as folder:
        make_certificates(folder)
        yield folder


@pytest.fixture(scope="module")
def only_switch(only_machine: Machine, certificates: Path) -> Iterator[OpenVSwitch]:
    """The one Open vSwitch of these tests, on a host of the site."""
    with open_vswitch(only_machine) as switch:
        yield switch


@pytest.fixture
def switch(only_switch: OpenVSwitch) -> OpenVSwitch:
    """It, as a chassis whose central is known by address."""
    only_switch.set_chassis(system_id=CHASSIS, ovn_remote="ssl:127.0.0.1:6642")
    return only_switch


@pytest.fixture
def host(machine: Machine, switch: OpenVSwitch, certificates: Path) -> Machine:
    """That host, with all that it needs."""
    enroll(machine, certificates)
    machine.write_settings("migration-wait=0")
    return machine


def run(machine: Machine, point: str, xml: str = DOMAIN) -> Outcome:
    """Run a hook, which must leave the migration alone whatever happens."""
    outcome = machine.hook_of_vm(point, xml=xml, vm_id=VM, vnics=[OVN, OTHER, OVN])
    assert (0, None, xml) == (outcome.ours.status, outcome.error, outcome.data)
    return outcome


def said(machine: Machine, point: str, xml: str = DOMAIN) -> str:
    """Run a hook and return its one line, "" for none."""
    line = run(machine, point, xml).ours.stderr
    assert line.count("\n") == (1 if line else 0)
    return line


def records(machine: Machine) -> dict[str, Any]:
    """What the hooks remember, by the file's name."""
    folder = machine.path(FOLDER)
    if not folder.exists():
        return {}
    return {path.name: json.loads(path.read_text())["ports"] for path in folder.iterdir()}


def test_a_migration(host: Machine, switch: OpenVSwitch) -> None:
    """Each OVN port is announced and then activated for this chassis, and the meter is logged."""
    for tap, port_id in (("vnet0", PORT1), ("vnet3", PORT2)):
        switch.plug(tap, port_id, VM, "56:6f:00:00:00:01")
    before = time.time()
    with listening(host) as listener:
        assert "" == said(host, COMING)
        assert [VM] == list(records(host))
        assert {PORT1, PORT2} == set(records(host)[VM])
        switch.install("vnet0")
        moment = f"external_ids:ovn-installed-ts={int(before * 1000) + 100000}"
        switch.vsctl("set", "Interface", "vnet0", moment)
        line = said(host, CAME)
    assert [
        *(
            {
                "method": "POST",
                "path": path_of(port_id),
                "body": '{"binding": {"host": "hv1.example.com"}}',
                "names": [CHASSIS],
            }
            for port_id in (PORT1, PORT2)
        ),
        *(
            {
                "method": "PUT",
                "path": path_of(port_id, f"/{CHASSIS}/activate"),
                "body": "",
                "names": [CHASSIS],
            }
            for port_id in (PORT1, PORT2)
        ),
    ] == listener.stop()

    clock, later = r"announced \d\d:\d\d:\d\d\.\d{3}Z", r"\+\d+\.\d{3} s"
    tail = rf"resumed {later}, activated {later}"
    assert re.fullmatch(
        f"ovn {CAME}: VM {VM}: port {PORT1} {clock}, installed {later}, {tail}; "
        f"port {PORT2} {clock}, not installed, {tail}\n",
        line,
    ), line
    (done,) = records(host).items()
    assert f"{VM}.done" == done[0]
    first = done[1][PORT1]
    assert before < first["announced"] < first["resumed"] < first["activated"] < time.time()
    assert int(before * 1000) + 100000 == round(first["installed"] * 1000)

    # The end of the VM, a long time after.
    assert "" == said(host, GONE)
    assert {} == records(host)


def test_a_vm_that_leaves(host: Machine) -> None:
    """Each port is this host's, before it is announced elsewhere: that is one request."""
    with listening(host) as listener:
        assert "" == said(host, LEAVING)
    assert [("PUT", path_of(port_id, f"/{CHASSIS}/confirm")) for port_id in (PORT1, PORT2)] == (
        asked(listener.stop())
    )
    assert {} == records(host)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, '{"NeutronError": {"message": "no such port"}}', "404 no such port"),
        (403, "not yours", "403 not yours"),
        (503, "", "503"),
    ],
)
def test_what_is_not_confirmed(host: Machine, status: int, body: str, words: str) -> None:
    """One line says what the proxy did not do, and the other ports are confirmed."""
    confirm = {port_id: path_of(port_id, f"/{CHASSIS}/confirm") for port_id in (PORT1, PORT2)}
    with listening(host, {f"PUT {confirm[PORT1]}": (status, body)}) as listener:
        line = said(host, LEAVING)
    assert line.startswith(f"ovn {LEAVING}: not confirmed: port {PORT1}: ")
    assert words in line
    assert PORT2 not in line
    assert ("PUT", confirm[PORT2]) in asked(listener.stop())


def test_a_migration_that_fails(host: Machine) -> None:
    """What was announced for a VM that did not come is taken away; more is not done."""
    with listening(host) as listener:
        said(host, COMING)
        assert "" == said(host, GONE)
        assert "" == said(host, CAME)
    assert [("DELETE", path_of(port_id, f"/{CHASSIS}")) for port_id in (PORT1, PORT2)] == asked(
        listener.stop()[2:]
    )
    assert {} == records(host)


def asked(requests: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(request["method"], request["path"]) for request in requests]


def test_vms_that_do_not_move(host: Machine) -> None:
    """Without an announcement there is nothing to do, and no Python is started for it."""
    with replaced_program(host, "import sys; sys.exit('started')"):
        assert ["", ""] == [said(host, CAME), said(host, GONE)]
    assert {} == records(host)


@pytest.mark.parametrize("point", [LEAVING, COMING])
def test_vms_without_ports_of_ovn(host: Machine, point: str) -> None:
    """A VM with vNICs of others, or none, moves without a Python; of ours one tells, each time."""

    def start(*vnics: Mapping[str, str]) -> str:
        outcome = host.hook_of_vm(point, xml=DOMAIN, vm_id=VM, vnics=vnics)
        assert (0, None) == (outcome.ours.status, outcome.error)
        assert [] == list(host.path("/run/vdsm").iterdir())
        return outcome.ours.stderr

    with replaced_program(host, "import sys; sys.exit('started')"):
        assert ["", ""] == [start(), start(OTHER, {})]
        assert ["started\n"] * 2 == [start(OTHER, OVN), start(OVN, OVN, OTHER)]
        assert "" == start(OTHER)


@contextmanager
def replaced_program(host: Machine, text: str) -> Iterator[None]:
    """Have something else in the place of what the guards start."""
    with host.missing(HOOK_PROGRAM):
        host.path(HOOK_PROGRAM).write_text(text)
        yield


def test_no_port_of_ovn(host: Machine) -> None:
    """Ports on other bridges are not OVN's."""
    host.write_settings("bridge=br-other")
    with listening(host) as listener:
        assert "" == said(host, COMING)
    assert ([], {}) == (listener.stop(), records(host))


@contextmanager
def holding(host: Machine, inside: str, text: str) -> Iterator[None]:
    """Have other content in a file."""
    path = host.path(inside)
    kept = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()
        if kept is not None:
            path.write_text(kept)


@pytest.mark.parametrize("url", ["", f"https://{CENTRAL}:9000", f"https://{CENTRAL}:9000/ovn/"])
def test_where_the_listener_is(host: Machine, url: str) -> None:
    """It is on the central, or where the setting says, known by the name in its certificate."""
    host.write_settings(f"bindings-url={url}")
    names = host.path("/etc/hosts").read_text()
    listener = listening(host, port=9000 if url else 9697)
    with holding(host, "/etc/hosts", f"{names}\n127.0.0.1 {CENTRAL}\n"), listener as heard:
        assert "" == said(host, COMING)
    prefix = "/ovn" if url.endswith("/") else ""
    assert [f"{prefix}{path_of(port_id)}" for port_id in (PORT1, PORT2)] == [
        path for _, path in asked(heard.stop())
    ]


def test_several_centrals(host: Machine, switch: OpenVSwitch) -> None:
    """One that is away or silent leaves time for the next."""
    switch.set_chassis(ovn_remote="ssl:127.0.0.2:6642,ssl:[::2]:6642,ssl:127.0.0.1:6642")
    with listening(host) as listener:
        assert "" == said(host, COMING)
    assert 2 == len(listener.stop())


def test_a_central_with_an_address_that_is_silent(host: Machine, switch: OpenVSwitch) -> None:
    """It does not use up the time of the other one, which is tried first from then on."""
    # A link with nobody at its other end; IPv6 goes first (RFC 6724).
    host.run("ip", "link", "add", "silent", "up", "type", "veth", "peer", "name", "nobody")
    try:
        host.run("ip", "address", "add", "2001:db8::1/64", "dev", "silent", "nodad")
        host.run("ip", "address", "add", "192.0.2.1/24", "dev", "silent")
        host.run("ip", "link", "set", "nobody", "up")
        switch.set_chassis(ovn_remote=f"ssl:{CENTRAL}:6642")
        names = host.path("/etc/hosts").read_text()
        names += f"\n2001:db8::2 {CENTRAL}\n192.0.2.1 {CENTRAL}\n"
        with holding(host, "/etc/hosts", names), listening(host) as listener:
            assert "" == said(host, COMING)
    finally:
        host.run("ip", "link", "delete", "silent")
    assert 2 == len(listener.stop())


def test_a_leftover_of_ours(host: Machine) -> None:
    """What an earlier migration has left here is taken away, and the port announced anew."""
    with listening(host, {f"POST {path_of(PORT1)}": (409, "exists")}) as listener:
        line = said(host, COMING)
    assert [
        ("POST", path_of(PORT1)),
        ("DELETE", path_of(PORT1, f"/{CHASSIS}")),
        ("POST", path_of(PORT1)),
        ("POST", path_of(PORT2)),
    ] == asked(listener.stop())
    assert f"ovn {COMING}: not announced: port {PORT1}: 127.0.0.1 port 9697: 409 exists\n" == line
    assert [PORT2] == list(records(host)[VM])


def test_a_vm_with_many_vnics(host: Machine) -> None:
    """The line tells of as many as a VM can have."""
    stages = {"announced": 1700000000.5, "installed": 1700000000.75}
    ports = {f"aaaaaaaa-0000-4000-8000-{number:012}": stages for number in range(28)}
    host.run("install", "-d", "-o", "vdsm", FOLDER)
    host.path(f"{FOLDER}/{VM}").write_text(json.dumps({"ports": ports}))
    with listening(host):
        line = said(host, CAME)
    assert list(ports) == re.findall(r"port (\S+) announced [^;]*, activated \+[0-9.]+ s", line)


def test_the_engine_was_faster(host: Machine) -> None:
    """A port that is on this host already, or never was announced, is no reason to worry."""
    activate = {
        f"PUT {path_of(PORT1, f'/{CHASSIS}/activate')}": (409, "already active"),
        f"PUT {path_of(PORT2, f'/{CHASSIS}/activate')}": (404, "no binding"),
    }
    with listening(host, activate):
        said(host, COMING)
        line = said(host, CAME)
    assert re.search(rf"port {PORT1} .*, activated \+.*; port {PORT2} .*, not activated\n", line)
    assert [f"{VM}.done"] == list(records(host))


def plugged(is_plugged: bool) -> tuple[int, str]:
    """What the proxy says of a port's bindings, by whether the old host still has it."""
    old = {"host": "hv2", "status": "ACTIVE", "vif_details": {"plugged": is_plugged}}
    new = {"host": CHASSIS, "status": "INACTIVE", "vif_details": {}}
    return 200, json.dumps({"bindings": [old, new]})


def waited_s(host: Machine) -> list[float]:
    """How long after its VM each port was activated."""
    ports = records(host)[f"{VM}.done"].values()
    return [port["activated"] - port["resumed"] for port in ports]


def test_the_old_host_lets_go(host: Machine) -> None:
    """Nothing is activated before the old host has unplugged each port; then it is at once."""
    host.write_settings("migration-wait=60")
    looks = {f"GET {path_of(port_id)}": plugged(True) for port_id in (PORT1, PORT2)}
    with listening(host, {"GET": plugged(False)}, at_first=looks) as listener:
        said(host, COMING)
        said(host, CAME)
    requests = asked(listener.stop())[2:]
    assert ["GET"] * 4 + ["PUT"] * 2 == [method for method, _ in requests]
    assert all(1 <= seconds < 60 for seconds in waited_s(host)), waited_s(host)


def test_the_wait(host: Machine) -> None:
    """A host that does not let go is waited for as long as the setting says."""
    host.write_settings("migration-wait=1")
    with listening(host, {"GET": plugged(True)}) as listener:
        said(host, COMING)
        said(host, CAME)
    assert ("GET", path_of(PORT1)) in asked(listener.stop())
    assert all(seconds >= 1 for seconds in waited_s(host))


@pytest.mark.parametrize("body", ["{", "[]", '{"bindings": 1}', '{"bindings": [1]}', "[" * 60000])
def test_bindings_that_cannot_be_read(host: Machine, body: str) -> None:
    """Whatever the proxy says, the VM's ports are activated at the end."""
    host.write_settings("migration-wait=1")
    with listening(host, {"GET": (200, body)}):
        said(host, COMING)
        line = said(host, CAME)
    assert 2 == len(re.findall(r" activated \+", line)), line


def test_a_proxy_that_cannot_tell(host: Machine) -> None:
    """Who gets no answer does not wait for long."""
    host.write_settings("migration-wait=60")
    with listening(host, {"GET": (503, "later")}):
        said(host, COMING)
        said(host, CAME)
    assert all(3 <= seconds < 60 for seconds in waited_s(host)), waited_s(host)


def test_a_port_that_is_gone(host: Machine) -> None:
    """A port that the proxy does not know is not waited for."""
    host.write_settings("migration-wait=60")
    gone = {"GET": (404, "gone"), "PUT": (404, "gone")}
    with listening(host, gone) as listener:
        said(host, COMING)
        line = said(host, CAME)
    assert 2 == line.count("not activated")
    assert ["GET", "GET", "PUT", "PUT"] == [method for method, _ in asked(listener.stop())][2:]


def test_a_vm_that_ends_meanwhile(host: Machine) -> None:
    """A VM that is stopped during the wait is not activated any more."""
    host.write_settings("migration-wait=2")
    with (
        listening(host, {"GET": plugged(True)}) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        said(host, COMING)
        future = pool.submit(said, host, CAME)
        time.sleep(0.5)
        assert "" == said(host, GONE)
        assert "" == future.result(30)
    assert "PUT" not in [method for method, _ in asked(listener.stop())]
    assert {} == records(host)


def test_post_copy(host: Machine) -> None:
    """While the old host still serves pages it has its tap: nothing is activated by us then."""
    virsh = host.path("/usr/bin/virsh.new")
    virsh.write_text('#!/bin/sh\necho "$*" >/run/vdsm/virsh\necho "running (post-copy)"\n')
    virsh.chmod(0o755)
    host.run("mv", "/usr/bin/virsh.new", "/usr/bin/virsh")
    with listening(host) as listener:
        said(host, COMING)
        line = said(host, CAME)
    host.run("rm", "/usr/bin/virsh")
    assert ["POST", "POST"] == [method for method, _ in asked(listener.stop())]
    assert f"VM {VM} is in post-copy: " in line
    assert [VM] == list(records(host))
    command = f"--readonly --connect=qemu:///system domstate --reason --domain={VM}\n"
    assert command == host.path("/run/vdsm/virsh").read_text()


def test_the_active_binding_stays(host: Machine) -> None:
    """A refusal to delete the port's active binding is as it should be."""
    with listening(host, {"DELETE": (409, "active")}):
        said(host, COMING)
        assert "" == said(host, GONE)
    assert {} == records(host)


def test_a_proxy_that_restarts(host: Machine) -> None:
    """The activation waits some seconds for it."""
    with listening(host):
        said(host, COMING)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(said, host, CAME)
        time.sleep(1)
        assert not future.done()
        with listening(host):
            line = future.result(30)

    assert 2 == len(re.findall(r" activated \+", line)), line
    assert [f"{VM}.done"] == list(records(host))


@contextmanager
def less_patience(host: Machine) -> Iterator[None]:
    """Have the activation wait two seconds for the proxy instead of eight."""
    module = f"{PACKAGE}/ovirt_ovn_host/migration.py"
    whole, _, rest = host.path(module).read_text().partition("ACTIVATE_TIMEOUT_S = 8.0\n")
    assert rest
    with holding(host, module, f"{whole}ACTIVATE_TIMEOUT_S = 2.0\n{rest}"):
        yield


def test_a_proxy_that_is_away(host: Machine) -> None:
    """A port that could not be activated is said to be so, and is tidied up with the VM."""
    with listening(host):
        said(host, COMING)
    started = time.monotonic()
    with less_patience(host):
        line = said(host, CAME)

    assert 1.5 < time.monotonic() - started < 2 + PATIENCE_S
    refused = "127.0.0.1 port 9697: Connection refused"
    assert f"port {PORT1} is not activated: {refused}; port {PORT2} is not activated:" in line
    assert [VM] == list(records(host))
    assert f"still announced: port {PORT1}: {refused}" in said(host, GONE)
    with listening(host) as listener:
        assert "" == said(host, GONE)
    assert ["DELETE", "DELETE"] == [method for method, _ in asked(listener.stop())]
    assert {} == records(host)


# What can be missing, and what is said then.


@contextmanager
def nothing(host: Machine) -> Iterator[None]:
    yield


def certificate_is_missing(host: Machine) -> AbstractContextManager[None]:
    return host.missing(f"{PKI}/certs/vdsmcert.pem")


def authority_is_missing(host: Machine) -> AbstractContextManager[None]:
    return host.missing(f"{PKI}/certs/cacert.pem")


@contextmanager
def key_is_not_for_us(host: Machine) -> Iterator[None]:
    host.run("chown", "root", f"{PKI}/keys/vdsmkey.pem")
    yield


@contextmanager
def no_chassis(host: Machine) -> Iterator[None]:
    host.run("ovs-vsctl", "remove", "Open_vSwitch", ".", "external_ids", "system-id")
    yield


@contextmanager
def no_central(host: Machine) -> Iterator[None]:
    host.run("ovs-vsctl", "remove", "Open_vSwitch", ".", "external_ids", "ovn-remote")
    yield


@contextmanager
def bad_url(host: Machine) -> Iterator[None]:
    host.write_settings("bindings-url=ftp://central")
    yield


@contextmanager
def other_name(host: Machine) -> Iterator[None]:
    host.write_settings("bindings-url=https://localhost:9697")
    yield


@contextmanager
def name_servers_are_silent(host: Machine) -> Iterator[None]:
    host.write_settings("bindings-url=https://central.example.net")
    # sudo resolves names, too.
    host.run("chmod", "777", DB_SOCKET)
    # A port that is bound, but not read, takes questions and gives no answers.
    source = "import socket, sys\ns = socket.socket(type=2); s.bind(('127.0.0.9', 53))\n"
    source += "print(flush=True); sys.stdin.read()"
    command = host.command(PYTHON, "-c", source)
    with (
        holding(host, "/etc/resolv.conf", "nameserver 127.0.0.9\n"),
        holding(host, "/etc/nsswitch.conf", "hosts: dns\n"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()
    host.run("chmod", "750", DB_SOCKET)


@contextmanager
def records_cannot_be_written(host: Machine) -> Iterator[None]:
    host.run("install", "-d", "-o", "root", FOLDER)
    yield


@contextmanager
def silent_database(host: Machine) -> Iterator[None]:
    with host.replaced("/usr/bin/ovsdb-client", "exec sleep 10"):
        yield


Accident = Callable[[Machine], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("accident", "listener", "words"),
    [
        (nothing, None, "127.0.0.1 port 9697: Connection refused"),
        (nothing, {"manner": "silent"}, "127.0.0.1 port 9697: no answer in time"),
        (nothing, {"manner": "hang"}, "no answer in time"),
        (nothing, {"manner": "close"}, "the answer is not HTTP"),
        (nothing, {"manner": "nonsense"}, "the answer is not HTTP"),
        (nothing, {"certificate": "stranger"}, "its certificate is not accepted: "),
        (nothing, {"answers": {"POST": (404, '{"NeutronError": {"message": "No"}}')}}, "404 No"),
        (nothing, {"answers": {"POST": (403, "not yours")}}, "403 not yours"),
        (nothing, {"answers": {"POST": (503, "<html>")}}, "503 <html>"),
        (other_name, {}, "its certificate is not accepted: "),
        (bad_url, {}, "bindings-url 'ftp://central' is not a URL such as https://HOST:9697"),
        (certificate_is_missing, {}, f"{PKI}/certs/vdsmcert.pem and {PKI}/keys/vdsmkey.pem: No "),
        (authority_is_missing, {}, f"{PKI}/certs/cacert.pem: No such file"),
        (key_is_not_for_us, {}, f"{PKI}/keys/vdsmkey.pem: Permission denied"),
        (no_chassis, {}, "the chassis' name '' cannot be in a URL"),
        (no_central, {}, "no central is known"),
        (records_cannot_be_written, {}, f"Permission denied: '{FOLDER}/"),
        (silent_database, {}, "not done within 1.8 seconds"),
        (name_servers_are_silent, {}, "not done within 1.8 seconds"),
    ],
)
def test_what_can_be_missing(
    host: Machine, accident: Accident, listener: dict[str, Any] | None, words: str
) -> None:
    """The VM moves as it does without us, at once or in two seconds, and one line says why."""
    with accident(host):
        started = time.monotonic()
        if listener is None:
            line = said(host, COMING)
        else:
            with listening(host, **listener):
                line = said(host, COMING)
        assert time.monotonic() - started < 2 + PATIENCE_S
    assert line.startswith(f"ovn {COMING}: not announced: ")
    # On a busy machine the end of all may come before the reason.
    is_late = words.endswith(IN_TIME) and "not done within 1.8 seconds" in line
    assert words in line or is_late, line


@pytest.mark.parametrize(
    ("accident", "listener", "words"),
    [
        (nothing, None, "127.0.0.1 port 9697: Connection refused"),
        (certificate_is_missing, {}, f"{PKI}/certs/vdsmcert.pem and {PKI}/keys/vdsmkey.pem: No "),
        (no_central, {}, "no central is known"),
        (silent_database, {}, "not done within 1.8 seconds"),
    ],
)
def test_what_can_be_missing_where_a_vm_leaves(
    host: Machine, accident: Accident, listener: dict[str, Any] | None, words: str
) -> None:
    """The same holds there."""
    with accident(host), contextlib.ExitStack() as stack:
        if listener is not None:
            stack.enter_context(listening(host))
        line = said(host, LEAVING)
    assert line.startswith(f"ovn {LEAVING}: not confirmed: ")
    assert words in line


@pytest.mark.parametrize("point", [LEAVING, COMING, CAME, GONE])
def test_without_the_package(host: Machine, point: str) -> None:
    """A guard that has outlived its package, or half of an update, stops no migration."""
    host.run("mkdir", "-p", FOLDER)
    host.path(f"{FOLDER}/{VM}").write_text("{}")
    with host.missing(HOOK_PROGRAM):
        assert "" == said(host, point)
    for text in ("import sys; sys.exit(2)", "import os; os.abort()", "nonsense!"):
        with replaced_program(host, text):
            run(host, point)


def test_a_record_that_is_none(host: Machine) -> None:
    """Whatever lies there, nothing is done with it."""
    host.run("mkdir", "-p", FOLDER)
    for content in ("", "{", "{}", '{"ports": []}', '{"ports": {"a": 1}}'):
        host.path(f"{FOLDER}/{VM}").write_text(content)
        assert ["", ""] == [said(host, CAME), said(host, GONE)]
