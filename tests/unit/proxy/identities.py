# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Identity API for tests: with one user whom its plugin knows, and a clock that stands."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from webob import Request, Response

from ovirt_ovn_proxy.auth import Identity, Token
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import Forbidden, Unauthorized, Unavailable
from ovirt_ovn_proxy.identity import IdentityApi

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
CONFIG = Config(provider_host="engine.example.com", https_enabled=True)


class OneUser:
    """Knows admin@internal with the password "secret" and the token "t1"."""

    def __init__(self, expires: datetime | None = None) -> None:
        self.expires = expires

    def create_token(self, user: str, password: str) -> Token:
        """Refuse joe as a stranger, anybody's wrong password, and nobody's call."""
        if user == "joe@internal":
            raise Forbidden("HTTPForbidden", "not you")
        if user == "nobody@down":
            raise Unavailable("HTTPServiceUnavailable", "later")
        if (user, password) != ("admin@internal", "secret"):
            raise Unauthorized("HTTPUnauthorized", "no")
        return Token("t1", self.expires, user)

    def validate_token(self, token: str) -> Identity | None:
        """Know one token."""
        return Identity("admin@internal") if token == "t1" else None


def call(
    method: str,
    path: str,
    body: object = None,
    *,
    config: Config = CONFIG,
    expires: datetime | None = None,
    token: str | None = None,
    subject: str | None = None,
) -> Response:
    """Send one request, `body` as JSON unless it is bytes.

    `token` and `subject` are X-Auth-Token and X-Subject-Token, None without the header.
    """
    tokens = {"X-Auth-Token": token, "X-Subject-Token": subject}
    headers = {name: value for name, value in tokens.items() if value is not None}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request.blank("/", method=method, headers=headers, body=raw)
    request.environ["PATH_INFO"], _, request.environ["QUERY_STRING"] = path.partition("?")
    return IdentityApi(config, OneUser(expires), lambda: NOW)(request)
