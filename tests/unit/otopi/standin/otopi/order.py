# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OrderError(Exception):
    """Events that cannot be put in order; the message has a line for each reason."""


def method_name(event: dict[str, Any]) -> str:
    """Return the full name of an event's method, by which ties are sorted."""
    method = event["method"]
    kind = type(method.__self__)
    return f"{kind.__module__}.{kind.__name__}.{method.__name__}"


def sort(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events in the order in which they run. Raises OrderError."""
    names = [event["name"] for event in events if event["name"] is not None]
    twice = sorted({name for name in names if names.count(name) > 1})
    wrong = [f"error: duplicate name: {name}" for name in twice]
    earlier: dict[int, set[int]] = {}
    for index, event in enumerate(events):
        named = {at for at, other in enumerate(events) if at != index and _is_named(other, event)}
        wrong += [
            f"error: {method_name(event)} cannot run after {method_name(events[at])}"
            for at in named
            if _rank(event) < _rank(events[at])
        ]
        earlier[index] = named | {
            at
            for at, other in enumerate(events)
            if other["stage"] == event["stage"] and other["priority"] < event["priority"]
        }
    if wrong:
        raise OrderError("\n".join(wrong))
    return [events[index] for index in _layers(earlier, events)]


def _rank(event: dict[str, Any]) -> tuple[int, int]:
    return event["stage"], event["priority"]


def _is_named(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Say whether one of two events says that the first goes first."""
    for name, others in ((second["name"], first["before"]), (first["name"], second["after"])):
        if name is not None and name in others:
            return True
    return False


def _layers(earlier: dict[int, set[int]], events: Sequence[dict[str, Any]]) -> list[int]:
    order: list[int] = []
    while len(order) < len(earlier):
        ready = [index for index in earlier if index not in order and earlier[index] <= set(order)]
        if not ready:
            raise OrderError("error: a cycle of events")
        order += sorted(ready, key=lambda index: method_name(events[index]))
    # Layers go across stages, and stages go one by one.
    return sorted(order, key=lambda index: int(events[index]["stage"]))
