# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A bounded memory of what was true a moment ago.

Pure but for the clock that is handed in. Keys are kept as digests only, so that
neither a dump of the process's memory nor a comparison tells of tokens.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Remembers at most `size` values, each for `ttl_s` seconds; 0 = none. Thread-safe."""

    def __init__(
        self, ttl_s: float, size: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        # All live equally long, so the order of insertion is that of expiry.
        self._entries: dict[bytes, tuple[float, T]] = {}

    def get(self, key: str) -> T | None:
        """Return what was put under a key, None if nothing was or it is too old."""
        with self._lock:
            expires, value = self._entries.get(_digest(key), (0.0, None))
        return value if self._clock() < expires else None

    def put(self, key: str, value: T) -> None:
        """Remember a value from now on; the oldest makes room."""
        if self._ttl_s <= 0:
            return
        digest, now = _digest(key), self._clock()
        with self._lock:
            self._entries.pop(digest, None)
            self._entries[digest] = (now + self._ttl_s, value)
            while len(self._entries) > self._size or self._oldest_expiry() <= now:
                del self._entries[next(iter(self._entries))]

    def _oldest_expiry(self) -> float:
        return next(iter(self._entries.values()))[0]


def _digest(key: str) -> bytes:
    # JSON can carry half a surrogate pair, which plain UTF-8 refuses.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
