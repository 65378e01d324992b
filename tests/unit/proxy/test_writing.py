# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A writing request becomes a planner, and says what it contends for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import BadRequest, NotFound
from ovirt_ovn_proxy.nb import keys, ops
from ovirt_ovn_proxy.nb.rows import Row
from ovirt_ovn_proxy.resources import RESOURCES
from ovirt_ovn_proxy.routes import Route
from ovirt_ovn_proxy.writing import Writer, make_writer
from unit.proxy.plans import (
    LATER,
    NET,
    OTHER_NET,
    PORT,
    SUBNET,
    a_network,
    a_port,
    a_subnet,
    changes,
    context,
    nb_global,
    row_id,
    rows_after,
    view_of,
)

SITE: tuple[Row, ...] = (
    nb_global(),
    a_network(PORT, ovirt_tags='["a", "b"]'),
    a_port(external_ids={keys.TAGS: '["a", "b"]'}),
    a_subnet(external_ids={keys.TAGS: '["a", "b"]'}),
)
IDS = {"networks": NET, "ports": PORT, "subnets": SUBNET}


def writer(collection: str, action: str, *ids: str, body: Any = b"") -> Writer:
    """Return the writer of a request."""
    resource = RESOURCES[collection]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make_writer(Route(action, resource, ids), resource, data, context())


@pytest.mark.parametrize("collection", sorted(IDS))
@pytest.mark.parametrize(
    ("action", "named", "body", "expected"),
    [
        ("add_tag", ("c",), b"", ["a", "b", "c"]),
        ("add_tag", ("ž",), b"", ["a", "b", "ž"]),
        ("remove_tag", ("a",), b"", ["b"]),
        ("replace_tags", (), {"tags": ["x", "a", "x"]}, ["x", "a"]),
        ("replace_tags", (), {"tags": []}, []),
        ("clear_tags", (), b"", []),
        ("add_tag", ("b",), b"", ["a", "b"]),
        ("replace_tags", (), {"tags": ["a", "b"]}, ["a", "b"]),
    ],
)
def test_tags(
    collection: str, action: str, named: tuple[str, ...], body: Any, expected: list[str]
) -> None:
    """Tags are a list in the row, each once, in the order in which they came."""
    object_id = IDS[collection]
    [row] = [row for row in SITE if row.uuid == object_id]
    plan = writer(collection, action, object_id, *named, body=body).make_plan(view_of(*SITE))
    [after] = [row for row in rows_after(SITE, plan) if row.uuid == object_id]
    stored = after.external_ids.get(keys.TAGS)  # type: ignore[attr-defined]

    assert {"tags": expected} == plan.answer
    assert expected == json.loads(stored or "[]")
    if expected == ["a", "b"]:
        assert () == plan.steps
        return
    ids = row.external_ids  # type: ignore[attr-defined]
    new = {**ids, keys.UPDATED_AT: LATER, keys.REVISION: "2", keys.TAGS: json.dumps(expected)}
    if not expected:
        del new[keys.TAGS]
    assert [ops.update(row.table, object_id, {"external_ids": new})] == changes(plan)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        {},
        [],
        {"tags": None},
        {"tags": "a"},
        {"tags": [1]},
        {"tags": ["x" * 256]},
        {"tags": ["\0"]},
        {"tags": [], "more": 1},
        {"tag": []},
    ],
)
def test_tags_refused(body: Any) -> None:
    """A list of texts under one key is all that replaces tags."""
    with pytest.raises(BadRequest):
        writer("ports", "replace_tags", PORT, body=body)


def test_too_many_tags() -> None:
    """An object has fifty tags at the most."""
    body = {"tags": [str(number) for number in range(51)]}
    make = writer("ports", "replace_tags", PORT, body=body).make_plan
    with pytest.raises(BadRequest):
        make(view_of(*SITE))
    fifty = writer("ports", "replace_tags", PORT, body={"tags": body["tags"][:50]}).make_plan

    assert fifty(view_of(*SITE)).steps


def test_bad_tag_in_the_path() -> None:
    """A tag in the path is checked as one in a body."""
    with pytest.raises(BadRequest):
        writer("ports", "add_tag", PORT, "x" * 256)


def test_unknown_tag() -> None:
    """A tag that is not there cannot be removed."""
    with pytest.raises(NotFound) as refused:
        writer("ports", "remove_tag", PORT, "z").make_plan(view_of(*SITE))

    assert refused.value.error_type == "TagNotFound"


@pytest.mark.parametrize("action", ["delete", "add_tag", "remove_tag", "clear_tags"])
def test_no_body(action: str) -> None:
    """A request that has nothing to say must say nothing."""
    with pytest.raises(BadRequest) as refused:
        writer("ports", action, PORT, "a", body=b"{}")

    assert refused.value.error_type == "HTTPBadRequest"


@pytest.mark.parametrize(
    ("collection", "error_type"),
    [
        ("networks", "NetworkNotFound"),
        ("ports", "PortNotFound"),
        ("subnets", "SubnetNotFound"),
        ("routers", "RouterNotFound"),
    ],
)
@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("update", True),
        ("delete", False),
        ("add_tag", False),
        ("remove_tag", False),
        ("clear_tags", False),
    ],
)
def test_not_found(collection: str, error_type: str, action: str, body: bool) -> None:
    """An unknown id is the resource's own kind of not found."""
    data = {RESOURCES[collection].table.name: {}} if body else b""
    make = writer(collection, action, row_id(99), "a", body=data).make_plan
    with pytest.raises(NotFound) as refused:
        make(view_of(*SITE))

    assert error_type == refused.value.error_type


def test_body_is_read_once() -> None:
    """A body that cannot be read is refused before anybody looks at the database."""
    with pytest.raises(BadRequest):
        writer("ports", "create", body={"port": {}})
    with pytest.raises(BadRequest):
        writer("ports", "update", PORT, body={"port": {"id": "x"}})


def test_bulk_answer() -> None:
    """A bulk request of one object is still answered with a list."""
    plan = writer("networks", "create", body={"networks": [{"name": "x"}]}).make_plan(
        view_of(nb_global())
    )

    assert ["x"] == [one["name"] for one in plan.answer["networks"]]


@pytest.mark.parametrize(
    ("collection", "action", "ids", "body", "expected"),
    [
        ("networks", "create", (), {"network": {}}, []),
        ("networks", "update", (NET,), {"network": {}}, [NET]),
        ("networks", "delete", (NET,), b"", [NET]),
        ("routers", "create", (), {"router": {}}, []),
        (
            "routers",
            "create",
            (),
            {"router": {"external_gateway_info": {"network_id": NET}}},
            [NET],
        ),
        ("routers", "delete", (row_id(70),), b"", [row_id(70)]),
        (
            "routers",
            "update",
            (row_id(70),),
            {"router": {"external_gateway_info": None}},
            [row_id(70)],
        ),
        (
            "routers",
            "act",
            (row_id(70), "add_router_interface"),
            {"subnet_id": SUBNET},
            [row_id(70), NET],
        ),
        (
            "routers",
            "act",
            (row_id(70), "remove_router_interface"),
            {"port_id": PORT},
            [row_id(70), NET],
        ),
        (
            "routers",
            "act",
            (row_id(70), "add_extraroutes"),
            {"router": {"routes": []}},
            [row_id(70)],
        ),
        (
            "ports",
            "create",
            (),
            {"ports": [{"network_id": NET}, {"network_id": OTHER_NET}]},
            [NET, OTHER_NET],
        ),
        ("ports", "update", (PORT,), {"port": {}}, [NET]),
        ("ports", "delete", (PORT,), b"", [NET]),
        ("ports", "delete", (row_id(99),), b"", []),
        (
            "subnets",
            "create",
            (),
            {"subnet": {"network_id": NET, "ip_version": 4, "cidr": "10.0.0.0/24"}},
            [NET],
        ),
        ("subnets", "update", (SUBNET,), {"subnet": {}}, [NET]),
        ("subnets", "delete", (row_id(99),), b"", []),
    ],
)
def test_queues(
    collection: str, action: str, ids: tuple[str, ...], body: Any, expected: list[str]
) -> None:
    """What changes one network stands in one queue."""
    found = writer(collection, action, *ids, body=body).queues(view_of(*SITE))

    assert expected == list(found)
