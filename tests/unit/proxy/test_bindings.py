# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bindings listener's application: who may have what done."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from webob import Request, Response

from ovirt_ovn_proxy.bindings import BindingsApi
from ovirt_ovn_proxy.client_certificate import KEY, ClientCertificate
from ovirt_ovn_proxy.routes import Route
from ovirt_ovn_proxy.wsgi import USER, Application

PORT = "/v2.0/ports/x/bindings"
HV1 = ClientCertificate({"subjectAltName": (("DNS", "hv1.test"), ("DNS", "alias.test"))})
CREATE = {"binding": {"host": "hv1.test"}}


def ask(
    method: str, path: str, body: Any = None, headers: Any = None, **environ: Any
) -> tuple[int, str]:
    """Send a request; return its status and the action that was let through, "" for none."""
    let_through = []

    def answer(request: Request, route: Route, timeout_s: float) -> Response:
        assert request.environ[USER] == "alias.test,hv1.test"
        let_through.append(route.action)
        return Response(status=200)

    request = Request.blank(path, method=method, headers=headers or {})
    request.environ.update(environ)
    if body is not None:
        request.body = json.dumps(body).encode()
    response = request.get_response(Application(BindingsApi(answer)))
    return response.status_int, "".join(let_through)


@pytest.mark.parametrize(
    ("method", "below", "body", "status", "action"),
    [
        ("GET", "", None, 200, "list_bindings"),
        ("GET", "/hv2.test", None, 200, "show_binding"),
        ("POST", "", CREATE, 200, "create_binding"),
        ("POST", "", {"binding": {"host": "Alias.test"}}, 200, "create_binding"),
        ("PUT", "/hv1.test/activate", None, 200, "activate_binding"),
        ("PUT", "/HV1.TEST/activate", {}, 200, "activate_binding"),
        ("PUT", "/hv1.test/confirm", None, 200, "confirm_binding"),
        ("PUT", "/Alias.test/confirm", {}, 200, "confirm_binding"),
        ("DELETE", "/hv1.test", None, 200, "delete_binding"),
        ("POST", "", {"binding": {"host": "hv2.test"}}, 403, ""),
        ("POST", "", {"binding": {"host": "hv1"}}, 403, ""),
        ("POST", "", {"binding": {"host": "hv1.test.evil"}}, 403, ""),
        ("POST", "", {"bindings": [{"host": "hv1.test"}, {"host": "hv2.test"}]}, 403, ""),
        ("PUT", "/hv2.test/activate", None, 403, ""),
        ("PUT", "/hv2.test/activate", CREATE, 403, ""),
        ("PUT", "/hv2.test/confirm", None, 403, ""),
        ("DELETE", "/hv2.test", None, 403, ""),
        ("PUT", "/hv1.test", {"binding": {"profile": {}}}, 403, ""),
        ("POST", "", {"binding": {"host": "hv1.test", "profile": {"a": "b"}}}, 403, ""),
        ("POST", "", {"binding": {"host": "hv1.test", "vnic_type": "direct"}}, 403, ""),
        ("POST", "", {"binding": {}}, 400, ""),
        ("POST", "", {"binding": {"host": ["hv1.test"]}}, 400, ""),
        ("POST", "", None, 400, ""),
        ("PATCH", "", CREATE, 405, ""),
        ("POST", "/hv1.test", CREATE, 405, ""),
        ("GET", "/hv1.test/activate", None, 405, ""),
        ("POST", "/hv1.test/confirm", None, 405, ""),
    ],
)
def test_own_bindings(method: str, below: str, body: Any, status: int, action: str) -> None:
    """A host reads all bindings of a port, and adds, activates and deletes its own."""
    assert (status, action) == ask(method, PORT + below, body, **{KEY: HV1})


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2.0",
        "/v2.0/networks",
        "/v2.0/ports",
        "/v2.0/ports/x",
        "/v2.0/ports/x/tags",
        "/v2.0/networks/x/bindings",
        "/v2.0/ports/x/bindings/hv1.test/activate/it",
        "/v2.0/ports/x/bindings/hv1.test/deactivate",
        "/v2.0/extensions",
        "/v2.0/tokens",
        "/v3/ports/x/bindings",
        "/ports/x/bindings",
        "/%ff",
    ],
)
def test_nothing_else(method: str, path: str) -> None:
    """Whatever else the service has is not there, for any verb."""
    assert (404, "") == ask(method, path, CREATE, **{KEY: HV1})


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {KEY: "hv1.test"},
        {KEY: {"subjectAltName": (("DNS", "hv1.test"),)}},
        {"SSL_CLIENT_S_DN_CN": "hv1.test", "SSL_CLIENT_VERIFY": "SUCCESS"},
        {"REMOTE_USER": "hv1.test"},
    ],
)
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", CREATE)])
def test_other_servers(method: str, body: Any, environ: dict[str, Any]) -> None:
    """Under another HTTP server nobody is known, whatever that puts into the environ."""
    headers = {KEY: "hv1.test", KEY.replace("_", "-"): "hv1.test", "X-SSL-Client-CN": "hv1.test"}

    assert (403, "") == ask(method, PORT, body, headers, **environ)


def test_a_certificate_without_names() -> None:
    """A certificate that names nobody lets nobody change anything."""
    nobody = ClientCertificate({"subjectAltName": (("DNS", "*.test"),)})

    assert (403, "") == ask("POST", PORT, {"binding": {"host": "*.test"}}, **{KEY: nobody})


@pytest.mark.parametrize(
    ("method", "given", "expected"),
    [
        ("GET", None, math.inf),
        ("DELETE", None, 1.5),
        ("GET", "2500", 2.45),
        ("DELETE", "8000", 7.95),
        ("DELETE", "49", 0),
        *(("DELETE", given, 1.5) for given in ("", "-1", "1.5", "soon", "1" * 7, "\u0661")),
    ],
)
def test_how_long_a_host_waits(method: str, given: str | None, expected: float) -> None:
    """A request is done while its hook waits; one that does not say for how long, in 1.5 s."""
    seen = []

    def answer(_request: Request, _route: Route, timeout_s: float) -> Response:
        seen.append(timeout_s)
        return Response(status=200)

    request = Request.blank(f"{PORT}/hv1.test", method=method)
    request.environ[KEY] = HV1
    if given is not None:
        request.environ["HTTP_OVIRT_TIMEOUT_MS"] = given

    assert 200 == request.get_response(Application(BindingsApi(answer))).status_int
    assert [pytest.approx(expected)] == seen
