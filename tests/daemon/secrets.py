# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions full of secrets, and the proof that none of them is in a log.

For a plugin's tests: run `ProxyProcess` with it and "--debug", give `use_secrets` the
credentials of somebody, and its result, with what else is secret, to `assert_no_secrets`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from daemon.proxy import ProxyProcess

_CHUNKED = "Transfer-Encoding: chunked"
_AS_FAR_AS_IT_GOES = contextlib.suppress(ConnectionError)


def assert_no_secrets(log: str, secrets: Iterable[str]) -> None:
    """Fail if a secret is in a log, as it is or in one of the forms that programs quote in."""
    for secret in secrets:
        raw = secret.encode("utf-8", "surrogatepass")
        for form in {
            secret,
            repr(secret)[1:-1],
            ascii(secret)[1:-1],
            json.dumps(secret)[1:-1],
            secret.encode("unicode_escape").decode(),
            repr(raw)[2:-1],
            raw.decode("latin-1"),
            quote(secret, errors="surrogatepass"),
            base64.b64encode(raw).decode(),
        }:
            lines = [line for line in log.splitlines() if form in line]
            assert not lines, f"{secret!r} is in the log: {lines[0]}"


def use_secrets(proxy: ProxyProcess, user: str, password: str) -> list[str]:
    """Log in, do things, and fail in many ways; return every secret that was sent or received.

    Credentials that are not accepted are taken as they come: there is no token then.
    """
    talk = _Talk(proxy)
    token = talk.log_in(user, password)
    talk.use(token)
    talk.use(talk.secret("bad-token-1"))
    talk.use(talk.secret("bad token \u017e\u00e4 '\"\\"))
    talk.log_in(user, talk.secret("wrong-password-1"))
    talk.log_in(user, talk.secret("wr\u00f6ng 'password\"\\ \u017e \ud800 2"))
    talk.misuse(password)
    talk.misuse(talk.secret("spilt-password-1"))
    return talk.secrets


class _Talk:
    """What is sent to both ports of a service."""

    def __init__(self, proxy: ProxyProcess) -> None:
        self._proxy = proxy
        self.secrets: list[str] = []

    def secret(self, text: str) -> str:
        """Note a secret, and return it."""
        self.secrets.append(text)
        return text

    def log_in(self, user: str, password: str) -> str:
        """Ask for tokens in each way; return one, "" if there is none."""
        self.secret(password)
        port = self._proxy.identity_port
        credentials = {"username": user, "password": password}
        v2 = {"auth": {"tenantName": "t", "passwordCredentials": credentials}}
        owner = {"name": user, "domain": {"name": "internal"}, "password": password}
        v3 = {"auth": {"identity": {"methods": ["password"], "password": {"user": owner}}}}
        answer = self._send(port, "POST", "/v2.0/tokens", v2)
        self._send(port, "POST", "/v3/auth/tokens", v3)
        with contextlib.suppress(ValueError, LookupError, TypeError):
            token: str = json.loads(answer.partition(b"\r\n\r\n")[2])["access"]["token"]["id"]
            return self.secret(token)
        return ""

    def use(self, token: str) -> None:
        """Show a token wherever tokens are shown."""
        for port, path in (
            (self._proxy.networking_port, "/v2.0/networks"),
            (self._proxy.networking_port, "/"),
            (self._proxy.identity_port, "/v2.0/tenants"),
            (self._proxy.identity_port, "/v3/auth/tokens"),
            (self._proxy.identity_port, f"/v2.0/tokens/{quote(token, safe='')}"),
            (self._proxy.networking_port, f"/v2.0/networks?token={quote(token, safe='')}"),
        ):
            for header in ("X-Auth-Token: ", "X-Subject-Token: ", "Authorization: Bearer "):
                self._send(port, "GET", path, b"", header + token)
                self._send(port, "DELETE", path, b"", header + token)
        self._send(
            self._proxy.networking_port,
            "POST",
            "/v2.0/networks",
            {"network": {"name": "a", "mtu": "none"}},
            f"X-Auth-Token: {token}",
        )
        identity = {"identity": {"methods": ["token"], "token": {"id": token}}}
        for body in ({"auth": {"token": {"id": token}}}, {"auth": identity}):
            for path in ("/v2.0/tokens", "/v3/auth/tokens"):
                self._send(self._proxy.identity_port, "POST", path, body)

    def misuse(self, password: str) -> None:
        """Send a password in requests that cannot be understood."""
        good = {"auth": {"passwordCredentials": {"username": "u", "password": password}}}
        text = json.dumps(good).encode()
        bodies: list[Any] = [
            text[:-1],
            text + b"}",
            text.replace(b'"auth"', b'"auth'),
            text.replace(b"{", b"["),
            text + b"\xff",
            b"password=" + password.encode("utf-8", "surrogatepass"),
            [good],
            {"Auth": good["auth"]},
            {"auth": {"passwordCredentials": [password]}},
            {"auth": {"passwordCredentials": {"username": [password], "password": password}}},
            {"auth": {"passwordCredentials": {"username": "u", "password": [password]}}},
            {"auth": {"passwordCredentials": {"username": "u", "Password": password}}},
            {"auth": {"token": {"id": {"a": password}}}},
            {"auth": {"identity": {"methods": [password], "password": password}}},
            text + b" " * (1024 * 1024),
        ]
        for body in bodies:
            for path in ("/v2.0/tokens", "/v3/auth/tokens", "/v2.0"):
                self._send(self._proxy.identity_port, "POST", path, body)
        for header in (_CHUNKED, "X-Auth-Token", "no colon", "X-Auth-Token: a\x00b"):
            self._send(self._proxy.identity_port, "POST", "/v2.0/tokens", text, header)
            self._send(
                self._proxy.networking_port, "GET", "/v2.0/ports", b"", f"{header}{password}"
            )

    def _send(
        self, port: int, method: str, path: str, body: Any = b"", header: str = "X-Other: 1"
    ) -> bytes:
        """Send bytes as they are; return the answer, or what came of it."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {len(content)}"
        answer = bytearray()
        # A request that is refused early may find its connection reset.
        with socket.create_connection(("127.0.0.1", port), 20) as sock, _AS_FAR_AS_IT_GOES:
            sock.sendall(head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + content)
            while block := sock.recv(65536):
                answer += block
        return bytes(answer)
