# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two sides of each comparison: the proxy, and the least that could do its work.

The floor of a list is a bare server that sends the same bytes; the floor of a change is
the same transaction, sent to the database over one connection that stays open.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from bench.content import HOSTS, Content, Port, is_shown, port_values
from bench.processes import cpu_s
from bench.raw import Answer, CheckError, Ovsdb, exchange, request
from certificates import make_certificate
from daemon.ovsdb import OvsdbServer, wait_until
from daemon.proxy import SOURCES, ProxyProcess
from ovirt_ovn_proxy.nb import keys, ops
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.schema import NB_GLOBAL, PORT, PORT_GROUP, SWITCH
from ovirt_ovn_proxy.plan.draft import time_text
from ovirt_ovn_proxy.plan.traces import Trace

_TOKEN = {"auth": {"tenantName": "", "passwordCredentials": {"username": "a", "password": "b"}}}
# What engine-setup asks for.
_SETTINGS = "[NETWORK]\nport-security-enabled-default=true\n"
_PATIENCE_S = 120.0
_CHILDREN = Path(__file__).with_name("children.py")
_TESTS = _CHILDREN.parents[1]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCES), str(_TESTS)])}


T = TypeVar("T")
Check = Callable[[], T]
Call = Callable[[], Check[T]]


class Target(Protocol):
    """What can be measured; each call is one request of the engine.

    The client's own work on a new or a changed port is not: `creation` and `change` make the
    request ready and return the call that is, which returns what looks at the answer.
    """

    def prepare(self) -> None:
        """Do what is due before a round and is not measured."""

    def list_ports(self, port_id: str, *, keep: bool = False) -> bytes:
        """List all ports, among which this one must be; return the body if it is to be kept."""

    def creation(self, port: Port) -> Call[Port]:
        """Return the call that creates a port; its check returns the port as it was made."""

    def change(self, port: Port, host: str) -> Call[None]:
        """Return the call that announces the host of a port."""

    def delete(self, port: Port) -> None:
        """Delete a port."""

    def cpu_s(self) -> float:
        """Return the CPU seconds that all this took so far."""


class Proxy:
    """The proxy's process, by HTTP or HTTPS, with a new connection for each request."""

    def __init__(
        self,
        pid: int,
        networking_port: int,
        identity_port: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.pid = pid
        self._tls = tls
        self.port = networking_port
        self._identity_port = identity_port

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        """Say whether lists are answered."""
        try:
            self._send("GET", "/v2.0/networks", 200)
        except (OSError, CheckError):
            return False
        return True

    def list_ports(self, port_id: str, *, keep: bool = False) -> bytes:
        return self._send("GET", "/v2.0/ports", 200, needle=port_id.encode(), keep=keep).body

    def fetch_ports(self) -> bytes:
        """Return the body of the list of all ports."""
        return self._send("GET", "/v2.0/ports", 200, keep=True).body

    def creation(self, port: Port) -> Call[Port]:
        message = request("POST", "/v2.0/ports", {"port": port_values(port)}, self.port)

        def check(answer: Answer) -> Port:
            made = json.loads(answer.body)["port"]
            addresses = [entry["ip_address"] for entry in made["fixed_ips"]]
            new = port._replace(id=made["id"], ip="".join(addresses))
            if len(addresses) != bool(port.ip) or not is_shown(new, made, HOSTS[:1]):
                raise CheckError(f"POST of a port: {made}")
            return new

        return lambda: partial(check, self._exchange(message, 201, keep=True))

    def change(self, port: Port, host: str) -> Call[None]:
        values = {"binding:host_id": host, "mac_address": port.mac}
        message = request("PUT", f"/v2.0/ports/{port.id}", {"port": values}, self.port)

        def check(answer: Answer) -> None:
            made = json.loads(answer.body)["port"]
            if not is_shown(port, made, [host]):
                raise CheckError(f"PUT of a port: {made}")

        return lambda: partial(check, self._exchange(message, 200, keep=True))

    def delete(self, port: Port) -> None:
        self._send("DELETE", f"/v2.0/ports/{port.id}", 204)

    def plug(self, port: Port, listed_id: str) -> Port:
        """Do all that the engine does to start a VM with a new vNIC: four requests."""
        message = request("POST", "/v2.0/tokens", _TOKEN, self._identity_port)
        answer = exchange(self._identity_port, message, needle=b'"token"', tls=self._tls)
        if answer.status != 200:
            raise CheckError("POST of a token failed")
        self.list_ports(listed_id)
        path = f"/v2.0/networks/{port.network.id}"
        self._send("GET", path, 200, needle=port.network.id.encode())
        return self.creation(port)()()

    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    def _send(
        self, method: str, path: str, status: int, needle: bytes = b"", keep: bool = False
    ) -> Answer:
        return self._exchange(request(method, path, None, self.port), status, needle, keep)

    def _exchange(
        self, message: bytes, status: int, needle: bytes = b"", keep: bool = False
    ) -> Answer:
        answer = exchange(self.port, message, needle=needle, keep=keep, tls=self._tls)
        if answer.status != status:
            line = message.partition(b"\r\n")[0].decode()
            raise CheckError(f"{line}: {answer.status}, not {status}")
        return answer


class Floor:
    """A bare server for lists; for changes the proxy's own operations, without the proxy.

    `body` is what the server that listens on `port` and has `pid` answers.
    """

    def __init__(
        self, ovsdb: Ovsdb, content: Content, pid: int, port: int, body: bytes = b""
    ) -> None:
        self.body = body
        self._ovsdb = ovsdb
        self._content = content
        self._pid = pid
        self._port = port
        self._lock = threading.Lock()
        self._client_cpu_s = 0.0
        self._nb_global = ""
        self._counters: dict[str, str] = {}
        self._hosts: dict[str, str] = {}

    def prepare(self) -> None:
        (found,) = self._ovsdb.transact([{"op": "select", "table": NB_GLOBAL, "where": []}])
        row = found["rows"][0]
        self._nb_global = row["_uuid"][1]
        self._counters = dict(row["external_ids"][1])

    def list_ports(self, port_id: str, *, keep: bool = False) -> bytes:
        # The client looks for something, as it does in the proxy's answer.
        listed = self._content.ports[-1].id
        message = request("GET", "/v2.0/ports", None, self._port)
        return exchange(self._port, message, needle=listed.encode(), keep=keep).body

    def creation(self, port: Port) -> Call[Port]:
        operations = self._port_operations(port)

        def create() -> Check[Port]:
            with self._lock:
                self._transact_locked([*self._next_counter(port.network.id), *operations])
            self._hosts[port.id] = HOSTS[0]
            return lambda: port

        return create

    def change(self, port: Port, host: str) -> Call[None]:
        operations = self.update_operations(port, host)

        def update() -> Check[None]:
            self._transact(operations)
            self._hosts[port.id] = host
            return lambda: None

        return update

    def delete(self, port: Port) -> None:
        self._transact(self.delete_operations(port))

    def cpu_s(self) -> float:
        return cpu_s(self._pid) + self._client_cpu_s

    # What the proxy sends for the same requests.

    def create_operations(self, port: Port) -> list[Operation]:
        """Return the operations of a POST."""
        return [*self._next_counter(port.network.id), *self._port_operations(port)]

    def _next_counter(self, network: str) -> list[Operation]:
        key = keys.SEQUENCE + network
        counter = self._counters[key]
        self._counters[key] = str(int(counter) + 1)
        return [
            ops.wait_key(NB_GLOBAL, self._nb_global, "external_ids", key, counter),
            ops.set_key(NB_GLOBAL, self._nb_global, "external_ids", key, self._counters[key]),
        ]

    def _port_operations(self, port: Port) -> list[Operation]:
        row, groups = self._content.row(port), self._content.groups_of(port)
        return [
            *(ops.wait_exists(PORT_GROUP, group) for group in groups),
            ops.wait_exists(SWITCH, port.network.id),
            {"op": "insert", "table": PORT, "uuid": port.id, "row": row},
            *(ops.add_to_set(PORT_GROUP, group, "ports", [port.id]) for group in groups),
            ops.add_to_set(SWITCH, port.network.id, "ports", [port.id]),
            ops.comment(f"bench POST {port.id}"),
        ]

    def update_operations(self, port: Port, host: str) -> list[Operation]:
        """Return the operations of a PUT of another host."""
        old = self._content.external_ids(port, self._hosts.get(port.id, HOSTS[0]))
        new = self._content.external_ids(port, host)
        return [
            ops.wait_columns(PORT, port.id, {"options": {}}),
            ops.wait_columns(PORT, port.id, {"external_ids": old}),
            ops.update(PORT, port.id, {"external_ids": new}),
            ops.comment(f"bench PUT {port.id}"),
        ]

    def delete_operations(self, port: Port) -> list[Operation]:
        """Return the operations of a DELETE."""
        now = time_text(datetime.now(timezone.utc))
        return [
            ops.wait_exists(PORT, port.id),
            ops.remove_from_set(SWITCH, port.network.id, "ports", [port.id]),
            *Trace(self._nb_global, now, port.id, (port.id,), ()).operations(),
            ops.comment(f"bench DELETE {port.id}"),
        ]

    def _transact(self, operations: Sequence[Operation]) -> None:
        with self._lock:
            self._transact_locked(operations)

    def _transact_locked(self, operations: Sequence[Operation]) -> None:
        started = time.thread_time()
        self._ovsdb.transact(operations)
        self._client_cpu_s += time.thread_time() - started


@contextmanager
def running_proxy(nb: OvsdbServer, name: str, *, has_tls: bool = False) -> Iterator[Proxy]:
    """Run the proxy on a Northbound, set up as for an engine; ready when it is given.

    With `has_tls` its ports speak HTTPS, with an RSA key as engine-setup makes them.
    """
    settings, tls = _SETTINGS, None
    if has_tls:
        make_certificate(nb.folder, "ca", is_rsa=True)
        make_certificate(nb.folder, "port", "ca", is_rsa=True)
        pki = nb.folder
        settings += (
            f"[SSL]\nhttps-enabled=true\nssl-key-file={pki}/port.key\n"
            f"ssl-cert-file={pki}/port.pem\nssl-cacert-file={pki}/ca.pem\n"
        )
        tls = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    process = ProxyProcess(nb.folder, nb.remote, name, settings)
    try:
        process.start()
        proxy = Proxy(process.pid, process.networking_port, process.identity_port, tls)
        wait_until(proxy.is_ready, _PATIENCE_S, f"{name} is ready")
        yield proxy
    finally:
        process.stop()


@contextmanager
def bare_server(folder: Path, body: bytes) -> Iterator[tuple[int, int]]:
    """Run a server that answers everything with `body`; gives its pid and its port."""
    file = folder / "body"
    file.write_bytes(body)
    command = [sys.executable, str(_CHILDREN), "bare-server", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=_ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def run_child(*arguments: str) -> dict[str, float]:
    """Run one of the measuring children to its end; return what it says."""
    command = [sys.executable, str(_CHILDREN), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=_ENVIRONMENT)
    said: dict[str, float] = json.loads(done.stdout)
    return said
