# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From a writing request to the planner that fulfils it.

Pure. The body is decoded once, before anything is looked at; the planner may then
run several times, each time on a newer view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .errors import BadRequest, NotFound
from .nb.view import View
from .plan import binding
from .plan.draft import Context, Draft, Plan
from .plan.tags import replace_tags
from .resources import Action, Resource
from .routes import Route
from .wire import readers
from .wire.attributes import Values, read_json
from .wire.binding import BINDING, read_host
from .wire.common import tags as tags_of

# Fills in a draft, and returns the answer's JSON value.
Filler = Callable[[Draft], Any]

# Planners, and whether the binding that they answer with is wrapped; one that was made
# the active one is not, in Neutron either, whatever came with the request.
_BINDINGS: Mapping[str, tuple[Callable[..., Any], bool]] = {
    "create_binding": (binding.add, True),
    "update_binding": (binding.change, True),
    "activate_binding": (binding.activate, False),
    "confirm_binding": (binding.confirm, False),
    "delete_binding": (binding.remove, False),
}


class Writer(NamedTuple):
    """How to plan a request, and the names of what it contends for (`Executor.write`)."""

    make_plan: Callable[[View], Plan]
    queues: Callable[[View], Iterable[str]]


def make_writer(route: Route, resource: Resource, body: bytes, context: Context) -> Writer:
    """Return the writer of a request; raises BadRequest for a body that it cannot have."""
    values: Sequence[Values] = ()
    if route.action == "create":
        values, is_bulk = resource.table.read_post(body)
        fill = _create(resource, values, is_bulk)
    elif route.action == "update":
        values = (resource.table.read_put(body),)
        fill = _update(resource, route.ids[0], values[0])
    elif route.action == "act":
        action = resource.actions[route.ids[1]]
        values = (action.read(body),)
        fill = _act(resource, route.ids[0], action, values[0])
    elif route.action in _BINDINGS:
        fill = _bind(resource, route, body)
    elif route.action == "delete":
        _refuse(body)
        fill = _delete(resource, route.ids[0])
    else:
        fill = _change_tags(resource, route, body)

    def make_plan(view: View) -> Plan:
        draft = Draft(view, context)
        return draft.finish(fill(draft))

    def queues(view: View) -> Iterable[str]:
        if route.action in _BINDINGS:
            return route.ids[:1]  # takes nothing on the network, so waits for nobody there
        return resource.queues(view, route.ids[0] if route.ids else None, values)

    return Writer(make_plan, queues)


def find(view: View, resource: Resource, object_id: str) -> Any:
    """Return the row of an object; raises NotFound with the resource's own type."""
    row = resource.find(view, object_id)
    if row is None:
        raise NotFound(resource.not_found, f"{resource.title} {object_id} could not be found.")
    return row


def find_bindable(view: View, resource: Resource, port_id: str) -> Any:
    """Return the row of a port that can have bindings; raises NotFound, and BadRequest."""
    row = find(view, resource, port_id)
    binding.check_bindable(row)
    return row


def check_tag(tag: str, tags: Sequence[str]) -> None:
    """Raise NotFound for a tag that is not among an object's."""
    if tag not in tags:
        raise NotFound("TagNotFound", f"Tag {tag} could not be found.")


def _create(resource: Resource, values: Sequence[Values], is_bulk: bool) -> Filler:
    table = resource.table

    def fill(draft: Draft) -> Any:
        created = [
            resource.create(draft, element, f"{table.name}/{index}")
            for index, element in enumerate(values)
        ]
        return {table.collection: created} if is_bulk else {table.name: created[0]}

    return fill


def _update(resource: Resource, object_id: str, values: Values) -> Filler:
    def fill(draft: Draft) -> Any:
        row = find(draft.view, resource, object_id)
        return {resource.table.name: resource.update(draft, row, values)}

    return fill


def _act(resource: Resource, object_id: str, action: Action, values: Values) -> Filler:
    def fill(draft: Draft) -> Any:
        return action.plan(draft, find(draft.view, resource, object_id), values)

    return fill


def _delete(resource: Resource, object_id: str) -> Filler:
    def fill(draft: Draft) -> Any:
        resource.delete(draft, find(draft.view, resource, object_id))

    return fill


def _bind(resource: Resource, route: Route, body: bytes) -> Filler:
    port_id, *host = route.ids
    plan, is_wrapped = _BINDINGS[route.action]
    if route.action == "confirm_binding":
        read_host("host", *host)  # of the others none is created by its path
    values: tuple[Values, ...] = ()
    if route.action == "create_binding":
        created, is_bulk = BINDING.read_post(body)
        if is_bulk:
            raise BadRequest("HTTPBadRequest", "Bindings are created one by one.")
        values = tuple(created)
    elif route.action == "update_binding":
        values = (BINDING.read_put(body),)
    elif route.action == "delete_binding":
        _refuse(body)
    elif body and not isinstance(read_json(body), dict):
        raise BadRequest("HTTPBadRequest", "The body must be a JSON object.")

    def fill(draft: Draft) -> Any:
        port = find_bindable(draft.view, resource, port_id)
        answer = plan(draft, port, *host, *values)
        return {BINDING.name: answer} if is_wrapped else answer

    return fill


def _refuse(body: bytes) -> None:
    if body:
        raise BadRequest("HTTPBadRequest", "A request of this kind must have no body.")


def _change_tags(resource: Resource, route: Route, body: bytes) -> Filler:
    object_id, *named = route.ids
    if route.action == "replace_tags":
        new = _read_tags(body)
    else:
        _refuse(body)
        new = []
    for tag in named:
        readers.text()("tag", tag)

    def fill(draft: Draft) -> Any:
        row = find(draft.view, resource, object_id)
        tags = tags_of(row.external_ids)
        if route.action == "remove_tag":
            check_tag(named[0], tags)
            tags.remove(named[0])
        elif route.action == "add_tag":
            tags.append(named[0])
        else:
            tags = new
        return replace_tags(draft, row, tags)

    return fill


def _read_tags(body: bytes) -> list[str]:
    root = read_json(body)
    if not isinstance(root, dict) or set(root) != {"tags"}:
        raise BadRequest("HTTPBadRequest", "The body must be an object with one key, 'tags'.")
    tags: list[str] = readers.list_of(readers.text())("tags", root["tags"])
    return tags
