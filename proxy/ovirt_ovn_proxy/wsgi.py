# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The WSGI face of an API: request ids, error answers, one log line after each request.

Wraps a function from WebOb request to response. Whatever happens inside, the
client gets JSON and never a traceback.
"""

from __future__ import annotations

import io
import logging
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from webob import Request, Response
from webob.exc import status_map

from .errors import ApiError
from .masking import mask, printable_path, request_secrets, traceback_text

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

REQUEST_ID = "ovirt_ovn_proxy.request_id"

_LONGEST_REASON = 1000

# What an application leaves in the environ for the log line, as soon as it knows.
USER = "ovirt_ovn_proxy.user"
"""Who sent the request, or wants to log in; any text."""
OPERATIONS = "ovirt_ovn_proxy.operations"
"""The number of operations in the transaction that was committed."""


class InternalError(ApiError):
    """A defect of ours; the reason is in the log alone."""

    status = 500


class Application:
    """A WSGI application around `handle`, which raises subclasses of ApiError.

    `encode_error` gives the body that clients of this API expect of an error.
    """

    def __init__(
        self,
        handle: Callable[[Request], Response],
        encode_error: Callable[[ApiError], bytes] = ApiError.networking_body,
    ) -> None:
        self._handle = handle
        self._encode_error = encode_error

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.monotonic()
        request_id = f"req-{uuid.uuid4()}"
        environ[REQUEST_ID] = request_id
        request = Request(environ)
        # All of a body is needed in memory: none goes to a file first, nor to a second place.
        request.request_body_tempfile_limit = sys.maxsize
        request.is_body_seekable = isinstance(environ["wsgi.input"], io.BytesIO)
        reason = ""
        try:
            response = self._handle(request)
        except ApiError as error:
            message = mask(error.message, request_secrets(request))
            reason = f" {error.error_type}: {message}"
            response = self._error_response(error)
        except Exception as error:
            text = mask(traceback_text(error), request_secrets(request))
            log.error("%s failed\n%s", request_id, text)
            response = self._error_response(
                InternalError("HTTPInternalServerError", "The request failed; see the log.")
            )
        response.headers["X-Openstack-Request-Id"] = request_id
        taken_ms = 1000 * (time.monotonic() - started)

        def note() -> None:
            log.info(
                "%s %.20s %s %d %.1f ms %d ops %s%s",
                request_id,
                request.method,
                printable_path(environ),
                response.status_int,
                taken_ms,
                environ.get(OPERATIONS, 0),
                _printable_user(environ),
                # Messages quote what clients sent: one line stays one line, and has an end.
                reason[:_LONGEST_REASON].encode("unicode_escape").decode(),
            )

        return _Answer(response(environ, start_response), note)

    def encode_error(self, status: int, message: str) -> bytes:
        """Return the body for what the server refuses before it comes here."""
        error = ApiError(status_map[status].__name__, message)
        error.status = status
        return self._encode_error(error)

    def _error_response(self, error: ApiError) -> Response:
        body = self._encode_error(error)
        response = Response(
            status=error.status, body=body, content_type="application/json", charset="UTF-8"
        )
        response.headers.update(error.headers)
        return response


class _Answer:
    """The blocks of an answer; `on_end` is called once the server has sent them or given up.

    The client need not wait for what is done then (PEP 3333: `close`).
    """

    def __init__(self, blocks: Iterable[bytes], on_end: Callable[[], None]) -> None:
        self._blocks = blocks
        self._on_end = on_end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        self._on_end()


def request_id_of(request: Request) -> str:
    """Return "req-<uuid>", made for this request by us: a client cannot choose it."""
    request_id: str = request.environ[REQUEST_ID]
    return request_id


def _printable_user(environ: WSGIEnvironment) -> str:
    """Return the user for logs: quoted like a path, "-" for nobody."""
    user = str(environ.get(USER) or "-")
    return quote(user, safe="/:@-._~\\", errors="surrogatepass")[:100]
