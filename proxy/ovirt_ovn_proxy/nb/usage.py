# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is taken on one switch: MACs and IP addresses, with a fast search for a free one.

Pure data structure, owned and locked by the replica.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Set

from .addresses import Addressing, ip_number


class UsedNumbers:
    """A multiset of integers that finds the first gap of a range in O(log n)."""

    __slots__ = ("_counts", "_sorted")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        # Made by `in_order`, so that a load of many costs one sort.
        self._sorted: list[int] | None = None

    def __contains__(self, number: int) -> bool:
        return number in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, number: int) -> None:
        """Count the number once more."""
        count = self._counts.get(number, 0)
        self._counts[number] = count + 1
        if not count and self._sorted is not None:
            insort(self._sorted, number)

    def discard(self, number: int) -> None:
        """Count the number once less; without effect if it is not there."""
        count = self._counts.get(number, 0)
        if count > 1:
            self._counts[number] = count - 1
        elif count:
            del self._counts[number]
            if self._sorted is not None:
                del self._sorted[bisect_left(self._sorted, number)]

    def has_any(self, first: int, last: int) -> bool:
        """Say whether any number in [first, last] is used."""
        used = self.in_order()
        at = bisect_left(used, first)
        return at < len(used) and used[at] <= last

    def first_free(self, first: int, last: int, taken: Set[int] = frozenset()) -> int | None:
        """Return the smallest number in [first, last] that is neither used nor in `taken`.

        None when there is none.
        """
        used = self.in_order()
        while first <= last:
            start = bisect_left(used, first)
            # In the sorted list, used[i] - i grows exactly where a gap is.
            low, high = start, len(used)
            while low < high:
                middle = (low + high) // 2
                if used[middle] - first == middle - start:
                    low = middle + 1
                else:
                    high = middle
            candidate = first + low - start
            if candidate > last:
                return None
            if candidate not in taken:
                return candidate
            first = candidate + 1
        return None

    def in_order(self) -> list[int]:
        """Return the numbers in order, not to be changed; the first call sorts them."""
        if self._sorted is None:
            self._sorted = sorted(self._counts)
        return self._sorted


class Usage:
    """The MACs and addresses in use on one switch."""

    __slots__ = ("macs", "v4", "v6")

    def __init__(self) -> None:
        self.macs: dict[str, int] = {}
        self.v4 = UsedNumbers()
        self.v6 = UsedNumbers()

    def of(self, version: int) -> UsedNumbers:
        """Return the addresses of IP version 4 or 6."""
        return self.v4 if version == 4 else self.v6

    def add(self, found: Addressing) -> None:
        """Count what a port has once more."""
        if found.mac is not None:
            self.macs[found.mac] = self.macs.get(found.mac, 0) + 1
        for version, number in _numbers(found):
            self.of(version).add(number)

    def discard(self, found: Addressing) -> None:
        """Count what a port had once less."""
        if found.mac is not None:
            count = self.macs.get(found.mac, 0) - 1
            if count > 0:
                self.macs[found.mac] = count
            else:
                self.macs.pop(found.mac, None)
        for version, number in _numbers(found):
            self.of(version).discard(number)


def _numbers(found: Addressing) -> list[tuple[int, int]]:
    return [number for number in map(ip_number, found.ips) if number is not None]
