# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection over TLS: certificates good, bad and renewed."""

from __future__ import annotations

import contextlib
import re
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certificates import make_certificate
from daemon.northbound import (
    connected,
    in_thread,
    in_trouble,
    insert,
    ready,
    shown,
    within,
)
from daemon.ovsdb import (
    free_port,
    ovsdb_server,
    short_folder,
    wait_until,
)
from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import TlsFiles

pytestmark = pytest.mark.daemon


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    yield
    assert "northbound" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    """Two authorities, with a server's and a client's certificate of the first one."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "otherca")
        make_certificate(folder, "server", "ca")
        make_certificate(folder, "client", "ca")
        yield folder


@pytest.fixture
def tls_port(pki: Path) -> Iterator[int]:
    """The port of a server that asks for a certificate of the first authority."""
    port = free_port()
    with ovsdb_server(remotes=[f"pssl:{port}:127.0.0.1"], options=tls_options(pki)):
        yield port


def tls_options(folder: Path) -> list[str]:
    """Return the options of a server for its files."""
    files = {"private-key": "server.key", "certificate": "server.pem", "ca-cert": "ca.pem"}
    return [f"--{option}={folder / name}" for option, name in files.items()]


def tls_files(folder: Path, **changes: Any) -> TlsFiles:
    """Return the client's files, with some replaced."""
    files = {name: str(folder / f"client.{end}") for name, end in TLS_NAMES}
    return TlsFiles(**{**files, "ca": str(folder / "ca.pem"), **changes})


TLS_NAMES = (("key", "key"), ("certificate", "pem"))


def test_tls(pki: Path, tls_port: int) -> None:
    """Over TLS all works as without, big messages in both directions too."""
    with ready(f"ssl:127.0.0.1:{tls_port}", tls=tls_files(pki)) as connection:
        connection.transact([insert(f"s{n}" + "x" * 500) for n in range(4000)], within(20))
        results = [
            in_thread(lambda n=n: connection.transact([insert(f"t{n}" * 9000)], within(9)))  # type: ignore[misc]
            for n in range(20)
        ]

        assert all(isinstance(result(), list) for result in results)
        assert len(shown(connection)) == 4020
        for number in range(200):
            connection.transact([insert(f"u{number}")], within(5))
            assert f"u{number}" in shown(connection)


def test_reading_and_sending_at_once(
    pki: Path, tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads send by themselves what they have, but never while the socket is in use."""
    users: Counter[ssl.SSLSocket] = Counter()
    most = []

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(sock: ssl.SSLSocket, *arguments: Any) -> Any:
            users[sock] += 1
            most.append(users[sock])
            time.sleep(0.0005)  # long enough for others to come
            try:
                return method(sock, *arguments)
            finally:
                users[sock] -= 1

        return run

    for name in ("recv", "send"):
        monkeypatch.setattr(ssl.SSLSocket, name, watched(getattr(ssl.SSLSocket, name)))

    def write(connection: Connection[Any], name: str) -> None:
        for number in range(30):
            connection.transact([insert(f"{name}-{number}-" + "x" * 20_000)], within(9))

    remote = f"ssl:127.0.0.1:{tls_port}"
    with ready(remote, tls=tls_files(pki)) as one, ready(remote, tls=tls_files(pki)) as other:
        results = [
            in_thread(partial(write, connection, f"{side}{thread}"))
            for side, connection in enumerate((one, other))
            for thread in range(3)
        ]
        assert all(result() is None for result in results)
        for connection in (one, other):
            connection.barrier(within(5))
            assert len(shown(connection)) == 180
    assert {1} == set(most)


@pytest.mark.parametrize("size", [50_000, 1_000_000])
def test_sending_to_a_server_that_does_not_read(pki: Path, size: int) -> None:
    """What OpenSSL has taken in part is offered to it again as it was, whoever sent it first."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        remotes = [f"pssl:{port}:127.0.0.1"]
        server = stack.enter_context(ovsdb_server(remotes=remotes, options=tls_options(pki)))
        connection = stack.enter_context(ready(f"ssl:127.0.0.1:{port}", tls=tls_files(pki)))
        transport = connection._transport
        assert transport is not None
        server.signal(signal.SIGSTOP)
        results: list[Callable[[], Any]] = []
        try:
            while len(results) < 400 and transport.is_free:
                name = f"{len(results)}" + "x" * size
                results.append(in_thread(partial(connection.transact, [insert(name)], within(20))))
                time.sleep(0.002)
            assert not transport.is_free
        finally:
            server.signal(signal.SIGCONT)

        assert all(isinstance(result(), list) for result in results)
        assert len(shown(connection)) == len(results)


def test_tls_by_name(pki: Path, tls_port: int) -> None:
    """A name is resolved; the certificate has to carry it unless that check is switched off."""
    remote = f"ssl:localhost:{tls_port}"
    with connected(remote, tls=tls_files(pki)) as connection:
        wait_until(lambda: "localhost" in connection.status().partition("ssl:")[2][10:])
        assert "not valid for 'localhost'" in connection.status()
    with ready(remote, tls=tls_files(pki, check_hostname=False)):
        pass


def tells(connection: Connection[Any], complaint: str) -> bool:
    """Say whether the status has this to tell."""
    return re.search(complaint, connection.status()) is not None


def test_tls_failures(pki: Path, tls_port: int) -> None:
    """Each way in which TLS can fail is told in the status."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca": str(pki / "otherca.pem")}, "unable to get local issuer|self-signed|self signed"),
        ({"key": None, "certificate": None}, "certificate required|CERTIFICATE_REQUIRED"),
        ({"ca": str(pki / "none.pem")}, r"none\.pem: No such file"),
        ({"key": str(pki / "server.key")}, "client.pem with key .*server.key: .*MISMATCH"),
    ]
    for changes, complaint in cases:
        tls = tls_files(pki, **changes)
        with connected(f"ssl:127.0.0.1:{tls_port}", tls=tls) as connection:
            # The server may take its time until it listens at all.
            wait_until(partial(tells, connection, complaint))
            assert not connection.ready


def test_tls_on_one_side_only(pki: Path, tls_port: int) -> None:
    """A plain server behind an ssl: remote, or the other way round, is told and left."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(ovsdb_server(remotes=[f"ptcp:{port}:127.0.0.1"]))
        tls = TlsFiles(ca=str(pki / "ca.pem"))
        encrypted = stack.enter_context(connected(f"ssl:127.0.0.1:{port}", tls=tls))
        plain = stack.enter_context(connected(f"tcp:127.0.0.1:{tls_port}"))
        for connection in (encrypted, plain):
            wait_until(partial(in_trouble, connection))
            assert not connection.ready


def test_renewed_certificates(pki: Path, tls_port: int) -> None:
    """Files that are replaced are used by the next connection, without a restart."""
    folder = pki / "renewed"
    folder.mkdir(exist_ok=True)
    for name in ("client.key", "client.pem", "ca.pem"):
        (folder / name).write_bytes((pki / name.replace("ca.", "otherca.")).read_bytes())
    with connected(f"ssl:127.0.0.1:{tls_port}", tls=tls_files(folder)) as connection:
        wait_until(partial(in_trouble, connection))
        assert not connection.ready
        (folder / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())

        connection.wait_ready(within(4))


def test_unknown_name() -> None:
    """A name that cannot be resolved is told, and does not keep stop() waiting."""
    with connected("tcp:does-not-exist.invalid:6641") as connection:
        wait_until(partial(in_trouble, connection), 20)
        assert "does-not-exist.invalid" in connection.status()
