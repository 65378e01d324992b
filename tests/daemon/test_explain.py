# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`explain` shows what a request would become, and sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import path_of
from daemon.tapped import KINDS, Tapped, make_scene, new, tapped_apis
from ovirt_ovn_proxy.compose import explain
from ovirt_ovn_proxy.errors import ProxyError

pytestmark = pytest.mark.daemon

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def tapped(nb: OvsdbServer) -> Iterator[Tapped]:
    """The application behind a tap, which `explain` connects to as well."""
    with tapped_apis(nb) as apis:
        yield apis


def shapes(operations: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return what is done to which columns, without values: ids and times are each one's own."""
    return [
        (
            operation["op"],
            operation["table"],
            *operation.get("row", operation.get("columns", ())),
            *(mutation[0] for mutation in operation.get("mutations", ())),
        )
        for operation in operations
        if operation["op"] != "comment"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_is_what_would_be_sent(tapped: Tapped, kind: str) -> None:
    """For each verb the same operations on the same columns as those of the request itself."""
    scene = make_scene(tapped.api)
    own = f"/v2.0/{path_of(kind)}/{scene.own[kind]['id']}"
    changed = {"description" if kind == "floatingip" else "name": "other"}
    requests: list[tuple[str, str, Any]] = [
        ("POST", f"/v2.0/{path_of(kind)}", {kind: new(kind, scene, 7)}),
        ("PUT", own, {kind: changed}),
        ("PUT", f"{own}/tags/a%20b", None),
        ("DELETE", own, None),
    ]
    if kind == "security_group_rule":
        del requests[1]  # of a rule nothing can change
    for method, path, body in requests:
        content = None if body is None else json.dumps(body)
        tapped.tap.take()
        shown = json.loads(explain(tapped.api.config, method, path, content))
        assert not [sent for sent in tapped.tap.take() if sent.operations]

        assert tapped.api(method, path, body).status in (200, 201, 204)

        (sent,) = [sent for sent in tapped.tap.take() if sent.operations]
        assert shapes(sent.operations) == shapes(shown)
        assert shown


@pytest.mark.parametrize(
    "target",
    [
        "/v2.0/networks/{}/tags/%C3%A9",
        "/v2.0/networks/{}/tags/é",
        "//v2.0//networks/{}/tags/%c3%a9?a=b",
        "https://[::1]:9696/v2.0/networks/{}/tags/%C3%A9#c",
    ],
)
def test_paths_are_read_as_in_requests(tapped: Tapped, target: str) -> None:
    """A path may be quoted or not, and stand behind scheme and host."""
    network_id = tapped.api.create("network", name="red")["id"]

    shown = explain(tapped.api.config, "PUT", target.format(network_id), None)

    assert json.dumps("é").strip('"') in shown


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("GET", "/v2.0/nothing", None, "404 HTTPNotFound: The resource could not be found."),
        ("GET", "http://[/nothing", None, "404 HTTPNotFound: The resource could not be found."),
        ("GET", "/v2.0/\udcff", None, "404 HTTPNotFound: The resource could not be found."),
        ("PATCH", "/v2.0/networks", None, "405 HTTPMethodNotAllowed: "),
        ("POST", "/v2.0/networks", "\udcff", "400 HTTPBadRequest: The body is not valid JSON."),
        ("POST", "/v2.0/networks", '{"network": {"mtu": "x"}}', "400 HTTPBadRequest: .*mtu.*'x'"),
        ("POST", "/v2.0/ports", f'{{"port": {{"network_id": "{NOBODY}"}}}}', "404 NetworkNotFound"),
        ("DELETE", f"/v2.0/ports/{NOBODY}", None, f"404 PortNotFound: Port {NOBODY}"),
    ],
)
def test_refusals(tapped: Tapped, method: str, path: str, body: str | None, reason: str) -> None:
    """What would be refused is told as the client would be told, whatever the shell hands over."""
    with pytest.raises(ProxyError, match=f"^{reason}"):
        explain(tapped.api.config, method, path, body)
