# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine's SSO says of a token, read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ovirt_ovn_proxy.auth.token_info import TokenInfo, read_expiry, read_token_info, untyped

GROUP = {"AAA_AUTHZ_GROUP_NAME;java.lang.String;0eeb": "NetAdmin"}
EXT_MAP = "org.ovirt.engine.api.extensions.ExtMap"


def info(**changes: Any) -> dict[str, Any]:
    """Return an answer of the SSO with some members replaced."""
    groups = ["java.util.ArrayList", [[EXT_MAP, GROUP]]]
    ovirt = ["java.util.HashMap", {"principal_id": "1", "group_ids": groups}]
    return {"active": True, "user_id": "admin@internal", "ovirt": ovirt, **changes}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (info(), TokenInfo("admin@internal", (GROUP,))),
        (info(active=False), None),
        (info(user_id="a@b@profile"), TokenInfo("a@b@profile", (GROUP,))),
        (info(ovirt=None), TokenInfo("admin@internal", ())),
        (info(ovirt=["java.util.HashMap", {}]), TokenInfo("admin@internal", ())),
        (info(ovirt={"group_ids": [GROUP]}), TokenInfo("admin@internal", (GROUP,))),
        (info(ovirt={"group_ids": "x"}), TokenInfo("admin@internal", ())),
        (
            info(ovirt={"group_ids": [1, None, [EXT_MAP, GROUP]]}),
            TokenInfo("admin@internal", (GROUP,)),
        ),
    ],
)
def test_token_info(document: dict[str, Any], expected: TokenInfo | None) -> None:
    """User and groups are found, with the Java classes of the answer or without."""
    assert expected == read_token_info(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        info(active=None),
        info(active="false"),
        info(user_id=None),
        info(user_id=""),
        info(user_id=1),
    ],
)
def test_no_token_info(document: dict[str, Any]) -> None:
    """An answer that does not say whether and whose is no answer."""
    with pytest.raises(ValueError, match="without active and user_id"):
        read_token_info(document)


@pytest.mark.parametrize(
    ("exp", "expected"),
    [
        ("1893456000000", datetime(2030, 1, 1, tzinfo=timezone.utc)),
        (1893456000000, datetime(2030, 1, 1, tzinfo=timezone.utc)),
        ("9223372036854775807", None),
        ("-9223372036854775808", None),
        ("never", None),
        (None, None),
        ({}, None),
    ],
)
def test_expiry(exp: Any, expected: datetime | None) -> None:
    """Milliseconds become a time; what is beyond all calendars is no end."""
    assert expected == read_expiry({"exp": exp})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["java.util.ArrayList", []], []),
        (
            ["java.util.ArrayList", [["java.util.HashMap", {"a": ["java.util.HashSet", [1]]}]]],
            [{"a": [1]}],
        ),
        (["java.util.ArrayList", ["java.lang", "b"]], ["java.lang", "b"]),
        (["plain", "list"], ["plain", "list"]),
        (["java.lang.Long", 5], 5),
        ("text", "text"),
    ],
)
def test_untyped(value: Any, expected: Any) -> None:
    """Class names go, at every level, and nothing else does."""
    assert expected == untyped(value)


def test_untyped_is_bounded() -> None:
    """An answer nested without end does not exhaust the stack."""
    value: Any = "deep"
    for _ in range(100_000):
        value = ["java.util.ArrayList", [value]]

    assert "deep" not in repr(untyped(value))
