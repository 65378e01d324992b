# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our way to the json package's C functions does what the package does."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_host import fastjson

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_round_trip(document: Any) -> None:
    """The text is the same as json's, and so is what is read from it."""
    text = json.dumps(document)

    assert text == fastjson.dumps(document)
    assert document == fastjson.loads(text.encode())
    assert document == fastjson.loads(json.dumps(document, indent=1).encode() + b"\n")


@pytest.mark.parametrize("text", ["NaN", "[Infinity, -Infinity]", '"\\ud800"', "1e400", "-0"])
def test_oddities(text: str) -> None:
    """What json takes though no standard says so, we take."""
    expected = json.loads(text)
    actual = fastjson.loads(text.encode())

    assert json.dumps(expected) == json.dumps(actual) == fastjson.dumps(actual)
    assert math.isnan(actual) if text == "NaN" else expected == actual


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  ",
        b"{",
        b"{}{}",
        b"{} x",
        b"[1,]",
        b'{"a"}',
        b"'a'",
        b'"\n"',
        b"\xff",
        b"nul",
        b"\0",
    ],
)
def test_what_is_no_json(content: bytes) -> None:
    """Everything that json refuses is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        json.loads(content)
    with pytest.raises(ValueError, match=r"."):
        fastjson.loads(content)


def test_too_deep() -> None:
    """Nesting without end is an error, not a crash."""
    with pytest.raises(RecursionError):
        fastjson.loads(b"[" * 200_000)


@pytest.mark.parametrize("value", [{1, 2}, b"x", {"a": object()}])
def test_what_json_cannot_say(value: object) -> None:
    """Other types than JSON's are refused."""
    with pytest.raises(TypeError, match="is not JSON"):
        fastjson.dumps(value)


class Elsewhere:
    """C functions that are made in another way than ours."""

    encode_basestring_ascii = str

    @staticmethod
    def make_scanner(*arguments: object) -> None:
        raise AttributeError("array_hook")

    @staticmethod
    def make_encoder(*arguments: object) -> None:
        raise TypeError("10 arguments expected")


@pytest.mark.parametrize("accelerator", [None, Elsewhere])
def test_without_the_c_functions(monkeypatch: pytest.MonkeyPatch, accelerator: object) -> None:
    """On another Python the json package does the work."""
    monkeypatch.setitem(sys.modules, "_json", accelerator)

    assert {"a": [1, "é"]} == fastjson.loads('{"a": [1, "é"]}\n'.encode())
    assert '{"a": [1, "\\u00e9"]}' == fastjson.dumps({"a": [1, "é"]})
