# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security groups: what a request may ask for, port groups as JSON, and the groups of ports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import PortGroup, Row
from ovirt_ovn_proxy.wire.query import read_query
from ovirt_ovn_proxy.wire.security_group import SECURITY_GROUP as TABLE
from ovirt_ovn_proxy.wire.security_group import encode_security_group, groups_of_port
from unit.proxy.plans import (
    CREATED,
    DEFAULT,
    GROUP,
    GROUP2,
    NOW,
    RULE,
    RULE2,
    TENANT,
    a_group,
    a_port,
    a_rule,
    row_id,
    view_of,
)


def body(**values: Any) -> bytes:
    """Return the body of a request for one group."""
    return json.dumps({"security_group": values}).encode()


# --- attributes ---


def test_read() -> None:
    """A group has a name, a description, and is stateful unless it says otherwise."""
    plain = {"name": "", "description": "", "stateful": True}
    assert ([plain], False) == TABLE.read_post(body())
    given = {"name": " any text ", "description": "d", "stateful": False, "project_id": "p"}
    assert ([{**plain, **given}], False) == TABLE.read_post(body(**given))
    assert {"stateful": True} == TABLE.read_put(body(stateful="yes"))


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        *(
            ({"name": name}, Conflict, "SecurityGroupDefaultAlreadyExists")
            for name in ("default", "Default", "DEFAULT")
        ),
        *(({"name": name}, BadRequest, "HTTPBadRequest") for name in (None, 5, "x" * 256, "\0")),
        ({"description": None}, BadRequest, "HTTPBadRequest"),
        ({"stateful": "maybe"}, BadRequest, "HTTPBadRequest"),
        ({"security_group_rules": []}, BadRequest, "HTTPBadRequest"),
        ({"shared": False}, BadRequest, "HTTPBadRequest"),
        ({"tags": []}, BadRequest, "HTTPBadRequest"),
        ({"nonsense": 1}, BadRequest, "HTTPBadRequest"),
    ],
)
def test_refused(given: dict[str, Any], status: type[ApiError], error_type: str) -> None:
    """What a group cannot be is refused, in a POST as in a PUT."""
    for read in (TABLE.read_post, TABLE.read_put):
        with pytest.raises(status) as refused:
            read(body(**given))
        assert error_type == refused.value.error_type


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("name=web", True),
        ("name=default", False),
        ("stateful=true&shared=False", True),
        ("stateful=0", False),
        (f"id={GROUP}&project_id={TENANT}", True),
        ("description=", True),
        ("tags=a", False),
    ],
)
def test_filters(query: str, is_found: bool) -> None:
    """Groups are found by what they are shown with, the reserved name included."""
    assert is_found == read_query(query, TABLE).matches(shown(a_group()))


# --- rows ---

SHOWN = {
    "id": GROUP,
    "name": "web",
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    "stateful": True,
    "shared": False,
    "security_group_rules": [],
}


def shown(group: PortGroup, *rows: Row) -> dict[str, Any]:
    """Return the JSON form of a group."""
    return encode_security_group(group, view_of(group, *rows), Config())


@pytest.mark.parametrize(
    ("group", "differences"),
    [
        (a_group(), {}),
        (
            a_group(
                external_ids={
                    keys.DESCRIPTION: "d",
                    keys.GROUP_STATEFUL: "False",
                    keys.GROUP_PROJECT: "p1",
                    keys.GROUP_TENANT: "p1",
                    keys.TAGS: '["t"]',
                }
            ),
            {
                "description": "d",
                "stateful": False,
                "project_id": "p1",
                "tenant_id": "p1",
                "tags": ["t"],
            },
        ),
        (
            # as ovirt-provider-ovn writes times
            a_group(external_ids={keys.CREATED_AT: "2026-11-22T08:13:50.194304"}),
            {"created_at": "2026-11-22T08:13:50Z"},
        ),
        # damaged
        (
            PortGroup.new(GROUP, name="bare", external_ids={"ovirt_x": "y"}),
            {"name": "bare", "created_at": None, "updated_at": None, "revision_number": 0},
        ),
        (a_group("no such rule", external_ids={keys.TAGS: "{"}), {}),
        (a_group(external_ids={keys.GROUP_STATEFUL: "maybe"}), {}),
    ],
)
def test_shown(group: PortGroup, differences: dict[str, Any]) -> None:
    """A port group is shown with every attribute of a security group."""
    assert {**SHOWN, **differences} == shown(group)


def test_rules_are_shown_oldest_first() -> None:
    """A group shows its rules in the order of their making; an ACL of somebody else is none."""
    older = a_rule(RULE2, external_ids={keys.CREATED_AT: "2020-01-01T00:00:00Z"})
    theirs = a_rule(row_id(50)).copy(external_ids={"owner": "k8s"})
    group = a_group(RULE, RULE2, theirs.uuid)

    rules = shown(group, a_rule(), older, theirs)["security_group_rules"]

    assert [RULE2, RULE] == [rule["id"] for rule in rules]


# --- the groups of ports ---

DEFAULT_ROW = a_group(uuid=DEFAULT, name="Default")
THEIRS = PortGroup.new(DEFAULT, name="Default", external_ids={"owner": "k8s"})


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        (None, [], []),
        ("", [], []),
        (f"{GROUP2} {GROUP}", [], [GROUP2, GROUP]),
        ("Default", [DEFAULT_ROW], [DEFAULT]),
        (f"Default {GROUP} {GROUP} {DEFAULT}", [DEFAULT_ROW], [GROUP, DEFAULT]),
        (DEFAULT, [DEFAULT_ROW], [DEFAULT]),
        # the group is gone, or was never ours
        (f"Default {GROUP}", [], [GROUP]),
        ("Default", [THEIRS], []),
    ],
)
def test_groups_of_a_port(text: str | None, rows: list[Row], expected: list[str]) -> None:
    """A port's row names its groups by their ids, and the default one by its name."""
    port = a_port(external_ids={} if text is None else {keys.SECURITY_GROUPS: text})

    assert expected == groups_of_port(port, view_of(*rows))


@given(
    st.dictionaries(st.sampled_from([v for k, v in vars(keys).items() if k.isupper()]), st.text())
)
def test_any_row_is_shown(external_ids: dict[str, str]) -> None:
    """Whatever stands in a row, it is shown."""
    found = shown(a_group(RULE, external_ids={**CREATED, **external_ids}), a_rule())

    assert set(SHOWN) == set(found)
    json.dumps(found)
