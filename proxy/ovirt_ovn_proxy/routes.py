# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths: which verb on which path is which action, and nothing else knows paths.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .errors import MethodNotAllowed, NotFound
from .resources import PORTS, RESOURCES, Resource

VERSION = "v2.0"

_COLLECTION = {"GET": "list", "POST": "create"}
# POST on a member is an update as well.
_MEMBER = {"GET": "show", "PUT": "update", "POST": "update", "DELETE": "delete"}
_TAGS = {"GET": "list_tags", "PUT": "replace_tags", "DELETE": "clear_tags"}
_TAG = {"GET": "check_tag", "PUT": "add_tag", "DELETE": "remove_tag"}

# Below a port, by what comes after its id; ids are the port's and the host.
_BINDINGS: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("bindings",): {"GET": "list_bindings", "POST": "create_binding"},
    ("bindings", "*"): {
        "GET": "show_binding",
        "PUT": "update_binding",
        "DELETE": "delete_binding",
    },
    ("bindings", "*", "activate"): {"PUT": "activate_binding"},
}
# And what a host alone can say, as none but it knows.
_BINDINGS_OF_HOSTS = {**_BINDINGS, ("bindings", "*", "confirm"): {"PUT": "confirm_binding"}}

# What is no resource: path below the version -> verb -> action. "*" is any text.
_FIXED: Mapping[tuple[str, ...], Mapping[str, str]] = {
    (): {"GET": "show_collections"},
    ("extensions",): {"GET": "list_extensions"},
    ("extensions", "*"): {"GET": "show_extension"},
    ("availability_zones",): {"GET": "list_availability_zones"},
    ("quotas",): {"GET": "list_quotas"},
    ("quotas", "*"): {"GET": "show_quotas"},
    ("quotas", "*", "default"): {"GET": "show_quotas"},
    ("quotas", "*", "details"): {"GET": "show_quota_details"},
}


class Route(NamedTuple):
    """An action, and what the path names: the resource (None: none) and ids after it.

    "act" is an action of the resource's own, whose name comes after the id.
    """

    action: str
    resource: Resource | None
    ids: tuple[str, ...]


def split_path(path: str) -> list[str]:
    """Return the segments of a path; doubled and trailing slashes and ".json" mean nothing.

    But a tag may end so. `path` is as WSGI has it, one character for each byte
    (PEP 3333). Raises NotFound for bytes that are no text.
    """
    try:
        path = path.encode("latin-1").decode()
    except UnicodeError as error:
        raise _not_found() from error
    segments = [segment for segment in path.split("/") if segment]
    is_tag = fits(("*", "*", "*", "tags", "*"), segments)
    if len(segments) > 1 and segments[-1].endswith(".json") and not is_tag:
        segments[-1] = segments[-1][: -len(".json")]
    return segments


def match(method: str, path: str) -> Route:
    """Return what a request asks for; raises NotFound or MethodNotAllowed."""
    segments = split_path(path)
    if not segments:
        return Route(_verb({"GET": "show_versions"}, method), None, ())
    if segments[0] == VERSION:
        below = segments[1:]
        if below and below[0] in RESOURCES:
            resource = RESOURCES[below[0]]
            if len(below) == 3 and below[2] in resource.actions:
                return Route(_verb({"PUT": "act"}, method), resource, tuple(below[1:]))
            verbs = _of_resource(below[1:])
            if verbs is not None:
                return Route(_verb(verbs, method), resource, tuple(below[1:2] + below[3:]))
            bindings = _of_bindings(_BINDINGS, method, below)
            if bindings is not None:
                return bindings
        for template, verbs in _FIXED.items():
            if fits(template, below):
                return Route(_verb(verbs, method), None, tuple(below[1:]))
    raise _not_found()


def match_bindings(method: str, path: str) -> Route:
    """Return what a host asks of a port's bindings; raises NotFound for any other path."""
    version, *below = split_path(path) or [""]
    route = _of_bindings(_BINDINGS_OF_HOSTS, method, below) if version == VERSION else None
    if route is None:
        raise _not_found()
    return route


def _of_bindings(
    known: Mapping[tuple[str, ...], Mapping[str, str]], method: str, below: Sequence[str]
) -> Route | None:
    if below[:1] == [PORTS.path]:
        for template, verbs in known.items():
            if fits(template, below[2:]):
                return Route(_verb(verbs, method), PORTS, (below[1], *below[3:4]))
    return None


def _not_found() -> NotFound:
    return NotFound("HTTPNotFound", "The resource could not be found.")


def _of_resource(below: Sequence[str]) -> Mapping[str, str] | None:
    if not below:
        return _COLLECTION
    if len(below) == 1:
        return _MEMBER
    if below[1] == "tags":
        return {2: _TAGS, 3: _TAG}.get(len(below))
    return None


def fits(template: Sequence[str], segments: Sequence[str]) -> bool:
    """Say whether a path is one that a template describes, whose "*" is any text."""
    return len(template) == len(segments) and all(
        wanted in ("*", segment) for wanted, segment in zip(template, segments)
    )


def _verb(verbs: Mapping[str, str], method: str) -> str:
    action = verbs.get(method)
    if action is None:
        raise MethodNotAllowed(
            "HTTPMethodNotAllowed", f"The method {method} is not allowed here.", list(verbs)
        )
    return action
