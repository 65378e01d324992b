# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens inside, a client gets JSON and an id, and the log one line."""

from __future__ import annotations

import json
import logging
import re
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webob import Request, Response

from ovirt_ovn_proxy.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
)
from ovirt_ovn_proxy.wsgi import OPERATIONS, USER, Application, request_id_of

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def answered(error: Exception | None = None, request: Request | None = None) -> Any:
    """Return the answer of an application that raises `error`, or answers with nothing."""

    def handle(request: Request) -> Response:
        if error is not None:
            raise error
        return Response(json={"id": request_id_of(request)})

    request = request or Request.blank("/v2.0/ports?token=secret")
    response = request.get_response(Application(handle))
    assert response.body  # with which the answer is over
    return response


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (BadRequest("HTTPBadRequest", "m"), 400, {}),
        (Unauthorized("HTTPUnauthorized", "m"), 401, {"WWW-Authenticate": "Keystone"}),
        (Forbidden("HTTPForbidden", "m"), 403, {}),
        (NotFound("PortNotFound", "m"), 404, {}),
        (MethodNotAllowed("HTTPMethodNotAllowed", "m", ["GET", "PUT"]), 405, {"Allow": "GET, PUT"}),
        (Conflict("NetworkInUse", "m"), 409, {}),
        (Unavailable("ServiceUnavailable", "m"), 503, {"Retry-After": "2"}),
    ],
)
def test_errors(error: ApiError, status: int, headers: dict[str, str]) -> None:
    """An error is answered with its status, its headers and the body that clients expect."""
    response = answered(error)

    assert status == response.status_int
    assert {
        "NeutronError": {"type": error.error_type, "message": "m", "detail": ""}
    } == response.json
    assert response.content_type == "application/json"
    assert headers == {name: response.headers[name] for name in headers}
    assert REQUEST_ID.fullmatch(response.headers["X-Openstack-Request-Id"])


def test_body_of_another_api() -> None:
    """Each API has its own form of errors."""

    def handle(_request: Request) -> Response:
        raise NotFound("NotFound", "m")

    response = Request.blank("/").get_response(Application(handle, ApiError.identity_body))

    assert {"error": {"code": 404, "title": "Not Found", "message": "m"}} == response.json


def test_bodies_of_refusals() -> None:
    """What the server refuses itself has the same form, with the type that Neutron's has."""
    networking = Application(Response)
    identity = Application(Response, ApiError.identity_body)
    for status, error_type in (
        (400, "HTTPBadRequest"),
        (411, "HTTPLengthRequired"),
        (413, "HTTPRequestEntityTooLarge"),
        (500, "HTTPInternalServerError"),
    ):
        error = {"type": error_type, "message": "m", "detail": ""}
        assert {"NeutronError": error} == json.loads(networking.encode_error(status, "m"))
        title = HTTPStatus(status).phrase
        assert {"error": {"code": status, "title": title, "message": "m"}} == json.loads(
            identity.encode_error(status, "m")
        )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret detail"),
        KeyError("secret detail"),
        RecursionError("secret detail"),
        UnicodeDecodeError("utf-8", b"secret detail", 0, 1, "x"),
        AssertionError(),
    ],
)
def test_defect(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A defect of ours is a 500 without reason; the traceback is in the log, with the id.

    As text: `exc_info` would hand a formatter of the site the variables of each frame.
    """
    response = answered(error)
    request_id = response.headers["X-Openstack-Request-Id"]

    assert response.status_int == 500
    assert response.json["NeutronError"]["type"] == "HTTPInternalServerError"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith(f"{request_id} failed\nTraceback (most recent call")
    assert type(error).__name__ in record.getMessage()
    assert record.exc_info is None


def test_success(caplog: pytest.LogCaptureFixture) -> None:
    """An answer goes out as it is, under the id that the request was known by."""
    caplog.set_level(logging.INFO)
    response = answered()
    request_id = response.headers["X-Openstack-Request-Id"]
    [line] = [record.getMessage() for record in caplog.records]

    assert {"id": request_id} == response.json
    assert re.fullmatch(rf"{request_id} GET /v2\.0/ports 200 [0-9.]+ ms 0 ops -", line)


@pytest.mark.parametrize("is_sent", [True, False])
def test_the_line_comes_last(caplog: pytest.LogCaptureFixture, is_sent: bool) -> None:
    """No client waits for the log; a line is there for those too that did not wait at all."""
    caplog.set_level(logging.INFO)
    environ = Request.blank("/").environ
    application: Any = Application(lambda _: Response(body=b"x"))
    blocks = application(environ, lambda *_: None)
    sent = b"".join(blocks) if is_sent else b""
    before = caplog.messages[:]
    blocks.close()

    assert (sent, before) == (b"x" * is_sent, [])
    assert len(caplog.messages) == 1


def test_ids_differ() -> None:
    """No two requests have one id, and a client cannot choose it."""
    ids = {answered().headers["X-Openstack-Request-Id"] for _ in range(20)}
    chosen = Request.blank("/", headers={"X-Openstack-Request-Id": "req-mine"})

    assert len(ids) == 20
    assert answered(request=chosen).headers["X-Openstack-Request-Id"] != "req-mine"


def test_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is logged with its type and its message, in one line without the query."""
    caplog.set_level(logging.INFO)
    answered(BadRequest("HTTPBadRequest", "bad\nname \x1b[31m \ud800 ž"))
    [line] = [record.getMessage() for record in caplog.records]

    assert line.endswith(r"ms 0 ops - HTTPBadRequest: bad\nname \x1b[31m \ud800 \u017e")
    assert "secret" not in line


def test_a_long_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What quotes tens of kilobytes of a path or a verb is whole in the answer alone."""
    caplog.set_level(logging.INFO)
    request = Request.blank("/", method="X" * 60_000)
    response = answered(NotFound("NetworkNotFound", "x" * 60_000), request)
    [line] = [record.getMessage() for record in caplog.records]

    assert len(line) < 1200
    assert 60_000 < len(response.body)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.binary(max_size=60), message=st.text(max_size=60))
def test_one_line(path: bytes, message: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a client writes into a path or a value, the log line stays one."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    request = Request.blank("/")
    request.environ["PATH_INFO"] = "/" + path.decode("latin-1")
    response = answered(NotFound("HTTPNotFound", message), request)
    [line] = [record.getMessage() for record in caplog.records]

    assert line.isascii()
    assert line.isprintable()
    assert response.status_int == 404
    assert message == json.loads(response.body)["NeutronError"]["message"]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("admin@internal", "admin@internal"),
        ("EXAMPLE\\joe@ad", "EXAMPLE\\joe@ad"),
        ("", "-"),
        (None, "-"),
        ("a b\n2 ops", "a%20b%0A2%20ops"),
        ("\x1b[31m\ud800ž", "%1B%5B31m%ED%A0%80%C5%BE"),
        ("u" * 1000, "u" * 100),
    ],
)
def test_user_and_operations_in_the_log(
    caplog: pytest.LogCaptureFixture, user: str | None, expected: str
) -> None:
    """What the application knows of a request is in its line, the user quoted and cut."""
    caplog.set_level(logging.INFO)

    def handle(request: Request) -> Response:
        request.environ[USER] = user
        request.environ[OPERATIONS] = 7
        raise Conflict("NetworkInUse", "m")

    assert Request.blank("/").get_response(Application(handle)).body
    [line] = [record.getMessage() for record in caplog.records]

    assert line.endswith(f" ms 7 ops {expected} NetworkInUse: m")


def test_secrets_in_what_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a refusal nor a traceback brings what the request had to hide into the log."""
    caplog.set_level(logging.DEBUG)
    for kind in (RuntimeError, lambda text: Forbidden("HTTPForbidden", text)):

        def handle(request: Request, kind: Any = kind) -> Response:
            token, body = request.headers["X-Auth-Token"], request.json
            raise kind(f"no {token} with {body['auth']['password']!r}")

        request = Request.blank(
            "/v2.0/tokens",
            headers={"X-Auth-Token": "t0ken"},
            POST=json.dumps({"auth": {"password": "it's\nmine"}}).encode(),
        )
        assert request.get_response(Application(handle)).body

    assert caplog.text.count("no *** with ") == 2
    assert "t0ken" not in caplog.text
    assert "mine" not in caplog.text
