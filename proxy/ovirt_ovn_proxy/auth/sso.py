# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's single sign-on over HTTPS, and what its refusals mean.

I/O. Every refusal of the SSO is an HTTP 400 with a code in JSON, its own troubles
included; only what a code says of the client's credentials may become a 401, as the
engine acts on that for good. Neither tokens nor passwords nor answers are logged or
quoted.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import time
import weakref
from collections.abc import Mapping
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from ..config import Config
from ..errors import BadGateway, GatewayTimeout, Unauthorized, Unavailable
from .token_info import TokenInfo, read_expiry, read_token_info

_LOG = logging.getLogger(__name__)

# The scope that the engine's own clients ask for: its REST API, and to be asked about.
_SCOPE = "ovirt-app-api ovirt-ext=token-info:validate"
# What an answer may hold at the most: a user can have thousands of groups.
_MOST_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 16 * 1024
_POOL_SIZE = 64
# Codes (RFC 6749 section 5.2, and the SSO's own) that are about who asks for a token.
_BAD_CREDENTIALS = ("access_denied", "invalid_grant")


class Login(NamedTuple):
    """A token that the SSO made; `expires` is None where it knows no end."""

    token: str
    expires: datetime | None

    def __repr__(self) -> str:
        return f"Login(token=***, expires={self.expires!r})"


class _Answer(NamedTuple):
    status: int
    document: Mapping[str, Any] | None  # None: no JSON object


class Sso:
    """The SSO and the REST API of one engine. Thread-safe; connections are kept and reused.

    Deadlines are in terms of time.monotonic(). All methods raise Unavailable while
    the engine cannot be reached, BadGateway when it answers nonsense or refuses this
    service, and GatewayTimeout at the deadline.
    """

    def __init__(self, config: Config) -> None:
        self._engine = f"{config.ovirt_host.rstrip('/')}/{config.ovirt_base.strip('/')}".rstrip("/")
        self._client = (config.ovirt_sso_client_id, config.ovirt_sso_client_secret)
        self._ca_file = config.ovirt_ca_file
        self._session = requests.Session()
        # No proxy and no ~/.netrc of whoever runs the service, and no cookies: a
        # session of one user must never serve another.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("https://", _TlsAdapter(self._ca_file))
        self._session.mount("http://", HTTPAdapter(pool_maxsize=_POOL_SIZE))
        # urllib3 does so by itself from 2.0 on.
        weakref.finalize(self, self._session.close)

    def log_in(self, user: str, password: str, deadline: float) -> Login:
        """Return a new token for a user (grant "password", RFC 6749 section 4.3).

        Without our client credentials, which would bind the token to this service.
        Raises Unauthorized for bad credentials.
        """
        form = {"grant_type": "password", "username": user, "password": password, "scope": _SCOPE}
        answer = self._post("/sso/oauth/token", form, deadline)
        if answer.status != 200:
            if _code(answer) in _BAD_CREDENTIALS:
                raise Unauthorized("HTTPUnauthorized", "The user name or the password is wrong.")
            raise _refusal(answer, "make a token")
        token = (answer.document or {}).get("access_token")
        if not isinstance(token, str) or not token:
            raise _bad("The engine's SSO answers a login without a token.")
        return Login(token, read_expiry(answer.document or {}))

    def who_is(self, token: str, deadline: float) -> TokenInfo | None:
        """Return who holds a token, None for one that is no good (any more)."""
        answer = self._post("/sso/oauth/token-info", {"token": token}, deadline, self._client)
        if answer.status != 200:
            code = _code(answer)
            if code == "invalid_grant":
                return None
            if code == "unauthorized_client" and self.check_client(deadline) is None:
                # We are known, so it was the token: another client's, and not for us.
                return None
            raise _refusal(answer, "tell who holds a token")
        try:
            return read_token_info(answer.document or {})
        except ValueError as error:
            raise _bad(f"The engine's SSO answers {error}.") from None

    def check_client(self, deadline: float) -> str | None:
        """Return what is wrong with our client id and secret at the SSO, None for nothing."""
        form = {
            "query_type": "profile-list",
            "scope": "ovirt-ext=token-info:public-authz-search",
            "token": "",
        }
        answer = self._post("/sso/oauth/token-info", form, deadline, self._client)
        if answer.status == 200:
            return None
        code = _code(answer)
        if code == "unauthorized_client":
            return "it does not know ovirt-sso-client-id"
        if code == "invalid_request":
            return "it refuses ovirt-sso-client-secret"
        return str(_refusal(answer, "list its profiles"))

    def check_status(self, deadline: float) -> None:
        """Ask whether the SSO is up; returns if it is."""
        answer = self._send("GET", "/sso/status", deadline)
        if answer.status != 200 or answer.document is None:
            raise _refusal(answer, "tell its status")

    def get(self, path: str, token: str, deadline: float) -> Mapping[str, Any] | None:
        """Return an object of the engine's REST API, None if it is not for this token."""
        headers = {"Authorization": f"Bearer {token}", "Version": "4"}
        answer = self._send("GET", f"/api{path}", deadline, headers=headers)
        if answer.status in (401, 403):
            return None
        if answer.status != 200 or answer.document is None:
            raise _refusal(answer, f"answer GET /api{path}")
        return answer.document

    def _post(
        self,
        path: str,
        form: Mapping[str, str],
        deadline: float,
        client: tuple[str, str] | None = None,
    ) -> _Answer:
        # requests would encode the credentials as Latin-1, the SSO reads UTF-8.
        auth = tuple(text.encode() for text in client) if client else None
        try:
            data = [(name, text.encode()) for name, text in form.items()]
        except UnicodeEncodeError:
            # Half a surrogate pair is in nobody's name, password or token.
            return _Answer(400, {"error": "invalid_grant"})
        return self._send("POST", path, deadline, data=data, auth=auth)

    def _send(self, method: str, path: str, deadline: float, **options: Any) -> _Answer:
        # The SSO compares the whole value of Accept.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        headers.update(options.pop("headers", {}))
        for is_last in (False, True):
            try:
                return self._try(method, path, deadline, headers=headers, **options)
            except requests.exceptions.SSLError as error:
                raise _bad(f"TLS with the engine fails: {_words(_cause(error))}.") from None
            except requests.Timeout:
                raise _too_late() from None
            except requests.RequestException as error:
                cause = _cause(error)
                if isinstance(cause, (urllib3.exceptions.ReadTimeoutError, socket.timeout)):
                    raise _too_late() from None
                # A connection that was kept may have been closed just now.
                if is_last or not isinstance(cause, ConnectionError):
                    reason = f"The engine cannot be reached: {_words(cause)}."
                    raise Unavailable("ServiceUnavailable", reason) from None
            except OSError as error:
                raise _bad(f"The engine's certificate cannot be checked: {error}.") from None
        raise AssertionError("unreachable")

    def _try(self, method: str, path: str, deadline: float, **options: Any) -> _Answer:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise _too_late()
        with self._session.request(
            method,
            self._engine + path,
            timeout=left_s,
            # What a redirect leads to must not get a password.
            allow_redirects=False,
            stream=True,
            verify=self._ca_file or True,
            **options,
        ) as response:
            body = bytearray()
            for block in response.iter_content(_BLOCK_BYTES):
                body += block
                if len(body) > _MOST_BYTES:
                    raise _bad("The engine's answer does not end.")
                if time.monotonic() > deadline:
                    raise _too_late()
            _LOG.debug("%s %s: %d", method, path, response.status_code)
            return _Answer(response.status_code, _json_object(bytes(body)))


class _TlsAdapter(HTTPAdapter):
    """Speaks TLS 1.2 or newer, whatever the system's policy still allows."""

    def __init__(self, ca_file: str) -> None:
        self._has_ca_file = bool(ca_file)
        super().__init__(pool_maxsize=_POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # Not create_default_context(): it is strict on Python 3.13, sites' CAs are not.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # urllib3 itself compares the name then; before 2.0 it could not leave that to the
        # context where the engine is given by an address.
        context.check_hostname = False
        if not self._has_ca_file:
            context.load_default_certs()
        super().init_poolmanager(*args, ssl_context=context, **kwargs)


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _code(answer: _Answer) -> str | None:
    """Return the error's code: `error_code` beside a text, or `error` beside a description."""
    if answer.status != 400 or answer.document is None:
        return None
    code = answer.document.get("error_code") or answer.document.get("error")
    return code if isinstance(code, str) else None


def _refusal(answer: _Answer, what: str) -> Unavailable | BadGateway:
    """Return the error for an answer that is not about the client's credentials."""
    code = _code(answer)
    if code is not None:
        # The text beside the code may quote what was sent.
        known = code if re.fullmatch(r"[a-z_]{1,40}", code) else "an error"
        return _bad(f"The engine's SSO refuses to {what}: {known}.")
    if answer.status in (404, 502, 503, 504):
        # So answers the web server in front, in HTML, while the engine starts.
        reason = f"The engine cannot {what}: HTTP {answer.status}. Is it still starting?"
        return Unavailable("ServiceUnavailable", reason)
    return _bad(f"The engine cannot {what}: HTTP {answer.status}.")


def _bad(reason: str) -> BadGateway:
    return BadGateway("HTTPBadGateway", reason)


def _too_late() -> GatewayTimeout:
    return GatewayTimeout("HTTPGatewayTimeout", "The engine's SSO does not answer in time.")


def _cause(error: BaseException) -> BaseException:
    """Return what is at the bottom of an error of requests, which wraps several times."""
    while True:
        wrapped = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        inner = next((item for item in wrapped if isinstance(item, BaseException)), None)
        if inner is None:
            return error
        error = inner


def _words(error: BaseException) -> str:
    """Return the telling part of an error's text."""
    return str(getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error)
