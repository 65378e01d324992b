# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attribute tables: what a resource has, who may set it when, and bodies read by them.

Pure. Each resource's module holds its table; this one knows how to use tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BadRequest
from . import readers
from .readers import Reader, shown

Values = Mapping[str, Any]

# Objects in a bulk request. They are planned in one go, while everybody else waits.
MOST_AT_ONCE = 2000

# Bodies nest three levels deep at the most; Python's own limit is far higher.
_DEEPEST = 32


class _Absent:
    """Marks an attribute that gets no value when a POST leaves it out."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class Attribute:
    """One attribute of a resource.

    `read` checks a value; `post` and `put` say whether the verbs may carry it,
    `required` whether a POST must; `default` fills in for a POST without it
    (ABSENT: nothing does). `null` says what an explicit null means: REFUSED, or
    the value that it stands for (None itself where null is a value). `read_filter`
    reads a value to filter by, where that is an element of a list and not the list.
    """

    name: str
    read: Reader
    post: bool = True
    put: bool = True
    required: bool = False
    default: Any = ABSENT
    null: Any = ABSENT
    is_filter: bool = False
    is_sortable: bool = False
    read_filter: Reader | None = None


REFUSED = ABSENT


def _read_only(name: str, read: Reader, **flags: Any) -> Attribute:
    return Attribute(name, read, post=False, put=False, **flags)


_project = readers.text()

IDENTITY = (
    _read_only("id", readers.text(), is_filter=True, is_sortable=True),
    Attribute("tenant_id", _project, put=False, is_filter=True, is_sortable=True),
    Attribute("project_id", _project, put=False, is_filter=True, is_sortable=True),
)
STANDARD = (
    *IDENTITY,
    Attribute("name", readers.name, default="", is_filter=True, is_sortable=True),
    Attribute("description", readers.text(), default="", is_filter=True),
    _read_only("created_at", readers.text()),
    _read_only("updated_at", readers.text()),
    _read_only("revision_number", readers.integer(), is_filter=True),
    _read_only("tags", readers.list_of(readers.text())),
)


def _as_they_are(objects: list[Values]) -> list[Values]:
    return objects


class AttributeTable:
    """The attributes of one resource, by name, and how to read its bodies.

    `check` gets the objects of a POST once each attribute has been read, and returns
    them as they are to be planned; it refuses what does not go together.
    """

    def __init__(
        self,
        name: str,
        collection: str,
        attributes: Sequence[Attribute],
        check: Callable[[list[Values]], list[Values]] = _as_they_are,
    ) -> None:
        self.name = name
        self.collection = collection
        self._check = check
        self.by_name = {attribute.name: attribute for attribute in attributes}
        self._required = [attribute.name for attribute in attributes if attribute.required]
        self._defaults = {
            attribute.name: attribute.default
            for attribute in attributes
            if attribute.default is not ABSENT
        }

    def read_post(self, body: bytes) -> tuple[list[Values], bool]:
        """Return the objects that a POST asks for, and whether it was a bulk request.

        Raises BadRequest for anything that is no {singular: object} or {plural: list}.
        """
        root = _object(body)
        if set(root) == {self.collection}:
            elements = root[self.collection]
            if not isinstance(elements, list) or not 0 < len(elements) <= MOST_AT_ONCE:
                reason = f"{self.collection} must be a list of 1 to {MOST_AT_ONCE} objects."
                raise BadRequest("HTTPBadRequest", reason)
            created = [self._created(self._unwrapped(element)) for element in elements]
            return self._check(created), True
        return self._check([self._created(self._wrapped(root))]), False

    def read_put(self, body: bytes) -> Values:
        """Return what a PUT asks for: only what it names."""
        given = self._wrapped(_object(body))
        for name in given:
            attribute = self._known(name)
            if not attribute.put:
                raise BadRequest("HTTPBadRequest", f"Cannot update read-only attribute {name}")
        return self._read(given)

    def _created(self, given: Values) -> Values:
        for name in given:
            if not self._known(name).post:
                raise BadRequest("HTTPBadRequest", f"Attribute '{name}' not allowed in POST")
        if {"tenant_id", "project_id"} <= set(given):
            project_id, tenant_id = given["project_id"], given["tenant_id"]
            if project_id != tenant_id:
                raise BadRequest(
                    "HTTPBadRequest",
                    f"project_id {shown(project_id)} and tenant_id {shown(tenant_id)} do not match",
                )
        values = self._read(given)
        for name in self._required:
            if name not in values:
                raise BadRequest(
                    "HTTPBadRequest",
                    f"Failed to parse request. Required attribute '{name}' not specified",
                )
        return {**self._defaults, **values}

    def _read(self, given: Values) -> Values:
        values = {}
        for name, value in given.items():
            attribute = self._known(name)
            if value is None:
                if attribute.null is REFUSED:
                    readers.invalid(name, value, "is not allowed here")
                values[name] = attribute.null
            else:
                values[name] = attribute.read(name, value)
        return values

    def _known(self, name: str) -> Attribute:
        attribute = self.by_name.get(name)
        if attribute is None:
            raise BadRequest("HTTPBadRequest", f"Unrecognized attribute(s) {shown(name)}")
        return attribute

    def _wrapped(self, root: dict[str, Any]) -> dict[str, Any]:
        value = root.get(self.name)
        if len(root) != 1 or not isinstance(value, dict):
            raise BadRequest(
                "HTTPBadRequest", f"The body must be an object with one key, {self.name!r}."
            )
        return value

    def _unwrapped(self, element: Any) -> dict[str, Any]:
        if isinstance(element, dict) and set(element) == {self.name}:
            element = element[self.name]
        if not isinstance(element, dict):
            raise BadRequest(
                "HTTPBadRequest", f"{shown(element)} in {self.collection} is not an object."
            )
        return element


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _parse_int(digits: str) -> int:
    # What is no attribute's value is for its reader to say; a million digits would take seconds.
    count = len(digits.lstrip("-"))
    if count > readers.MOST_DIGITS:
        raise BadRequest("HTTPBadRequest", f"The number {digits[:20]}... has {count} digits.")
    return int(digits)


_decode = json.JSONDecoder(parse_constant=_refuse, parse_int=_parse_int).decode


def read_json(body: bytes) -> Any:
    """Return the JSON value of a body; raises BadRequest for anything else."""
    try:
        value = _decode(body.decode(json.detect_encoding(body)))
    except (ValueError, RecursionError) as error:
        raise BadRequest("HTTPBadRequest", "The body is not valid JSON.") from error
    # Hardly any body has as many brackets as it may have levels.
    if body.count(b"{") + body.count(b"[") > _DEEPEST:
        _check_depth(value, _DEEPEST)
    return value


def _check_depth(value: Any, levels: int) -> None:
    if not isinstance(value, (dict, list)):
        return
    if levels == 0:
        raise BadRequest("HTTPBadRequest", f"The body has more than {_DEEPEST} levels.")
    for element in value.values() if isinstance(value, dict) else value:
        _check_depth(element, levels - 1)


def _object(body: bytes) -> dict[str, Any]:
    value = read_json(body)
    if not isinstance(value, dict):
        raise BadRequest("HTTPBadRequest", "The body must be a JSON object.")
    return value
