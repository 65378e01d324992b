# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of a migration, and its meter."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_host import blackout

START = 1700000000.25


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(
            {"announced": START, "installed": START + 0.5, "resumed": START + 8},
            "announced 22:13:20.250Z, installed +0.500 s, resumed +8.000 s, not activated",
            id="not-activated",
        ),
        pytest.param(
            {
                "announced": START,
                "installed": START - 1,
                "resumed": START + 60.1234,
                "activated": START + 63,
            },
            "announced 22:13:20.250Z, installed -1.000 s, resumed +60.123 s, activated +63.000 s",
            id="installed-for-an-earlier-one",
        ),
        pytest.param(
            {"announced": None, "installed": "x", "resumed": START, "activated": START + 3},
            "not announced, not installed, resumed 22:13:20.250Z, activated +3.000 s",
            id="announced-without-an-answer",
        ),
        pytest.param(
            {}, "not announced, not installed, not resumed, not activated", id="nothing-known"
        ),
    ],
)
def test_describe(port: dict[str, Any], expected: str) -> None:
    """The first stage is told by the clock, the others by the time after it."""
    record = {"ports": {"a": port, "b": port}}
    assert f"port a {expected}; port b {expected}" == blackout.describe(record)


def test_what_is_written_is_read() -> None:
    """A record comes back as it was."""
    record = blackout.new(["b", "a"])
    record["ports"]["a"][blackout.ANNOUNCED] = START
    assert record == blackout.decode(blackout.encode(record))
    assert ["b", "a"] == list(record["ports"])


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[]", b"1", b"{}", b'{"ports": []}', b'{"ports": {"a": 1}}', b"\xff"]
)
def test_what_is_no_record(content: bytes) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"JSON|record|codec|Expecting"):
        blackout.decode(content)
