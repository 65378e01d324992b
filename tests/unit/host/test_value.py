# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Values that hooks can afford, against those of the typing module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from ovirt_ovn_host.value import Value


class Original(NamedTuple):
    """Three fields as the typing module has them."""

    name: str
    number: int = 7
    others: tuple[int, ...] = ()

    @property
    def shout(self) -> str:
        """Return something that is made of a field."""
        return self.name.upper()


class Ours(Value):
    """The same."""

    name: str
    number: int = 7
    others: tuple[int, ...] = ()

    @property
    def shout(self) -> str:
        """Return something that is made of a field."""
        return self.name.upper()


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind("a"),
        lambda kind: kind("a", 1, (2, 3)),
        lambda kind: kind(name="a", others=(1,)),
        lambda kind: kind("a", others=(1,)),
        lambda kind: kind("a")._replace(number=None),
        lambda kind: kind("a", 1)._replace(name="b", others=(1,)),
    ],
)
def test_values(make: Callable[[Any], Any]) -> None:
    """They have the same fields, by name and by place, and read the same."""
    original, ours = make(Original), make(Ours)

    assert tuple(original) == ours
    assert {original: 1} == {ours: 1}
    for name in ("name", "number", "others", "shout"):
        assert getattr(original, name) == getattr(ours, name)
    assert repr(original).replace("Original", "Ours") == repr(ours)
    assert type(ours) is Ours


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(),
        lambda kind: kind(number=1),
        lambda kind: kind("a", 1, (), 4),
        lambda kind: kind("a", name="a"),
        lambda kind: kind("a", colour="red"),
    ],
)
def test_no_values(make: Callable[[Any], Any]) -> None:
    """What does not fit the fields is refused by both."""
    for kind in (Original, Ours):
        with pytest.raises(TypeError):
            make(kind)


def test_values_are_frozen() -> None:
    """No field gets another value."""
    with pytest.raises(AttributeError):
        Ours("a").name = "b"  # type: ignore[misc]
