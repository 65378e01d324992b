# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which server is tried next, and when; and when a silent one is given up.

No I/O but reading the clock. What is due is left to the state machine of the ovs
library (`ovs.reconnect`); on top of it are the turns and pauses of several servers.
Belongs to the connection's thread; `remote` and `problems` can be read by any, heard() and
listened() called by whoever reads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ovs.reconnect import CONNECT, DISCONNECT, PROBE, Reconnect

from .remote import Remote

__all__ = ["CONNECT", "DISCONNECT", "PROBE", "Rotation"]

_BACKOFF_MS = (1000, 2000)  # ovs.reconnect allows no less
# While it is worth hurrying (a server answers, or all was well a moment ago)
# every remote is tried, then there is a pause: short at first, long later.
_PAUSE_MS, _LONG_PAUSE_MS = 100, 1000
_HURRY_S = 10.0
# A server that accepts a connection and says nothing is left after twice this,
# if there are others.
_GREETING_PROBE_MS = 1000


class Rotation:
    """The servers, in turns.

    `remote` is the one whose turn it is, `problems` the last trouble with each since all
    was well. `probe_interval_ms` as for `Connection`.
    """

    def __init__(self, remotes: Sequence[Remote], probe_interval_ms: int) -> None:
        self.remote = remotes[0]
        self.problems: dict[Remote, str] = {}
        self._remotes = tuple(remotes)
        self._probe_interval_ms = probe_interval_ms
        self._next = 0
        self._round_answered = False
        self._paused_until_ms = 0
        self._heard_ms = self._noted_ms = 0  # when the server said something, and what is noted
        self._fsm = Reconnect(_now_ms())
        self._fsm.set_quiet(True)
        self._fsm.set_backoff(*_BACKOFF_MS)

    def start(self) -> None:
        """Begin with the first server, at once."""
        self._fsm.enable(_now_ms())
        self._hurry()

    def due(self) -> str | None:
        """Return what is to be done now: CONNECT, DISCONNECT, PROBE or None."""
        now = _now_ms()
        if self._noted_ms != self._heard_ms:
            self._noted_ms = self._heard_ms
            self._fsm.activity(self._noted_ms)
        action: str | None = self._fsm.run(now) if now >= self._paused_until_ms else None
        return action

    def timeout_ms(self) -> int | None:
        """Return how long nothing will be due; None: until something happens."""
        now = _now_ms()
        timeout_ms: int | None = self._fsm.timeout(now)
        if now < self._paused_until_ms:
            return max(timeout_ms or 0, self._paused_until_ms - now)
        return timeout_ms

    def take_turn(self) -> Remote:
        """Return the server that is tried now."""
        self.remote = self._remotes[self._next]
        self._next = (self._next + 1) % len(self._remotes)
        several = len(self._remotes) > 1
        self._fsm.set_probe_interval(_GREETING_PROBE_MS if several else self._probe_interval_ms)
        self._fsm.connecting(_now_ms())
        return self.remote

    def connected(self) -> None:
        """Take note that the server has accepted the connection."""
        self._fsm.connected(_now_ms())

    def heard(self) -> None:
        """Take note that the server said something."""
        self._heard_ms = _now_ms()

    def listened(self) -> None:
        """Take note that what the server said so far was read."""
        self._fsm.receive_attempted(_now_ms())

    def greeted(self) -> None:
        """Take note that the server speaks: it may need a while to compose a big reply."""
        self._fsm.set_probe_interval(self._probe_interval_ms)

    def all_is_well(self) -> None:
        """Forget the troubles; the next failure is followed by quick tries."""
        self.problems.clear()
        self._hurry()

    def slow_down(self) -> None:
        """Take note that what is wrong is not over soon."""
        self._fsm.set_backoff_free_tries(0)

    def blame(self, reason: str) -> bool:
        """Note what is wrong with this server; return whether that is news."""
        is_news = self.problems.get(self.remote) != reason
        self.problems[self.remote] = reason
        return is_news

    def end_turn(self, *, answered: bool, away_s: float) -> None:
        """Leave this server, and settle when the next one is tried.

        `answered`: the server works, so the right one is likely to be found soon. `away_s`:
        for how long the database has been away.
        """
        now = _now_ms()
        self._round_answered |= answered
        if self._next == 0:
            if self._round_answered:
                self._fsm.set_backoff_free_tries(len(self._remotes) + 1)
            self._paused_until_ms = now + (_PAUSE_MS if away_s < _HURRY_S else _LONG_PAUSE_MS)
            self._round_answered = False
        self._noted_ms = self._heard_ms
        self._fsm.disconnected(now, 0)

    def _hurry(self) -> None:
        """Have the next failures followed by quick tries: a restart is soon over."""
        rounds = int(_HURRY_S * 1000) // _PAUSE_MS
        self._fsm.set_backoff_free_tries(rounds * len(self._remotes) + 1)


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
