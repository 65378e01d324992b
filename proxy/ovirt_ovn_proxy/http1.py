# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1.1 as bytes: a request's head becomes WSGI variables, WSGI calls become an answer.

Pure: what is to be sent goes to a function that the caller hands in. Owns the rules of
RFC 9110/9112 and PEP 3333 that need no socket, for one request per connection. Every
answer says `Connection: close`. May not import anything else of this package.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote
from wsgiref.util import is_hop_by_hop

if TYPE_CHECKING:
    from _typeshed import OptExcInfo, ReadableBuffer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# Blocks are collected up to this size: a system call, and with TLS a record, for
# every small block would dominate; larger ones go out as they are, uncopied.
SEND_SIZE = 64 * 1024

# Each pattern is one character class in a row or has disjoint neighbours, so that
# no input makes matching worse than linear.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(f"({_TOKEN.pattern}):({_VALUE.pattern})")
_REQUEST_LINE = re.compile(r"([^ ]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([0-9])")
_LENGTH = re.compile(r"[0-9]{1,18}")
_STATUS = re.compile(r"[2-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*")


class Refused(Exception):
    """A request that the application never sees, and the status that its client gets."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Head(NamedTuple):
    """A request's head: CGI variables (PEP 3333 strings), and what to do about the body.

    `length` is in bytes, 0 where none was announced; `expects_continue` says that the
    client may hold the body back until it is told to go on.
    """

    variables: dict[str, str]
    length: int
    expects_continue: bool


def parse_head(head: bytes) -> Head:
    """Return what `head` says: the bytes before the blank line, without that.

    Strict where two readers could differ (line ends, folding, lengths, hosts).
    Raises Refused 400, or 411 for a body without a length.
    """
    request_line, *lines = head.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None or not _TOKEN.fullmatch(match[1]):
        raise Refused(400, "The request line is malformed.")
    method, target, minor_version = match.groups()
    is_http10 = minor_version == "0"
    fields = _fields(lines)
    if "transfer-encoding" in fields:
        raise Refused(411, "Transfer-Encoding is not supported, send Content-Length.")
    lengths = set(fields.get("content-length", ["0"]))
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise Refused(400, "Content-Length is malformed or ambiguous.")
    if "content-length" in fields:
        fields["content-length"] = [length]
    hosts = fields.get("host", [])
    if len(hosts) > 1 or not (hosts or is_http10):
        raise Refused(400, "Exactly one Host is required.")

    authority, path, query = _split_target(target)
    if authority:
        fields["host"] = [authority]  # RFC 9112 section 3.2.2: it outranks the field
    variables = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/1.{minor_version}",
    }
    for name, values in fields.items():
        if "_" in name:
            continue  # would pass for the field that is spelt with a hyphen
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        variables[key] = ("; " if name == "cookie" else ", ").join(values)
    expects_continue = variables.get("HTTP_EXPECT", "").lower() == "100-continue"
    return Head(variables, int(length), expects_continue and not is_http10)


def _fields(lines: list[str]) -> dict[str, list[str]]:
    """Return the values of each field by its name in lower case; raise Refused."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Refused(400, "A header field is malformed.")
        name, value = match.groups()
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return fields


def _split_target(target: str) -> tuple[str, str, str]:
    """Return authority (empty: none given), path and query of a request target.

    Not `urlsplit`: a path with doubled slashes in front must stay a path.
    """
    authority = ""
    if not target.startswith("/"):
        scheme, _, rest = target.partition("://")
        authority = re.split("[/?]", rest, maxsplit=1)[0]
        if scheme.lower() not in ("http", "https") or not authority:
            raise Refused(400, "The request target is neither a path nor an http URL.")
        target = rest[len(authority) :]
        if not target.startswith("/"):
            target = "/" + target
    path, _, query = target.partition("?")
    return authority, path, query


class Answer:
    """One answer on its way to `send`, by WSGI's `start_response` and `write`.

    `send` takes a non-empty buffer and may keep no reference to it. With `head_only`
    (HEAD) the body is left out, as with 204 and 304.
    """

    def __init__(self, send: Callable[[ReadableBuffer], object], *, head_only: bool) -> None:
        self._send = send
        self._head_only = head_only
        self._has_body = False
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._pending = bytearray()
        self.started = False
        """Something was sent: the status cannot change any more."""
        self.finished = False
        """All of it was sent."""

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: OptExcInfo | None = None,
    ) -> Callable[[bytes], None]:
        """Take status and headers (PEP 3333) and return `write`.

        Raises ValueError or TypeError for what must not get into a head, RuntimeError
        for a second call without `exc_info`, and `exc_info` itself once sending began.
        """
        if exc_info is not None and self.started and exc_info[1] is not None:
            raise exc_info[1]
        if exc_info is None and self._status:
            raise RuntimeError("start_response was already called")
        if not _STATUS.fullmatch(status):
            raise ValueError(f"bad status {status!r}")
        for name, value in headers:
            # wsgiref leaves line ends alone: a value with one would add a header.
            if not _TOKEN.fullmatch(name) or is_hop_by_hop(name):
                raise ValueError(f"bad header {name!r}")
            if not _VALUE.fullmatch(value):
                raise ValueError(f"bad value of header {name}")
        self._status = status
        self._headers = list(headers)
        self._has_body = not self._head_only and status[:3] not in ("204", "304")
        self._pending.clear()
        return self.write

    def write(self, block: bytes) -> None:
        """Send `block`, or keep a small one until there is more or the end.

        So this is no way to push events to a client: a block may wait for the next.
        """
        if not isinstance(block, bytes):
            raise TypeError(f"a body consists of bytes, not {type(block).__name__}")
        if not self._status:
            raise RuntimeError("start_response was not called before the body")
        if not self._has_body:
            return
        if len(self._pending) + len(block) < SEND_SIZE:
            self._pending += block
        else:
            self._flush()
            self._send(block)

    def finish(self) -> None:
        """Send what is left; without a body at least the head."""
        if not self._status:
            raise RuntimeError("start_response was not called")
        if not self.started and self._has_body and not self._has("content-length"):
            self._headers.append(("Content-Length", str(len(self._pending))))
        self._flush()
        self.finished = True

    def _has(self, wanted: str) -> bool:
        return any(name.lower() == wanted for name, _ in self._headers)

    def _flush(self) -> None:
        if not self.started:
            self.started = True
            if not self._has("date"):
                self._headers.append(("Date", _date(int(time.time()))))
            self._pending = bytearray(_head(self._status, self._headers)) + self._pending
        if self._pending:
            self._send(self._pending)
            self._pending = bytearray()


def error_body(status: int, message: str) -> bytes:
    """Return the JSON for what the application cannot answer itself, where it has no other."""
    return json.dumps({"error": {"code": status, "message": message}}).encode()


def error_answer(status: int, body: bytes) -> bytes:
    """Return a whole answer with a JSON body."""
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Date", _date(int(time.time()))),
    ]
    return _head(f"{status} {HTTPStatus(status).phrase}", headers) + body


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return a moment (seconds since 1970) as HTTP has it; many answers have the same."""
    return formatdate(second, usegmt=True)


def _head(status: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "Connection: close", "\r\n"]).encode("latin-1")
