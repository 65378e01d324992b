# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Identity API, v2.0 and v3: tokens, the one project, version documents.

Turns a request into an answer with the help of an auth plugin; knows nothing of
networks or the Northbound. Passwords and tokens are neither logged nor quoted, and
no token is kept: who made one says how long it is good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from webob import Request, Response

from .auth import AuthPlugin, Token, authorize
from .config import Config
from .errors import MethodNotAllowed, NotFound
from .json_text import json_bytes
from .routes import fits, split_path
from .wire import identity_v2, identity_v3
from .wire.identity import Grant, Login, TokenLogin
from .wsgi import USER

# What clients are told of a token whose end nobody knows: a date they can parse.
_NO_KNOWN_END = timedelta(days=3650)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class IdentityApi:
    """The identity listener's requests. Safe to call from many threads."""

    def __init__(
        self, config: Config, plugin: AuthPlugin, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._config = config
        self._plugin = plugin
        self._now = now
        # Path -> verb -> what answers; "*" is any text.
        self._routes: dict[tuple[str, ...], Mapping[str, Callable[[Request], Response]]] = {
            (): {"GET": self._list_versions},
            ("v2.0",): {"GET": self._show_v2},
            ("v2.0", "tokens"): {"POST": self._create_v2_token},
            ("v2.0", "tenants"): {"GET": self._list_tenants},
            ("v3",): {"GET": self._show_v3},
            # The engine puts "/tokens" behind its authentication URL and sends v2.0,
            # whatever version the URL has.
            ("v3", "tokens"): {"POST": self._create_v2_token},
            ("v3", "auth", "tokens"): {
                "POST": self._create_v3_token,
                "GET": self._show_token,
                "HEAD": self._show_token,
                "DELETE": self._end_token,
            },
            ("v3", "auth", "catalog"): {"GET": self._show_catalog},
            ("v3", "auth", "projects"): {"GET": partial(self._list, "projects")},
            ("v3", "auth", "domains"): {"GET": partial(self._list, "domains")},
            ("v3", "users", "*", "projects"): {"GET": partial(self._list, "projects")},
        }
        for collection in identity_v3.COLLECTIONS:
            self._routes["v3", collection] = {"GET": partial(self._list, collection)}
            self._routes["v3", collection, "*"] = {"GET": partial(self._show, collection)}

    def __call__(self, request: Request) -> Response:
        """Answer a request; raises subclasses of ApiError for everything but success."""
        segments = split_path(request.environ.get("PATH_INFO", ""))
        found = [verbs for template, verbs in self._routes.items() if fits(template, segments)]
        if not found:
            raise _not_found()
        (handlers,) = found
        if request.method not in handlers:
            reason = f"The method {request.method} is not allowed here."
            raise MethodNotAllowed("HTTPMethodNotAllowed", reason, list(handlers))
        response = handlers[request.method](request)
        # A token must not outlive its request in somebody's cache.
        response.cache_control = "no-store"
        return response

    # --- versions, for anybody ------------------------------------------------

    def _list_versions(self, _request: Request) -> Response:
        # The newest first, wrapped as keystone does it: not all clients take a plain list.
        versions = [identity_v3.version(self._config), identity_v2.version(self._config)]
        return _json({"versions": {"values": versions}})

    def _show_v2(self, _request: Request) -> Response:
        return _json({"version": identity_v2.version(self._config)})

    def _show_v3(self, _request: Request) -> Response:
        return _json({"version": identity_v3.version(self._config)})

    # --- tokens ---------------------------------------------------------------

    def _create_v2_token(self, request: Request) -> Response:
        token = self._log_in(request, identity_v2.decode_login(request.body))
        return _json(identity_v2.encode_access(self._config, self._grant(token)))

    def _create_v3_token(self, request: Request) -> Response:
        login = identity_v3.decode_login(request.body)
        method = "token" if isinstance(login, TokenLogin) else "password"
        return self._tell_token(request, self._log_in(request, login), method, 201)

    def _show_token(self, request: Request) -> Response:
        # How it was got is not known any more.
        return self._tell_token(request, self._subject(request), "password", 200)

    def _end_token(self, request: Request) -> Response:
        # Nothing to forget: tokens are the plugin's, and end when their time is over.
        self._subject(request)
        return Response(status=204)

    def _tell_token(self, request: Request, token: Token, method: str, status: int) -> Response:
        with_catalog = "nocatalog" not in _query(request)
        grant = self._grant(token)
        body = identity_v3.encode_token(self._config, grant, method, with_catalog=with_catalog)
        response = _json(body, status)
        response.headers["X-Subject-Token"] = token.id
        return response

    def _log_in(self, request: Request, login: Login) -> Token:
        if isinstance(login, TokenLogin):
            token = Token(login.token, None, authorize(self._plugin, login.token).user)
        else:
            request.environ[USER] = login.user
            token = self._plugin.create_token(login.user, login.password)
        request.environ[USER] = token.user
        return token

    def _subject(self, request: Request) -> Token:
        """Return the token that somebody with a token asks about."""
        self._authorize(request)
        token_id = request.headers.get("X-Subject-Token", "")
        identity = self._plugin.validate_token(token_id)
        if identity is None:
            # Not 401, which is said of X-Auth-Token.
            raise NotFound("HTTPNotFound", "The token in X-Subject-Token is not valid.")
        return Token(token_id, None, identity.user)

    def _grant(self, token: Token) -> Grant:
        now = self._now()
        life = timedelta(seconds=self._config.auth_token_timeout_s) or _NO_KNOWN_END
        return Grant(token.id, token.user, issued_at=now, expires_at=token.expires or now + life)

    def _authorize(self, request: Request) -> None:
        identity = authorize(self._plugin, request.headers.get("X-Auth-Token"))
        request.environ[USER] = identity.user

    # --- what there is to look at, for who has a token ------------------------

    def _list_tenants(self, request: Request) -> Response:
        self._authorize(request)
        return _json({"tenants": [identity_v2.tenant(self._config)], "tenants_links": []})

    def _show_catalog(self, request: Request) -> Response:
        self._authorize(request)
        catalog = identity_v3.encode_catalog(self._config)
        return _json({"catalog": catalog, "links": {"self": request.path_url}})

    def _list(self, collection: str, request: Request) -> Response:
        self._authorize(request)
        filters, url = _query(request), request.path_url
        return _json(identity_v3.encode_list(self._config, collection, filters, url))

    def _show(self, collection: str, request: Request) -> Response:
        self._authorize(request)
        document_id = split_path(request.environ["PATH_INFO"])[-1]
        document = identity_v3.encode_member(self._config, collection, document_id)
        if document is None:
            raise _not_found()
        return _json(document)


def _not_found() -> NotFound:
    return NotFound("HTTPNotFound", "The resource could not be found.")


def _query(request: Request) -> Mapping[str, str]:
    # Not WebOb's, which raises for bytes that are no UTF-8.
    return dict(parse_qsl(request.query_string, keep_blank_values=True))


def _json(value: Any, status: int = 200) -> Response:
    return Response(json_bytes(value), status=status, content_type="application/json")
