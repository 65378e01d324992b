# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers to GET of a collection.

Reads the replica under its lock, in slices, so that a long list never keeps
updates waiting. The list of all ports, which the engine fetches for every vNIC
it plugs, is kept as bytes: one piece for each port, joined for each network, and
renewed only where something changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from .config import Config
from .json_text import json_bytes
from .nb.replica import Replica
from .nb.rows import Switch
from .nb.view import View
from .resources import PORTS, JsonObject, Resource
from .wire.port import encode_port
from .wire.query import Query
from .wire.security_group import groups_of_port
from .wire.subnet import ranges_of

log = logging.getLogger(__name__)

# Rows encoded in one go: about 10 ms with the lock held.
_SLICE = 400


def list_objects(
    replica: Replica, resource: Resource, query: Query, config: Config, is_engine: bool
) -> list[JsonObject]:
    """Return the objects that a query asks for, whole: filtered, in order, one page."""
    view = View(replica)
    with replica.lock:
        rows = list(resource.candidates(view, query.equals))
    if not query.tests and not query.sort:
        # Nothing but ids decides: encode the page alone.
        rows.sort(key=resource.identify)
        ids = [resource.identify(row) for row in rows]
        rows = rows[query.page(ids, resource.not_found)]
        return list(_encode(replica, resource, rows, config, is_engine))
    found = _encode(replica, resource, rows, config, is_engine)
    elements = [element for element in found if query.matches(element)]
    if query.marker and all(element["id"] != query.marker for element in elements):
        # It may have passed the filters when the page before was read. It is on no page itself.
        with replica.lock:
            row = resource.find(view, query.marker)
        elements += _encode(replica, resource, [row] if row else [], config, is_engine)
    elements = query.sorted(elements)
    page = query.page([element["id"] for element in elements], resource.not_found)
    return elements[page]


def _encode(
    replica: Replica, resource: Resource, rows: list[Any], config: Config, is_engine: bool
) -> Iterable[JsonObject]:
    view = View(replica)
    for start in range(0, len(rows), _SLICE):
        with replica.lock:
            encoded = [
                (row, resource.encode(row, view, config, is_engine, True))
                for row in rows[start : start + _SLICE]
                # Between two slices rows may go.
                if resource.find(view, resource.identify(row)) is row
            ]
        for row, element in encoded:
            if element is not None:
                yield element
            else:
                _tell_once(f"{resource.title} is not shown, as its row cannot be read: {row}")


# The cache knows what has been told.
@lru_cache(maxsize=1000)
def _tell_once(text: str) -> None:
    log.warning("%s", text)


def render_ports(replica: Replica, config: Config) -> list[bytes]:
    """Return the body of the list of all ports in pieces, as of one moment.

    What is missing is rendered in slices; the pieces are taken in one go when
    nothing is missing any more.
    """
    view = View(replica)
    while True:
        with replica.lock:
            budget = _SLICE
            pieces: list[bytes] = []
            for switch in view.networks():
                if not switch.is_rendered:
                    budget = _render_switch(view, switch, config, budget)
                if budget <= 0:
                    break
                if switch.rendered:
                    pieces.append(switch.rendered)
            else:
                return [b'{"ports":[', *_without_first_comma(pieces), b"]}"]


def _render_switch(view: View, switch: Switch, config: Config, budget: int) -> int:
    """Render the ports of a network, as far as the budget goes; return what is left of it."""
    ports = list(view.ports_of(switch))
    missing = [port for port in ports if port.rendered is None]
    if missing:
        ranges = ranges_of(view.subnets_of(switch.uuid))
        for port in missing[:budget]:
            groups = groups_of_port(port, view)
            element = encode_port(
                port, switch.uuid, view.addressing(port), ranges, groups, config, in_list=True
            )
            port.rendered = json_bytes(element)
    if len(missing) <= budget:
        rendered = [port.rendered for port in ports if port.rendered is not None]
        # A comma before each, rather than a little piece between two big ones.
        switch.rendered, switch.is_rendered = b",".join([b"", *rendered]), True
    return budget - len(missing)


def _without_first_comma(pieces: list[bytes]) -> list[bytes]:
    return [pieces[0][1:], *pieces[1:]] if pieces else []


def is_port_list(resource: Resource, query: Query) -> bool:
    """Say whether `render_ports` is the answer."""
    return resource is PORTS and query.is_plain
