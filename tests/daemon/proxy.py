# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxy for tests: its applications in this process, or the whole of it as a child."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from webob import Request

from daemon.ovsdb import Daemon, HasRemote, free_port, wait_until
from ovirt_ovn_proxy.compose import make_applications, make_connection
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import parse_remotes
from ovirt_ovn_proxy.nb.replica import Replica

ENGINE = {"User-Agent": "Apache-HttpClient/4.5.14 (Java/11.0.20)"}
SOURCES = Path(__file__).resolve().parents[2] / "proxy"


def path_of(kind: str) -> str:
    """Return the collection of a kind of objects in paths, which have dashes."""
    return f"{kind}s".replace("_", "-")


def absolute(path: str) -> str:
    """Return a path with the version of the API, unless it starts with a slash."""
    return path if path.startswith("/") else f"/v2.0/{path}"


class Answer(NamedTuple):
    """What came back: status, JSON body (None: empty) and headers."""

    status: int
    json: Any
    headers: Any


def http(
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request over a connection of its own, `body` as JSON unless it is bytes.

    Whoever serves https: is believed, unless a `context` says who may.
    """
    parts = urlsplit(url)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection = HTTPConnection(parts.netloc, timeout=10)
    if parts.scheme == "https":
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection(parts.netloc, timeout=10, context=context)
    with contextlib.closing(connection):
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, content, dict(headers or {}))
        response = connection.getresponse()
        text = response.read()
        return Answer(response.status, json.loads(text) if text else None, response.headers)


class Rest(ABC):
    """The Networking API, whichever way requests take."""

    @abstractmethod
    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request; `path` is below /v2.0 unless it starts with a slash."""

    def get(self, path: str, **headers: str) -> Any:
        """GET what has to be there; returns the JSON body."""
        answer = self("GET", path, headers=headers)
        assert answer.status == 200, answer
        return answer.json

    def create(self, kind: str, headers: dict[str, str] | None = None, **values: Any) -> Any:
        """POST one object ("network", name="red"); returns it."""
        answer = self("POST", path_of(kind), {kind: values}, headers)
        assert answer.status == 201, answer
        return answer.json[kind]

    def update(self, kind: str, object_id: str, /, **values: Any) -> Any:
        """PUT one object; returns it."""
        answer = self("PUT", f"{path_of(kind)}/{object_id}", {kind: values})
        assert answer.status == 200, answer
        return answer.json[kind]

    def delete(self, kind: str, object_id: str) -> None:
        """DELETE one object that can be deleted."""
        answer = self("DELETE", f"{path_of(kind)}/{object_id}")
        assert answer.status == 204, answer


class Api(Rest):
    """The networking application, called without a socket."""

    def __init__(self, nb: HasRemote, **settings: Any) -> None:
        settings.setdefault("ovn_remotes", parse_remotes(nb.remote))
        self.config = Config(auth_plugin="NoAuthPlugin", **settings)
        self.connection: Connection[Replica] = make_connection(self.config)
        applications = make_applications(self.config, self.connection)
        self.networking, self.identity, self.bindings = applications

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request; `path` is below /v2.0 unless it starts with a slash."""
        request = Request.blank(absolute(path), method=method, headers=headers or {})
        if body is not None:
            request.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = request.get_response(self.networking)
        content = response.body
        return Answer(
            response.status_int, json.loads(content) if content else None, response.headers
        )


@contextlib.contextmanager
def running_api(nb: HasRemote, **settings: Any) -> Iterator[Api]:
    """Give an `Api` on a Northbound server, in sync; `settings` are fields of Config."""
    api = Api(nb, **settings)
    api.connection.start()
    try:
        wait_until(lambda: api.connection.ready, what="the replica is in sync")
        yield api
    finally:
        api.connection.stop()


class ProxyProcess(Daemon):
    """The whole service as a child process on two loopback ports.

    It lets everybody in; with a `secret`, who has that as the password. `extra` are further
    lines of its file, whose last section is [AUTH]; `scheme` is what they make the ports
    speak. Files in `folder`/conf.d are read too. `arguments` follow `serve`.
    """

    def __init__(
        self,
        folder: Path,
        remote: str,
        name: str = "proxy",
        extra: str = "",
        secret: str = "",
        *,
        scheme: str = "http",
        arguments: Sequence[str] = (),
    ) -> None:
        self.networking_port, self.identity_port = free_port(), free_port()
        self.networking_url = f"{scheme}://127.0.0.1:{self.networking_port}"
        self.identity_url = f"{scheme}://127.0.0.1:{self.identity_port}"
        self._secret = secret
        plugin = f"MagicTokenPlugin\nmagic-token={secret}" if secret else "NoAuthPlugin"
        file = folder / f"{name}.conf"
        file.write_text(
            f"[OVN REMOTE]\novn-remote={remote}\n"
            f"[PROVIDER]\nprovider-host=127.0.0.1\nlisten-address=127.0.0.1\n"
            f"neutron-port={self.networking_port}\nkeystone-port={self.identity_port}\n"
            f"nova-port={self.networking_port}\n"
            f"[AUTH]\nauth-plugin=auth.plugins.static_token:{plugin}\n{extra}"
        )
        # A launcher of two lines, so that the child needs nothing installed.
        launch = (
            f"import sys; sys.path.insert(0, {str(SOURCES)!r}); "
            "from ovirt_ovn_proxy.cli import main; sys.exit(main())"
        )
        command = [sys.executable, "-c", launch, "serve", "--config-file", str(file), *arguments]
        super().__init__(folder, name, command, None)

    def log_in(self) -> str:
        """Return a token."""
        credentials = {"username": "admin@internal", "password": self._secret}
        body = {"auth": {"passwordCredentials": credentials}}
        answer = http("POST", f"{self.identity_url}/v2.0/tokens", body)
        return str(answer.json["access"]["token"]["id"])

    def wait_ready(self) -> None:
        """Wait until lists are answered."""

        def answers() -> bool:
            with contextlib.suppress(OSError):
                url = f"{self.networking_url}/v2.0/networks"
                return http("GET", url, headers={"X-Auth-Token": self.log_in()}).status == 200
            return False

        wait_until(answers, what=f"{self.name} answers")

    def wait_listening(self) -> None:
        """Wait until both ports take connections, which is before lists are answered."""

        def listens() -> bool:
            for port in (self.networking_port, self.identity_port):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) != 0:
                        return False
            return True

        wait_until(listens, what=f"{self.name} listens")


@contextlib.contextmanager
def proxy_process(
    folder: Path, remote: str, name: str = "proxy", extra: str = "", secret: str = ""
) -> Iterator[ProxyProcess]:
    """Run the service on a Northbound remote; `extra` are further lines of its file."""
    process = ProxyProcess(folder, remote, name, extra, secret)
    try:
        process.start()
        process.wait_ready()
        yield process
    finally:
        process.stop()
