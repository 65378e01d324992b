# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of what the SSO said."""

from __future__ import annotations

from ovirt_ovn_proxy.auth.cache import Cache


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_values_live_for_their_time() -> None:
    """A value is there until its time is over, and putting it again begins anew."""
    clock = Clock()
    cache: Cache[str] = Cache(60, clock=clock)
    cache.put("t", "one")

    clock.now += 59
    assert "one" == cache.get("t")
    cache.put("t", "two")
    clock.now += 59
    assert "two" == cache.get("t")
    clock.now += 1
    assert cache.get("t") is None
    assert cache.get("other") is None


def test_size_is_bounded() -> None:
    """The oldest makes room, and what is too old takes none."""
    clock = Clock()
    cache: Cache[int] = Cache(60, size=3, clock=clock)
    for number in range(5):
        cache.put(f"t{number}", number)

    assert [None, None, 2, 3, 4] == [cache.get(f"t{number}") for number in range(5)]
    clock.now += 61
    cache.put("new", 5)
    assert 1 == len(cache._entries)


def test_no_memory() -> None:
    """Zero seconds remember nothing."""
    cache: Cache[int] = Cache(0)
    cache.put("t", 1)

    assert cache.get("t") is None


def test_keys_are_not_kept() -> None:
    """Tokens stand in memory as digests only."""
    cache: Cache[int] = Cache(60)
    cache.put("hunter2", 1)

    assert "hunter2" not in repr(vars(cache))
