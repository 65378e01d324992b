# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker finds what it is there to find, and believes what can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.checker import check
from faults.history import Action, Event, Held, Outcome, State

A = Held("a", "a0")


def event(action: Action, start: float, end: float, holder: str = "a", text: str = "") -> Event:
    """Return an acknowledged request for the one object of these histories."""
    return Event("client", "object", action, Outcome.DONE, start, end, holder, text)


def refused(one: Event) -> Event:
    """Return the request refused."""
    return replace(one, outcome=Outcome.REFUSED, text="" if one.action is Action.READ else one.text)


def unknown(one: Event) -> Event:
    """Return the request without an answer."""
    return replace(one, outcome=Outcome.UNKNOWN)


CREATED = event(Action.CREATE, 0, 1, text="a0")
UPDATED = event(Action.UPDATE, 2, 3, text="a1")
DELETED = event(Action.DELETE, 4, 5)


def read(start: float, end: float, text: str = "", holder: str = "a") -> Event:
    """Return a look at the object: what was there, or ("") that it was not."""
    one = event(Action.READ, start, end, holder, text)
    return one if text else refused(one)


POSSIBLE: dict[str, tuple[Sequence[Event], State]] = {
    "nothing": ([], None),
    "created": ([CREATED], A),
    "a whole life": ([CREATED, read(1, 2, "a0"), UPDATED, read(3, 4, "a1"), DELETED], None),
    "read while it is written, either way": (
        [CREATED, UPDATED, read(2.1, 2.2, "a0"), read(2.3, 2.4, "a1")],
        Held("a", "a1"),
    ),
    "unknown, and there": ([unknown(CREATED)], A),
    "unknown, and not there": ([unknown(CREATED)], None),
    "unknown, and done long after": (
        [CREATED, unknown(UPDATED), read(8, 9, "a0"), read(10, 11, "a1")],
        Held("a", "a1"),
    ),
    "unknown, and written over": (
        [CREATED, unknown(UPDATED), event(Action.UPDATE, 4, 5, text="a2")],
        Held("a", "a2"),
    ),
    "an unknown deletion, then one that is refused": (
        [CREATED, unknown(DELETED), refused(event(Action.DELETE, 6, 7))],
        None,
    ),
    "never there": ([read(2, 3)], None),
    "refused while another one has the place": (
        [CREATED, refused(event(Action.CREATE, 2, 3, "b", "b0"))],
        A,
    ),
    "the place goes to another one": (
        [CREATED, DELETED, event(Action.CREATE, 4.5, 6, "b", "b0"), read(7, 8)],
        Held("b", "b0"),
    ),
    "refused because of one of unknown outcome": (
        [unknown(CREATED), refused(event(Action.CREATE, 2, 3, "b", "b0"))],
        A,
    ),
}

IMPOSSIBLE: dict[str, tuple[Sequence[Event], State]] = {
    "lost creation": ([CREATED], None),
    "lost update": ([CREATED, UPDATED], A),
    "lost deletion": ([CREATED, DELETED], A),
    "an update that came back over a later one": (
        [CREATED, UPDATED, read(3, 4, "a1"), event(Action.UPDATE, 5, 6, text="a2")],
        Held("a", "a1"),
    ),
    "refused, but there": ([CREATED, refused(UPDATED)], Held("a", "a1")),
    "a creation refused for no reason": ([refused(CREATED)], None),
    "a creation refused because of itself": ([refused(CREATED)], A),
    "a deletion refused, but done": ([CREATED, refused(DELETED)], None),
    "there, but nobody made it": ([], A),
    "one place for two": ([CREATED, event(Action.CREATE, 2, 3, "b", "b0")], A),
    "stale read": ([CREATED, UPDATED, read(3.5, 4, "a0")], Held("a", "a1")),
    "stale refusal": ([CREATED, read(1.5, 2)], A),
    "read after its deletion": ([CREATED, DELETED, read(6, 7, "a0")], None),
    "read before it was written": ([read(-2, -1, "a0"), CREATED], A),
    "back and forth": (
        [CREATED, UPDATED, read(2.1, 2.2, "a1"), read(2.3, 2.4, "a0")],
        Held("a", "a1"),
    ),
    "back and forth, unknown": (
        [CREATED, unknown(UPDATED), read(3, 4, "a1"), read(5, 6, "a0")],
        Held("a", "a1"),
    ),
    "refused because of one that was gone": (
        [CREATED, DELETED, refused(event(Action.CREATE, 6, 7, "b", "b0"))],
        None,
    ),
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_possible(name: str) -> None:
    """Whatever one order of the requests explains is believed."""
    events, final = POSSIBLE[name]

    assert [] == check(events, {"object": final})


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible(name: str) -> None:
    """A planted anomaly is found, and told with the requests around it."""
    events, final = IMPOSSIBLE[name]
    [anomaly] = check(events, {"object": final})

    assert "object" == anomaly.subject
    assert f"> {anomaly.at}" in str(anomaly)


def test_each_object_by_itself() -> None:
    """An anomaly of one object is told as that object's, whatever the others do."""
    other = [replace(one, subject="other") for one in (CREATED, UPDATED)]

    [anomaly] = check([CREATED, *other], {"object": A, "other": A})
    assert "other" == anomaly.subject


def test_many_deletions_without_an_answer() -> None:
    """One that is impossible is found soon, whichever of many deletions may have been done."""
    events = []
    for number in range(30):
        start, holder = 10.0 * number, f"h{number}"
        events.append(event(Action.CREATE, start, start + 1, holder, f"{holder}/0"))
        gone = event(Action.DELETE, start + 2, start + 3, holder)
        events += [unknown(replace(gone, start=start + 2 + one / 10)) for one in range(9)]
        events.append(unknown(event(Action.CREATE, start + 2, start + 4, f"{holder}-too", "x")))

    assert [] == check(events, {"object": Held("h29", "h29/0")})
    assert 1 == len(check(events, {"object": Held("h28", "h28/0")}))


class Register:
    """An object as it really is, for histories that are true by construction."""

    def __init__(self) -> None:
        self.state: State = None

    def serve(self, action: Action, holder: str, text: str) -> tuple[Outcome, str]:
        """Do a request now; return its outcome and, of a read, the text."""
        for outcome in (Outcome.DONE, Outcome.REFUSED):
            seen = text
            if action is Action.READ:
                is_seen = outcome is Outcome.DONE and self.state is not None
                seen = self.state.text if is_seen and self.state is not None else ""
            possible, after = Event("", "", action, outcome, 0, 0, holder, seen).follow(self.state)
            if possible:
                self.state = after
                return outcome, seen
        raise AssertionError("a request is done or refused")


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(Action),
        st.sampled_from("ab"),
        st.floats(0.01, 3),  # from the start to the effect
        st.floats(0.01, 3),  # from there to the end
        st.sampled_from([True, True, True, False]),  # whether its answer comes
        st.booleans(),  # whether it has an effect, if not
    ),
    max_size=40,
)


@given(REQUESTS)
def test_true_histories(requests: Sequence[tuple[Action, str, float, float, bool, bool]]) -> None:
    """What really happened, with overlaps and lost answers, is always believed."""
    register = Register()
    events = []
    for moment, (action, holder, before, after, answered, effective) in enumerate(requests):
        text = f"{holder}{moment}"
        outcome, seen = Outcome.UNKNOWN, text
        if answered or effective:
            outcome, seen = register.serve(action, holder, text)
        if not answered:
            outcome, seen = Outcome.UNKNOWN, text
        one = Event(
            "client", "object", action, outcome, moment - before, moment + after, holder, seen
        )
        events.append(one)

    assert [] == check(events, {"object": register.state})


@given(st.data())
def test_planted(data: st.DataObject) -> None:
    """An acknowledged update that is left out of a true history's future is always missed."""
    count = data.draw(st.integers(2, 30))
    lost = data.draw(st.integers(1, count - 1))
    events = [CREATED]
    for number in range(1, count):
        start = 10.0 * number
        events.append(event(Action.UPDATE, start, start + 1, text=f"a{number}"))
        shown = number - 1 if number == lost else number
        events.append(read(start + 2, start + 3, f"a{shown}"))

    assert 1 == len(check(events, {"object": Held("a", f"a{count - 1}")}))
