# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths, verbs and ids, as clients spell them, on a real central."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from daemon.objects import NOWHERE, make_network, make_port, refusal
from daemon.proxy import Api

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize(
    "path",
    ["/v2.0/networks/ID", "/v2.0/networks/ID.json", "//v2.0//networks///ID/", "/v2.0/networks/ID/"],
)
def test_spellings_of_a_path(api: Api, path: str) -> None:
    """A .json suffix, doubled and trailing slashes mean nothing."""
    network = api.create("network")

    assert {"network": network} == api.get(path.replace("ID", network["id"]))


@pytest.mark.parametrize("path", ["networks.json", "networks/", "/v2.0//networks"])
def test_spellings_of_a_collection(api: Api, path: str) -> None:
    """A collection has these spellings as well, for lists and for creation."""
    assert api.get("networks") == api.get(path)
    assert 201 == api("POST", path, {"network": {}}).status


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_post_to_a_member_is_an_update(api: Api, kind: str) -> None:
    """POST to an existing object changes it like PUT does."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    ids = {"network": network_id, "subnet": subnet["id"]}
    path = f"{kind}s/{ids.get(kind) or make_port(api, network_id)['id']}"

    answer = api("POST", path, {kind: {"name": "new"}})

    assert (200, "new") == (answer.status, answer.json[kind]["name"])
    assert answer.json == api.get(path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "networks", {"GET", "POST"}),
        ("DELETE", "ports", {"GET", "POST"}),
        ("PATCH", f"networks/{NOWHERE}", {"GET", "PUT", "POST", "DELETE"}),
        ("POST", f"networks/{NOWHERE}/tags", {"GET", "PUT", "DELETE"}),
        ("POST", f"networks/{NOWHERE}/tags/a", {"GET", "PUT", "DELETE"}),
        ("POST", "/", {"GET"}),
        ("POST", "/v2.0", {"GET"}),
        ("DELETE", "extensions", {"GET"}),
        ("PATCH", "security-groups", {"GET", "POST"}),
    ],
)
def test_verbs_that_a_path_lacks(api: Api, method: str, path: str, allowed: set[str]) -> None:
    """A verb that a known path does not have is 405 with the verbs that it has."""
    answer = api(method, path, {})

    assert (405, "HTTPMethodNotAllowed") == refusal(answer)
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["nothing", "/v3/networks", "networks/a/b", "networks/a/tags/b/c"])
def test_paths_that_are_none(api: Api, path: str) -> None:
    """An unknown path is 404."""
    assert (404, "HTTPNotFound") == refusal(api("GET", path))


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
@pytest.mark.parametrize("member", [NOWHERE, "red", "a%20b", "%00", "x" * 300])
def test_ids_that_do_not_exist(api: Api, kind: str, member: str) -> None:
    """An unknown id, also one that can be none, is 404 for every verb."""
    expected = (404, f"{kind.title()}NotFound")

    assert expected == refusal(api("GET", f"{kind}s/{member}"))
    assert expected == refusal(api("PUT", f"{kind}s/{member}", {kind: {"name": "x"}}))
    assert expected == refusal(api("DELETE", f"{kind}s/{member}"))


def test_a_delete_has_no_body(api: Api) -> None:
    """A DELETE that carries a body is refused, one without answers with nothing."""
    network = api.create("network")

    assert (400, "HTTPBadRequest") == refusal(api("DELETE", f"networks/{network['id']}", {}))
    answer = api("DELETE", f"networks/{network['id']}")
    assert (204, None) == (answer.status, answer.json)


def test_documents_lead_to_every_collection(api: Api) -> None:
    """The root has one version, that one its collections, and a GET of each is a list."""
    [version] = api.get("/")["versions"]
    [link] = version.pop("links")
    assert ({"id": "v2.0", "status": "CURRENT"}, "self") == (version, link["rel"])

    resources = api.get(urlsplit(link["href"]).path)["resources"]

    assert {"networks", "subnets", "ports"} <= {one["collection"] for one in resources}
    for resource in resources:
        [link] = resource["links"]
        key = resource["collection"].replace("-", "_")
        assert key == f"{resource['name']}s"
        assert isinstance(api.get(urlsplit(link["href"]).path)[key], list)


def test_extensions_describe_themselves(api: Api) -> None:
    """Each listed extension can be asked for alone; an unknown alias is 404."""
    for extension in api.get("extensions")["extensions"]:
        assert {"alias", "name", "description", "updated", "links"} == set(extension)
        assert {"extension": extension} == api.get(f"extensions/{extension['alias']}")
    assert 404 == refusal(api("GET", "extensions/nothing"))[0]
