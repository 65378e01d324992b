# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Query strings of lists: filters, projection, order and pages.

Pure. Source: Networking API v2.0 "Filtering", "Sorting", "Pagination"; the aliases
empty-string-filtering and ip-substring-filtering.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import BadRequest, NotFound
from . import readers
from .attributes import AttributeTable

JsonObject = dict[str, Any]
Test = Callable[[JsonObject], bool]

_MOST_PARAMETERS = 1000
# What cannot be read as one of these is simply not the value of any object.
_LENIENT = (readers.identifier, readers.mac, readers.address, readers.cidr, readers.name)


@dataclass(frozen=True)
class Query:
    """What a query string asks for.

    `equals` are the plain filters (attribute -> any of these values), `tests` all
    filters together; `fields` empty means every attribute; `sort` are (attribute,
    is descending); `limit` 0 means no pages, `marker` "" the first one.
    """

    equals: Mapping[str, Sequence[Any]]
    tests: Sequence[Test]
    fields: Sequence[str]
    sort: Sequence[tuple[str, bool]]
    limit: int
    marker: str
    is_reverse: bool

    @property
    def is_plain(self) -> bool:
        """Whether it asks for everything as it is."""
        return not (self.tests or self.fields or self.sort or self.limit or self.marker)

    def matches(self, element: JsonObject) -> bool:
        """Say whether an object passes every filter."""
        return all(test(element) for test in self.tests)

    def projected(self, element: JsonObject) -> JsonObject:
        """Return the attributes that are asked for; unknown ones are left out silently."""
        if not self.fields:
            return element
        return {name: element[name] for name in element if name in self.fields}

    def sorted(self, elements: list[JsonObject]) -> list[JsonObject]:
        """Return the objects in order; null comes first, and ids decide between equals."""
        ordered = sorted(elements, key=lambda element: str(element["id"]))
        for name, is_descending in reversed(self.sort):
            ordered.sort(
                key=lambda element: (
                    (element.get(name) is not None, element.get(name) or 0)
                    if not isinstance(element.get(name), str)
                    else (True, element[name])
                ),
                reverse=is_descending,
            )
        return ordered

    def page(self, ids: Sequence[str], not_found: str) -> slice:
        """Return which of the ids, in order, are on the page asked for.

        Raises NotFound, with the type `not_found`, for a marker that is not among them.
        """
        start, end = 0, len(ids)
        if self.marker:
            try:
                at = list(ids).index(self.marker)
            except ValueError:
                raise NotFound(
                    not_found, f"The marker {readers.shown(self.marker)} could not be found."
                ) from None
            start, end = (0, at) if self.is_reverse else (at + 1, end)
        if self.limit:
            if self.is_reverse:
                start = max(start, end - self.limit)
            else:
                end = min(end, start + self.limit)
        return slice(start, end)


def read_query(text: str, table: AttributeTable) -> Query:
    """Return what a query string asks of a collection.

    Keys that are no filterable attribute are ignored; a value that an attribute
    cannot have, and nonsense in the reserved keys, raise BadRequest.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise BadRequest("HTTPBadRequest", f"The query string is not valid: {error}.") from None
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    equals: dict[str, list[Any]] = {}
    tests: list[Test] = []
    for key, values in given.items():
        attribute = table.by_name.get(key)
        if key == "fixed_ips" and attribute is not None:
            tests.append(_fixed_ips(values))
        elif attribute is not None and attribute.is_filter:
            read = attribute.read_filter or attribute.read
            equals[key] = [_read(attribute.name, read, value) for value in values]
            tests.append(_equals(key, equals[key]))
        elif key in _TAG_TESTS and "tags" in table.by_name:
            tests.append(_TAG_TESTS[key]({tag for value in values for tag in value.split(",")}))
        elif key == "changed_since" and "updated_at" in table.by_name:
            tests.append(_changed_since(values[-1]))
    return Query(
        equals=equals,
        tests=tests,
        fields=_given(given, "fields"),
        sort=_read_sort(given, table),
        limit=_read_limit(given.get("limit", ["0"])[-1]),
        marker=given.get("marker", [""])[-1],
        is_reverse=readers.boolean("page_reverse", given.get("page_reverse", ["false"])[-1]),
    )


def page_links(query: Query, url: str, text: str, page: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the links around a page, whose address is `url` and `text` the query string."""
    if not query.limit or not page:
        return []
    kept = [
        pair
        for pair in parse_qsl(text, keep_blank_values=True)
        if pair[0] not in ("marker", "page_reverse")
    ]
    is_short = len(page) < query.limit
    links = []
    if not is_short or query.is_reverse:
        following = urlencode([*kept, ("marker", page[-1]["id"])])
        links.append({"rel": "next", "href": f"{url}?{following}"})
    if not is_short or not query.is_reverse:
        preceding = urlencode([*kept, ("marker", page[0]["id"]), ("page_reverse", "True")])
        links.append({"rel": "previous", "href": f"{url}?{preceding}"})
    return links


def _read(name: str, read: readers.Reader, value: str) -> Any:
    if value == "":
        return value
    try:
        return read(name, value)
    except BadRequest:
        if read in _LENIENT:
            return value
        raise


def _equals(name: str, values: Sequence[Any]) -> Test:
    wanted = list(values)

    def test(element: JsonObject) -> bool:
        value = element.get(name)
        if isinstance(value, list):
            return any(item in wanted for item in value)
        return value in wanted

    return test


def _fixed_ips(values: Sequence[str]) -> Test:
    """Test addresses: `ip_address=A`, `subnet_id=S`, `ip_address_substr=T`."""
    wanted: dict[str, list[str]] = {}
    for value in values:
        key, separator, item = value.partition("=")
        if not separator or key not in ("ip_address", "subnet_id", "ip_address_substr"):
            readers.invalid("fixed_ips", value, "is not KEY=VALUE with a key of fixed IPs")
        wanted.setdefault(key, []).append(
            readers.address(key, item) if key == "ip_address" else item
        )

    def fits(entry: Mapping[str, str]) -> bool:
        return all(
            any(item in entry["ip_address"] for item in items)
            if key == "ip_address_substr"
            else entry[key] in items
            for key, items in wanted.items()
        )

    return lambda element: any(fits(entry) for entry in element["fixed_ips"])


_TAG_TESTS: Mapping[str, Callable[[set[str]], Test]] = {
    "tags": lambda wanted: lambda element: wanted <= set(element["tags"]),
    "tags-any": lambda wanted: lambda element: bool(wanted & set(element["tags"])),
    "not-tags": lambda wanted: lambda element: not wanted <= set(element["tags"]),
    "not-tags-any": lambda wanted: lambda element: not wanted & set(element["tags"]),
}


def _changed_since(value: str) -> Test:
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        text = moment.astimezone(timezone.utc).isoformat()[:19]
    except (ValueError, OverflowError):
        readers.invalid("changed_since", value, "is not a time in ISO 8601 form")
    return lambda element: (element.get("updated_at") or "") >= text


def _read_sort(given: Mapping[str, list[str]], table: AttributeTable) -> list[tuple[str, bool]]:
    names, directions = _given(given, "sort_key"), _given(given, "sort_dir")
    if len(directions) != len(names):
        raise BadRequest(
            "HTTPBadRequest", "The number of sort_keys and sort_dirs must be the same."
        )
    for name in names:
        attribute = table.by_name.get(name)
        if attribute is None or not attribute.is_sortable:
            readers.invalid("sort_key", name, "is not an attribute to sort by")
    for direction in directions:
        if direction not in ("asc", "desc"):
            readers.invalid("sort_dir", direction, "is not asc or desc")
    return [(name, direction == "desc") for name, direction in zip(names, directions)]


def _given(given: Mapping[str, list[str]], key: str) -> list[str]:
    """Return the values of a reserved key; empty ones ask for nothing."""
    return [value for value in given.get(key, []) if value]


def _read_limit(text: str) -> int:
    if not text.isdecimal() or len(text) > readers.MOST_DIGITS:
        raise BadRequest(
            "BadRequest",
            f"Bad limit request: Limit must be an integer 0 or greater and not "
            f"{readers.shown(text)}.",
        )
    return int(text)
