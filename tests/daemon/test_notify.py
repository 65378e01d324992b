# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service tells who started it (sd_notify(3)), as systemd would hear it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import ProxyProcess, http

pytestmark = pytest.mark.daemon


@contextlib.contextmanager
def listening(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Have NOTIFY_SOCKET name a socket, by a path or, from a zero on, in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        yield listener


@pytest.fixture
def listener(nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that NOTIFY_SOCKET names."""
    with listening(f"{nb.folder}/notify", monkeypatch) as listener:
        yield listener


def test_abstract_socket(nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in the abstract namespace, as systemd uses too, is told as well."""
    with listening(f"\0{nb.folder}/notify", monkeypatch) as listener:
        proxy = ProxyProcess(nb.folder, nb.remote)
        try:
            proxy.start()
            assert b"READY=1" == listener.recv(4096)
        finally:
            proxy.stop()


def test_ready_and_status(listener: socket.socket, nb: OvsdbServer) -> None:
    """It is ready when both ports answer, whatever the database does, whose state it tells."""
    nb.stop()
    (nb.folder / "conf.d").mkdir()
    (nb.folder / "conf.d" / "50-site.conf").write_text("[PROVIDER]\nrequest-timeout=0.5\n")
    proxy = ProxyProcess(nb.folder, nb.remote)

    def heard() -> str:
        return listener.recv(4096).decode()

    try:
        proxy.start()
        assert "READY=1" == heard()
        networks = f"{proxy.networking_url}/v2.0/networks"
        token = {"X-Auth-Token": proxy.log_in()}
        assert 503 == http("GET", networks, headers=token).status
        assert heard().startswith("STATUS=answering 503: OVN_Northbound is not available: ")
        nb.start()
        while not (said := heard()).startswith("STATUS=connected"):
            assert said.startswith("STATUS=answering 503: ")
        assert f"STATUS=connected to {nb.remote}" == said
        assert 200 == http("GET", networks, headers=token).status
        nb.stop()
        assert heard().startswith("STATUS=answering 503: ")
    finally:
        proxy.stop()
    while (said := heard()).startswith("STATUS="):
        pass
    assert "STOPPING=1" == said
