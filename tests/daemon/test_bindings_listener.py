# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bindings port, seen by hosts with certificates of every kind."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from certificates import expire, make_certificate
from daemon.ovsdb import OvsdbServer, free_port, ovsdb_server, short_folder, wait_until
from daemon.proxy import ProxyProcess, running_api
from daemon.proxy import http as send

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
    """The service with HTTPS and the bindings port."""

    def __init__(
        self, folder: Path, pki: Path, remote: str, pair: str, bindings: str, secret: str = ""
    ) -> None:
        self.pki = pki
        self.bindings_port = free_port()
        extra = f"[SSL]\nhttps-enabled=true\nssl-key-file={pki}/{pair}.key\n"
        extra += f"ssl-cert-file={pki}/{pair}.pem\nssl-cacert-file={pki}/site.pem\n"
        port = "" if "port=" in bindings else f"port={self.bindings_port}\n"
        extra += f"[BINDINGS]\n{port}{bindings}\n"
        super().__init__(folder, remote, extra=extra, secret=secret, scheme="https")


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


@pytest.fixture(scope="module")
def nb() -> Iterator[OvsdbServer]:
    """One Northbound server: each test has a port of its own in it."""
    with ovsdb_server() as server:
        yield server


@pytest.fixture(scope="module")
def site(pki: Path, nb: OvsdbServer) -> Iterator[Site]:
    """The service with the bindings port."""
    with running(pki, nb.remote) as site:
        yield site


@pytest.fixture
def port_id(nb: OvsdbServer) -> str:
    """A port of a VM on hv1.test."""
    with running_api(nb) as api:
        network_id = api.create("network", name="red")["id"]
        values: Any = {"device_owner": "oVirt", "binding:host_id": "hv1.test"}
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
    hv2 = Host(site, "hv2.test")
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


def test_the_host_of_the_vm(site: Site, nb: OvsdbServer, port_id: str) -> None:
    """The host that has the VM says so in one request, which ends what is open; a token cannot."""
    hv1, hv2 = Host(site, "hv1.test"), Host(site, "hv2.test")
    path = f"ports/{port_id}/bindings"
    assert 201 == hv2("POST", path, binding("hv2.test"))[0]
    for host, name in ((hv1, "hv1.test"), (hv2, "hv2.test"), (hv2, "hv2.test")):
        status, body = host("PUT", f"{path}/{name}/confirm")
        assert (200, name, "ACTIVE") == (status, body["host"], body["status"])
        assert "{}" == options(nb, port_id)
        found = host("GET", path)[1]["bindings"]
        assert [name] == [one["host"] for one in found]
    assert 404 == send("PUT", f"{site.networking_url}/v2.0/{path}/hv1.test/confirm").status
    # One transaction each, and none for what is known.
    assert 2 == nb.database.read_bytes().count(b"/confirm")


def test_a_confirmation_comes_in_time_or_not_at_all(pki: Path) -> None:
    """What a hook has given up, as no database was there, is not done when it is back."""
    with ovsdb_server() as nb, running(pki, nb.remote) as site, ThreadPoolExecutor(1) as pool:
        with running_api(nb) as api:
            network_id = api.create("network", name="red")["id"]
            values: Any = {"device_owner": "oVirt", "binding:host_id": "hv1.test"}
            path = f"ports/{api.create('port', network_id=network_id, **values)['id']}/bindings"
        hv1, hv2 = Host(site, "hv1.test"), Host(site, "hv2.test")
        assert 201 == hv2("POST", path, binding("hv2.test"))[0]
        nb.kill()
        confirmation = f"{path}/hv1.test/confirm"
        waits = {"Ovirt-Timeout-Ms": "1000"}
        late = pool.submit(lambda: hv1("PUT", confirmation, headers=waits))
        time.sleep(1.2)
        nb.start()
        site.wait_ready()

        assert 503 == late.result(PATIENCE_S)[0]
        assert LISTED == options(nb, path.split("/")[1])
        assert 200 == hv1("PUT", confirmation, headers={"Ovirt-Timeout-Ms": "9000"})[0]
        assert "{}" == options(nb, path.split("/")[1])


def test_a_cancelled_migration(site: Site, nb: OvsdbServer, port_id: str) -> None:
    """A destination that comes to nothing takes its announcement back."""
    hv2 = Host(site, "hv2.test")
    path = f"ports/{port_id}/bindings"
    assert 201 == hv2("POST", path, binding("hv2.test"))[0]
    assert (204, None) == hv2("DELETE", f"{path}/hv2.test")
    assert "{}" == options(nb, port_id)


# --- who is let in -------------------------------------------------------------


@pytest.mark.parametrize("stranger", [None, "foreign.test", "of-the-site.test", "expired.test"])
def test_strangers(site: Site, nb: OvsdbServer, port_id: str, stranger: str | None) -> None:
    """Without a good certificate of the hosts' authority nobody gets as far as a request."""
    path = f"ports/{port_id}/bindings"
    # The client has done its part when the server looks at its certificate.
    with pytest.raises((OSError, http.client.HTTPException)):
        Host(site, stranger)("POST", path, binding("hv2.test"))

    assert "{}" == options(nb, port_id)
    assert (
        201 == Host(site, "hv2.test")("POST", f"ports/{port_id}/bindings", binding("hv2.test"))[0]
    )


@pytest.mark.parametrize(("newest", "status"), [("1.1", 35), ("1.2", 35), ("1.3", 0)])
def test_versions_of_tls(site: Site, newest: str, status: int) -> None:
    """It is TLS 1.3: whoever knows older versions only is refused."""
    pair = f"{site.pki}/hv2.test"
    command = ["curl", "-sk", "--cert", f"{pair}.pem", "--key", f"{pair}.key"]
    command += ["--tlsv1.0", "--tls-max", newest, "--ciphers", "DEFAULT:@SECLEVEL=0"]
    url = f"https://127.0.0.1:{site.bindings_port}/v2.0/ports/{NOBODY}/bindings"
    answer = subprocess.run([*command, url], capture_output=True, timeout=PATIENCE_S)

    assert status == answer.returncode  # 35 is CURLE_SSL_CONNECT_ERROR


def test_no_session_is_resumed(site: Site) -> None:
    """Each connection shows a certificate, which is looked at: it may have ended meanwhile."""
    context = Host(site, "hv2.test").context()
    session: ssl.SSLSession | None = None
    for _ in range(2):
        sock = socket.create_connection(("127.0.0.1", site.bindings_port), PATIENCE_S)
        with context.wrap_socket(sock, server_hostname="127.0.0.1", session=session) as channel:
            channel.sendall(f"GET /v2.0/ports/{NOBODY}/bindings HTTP/1.1\r\n\r\n".encode())
            while channel.recv(4096):
                pass  # a ticket comes with the answer, if at all
            assert not channel.session_reused
            session = channel.session


@pytest.mark.parametrize("certificate", ["hv1.test", "192.0.2.1", "cn.test", "old.test"])
def test_bindings_of_other_hosts(
    site: Site, nb: OvsdbServer, port_id: str, certificate: str
) -> None:
    """A host that another host's certificate does not name cannot be spoken for, by no header."""
    host = Host(site, certificate)
    path = f"ports/{port_id}/bindings"
    forged = {
        "ovirt_ovn_proxy.client_certificate": "hv2.test",
        "ovirt-ovn-proxy.client-certificate": "hv2.test",
        "SSL-Client-S-DN-CN": "hv2.test",
        "X-Auth-Token": "any",
    }
    for headers in ({}, forged):
        assert 403 == host("POST", path, binding("hv2.test"), headers)[0]
    assert 201 == Host(site, "hv2.test")("POST", path, binding("hv2.test"))[0]
    for headers in ({}, forged):
        assert 403 == host("PUT", f"{path}/hv2.test/activate", None, headers)[0]
        assert 403 == host("PUT", f"{path}/hv2.test/confirm", None, headers)[0]
        assert 403 == host("DELETE", f"{path}/hv2.test", None, headers)[0]
        assert 403 == host("PUT", f"{path}/hv2.test", {"binding": {"profile": {}}}, headers)[0]
    assert LISTED == options(nb, port_id)
    assert 200 == host("GET", path)[0]


@pytest.mark.parametrize("certificate", ["old.test", "192.0.2.1"])
def test_names_of_hosts(site: Site, nb: OvsdbServer, port_id: str, certificate: str) -> None:
    """A host may be known by its common name where it has no other, and by its address."""
    host = Host(site, certificate)
    path = f"ports/{port_id}/bindings"

    assert 201 == host("POST", path, binding(certificate))[0]
    assert f'requested-chassis="hv1.test,{certificate}"' in options(nb, port_id)
    assert 200 == host("PUT", f"{path}/{certificate}/activate")[0]
    assert 403 == host("POST", path, binding("hv2.test"))[0]


def test_nothing_but_bindings(site: Site, port_id: str) -> None:
    """No other path is there, and no other port takes a certificate for a token."""
    hv2 = Host(site, "hv2.test")
    for method, path in (
        ("GET", "networks"),
        ("GET", "ports"),
        ("DELETE", f"ports/{port_id}"),
        ("PUT", f"ports/{port_id}"),
        ("GET", "extensions"),
        ("POST", "tokens"),
    ):
        assert 404 == hv2(method, path)[0], path
    assert (404, "PortNotFound") == (
        (answer := hv2("GET", f"ports/{NOBODY}/bindings"))[0],
        answer[1]["NeutronError"]["type"],
    )


def test_tokens(pki: Path, nb: OvsdbServer, port_id: str) -> None:
    """The extension needs a token on the networking port, and none on the bindings port."""
    with short_folder() as folder:
        site = Site(folder, pki, nb.remote, "service", f"ca-file={pki}/engine.pem", "secret")
        try:
            site.start()
            site.wait_ready()
            url = f"{site.networking_url}/v2.0/ports/{port_id}/bindings"
            forged = {"ovirt_ovn_proxy.client_certificate": "hv2.test"}
            assert 401 == send("POST", url, binding("hv2.test"), forged).status
            assert 401 == send("GET", url).status
            token = {"X-Auth-Token": site.log_in()}
            assert 201 == send("POST", url, binding("hv2.test"), token).status
            assert 204 == send("DELETE", f"{url}/hv2.test", None, token).status
            path = f"ports/{port_id}/bindings"
            assert 201 == Host(site, "hv2.test")("POST", path, binding("hv2.test"))[0]
        finally:
            site.stop()


def test_a_central_known_by_its_address(pki: Path, nb: OvsdbServer, port_id: str) -> None:
    """Whose name cannot be checked is still one whose chain is."""
    with running(pki, nb.remote, "named") as site:
        path = f"ports/{port_id}/bindings"
        assert 200 == Host(site, "hv2.test", checks_name=False)("GET", path)[0]
        with pytest.raises(ssl.SSLCertVerificationError):
            Host(site, "hv2.test")("GET", path)
        wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        wrong.check_hostname = False
        wrong.load_verify_locations(pki / "stranger.pem")
        sock = socket.create_connection(("127.0.0.1", site.bindings_port), PATIENCE_S)
        with sock, pytest.raises(ssl.SSLCertVerificationError):
            wrong.wrap_socket(sock)


# --- its files, its life -------------------------------------------------------


def lets_in(site: Site, certificate: str) -> bool:
    """Say whether a host with this certificate gets an answer."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return Host(site, certificate)("GET", f"ports/{NOBODY}/bindings")[0] == 404
    return False


def test_renewal(pki: Path, nb: OvsdbServer, tmp_path: Path) -> None:
    """Another authority counts within seconds, on SIGHUP at once; a broken one changes nothing."""
    authority = tmp_path / "authority"
    authority.write_text((pki / "engine.pem").read_text())
    with running(pki, nb.remote, bindings=f"ca-file={authority}") as site:
        assert lets_in(site, "hv2.test")
        assert not lets_in(site, "foreign.test")

        authority.write_text((pki / "stranger.pem").read_text())
        wait_until(lambda: lets_in(site, "foreign.test"), PATIENCE_S)
        assert not lets_in(site, "hv2.test")

        authority.write_text("nothing")
        site.signal(signal.SIGHUP)
        told = f"[BINDINGS] ca-file {authority}: holds no PEM certificate; the bindings port keeps"
        wait_until(lambda: told in site.log.read_text(), PATIENCE_S)
        assert lets_in(site, "foreign.test")

        both = (pki / "engine.pem").read_text() + (pki / "stranger.pem").read_text()
        authority.write_text(both)
        site.signal(signal.SIGHUP)
        wait_until(lambda: lets_in(site, "hv2.test"), PATIENCE_S)
        assert lets_in(site, "foreign.test")


@pytest.mark.parametrize(
    ("bindings", "told"),
    [
        ("ca-file=/nowhere/ca.pem", "[BINDINGS] ca-file /nowhere/ca.pem: No such file"),
        ("ca-file={pki}/engine.key", "holds no PEM certificate; the service runs without"),
        ("ca-file={pki}/engine.pem\nport={taken}", "Address already in use; the service runs"),
        ("ca-file=/nowhere/ca.pem\nport=0", ""),
    ],
)
def test_without_the_port(pki: Path, nb: OvsdbServer, bindings: str, told: str) -> None:
    """Whatever keeps the port from being, the service says so once and does without it."""
    with socket.socket() as other, contextlib.ExitStack() as stack:
        other.bind(("127.0.0.1", 0))
        other.listen()
        text = bindings.format(pki=pki, taken=other.getsockname()[1])
        site = stack.enter_context(running(pki, nb.remote, bindings=text))
        log = site.log.read_text()
        with socket.socket() as probe:
            assert 0 != probe.connect_ex(("127.0.0.1", site.bindings_port))

    assert told in log
    assert log.count("the service runs without") == bool(told), log
    assert "Traceback" not in log


def test_without_https(nb: OvsdbServer) -> None:
    """Without HTTPS there is no such port, and nothing to say about it."""
    port = free_port()
    with short_folder() as folder:
        site = ProxyProcess(folder, nb.remote, extra=f"[BINDINGS]\nport={port}\n")
        try:
            site.start()
            site.wait_ready()
            with socket.socket() as probe:
                assert 0 != probe.connect_ex(("127.0.0.1", port))
            assert "ca-file" not in site.log.read_text()
        finally:
            site.stop()


def test_clients_that_want_nothing(site: Site, port_id: str) -> None:
    """Those who hold connections to this port open keep neither hosts nor the engine waiting."""
    with contextlib.ExitStack() as held:
        for _ in range(300):
            address = ("127.0.0.1", site.bindings_port)
            held.enter_context(socket.create_connection(address, PATIENCE_S))
        assert 200 == Host(site, "hv2.test")("GET", f"ports/{port_id}/bindings")[0]
        assert 200 == send("GET", f"{site.networking_url}/v2.0/networks").status
        assert 404 == Host(site, "hv1.test")("GET", f"ports/{NOBODY}/bindings")[0]


def test_stop(pki: Path, nb: OvsdbServer) -> None:
    """At SIGTERM a request under way is answered, and the port is closed like the others."""
    with running(pki, nb.remote) as site:
        sock = socket.create_connection(("127.0.0.1", site.bindings_port), PATIENCE_S)
        client = Host(site, "hv2.test").context()
        with client.wrap_socket(sock, server_hostname="127.0.0.1") as channel:
            channel.sendall(b"GET /v2.0/ports HTTP/1.1\r\n")
            site.signal(signal.SIGTERM)
            channel.sendall(b"Host: central\r\n\r\n")
            answer = channel.recv(4096)
        assert b" 404 " in answer.split(b"\r\n")[0]
        assert site.wait(PATIENCE_S) == 0
        with socket.socket() as probe:
            assert 0 != probe.connect_ex(("127.0.0.1", site.bindings_port))
