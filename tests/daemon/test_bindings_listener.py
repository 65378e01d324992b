# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bindings port, seen by hosts with certificates of every kind."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from certificates import expire, make_certificate
from daemon.ovsdb import OvsdbServer, free_port, short_folder
from daemon.proxy import ProxyProcess, running_api

pytestmark = pytest.mark.daemon

PATIENCE_S = 30.0
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    """The authority of hosts, that of the service's ports, and certificates of both."""
    with short_folder() as folder:
        for authority in ("engine", "site", "stranger"):
            make_certificate(folder, authority)
        make_certificate(folder, "service", "site")
        make_certificate(folder, "named", "site", names="DNS:central.test")
        for host in ("hv1", "hv2"):
            make_certificate(folder, f"{host}.test", "engine", names=f"DNS:{host}.test")
        make_certificate(folder, "old.test", "engine", names=None)
        make_certificate(folder, "192.0.2.1", "engine", names="IP:192.0.2.1")
        make_certificate(folder, "cn.test", "engine", names="DNS:san.test")
        make_certificate(folder, "expired.test", "engine", names="DNS:hv2.test")
        expire(folder, "expired.test", "engine")
        make_certificate(folder, "foreign.test", "stranger", names="DNS:hv2.test")
        make_certificate(folder, "of-the-site.test", "site", names="DNS:hv2.test")
        yield folder


class Site(ProxyProcess):
    """The service with HTTPS and the bindings port; hosts talk to it by `host`."""

    def __init__(self, folder: Path, pki: Path, remote: str, pair: str, bindings: str) -> None:
        self.pki = pki
        self.bindings_port = free_port()
        extra = f"[SSL]\nhttps-enabled=true\nssl-key-file={pki}/{pair}.key\n"
        extra += f"ssl-cert-file={pki}/{pair}.pem\nssl-cacert-file={pki}/site.pem\n"
        extra += f"[BINDINGS]\nport={self.bindings_port}\n{bindings}\n"
        super().__init__(folder, remote, extra=extra, scheme="https")

    def host(self, certificate: str | None, *, checks_name: bool = True) -> Host:
        """Return a host with this certificate, None for none."""
        return Host(self, certificate, checks_name)


class Host(NamedTuple):
    """A hypervisor, known by its certificate."""

    site: Site
    certificate: str | None
    checks_name: bool = True

    def context(self) -> ssl.SSLContext:
        """Return the context that it connects by."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.checks_name
        context.load_verify_locations(self.site.pki / "site.pem")
        if self.certificate is not None:
            pair = self.site.pki / self.certificate
            context.load_cert_chain(f"{pair}.pem", f"{pair}.key")
        return context

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request below /v2.0/; return its status and JSON body."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.site.bindings_port, context=self.context(), timeout=PATIENCE_S
        )
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/v2.0/{path}", content, headers or {})
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, json.loads(text) if text else None


@contextlib.contextmanager
def running(
    pki: Path, remote: str, pair: str = "service", bindings: str | None = None
) -> Iterator[Site]:
    """Give the service, ready; `bindings` are lines of its section [BINDINGS]."""
    with short_folder() as folder:
        ca = f"ca-file={pki}/engine.pem"
        site = Site(folder, pki, remote, pair, ca if bindings is None else bindings)
        try:
            site.start()
            site.wait_ready()
            yield site
        finally:
            site.stop()


@pytest.fixture
def site(pki: Path, nb: OvsdbServer) -> Iterator[Site]:
    """The service with the bindings port."""
    with running(pki, nb.remote) as site:
        yield site


@pytest.fixture
def port_id(nb: OvsdbServer) -> str:
    """A port of a VM on hv1.test."""
    with running_api(nb) as api:
        network_id = api.create("network", name="red")["id"]
        values = {"device_owner": "oVirt", "binding:host_id": "hv1.test"}
        return str(api.create("port", network_id=network_id, **values)["id"])


def binding(host: str) -> dict[str, Any]:
    """Return the body that announces a host."""
    return {"binding": {"host": host}}


def options(nb: OvsdbServer, port_id: str) -> str:
    """Return what OVN is told about a port."""
    command = ["ovn-nbctl", f"--db={nb.remote}", "get", "Logical_Switch_Port", port_id, "options"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


LISTED = '{activation-strategy=rarp, requested-chassis="hv1.test,hv2.test"}'


def test_a_migration(site: Site, nb: OvsdbServer, port_id: str) -> None:
    """The destination announces itself, takes the port, and is the only one after."""
    hv2 = site.host("hv2.test")
    path = f"ports/{port_id}/bindings"
    status, body = hv2("POST", path, binding("hv2.test"))
    assert (201, "hv2.test", "INACTIVE") == (
        status,
        body["binding"]["host"],
        body["binding"]["status"],
    )
    assert LISTED == options(nb, port_id)
    status, body = hv2("GET", path)
    assert (200, ["hv1.test", "hv2.test"]) == (status, [one["host"] for one in body["bindings"]])
    assert (200, "ACTIVE") == (hv2("PUT", f"{path}/hv2.test/activate")[0], "ACTIVE")
    assert "{}" == options(nb, port_id)
    assert 200 == hv2("GET", f"{path}/hv2.test")[0]
    assert 404 == hv2("GET", f"{path}/hv1.test")[0]


def test_a_cancelled_migration(site: Site, nb: OvsdbServer, port_id: str) -> None:
    """A destination that comes to nothing takes its announcement back."""
    hv2 = site.host("hv2.test")
    path = f"ports/{port_id}/bindings"
    assert 201 == hv2("POST", path, binding("hv2.test"))[0]
    assert (204, None) == hv2("DELETE", f"{path}/hv2.test")
    assert "{}" == options(nb, port_id)
