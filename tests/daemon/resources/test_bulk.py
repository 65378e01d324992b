# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies, of one object and of many, on a real central."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from daemon.objects import NOWHERE, addresses, make_network, refusal
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api

pytestmark = pytest.mark.daemon


def test_a_bulk_request_is_one_transaction(api: Api, nb: OvsdbServer) -> None:
    """Many objects come in the order asked for, by one transaction that tells its request."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    names = [f"p{number}" for number in (3, 1, 2)]
    body = {"ports": [{"name": name, "network_id": network_id} for name in names]}

    answer = api("POST", "ports", body)

    assert 201 == answer.status
    ports = answer.json["ports"]
    assert names == [port["name"] for port in ports]
    assert ["10.0.0.2", "10.0.0.3", "10.0.0.4"] == [addresses(port)[0] for port in ports]
    log = subprocess.run(
        ["ovsdb-tool", "show-log", str(nb.database)], check=True, capture_output=True, timeout=10
    )
    assert 1 == log.stdout.decode().count(answer.headers["X-Openstack-Request-Id"])


def test_a_bulk_request_is_all_or_nothing(api: Api) -> None:
    """One element that cannot be undoes all, and the error is that of the first such."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    good = {"network_id": network_id}
    taken = {**good, "fixed_ips": [{"ip_address": "10.0.0.9"}]}
    for elements, expected in (
        ([good, {**good, "network_id": NOWHERE}, taken], (404, "NetworkNotFound")),
        ([taken, taken, {**good, "network_id": NOWHERE}], (409, "IpAddressAlreadyAllocated")),
        ([good, {**good, "unknown": 1}], (400, "HTTPBadRequest")),
    ):
        assert expected == refusal(api("POST", "ports", {"ports": elements}))
        assert [] == api.get(f"ports?network_id={network_id}")["ports"]


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_bulk_of_every_kind(api: Api, kind: str) -> None:
    """Every kind can be made in bulk, its elements bare or wrapped."""
    network_id, _ = make_network(api)
    elements: list[Any] = [{"name": "a"}, {"name": "b"}]
    for number, element in enumerate(elements):
        if kind != "network":
            element["network_id"] = network_id
        if kind == "subnet":
            element.update(cidr=f"10.{number}.0.0/24", ip_version=4)

    answer = api("POST", f"{kind}s", {f"{kind}s": [elements[0], {kind: elements[1]}]})

    assert (201, {f"{kind}s"}) == (answer.status, set(answer.json))
    assert ["a", "b"] == [element["name"] for element in answer.json[f"{kind}s"]]


@pytest.mark.parametrize(
    "body",
    [
        {"networks": []},
        {"networks": {}},
        {"networks": [5]},
        {"network": []},
        {"network": {}, "more": 1},
        {"port": {}},
        {},
        [],
        5,
        None,
        b"",
        b"{",
        b"\xff",
        b'{"network": {"name": NaN}}',
        b"[" * 5000,
    ],
)
def test_a_body_that_is_none(api: Api, body: Any) -> None:
    """What is no object with the one right key is refused as a bad request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    assert (400, "HTTPBadRequest") == refusal(api("POST", "networks", content))
