# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which verb on which path is which action."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.errors import MethodNotAllowed, NotFound
from ovirt_ovn_proxy.resources import RESOURCES
from ovirt_ovn_proxy.routes import match, split_path

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@pytest.mark.parametrize("collection", sorted(RESOURCES))
@pytest.mark.parametrize(
    ("method", "below", "action", "ids"),
    [
        ("GET", "", "list", ()),
        ("POST", "", "create", ()),
        ("GET", "/x", "show", ("x",)),
        ("PUT", "/x", "update", ("x",)),
        ("POST", "/x", "update", ("x",)),
        ("DELETE", "/x", "delete", ("x",)),
        ("GET", "/x/tags", "list_tags", ("x",)),
        ("PUT", "/x/tags", "replace_tags", ("x",)),
        ("DELETE", "/x/tags", "clear_tags", ("x",)),
        ("GET", "/x/tags/t", "check_tag", ("x", "t")),
        ("PUT", "/x/tags/t", "add_tag", ("x", "t")),
        ("DELETE", "/x/tags/t", "remove_tag", ("x", "t")),
    ],
)
@pytest.mark.parametrize("form", ["/v2.0/{}", "/v2.0/{}/", "//v2.0//{}", "/v2.0/{}.json"])
def test_resources(
    collection: str, method: str, below: str, action: str, ids: tuple[str, ...], form: str
) -> None:
    """A path is the same with doubled and trailing slashes, and with ".json", but for a tag."""
    route = match(method, form.format(collection + below))
    if action.endswith("_tag") and form.endswith(".json"):
        ids = (ids[0], f"{ids[1]}.json")

    assert (action, ids) == (route.action, route.ids)
    assert route.resource is RESOURCES[collection]


@pytest.mark.parametrize(
    "name",
    [
        "add_router_interface",
        "remove_router_interface",
        "add_extraroutes",
        "remove_extraroutes",
    ],
)
@pytest.mark.parametrize("form", ["/v2.0/routers/x/{}", "//v2.0/routers/x//{}/"])
def test_actions(name: str, form: str) -> None:
    """A router's action is a PUT below it, and belongs to routers alone."""
    route = match("PUT", form.format(name))

    assert ("act", ("x", name)) == (route.action, route.ids)
    assert route.resource is RESOURCES["routers"]
    with pytest.raises(MethodNotAllowed) as refused:
        match("POST", form.format(name))
    assert refused.value.headers == {"Allow": "PUT"}
    with pytest.raises(NotFound):
        match("PUT", form.format(name).replace("routers", "ports"))


@pytest.mark.parametrize(
    ("path", "action", "ids"),
    [
        ("", "show_versions", ()),
        ("/", "show_versions", ()),
        ("//", "show_versions", ()),
        ("/v2.0", "show_collections", ()),
        ("/v2.0/", "show_collections", ()),
        ("/v2.0/extensions", "list_extensions", ()),
        ("/v2.0/extensions.json", "list_extensions", ()),
        ("/v2.0/extensions/binding", "show_extension", ("binding",)),
        ("/v2.0/availability_zones", "list_availability_zones", ()),
        ("/v2.0/quotas", "list_quotas", ()),
        ("/v2.0/quotas/p", "show_quotas", ("p",)),
        ("/v2.0/quotas/p/default", "show_quotas", ("p", "default")),
        ("/v2.0/quotas/p/details.json", "show_quota_details", ("p", "details")),
    ],
)
def test_fixed(path: str, action: str, ids: tuple[str, ...]) -> None:
    """What is no resource has its places too, for GET alone."""
    route = match("GET", path)

    assert (action, None, ids) == (route.action, route.resource, route.ids)
    with pytest.raises(MethodNotAllowed) as refused:
        match("POST", path)
    assert refused.value.headers == {"Allow": "GET"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v2.0/ports", {"GET", "POST"}),
        ("/v2.0/ports/x", {"GET", "PUT", "POST", "DELETE"}),
        ("/v2.0/ports/x/tags", {"GET", "PUT", "DELETE"}),
        ("/v2.0/ports/x/tags/t", {"GET", "PUT", "DELETE"}),
    ],
)
def test_not_allowed(path: str, allowed: set[str]) -> None:
    """A verb that a path does not have is told from a path that is not there."""
    for method in set(VERBS) - allowed:
        with pytest.raises(MethodNotAllowed) as refused:
            match(method, path)

        assert (405, "HTTPMethodNotAllowed") == (refused.value.status, refused.value.error_type)
        assert allowed == set(refused.value.allowed)


@pytest.mark.parametrize("method", VERBS)
@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/ports",
        "/v2.0/unknown",
        "/v2.0/port",
        "/v2.0/Ports",
        "/ports",
        "/v2.0/ports/x/bindings/y/z",
        "/v2.0/ports/x/bindings/y/confirm",
        "/v2.0/ports/x/tags/t/u",
        "/v2.0/extensions/a/b",
        "/v2.0/quotas/p/other",
        "/v2.0/../v2.0/ports",
        "/v2.0/ports/x/y",
        "/.json",
        "/v2.0/ports\xff",
    ],
)
def test_not_found(method: str, path: str) -> None:
    """Every other path is not there, whatever the verb."""
    with pytest.raises(NotFound) as refused:
        match(method, path)

    assert (404, "HTTPNotFound") == (refused.value.status, refused.value.error_type)


def test_tags_are_text() -> None:
    """A tag in a path is the text that the client wrote, as UTF-8."""
    path = "/v2.0/ports/x/tags/" + "ž".encode().decode("latin-1")

    assert ("x", "ž") == match("PUT", path).ids


@given(method=st.sampled_from(VERBS), path=st.binary(max_size=40))
def test_anything(method: str, path: bytes) -> None:
    """Any bytes are a path that is there or not."""
    text = "/v2.0/" + path.decode("latin-1")
    try:
        route = match(method, text)
    except (NotFound, MethodNotAllowed):
        return

    assert route.action
    assert all(split_path(text))
