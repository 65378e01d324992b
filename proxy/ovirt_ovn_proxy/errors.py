# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every error of the proxy, one class for each reaction of who catches it.

Pure. Two branches: what a client of the API is told (`ApiError`), and what can
happen to a Northbound transaction (`NorthboundError`). Only `app.py` turns the
second into the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from .json_text import json_bytes


class ProxyError(Exception):
    """Anything that this package raises on purpose."""


class ConfigError(ProxyError):
    """A configuration file cannot be used; the message names file, section and key."""


# --- what a client is told -------------------------------------------------


class ApiError(ProxyError):
    """An answer other than success.

    `error_type` is the exception name that Networking API clients compare
    ("NetworkInUse"), `message` is shown to people and names field and value.
    """

    status = 500

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that belong to this answer beside the body."""
        return {}

    def networking_body(self) -> bytes:
        """Return the error body of the Networking API (api-ref "Faults") as JSON bytes."""
        error = {"type": self.error_type, "message": self.message, "detail": ""}
        return json_bytes({"NeutronError": error})

    def identity_body(self) -> bytes:
        """Return the error body of the Identity API as JSON bytes."""
        title = HTTPStatus(self.status).phrase
        error = {"code": self.status, "title": title, "message": self.message}
        return json_bytes({"error": error})


class BadRequest(ApiError):
    """The request cannot be understood or breaks a rule; repeating it is useless."""

    status = 400


class Unauthorized(ApiError):
    """The token or the credentials are bad: strictly that, the engine acts on it."""

    status = 401

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Keystone"}


class Forbidden(ApiError):
    """The user is known and may not do this."""

    status = 403


class NotFound(ApiError):
    """The addressed or a named object does not exist."""

    status = 404


class MethodNotAllowed(ApiError):
    """The path exists, the verb does not; `allowed` lists the verbs that do."""

    status = 405

    def __init__(self, error_type: str, message: str, allowed: Sequence[str]) -> None:
        super().__init__(error_type, message)
        self.allowed = tuple(allowed)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class Conflict(ApiError):
    """The state of the network forbids it."""

    status = 409


class Unavailable(ApiError):
    """Not now: the replica is not in sync, or the deadline passed. Retry later."""

    status = 503

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "2"}


class BadGateway(ApiError):
    """A service that we depend on answers nonsense, or refuses us rather than the client."""

    status = 502


class GatewayTimeout(ApiError):
    """A service that we depend on did not answer in time."""

    status = 504


# --- what can happen to a transaction --------------------------------------


class NorthboundError(ProxyError):
    """A transaction did not end with success."""


class NotReady(NorthboundError):
    """Nothing was sent: no session in sync with a leader, or the deadline has passed."""


class OutcomeUnknown(NorthboundError):
    """It was (perhaps partly) sent, and its reply will not come or came too late."""


class GuardFailed(NorthboundError):
    """A `wait` did not hold (RFC 7047 section 5.2.6): nothing was changed, plan again."""


class TransactionRefused(NorthboundError):
    """The server refused it and changed nothing.

    `error` and `details` are the server's words; `operation` is the refused
    operation, or None when the refusal came at commit.
    """

    def __init__(self, error: str, details: str, operation: Mapping[str, Any] | None) -> None:
        super().__init__(f"{error}: {details}")
        self.error = error
        self.details = details
        self.operation = operation


class UnsupportedSchema(NorthboundError):
    """The server's database lacks a table or column that we cannot do without."""
