# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's single sign-on and the corner of its REST API that role checks need.

A stand-in: an engine does not run here. It speaks as the engine's servlets do
(`OAuthTokenServlet`, `OAuthTokenInfoServlet`; oVirt 4.5): every error is a 400, in
one of two shapes; lists and nested maps carry their Java classes; the value of
Accept is compared as a whole.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

GROUP_NAME = "AAA_AUTHZ_GROUP_NAME;java.lang.String;0eebe54f-b429-44f3-aa80-4704cbb16835"
NETWORK_ADMIN = "def00005-0000-0000-0000-def000000005"
PASSWORD = "secret word ä€"
CLIENT, SECRET = "ovirt-provider-ovn", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"
NEVER = "9223372036854775807"


@dataclass
class User:
    """Somebody in a profile's directory; `groups` are maps of a group's attributes."""

    password: str
    groups: tuple[Mapping[str, str], ...] = ()
    roles: tuple[str, ...] = ()
    user_id: str | None = None  # None: the name itself


@dataclass
class Session:
    """What is behind a token."""

    user: str
    scope: str
    client_id: str | None = None
    active: bool = True
    exp: str = NEVER


@dataclass
class EngineSso:
    """The state, which tests change as they like while it serves.

    `behaviour` is how it answers: "well", "starting" (HTML and 503), "missing" (HTML
    and 404), "server_error", "garbage", "endless", "redirect", "hang_up".
    `delay_s` is what every answer takes.
    """

    users: dict[str, User] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=lambda: {CLIENT: SECRET, "other": "other"})
    tokens: dict[str, Session] = field(default_factory=dict)
    behaviour: str = "well"
    delay_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    url: str = ""

    def new_token(self, user: str, client_id: str | None = None, **changes: Any) -> str:
        """Make a token as a login does, or as one of another client does."""
        token = base64.urlsafe_b64encode(secrets.token_bytes(64)).decode().rstrip("=")
        scope = "ovirt-app-api ovirt-ext=token-info:validate"
        self.tokens[token] = Session(user, scope, client_id, **changes)
        return token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the body waits until the client has acknowledged the head, 40 ms.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        sso = self.server.sso
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        sso.calls[path.rpartition("/")[2]] += 1
        time.sleep(sso.delay_s)
        if sso.behaviour != "well":
            self._misbehave(sso.behaviour)
        elif self.headers.get("Accept") != "application/json":
            self._error("invalid_request", "Accept", is_rest=False)
        elif path == "/ovirt-engine/sso/oauth/token":
            self._token(_form(body))
        elif path == "/ovirt-engine/sso/oauth/token-info":
            self._token_info(_form(body))
        elif path == "/ovirt-engine/sso/status":
            self._json({"status_description": "SSO Webapp Welcome Page", "version": "0"})
        elif path.startswith("/ovirt-engine/api"):
            self._api(path[len("/ovirt-engine/api") :])
        else:
            self._send(404, "text/html", b"<html>no such page</html>")

    def _misbehave(self, behaviour: str) -> None:
        if behaviour == "starting":
            self._send(503, "text/html", b"<html>Service Unavailable</html>")
        elif behaviour == "missing":
            self._send(404, "text/html", b"<html>Not Found</html>")
        elif behaviour == "server_error":
            is_rest = self.path.endswith("/token")
            self._error("server_error", "java.lang.NullPointerException", is_rest)
        elif behaviour == "garbage":
            self._send(200, "application/json", b'{"active": tru')
        elif behaviour == "redirect":
            self._send(302, "text/html", b"", Location="https://elsewhere.example.com/")
        elif behaviour == "hang_up":
            self.close_connection = True
        elif behaviour == "endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(20_000):
                    self.wfile.write(b" " * 4096)
            self.close_connection = True

    def _token(self, form: Mapping[str, str]) -> None:
        sso = self.server.sso
        if form.get("grant_type") != "password":
            self._error("unsupported_grant_type", "grant type", is_rest=True)
        elif not {"username", "password"} <= set(form):
            self._error("invalid_request", "Missing parameter: 'username'", is_rest=True)
        else:
            user = sso.users.get(form["username"])
            if user is None or user.password != form["password"]:
                text = f"Cannot authenticate user '{form['username']}': wrong credentials."
                self._error("access_denied", text, is_rest=True)
                return
            token = sso.new_token(form["username"])
            session = sso.tokens[token]
            session.scope = form.get("scope", "")
            self._json(
                {
                    "access_token": token,
                    "scope": session.scope,
                    "exp": session.exp,
                    "token_type": "bearer",
                }
            )

    def _token_info(self, form: Mapping[str, str]) -> None:
        sso = self.server.sso
        client, secret = self._client()
        if not client or not secret:
            self._error("invalid_request", "Missing parameter: 'client_id'", is_rest=False)
        elif client not in sso.clients:
            self._error("unauthorized_client", "It's required to use FQDN.", is_rest=False)
        elif sso.clients[client] != secret:
            self._error("invalid_request", "Missing parameter: 'client_secret'", is_rest=False)
        elif "public-authz-search" in form.get("scope", ""):
            profile = {"authn_name": "internal", "authz_name": "internal-authz"}
            profiles = ["java.util.ArrayList", [["java.util.HashMap", profile]]]
            self._json({"result": profiles})
        elif form.get("token", "") not in sso.tokens:
            self._error("invalid_grant", "The provided authorization grant ...", is_rest=False)
        else:
            session = sso.tokens[form["token"]]
            if session.client_id is not None and session.client_id != client:
                self._error("unauthorized_client", "unauthorized_client", is_rest=False)
            else:
                self._json(self._info(session))

    def _client(self) -> tuple[str, str]:
        header = self.headers.get("Authorization", "")
        text = base64.b64decode(header[len("Basic ") :]).decode() if header else ""
        client, _, secret = text.partition(":")
        return client, secret

    def _info(self, session: Session) -> Mapping[str, Any]:
        user = self.server.sso.users[session.user]
        groups = [["org.ovirt.engine.api.extensions.ExtMap", dict(group)] for group in user.groups]
        ovirt = {
            "version": "0",
            "principal_id": "fdfc627c-d875-11e0-90f0-83df133b58cc",
            "email": None,
            "namespace": "*",
            "first_name": "admin",
            "last_name": "",
            "group_ids": ["java.util.ArrayList", groups],
            "capability_credentials_change": True,
        }
        return {
            "active": session.active,
            "token_type": "bearer",
            "client_id": session.client_id,
            "user_id": user.user_id or session.user,
            "user_authz": "internal-authz",
            "scope": session.scope,
            "exp": session.exp,
            "ovirt": ["java.util.HashMap", ovirt],
        }

    def _api(self, path: str) -> None:
        sso = self.server.sso
        token = self.headers.get("Authorization", "").partition("Bearer ")[2]
        session = sso.tokens.get(token)
        if session is None or "ovirt-app-api" not in session.scope.split():
            self._send(401, "text/html", b"<html>Unauthorized</html>")
        elif path == "":
            href = "/ovirt-engine/api/users/0000-user"
            self._json({"authenticated_user": {"id": "0000-user", "href": href}})
        elif path == "/users/0000-user/roles":
            roles = [{"id": role, "name": "a role"} for role in sso.users[session.user].roles]
            self._json({"role": roles} if roles else {})
        else:
            self._send(404, "application/json", b"{}")

    def _error(self, code: str, text: str, is_rest: bool) -> None:
        body = (
            {"error_code": code, "error": text}
            if is_rest
            else {"error": code, "error_description": text}
        )
        self._send(400, "application/json;charset=UTF-8", json.dumps(body).encode())

    def _json(self, value: Any) -> None:
        self._send(200, "application/json;charset=UTF-8", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # A session cookie, which must not serve another user's request.
        self.send_header("Set-Cookie", "JSESSIONID=cookie-of-somebody; path=/; secure")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sso: EngineSso, context: ssl.SSLContext, port: int) -> None:
        self.sso = sso
        self._context = context
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        sock, address = super().get_request()
        self.sso.connections += 1
        # The handshake is made by the connection's own thread, with the first read.
        return self._context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        ), address

    def handle_error(self, *_: Any) -> None:
        pass  # clients that leave are part of the tests


@contextlib.contextmanager
def engine_sso(certificate: Path, key: Path, port: int = 0) -> Iterator[EngineSso]:
    """Run it on a port of the loopback (0: a free one), with this certificate.

    It knows admin@internal, who has every right, and joe@internal, who has none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    sso = EngineSso()
    sso.users["admin@internal"] = User(
        PASSWORD, groups=({GROUP_NAME: "NetAdmin"},), roles=("other", NETWORK_ADMIN)
    )
    sso.users["joe@internal"] = User("joe's", groups=({GROUP_NAME: "users"},))
    server = _Server(sso, context, port)
    sso.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield sso
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _form(body: bytes) -> Mapping[str, str]:
    return {key: values[0] for key, values in parse_qs(body.decode(), True).items()}
