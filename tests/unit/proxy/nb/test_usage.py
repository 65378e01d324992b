# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of what is taken agrees with counting by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.nb.addresses import Addressing
from ovirt_ovn_proxy.nb.usage import Usage, UsedNumbers

NUMBER = st.integers(0, 30)
# (is an addition, number)
CHANGES = st.lists(st.tuples(st.booleans(), NUMBER), max_size=60)


def changed(changes: list[tuple[bool, int]], searched_after: int) -> tuple[UsedNumbers, set[int]]:
    """Apply the changes to an index and to a model; a search in between makes the sorted list."""
    used = UsedNumbers()
    model: Counter[int] = Counter()
    for position, (is_addition, number) in enumerate(changes):
        if position == searched_after:
            used.first_free(0, 30)
        if is_addition:
            used.add(number)
            model[number] += 1
        else:
            used.discard(number)
            model[number] = max(0, model[number] - 1)
    return used, {number for number, count in model.items() if count}


@given(changes=CHANGES, searched_after=st.integers(0, 60))
def test_members(changes: list[tuple[bool, int]], searched_after: int) -> None:
    """A number is in until it was taken out as often as put in."""
    used, model = changed(changes, searched_after)

    assert model == {number for number in range(31) if number in used}
    assert len(model) == len(used)


@given(changes=CHANGES, searched_after=st.integers(0, 60), first=NUMBER, last=NUMBER)
def test_has_any(
    changes: list[tuple[bool, int]], searched_after: int, first: int, last: int
) -> None:
    """A range has any exactly if one of its numbers is in."""
    used, model = changed(changes, searched_after)

    assert any(number in model for number in range(first, last + 1)) is used.has_any(first, last)


@given(
    changes=CHANGES,
    searched_after=st.integers(0, 60),
    first=NUMBER,
    last=NUMBER,
    taken=st.frozensets(NUMBER),
)
def test_first_free(
    changes: list[tuple[bool, int]],
    searched_after: int,
    first: int,
    last: int,
    taken: frozenset[int],
) -> None:
    """The first free number is the smallest of the range that nobody has."""
    used, model = changed(changes, searched_after)
    free = [number for number in range(first, last + 1) if number not in model | taken]

    assert (free[0] if free else None) == used.first_free(first, last, taken)


def test_first_free_of_ipv6_size() -> None:
    """The search does not walk through a range: 2**64 numbers are as quick as ten."""
    used = UsedNumbers()
    for number in range(1, 1001):
        used.add(number)

    assert used.first_free(1, 2**64) == 1001
    assert used.first_free(2**70, 2**71) == 2**70


@pytest.mark.parametrize("times", [1, 2])
def test_macs(times: int) -> None:
    """A MAC is in use until each of its holders has gone; one too many is no error."""
    usage = Usage()
    for _ in range(times):
        usage.add(Addressing("m", ("10.0.0.1", "fd00::1", "none")))
    for _ in range(times):
        assert "m" in usage.macs
        usage.discard(Addressing("m", ("10.0.0.1", "fd00::1", "none")))
    usage.discard(Addressing("m", ("10.0.0.1", "fd00::1", "none")))

    assert (usage.macs, len(usage.v4), len(usage.v6)) == ({}, 0, 0)


def test_versions_are_apart() -> None:
    """An IPv4 address is no IPv6 address of the same number."""
    usage = Usage()
    usage.of(4).add(1)

    assert (1 in usage.of(4), 1 in usage.of(6)) == (True, False)
