# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients saw, as values: requests with their times and outcomes, by the object they met.

Pure. An object of a history is a place that at most one REST object holds at a time: an
address on a network, or the name under which one client makes one object. Its state is
None, or who holds it and the text that was written there last (`Held`). Each written text
occurs once in a history, so whoever reads it is known to have read that very write.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Optional


class Outcome(Enum):
    """What a client knows of its request."""

    DONE = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Action(Enum):
    """What a request was to do to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    READ = "read"


class Held(NamedTuple):
    """The state of an object that is there: which one it is, and its text."""

    holder: str
    text: str


State = Optional[Held]


@dataclass(frozen=True)
class Event:
    """One request, as its client saw it.

    `start` and `end` are seconds of one clock for all clients. `holder` is the one that
    the request names; `text` is what it wrote, or what it read ("" with a refusal).
    `client` and `request_id` are for people.
    """

    client: str
    subject: str
    action: Action
    outcome: Outcome
    start: float
    end: float
    holder: str
    text: str = ""
    request_id: str = ""

    def follow(self, state: State) -> tuple[bool, State]:
        """Say whether this can happen in `state`, and give the state after it.

        An unknown outcome is taken for done. A refused creation saw the place taken;
        any other refusal saw that its holder is not there.
        """
        is_there = state is not None and state.holder == self.holder
        if self.outcome is Outcome.REFUSED:
            if self.action is Action.CREATE:
                return state is not None, state
            return not is_there, state
        if self.action is Action.READ:
            return state == Held(self.holder, self.text), state
        if self.action is Action.CREATE:
            return state is None, Held(self.holder, self.text)
        return is_there, Held(self.holder, self.text) if self.action is Action.UPDATE else None

    def __str__(self) -> str:
        times = f"{self.start:.4f}..{self.end:.4f}"
        what = f"{self.action.value} {self.holder} {self.text!r} {self.outcome.value}"
        return f"{times} {self.client} {what} {self.request_id}".rstrip()


class History:
    """Collects events from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._bulks: list[tuple[str, ...]] = []
        self._wrong: list[str] = []

    def add(self, events: Iterable[Event]) -> None:
        """Take what a client saw."""
        with self._lock:
            self._events += events

    def add_bulk(self, subjects: Iterable[str]) -> None:
        """Take the objects of one bulk request without an answer: all are there, or none."""
        with self._lock:
            self._bulks.append(tuple(subjects))

    def object_to(self, answer: str) -> None:
        """Take an answer that no client should ever get; any text."""
        with self._lock:
            self._wrong.append(answer)

    @property
    def events(self) -> Sequence[Event]:
        """All events so far."""
        with self._lock:
            return list(self._events)

    @property
    def bulks(self) -> Sequence[tuple[str, ...]]:
        """The objects of each bulk request without an answer."""
        with self._lock:
            return list(self._bulks)

    @property
    def wrong(self) -> Sequence[str]:
        """The answers that no client should get."""
        with self._lock:
            return list(self._wrong)

    def outcomes(self) -> Counter[str]:
        """Return how many requests had which action and outcome."""
        return Counter(f"{one.action.value} {one.outcome.value}" for one in self.events)
