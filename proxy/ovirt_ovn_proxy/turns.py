# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns: how a request that always loses against other proxies gets through.

Does no I/O. A plan that takes long, of many ports say, finds its network changed by another
proxy each time that it is ready. Who has lost for long enough asks for its turn by a
key of NB_Global, which all proxies see: they hold back what they plan for the same until the
key is gone. It goes with the transaction of who asked; of one that has died the others have
had enough after two seconds.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

from .nb import keys, ops, schema
from .nb.ops import Operation
from .nb.view import View

PATIENCE_S = 2.0
_MOST_SEEN = 1000


class Turn:
    """One request's turn with all that it contends for."""

    def __init__(self, nb_global: str, names: Iterable[str]) -> None:
        self.value = uuid.uuid4().hex
        self._nb_global = nb_global
        self._keys = [f"{keys.TURN}{name}" for name in names]

    def ask(self) -> Operation:
        """Return the operation that asks; what one that has died has left goes."""
        return self._change(dict.fromkeys(self._keys, self.value))

    def end(self) -> Operation:
        """Return the operation that gives the turn up."""
        return self._change({})

    def is_asked(self, view: View) -> bool:
        """Say whether what asks for it is still there."""
        row = view.nb_global
        return row is not None and self.value in map(row.external_ids.get, self._keys)

    def _change(self, new: dict[str, str]) -> Operation:
        return ops.change_keys(schema.NB_GLOBAL, self._nb_global, "external_ids", self._keys, new)


class Turns:
    """What one proxy knows of turns; called with the replica's lock held."""

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._seen: dict[str, float] = {}

    def make(self, view: View, names: Iterable[str]) -> Turn | None:
        """Return a turn of our own, not asked for yet; None where there is no room for it."""
        row = view.nb_global
        if row is None:
            return None
        turn = Turn(row.uuid, names)
        self._own.add(turn.value)
        return turn

    def forget(self, turn: Turn) -> None:
        """Count a turn no more as our own."""
        self._own.discard(turn.value)

    def is_anothers(self, view: View, names: Iterable[str]) -> bool:
        """Say whether another proxy has its turn with one of the names, and goes first."""
        row = view.nb_global
        if row is None:
            return False
        for name in names:
            value = row.external_ids.get(f"{keys.TURN}{name}")
            if value is not None and value not in self._own and self._is_new(value):
                return True
        return False

    def _is_new(self, value: str) -> bool:
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        now = time.monotonic()
        return now - self._seen.setdefault(value, now) < PATIENCE_S
