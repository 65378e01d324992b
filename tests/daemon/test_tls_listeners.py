# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The service with HTTPS on both ports and TLS to the Northbound, seen by its clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certificates import make_certificate
from daemon.ovsdb import OvsdbServer, free_port, ovsdb_server, short_folder, wait_until
from daemon.proxy import ProxyProcess, proxy_process

pytestmark = pytest.mark.daemon

PATIENCE_S = 20.0
HALF_A_REQUEST = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    """One authority, of the Northbound and of two pairs for the service."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "nb", "ca")
        make_certificate(folder, "rsa", "ca", is_rsa=True)
        make_certificate(folder, "ecdsa", "ca")
        yield folder


@pytest.fixture(scope="module")
def northbound(pki: Path) -> Iterator[str]:
    """The ssl: remote of a Northbound that lets in nobody without a certificate."""
    options = [f"--private-key={pki}/nb.key", f"--certificate={pki}/nb.pem"]
    port = free_port()
    with ovsdb_server(
        remotes=[f"pssl:{port}:127.0.0.1"], options=[*options, f"--ca-cert={pki}/ca.pem"]
    ) as server:
        subprocess.run(["ovn-nbctl", f"--db={server.remote}", "init"], check=True)
        yield f"ssl:127.0.0.1:{port}"


class Site(ProxyProcess):
    """The service with its files; `install` gives it another pair."""

    def __init__(self, folder: Path, pki: Path, remote: str) -> None:
        self.pki = pki
        self.files = folder
        extra = f"[SSL]\nhttps-enabled=true\nssl-key-file={folder}/key\n"
        extra += f"ssl-cert-file={folder}/cert\nssl-cacert-file={pki}/ca.pem\n"
        super().__init__(folder, remote, extra=extra, scheme="https")
        self.ports = (self.networking_port, self.identity_port)
        self.install("rsa")

    def install(self, key: str, certificate: str | None = None) -> None:
        """Put a pair in place, each file whole."""
        for name, source in (("key", f"{key}.key"), ("cert", f"{certificate or key}.pem")):
            shutil.copy(self.pki / source, self.files / "new")
            (self.files / "new").replace(self.files / name)

    def serves(self, name: str) -> bool:
        """Say whether new connections on both ports get a certificate."""
        wanted = ssl.PEM_cert_to_DER_cert((self.pki / f"{name}.pem").read_text())
        served = [ssl.get_server_certificate(("127.0.0.1", port)) for port in self.ports]
        return all(ssl.PEM_cert_to_DER_cert(text) == wanted for text in served)

    def client(self) -> ssl.SSLContext:
        """Return a client's context that trusts the authority and checks the name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.pki / "ca.pem")
        return context

    def connect(self, port: int) -> ssl.SSLSocket:
        """Return a connection after its handshake."""
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        return self.client().wrap_socket(sock, server_hostname="127.0.0.1")

    def ask(self, port: int, method: str, path: str, body: Any = None) -> Any:
        """Send a request; return the JSON of a good answer."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, context=self.client(), timeout=PATIENCE_S
        )
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 300, content
            return json.loads(content)

    def uses(self) -> tuple[int, int]:
        """Return how many threads and descriptors the process has."""
        process = Path(f"/proc/{self.pid}")
        return len(os.listdir(process / "task")), len(os.listdir(process / "fd"))


@pytest.fixture
def site(pki: Path, northbound: str) -> Iterator[Site]:
    """The service, ready, with the RSA pair."""
    with short_folder() as folder:
        site = Site(folder, pki, northbound)
        try:
            site.start()
            site.wait_ready()
            yield site
        finally:
            site.stop()


def test_a_session(site: Site) -> None:
    """A client gets a token and networks by HTTPS, from URLs that say so."""
    credentials = {"username": "admin@internal", "password": "any"}
    body = {"auth": {"tenantName": "t", "passwordCredentials": credentials}}
    access = site.ask(site.identity_port, "POST", "/v2.0/tokens", body)["access"]
    urls = [service["endpoints"][0]["publicURL"] for service in access["serviceCatalog"]]
    made = site.ask(site.networking_port, "POST", "/v2.0/networks", {"network": {"name": "red"}})

    assert [f"{site.networking_url}/", f"{site.identity_url}/"] == urls[:2]
    assert made["network"] in site.ask(site.networking_port, "GET", "/v2.0/networks")["networks"]


def curl(site: Site, url: str, *options: str) -> int:
    """Fetch a URL as a client that trusts the authority; return curl's exit code."""
    command = ["curl", "-s", "--fail", "--cacert", f"{site.pki}/ca.pem", *options, url]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S).returncode


def test_curl(site: Site) -> None:
    """Another TLS library is served from TLS 1.2 on, and nobody below."""
    for url in (f"{site.networking_url}/v2.0/networks", f"{site.identity_url}/v2.0"):
        assert curl(site, url) == 0
        assert curl(site, url, "--tlsv1.2", "--tls-max", "1.2") == 0
        old = ("--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0")
        assert curl(site, url, *old) == 35  # CURLE_SSL_CONNECT_ERROR
        assert curl(site, url.replace("https", "http")) != 0


def test_renewal(site: Site) -> None:
    """New files are used within seconds, and no request is lost meanwhile."""
    stop = threading.Event()
    failures: list[Exception] = []

    def client() -> None:
        while not stop.is_set():
            try:
                site.ask(site.networking_port, "GET", "/v2.0/networks")
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        assert site.serves("rsa")
        under_way = site.connect(site.networking_port)
        under_way.sendall(HALF_A_REQUEST)
        site.install("ecdsa")
        wait_until(lambda: site.serves("ecdsa"), PATIENCE_S)
        under_way.sendall(b"       }")
        assert b"HTTP/1.1 400 Bad Request" in under_way.recv(1000)
        under_way.close()
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_sighup(site: Site) -> None:
    """SIGHUP reads files again at once, though nothing shows that they have changed."""

    def install(name: str) -> None:
        for path, end in ((site.files / "key", "key"), (site.files / "cert", "pem")):
            path.write_text((site.pki / f"{name}.{end}").read_text().ljust(4000))
            os.utime(path, ns=(0, 0))

    for name in ("ecdsa", "rsa"):
        install(name)
        site.signal(signal.SIGHUP)
        wait_until(partial(site.serves, name), PATIENCE_S)


def test_files_that_do_not_fit(site: Site) -> None:
    """A pair that does not match changes nothing but the log, until it is mended."""
    site.install("ecdsa", "rsa")
    told = f"[SSL] ssl-key-file {site.files}/key: does not belong to the certificate"
    wait_until(lambda: told in site.log.read_text(), PATIENCE_S)
    site.signal(signal.SIGHUP)
    wait_until(lambda: site.log.read_text().count(told) == 2, PATIENCE_S)
    assert site.serves("rsa")
    assert curl(site, f"{site.networking_url}/v2.0/networks") == 0

    site.install("ecdsa")
    wait_until(lambda: site.serves("ecdsa"), PATIENCE_S)
    site.stop()
    assert site.log.read_text().count(told) == 2


def test_start_with_files_that_do_not_fit(pki: Path, northbound: str) -> None:
    """The service does not start without a certificate, and says why."""
    with short_folder() as folder:
        site = Site(folder, pki, northbound)
        site.install("ecdsa", "rsa")
        site.start()
        assert site.wait(PATIENCE_S) == 1
        assert f"[SSL] ssl-key-file {folder}/key: does not belong" in site.log.read_text()
        assert "Traceback" not in site.log.read_text()


def test_sighup_without_tls(nb: OvsdbServer) -> None:
    """Without HTTPS too SIGHUP does no harm."""
    with short_folder() as folder, proxy_process(folder, nb.remote) as proxy:
        proxy.signal(signal.SIGHUP)
        proxy.wait_ready()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(PATIENCE_S) == 0


# --- clients that want nothing -----------------------------------------------


def silent(site: Site, port: int) -> socket.socket:
    """Connect and say nothing."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def handshaken(site: Site, port: int) -> socket.socket:
    """Connect as the engine does to read the certificate, and stay."""
    return site.connect(port)


def half_sent(site: Site, port: int) -> socket.socket:
    """Send a request but for its end."""
    sock = site.connect(port)
    sock.sendall(HALF_A_REQUEST)
    return sock


def timed(site: Site, rounds: int) -> list[float]:
    """Return the seconds that good clients wait for answers, on both ports in turn."""
    seconds = []
    for _ in range(rounds):
        for port, path in ((site.networking_port, "/v2.0/networks"), (site.identity_port, "/")):
            started = time.monotonic()
            site.ask(port, "GET", path)
            seconds.append(time.monotonic() - started)
    return seconds


@pytest.mark.alone
def test_clients_that_want_nothing(site: Site) -> None:
    """Those who hold connections open keep nobody from answers, and leave nothing behind."""
    before = site.uses()
    timed(site, 5)
    undisturbed = statistics.median(timed(site, 40))

    kinds: list[Callable[[Site, int], socket.socket]] = [silent, handshaken, half_sent]
    held: list[socket.socket] = []

    def besiege(kind: Callable[[Site, int], socket.socket], port: int) -> None:
        for _ in range(50):
            # Beyond 256 connections the oldest make room, perhaps within their handshake.
            with contextlib.suppress(OSError):
                held.append(kind(site, port))

    besiegers = [
        threading.Thread(target=besiege, args=(kind, port)) for kind in kinds for port in site.ports
    ]
    for thread in besiegers:
        thread.start()
    arriving = timed(site, 40)
    for thread in besiegers:
        thread.join()
    staying = timed(site, 40)
    for port in site.ports:
        site.connect(port).close()
    threads, descriptors = site.uses()
    for sock in held:
        sock.close()

    assert len(held) > 250
    assert threads > 200
    assert descriptors > 200
    # The besiegers share cores and interpreter with the clients while they arrive.
    assert statistics.median(arriving) < 20 * undisturbed
    assert statistics.median(staying) < 5 * undisturbed
    assert statistics.quantiles(staying, n=10)[-1] < 20 * undisturbed
    wait_until(lambda: all(now <= then for now, then in zip(site.uses(), before)), PATIENCE_S)
    assert statistics.median(timed(site, 40)) < 5 * undisturbed
    assert "Traceback" not in site.log.read_text()
