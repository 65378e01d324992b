# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is there an order of all requests for an object that explains what every client saw?

Pure. That is linearizability (Herlihy and Wing): each request takes effect at one moment
between its start and its end. One whose outcome is unknown takes effect at any moment
after its start, or never. The state that Northbound is in at the end comes into the
history as a last read, so one search finds lost writes, writes done twice, refused ones
that are there, and reads and refusals that were older than an acknowledged write.

The search is that of Wing and Gong with Lowe's memory of what was tried in vain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from faults.history import Action, Event, Held, Outcome, State

_NEARBY_S = 0.5


@dataclass(frozen=True)
class Anomaly:
    """An object whose history has no explanation; `at` is where the search got stuck."""

    subject: str
    at: Event
    nearby: Sequence[Event]

    def __str__(self) -> str:
        lines = [f"{self.subject}: no order explains", f"  > {self.at}"]
        return "\n".join([*lines, *(f"    {event}" for event in self.nearby)])


def check(events: Sequence[Event], finals: Mapping[str, State]) -> list[Anomaly]:
    """Return what cannot be explained: each object of the history by itself.

    `finals` is what Northbound holds at the end, by object; one that is not in it is gone.
    """
    subjects: dict[str, list[Event]] = {}
    for event in events:
        subjects.setdefault(event.subject, []).append(event)
    for subject in finals:
        subjects.setdefault(subject, [])
    found = (check_object(subject, own, finals.get(subject)) for subject, own in subjects.items())
    return [anomaly for anomaly in found if anomaly is not None]


def check_object(subject: str, events: Sequence[Event], final: State) -> Anomaly | None:
    """Return why the history of one object cannot be; None: it can."""
    end = max((event.end for event in events), default=0.0) + 1.0
    whole = [*events, *_last_look(subject, events, final, end)]
    needed = _simplify(whole)
    stuck = _search(needed)
    if stuck is None:
        return None
    nearby = [
        event
        for event in whole
        if event.start <= stuck.end + _NEARBY_S and event.end >= stuck.start - _NEARBY_S
    ]
    return Anomaly(subject, stuck, sorted(nearby, key=lambda event: event.start)[:40])


def _last_look(subject: str, events: Sequence[Event], final: State, end: float) -> list[Event]:
    def look(outcome: Outcome, held: Held) -> Event:
        return Event("Northbound", subject, Action.READ, outcome, end, end + 1, *held)

    if final is not None:
        return [look(Outcome.DONE, final)]
    holders = {event.holder for event in events}
    return [look(Outcome.REFUSED, Held(holder, "")) for holder in holders]


def _simplify(events: Sequence[Event]) -> list[Event]:
    """Leave out what explains nothing, and give unknown writes the end that others know.

    A text that somebody read was written before that read ended. An update of unknown
    outcome whose text nobody read makes nothing possible that would not be so without it.
    Of a holder that is created once: what somebody met was there by then; what nobody met
    and nobody deleted never was; only one deletion takes effect, and among those of unknown
    outcome the first can do so at any moment at which another can. (Without this a search
    tries all of them with all of the other holders', and does not end.)
    """
    lives = _Lives(events)
    read: dict[Held, float] = {}
    for event in events:
        if event.action is Action.READ and event.outcome is Outcome.DONE:
            held = Held(event.holder, event.text)
            read[held] = min(read.get(held, math.inf), event.end)
    kept = []
    for event in events:
        if event.outcome is Outcome.UNKNOWN:
            if event.action is Action.READ or lives.is_idle(event):
                continue
            seen = read.get(Held(event.holder, event.text)) if event.text else None
            if event.action is Action.CREATE:
                seen = lives.met(event)
            if seen is not None:
                event = replace(event, outcome=Outcome.DONE, end=seen)
            elif event.action is Action.UPDATE:
                continue
            else:
                event = replace(event, end=math.inf)
        kept.append(event)
    return kept


class _Lives:
    """What a history tells of the holders that are created once in it."""

    def __init__(self, events: Sequence[Event]) -> None:
        taken = [event for event in events if event.outcome is not Outcome.REFUSED]
        creations = Counter(event.holder for event in taken if event.action is Action.CREATE)
        self._once = {holder for holder, number in creations.items() if number == 1}
        self._met: dict[str, float] = {}
        self._deletion: dict[str, Event] = {}
        for event in taken:
            known = self._deletion.get(event.holder)
            if event.outcome is Outcome.DONE and event.action is not Action.CREATE:
                self._met[event.holder] = min(self._met.get(event.holder, math.inf), event.end)
            if event.action is Action.DELETE and (known is None or _rank(event) < _rank(known)):
                self._deletion[event.holder] = event

    def met(self, creation: Event) -> float | None:
        """Return the end of the first request that found the holder there; None if none did."""
        return self._met.get(creation.holder) if creation.holder in self._once else None

    def is_idle(self, event: Event) -> bool:
        """Say whether an unknown creation or deletion can be done without."""
        if event.holder not in self._once:
            return False
        if event.action is Action.DELETE:
            return event is not self._deletion[event.holder]
        is_deleted = event.holder in self._deletion
        return event.action is Action.CREATE and not is_deleted and self.met(event) is None


def _rank(deletion: Event) -> tuple[bool, float]:
    return deletion.outcome is Outcome.UNKNOWN, deletion.start


def _search(events: Sequence[Event]) -> Event | None:
    """Return None if the events can be put in order, else one that nothing could follow."""
    events = sorted(events, key=lambda event: event.start)
    goal = sum(1 << index for index, event in enumerate(events) if event.end != math.inf)
    if not goal:
        return None
    stuck, most = events[0], -1
    tried: set[tuple[int, State]] = set()
    path = [_Place(events, 0, None, 0)]
    while path:
        place = path[-1]
        while place.candidates:
            index = place.candidates.pop()
            possible, state = events[index].follow(place.state)
            done = place.done | 1 << index
            if not possible or (done, state) in tried:
                continue
            if done & goal == goal:
                return None
            tried.add((done, state))
            path.append(_Place(events, done, state, place.first))
            break
        else:
            path.pop()
            if place.count > most:
                # The deepest place where nothing goes on: its most urgent request is to blame.
                most, stuck = place.count, events[place.urgent]
    return stuck


class _Place:
    """One step of the search: what was put in order so far, and what can come next."""

    def __init__(self, events: Sequence[Event], done: int, state: State, first: int) -> None:
        self.done = done
        self.state = state
        self.count = bin(done).count("1")
        while done >> first & 1:
            first += 1
        self.first = first  # all before it are done
        limit = math.inf
        found = []
        for index in range(first, len(events)):
            if done >> index & 1:
                continue
            event = events[index]
            if event.start > limit:
                break  # another one ended before this and all later ones began
            limit = min(limit, event.end)
            found.append(index)
        # Taken from the end: who has to be done first, then those that may never have been.
        self.candidates = sorted(found, key=lambda index: -events[index].end)
        self.urgent = min(found, key=lambda index: events[index].end)
