# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What all kinds of objects have: tags, revisions, times, projects; on a real central."""

from __future__ import annotations

import re
from typing import Any

import pytest

from daemon.objects import LONG, NOWHERE, PROVIDER, make_network, make_port, refusal
from daemon.proxy import Api, path_of

pytestmark = pytest.mark.daemon


KINDS = ("network", "subnet", "port", "router", "floatingip", "security_group")


def make_object(api: Api, kind: str) -> str:
    """Create an object of a kind; return its path."""
    external: Any = {"router:external": True}
    network_id, (subnet,) = make_network(api, "10.0.0.0/24", **external)
    ids = {"network": network_id, "subnet": subnet["id"]}
    values: dict[str, Any] = {}
    if kind == "port":
        values["network_id"] = network_id
    elif kind == "floatingip":
        values["floating_network_id"] = network_id
    elif kind == "security_group_rule":
        values["security_group_id"] = api.create("security_group")["id"]
        values["direction"] = "ingress"
    return f"{path_of(kind)}/{ids.get(kind) or api.create(kind, **values)['id']}"


@pytest.mark.parametrize("kind", [*KINDS, "security_group_rule"])
def test_tags(api: Api, kind: str) -> None:
    """Tags are a sub-resource of every object: set, added, looked for, removed, cleared."""
    path = make_object(api, kind)

    def shown() -> list[str]:
        tags: list[str] = api.get(path)[kind]["tags"]
        assert {"tags": tags} == api.get(f"{path}/tags")
        return tags

    answer = api("PUT", f"{path}/tags", {"tags": ["a", "b", "a"]})
    assert (200, {"tags": ["a", "b"]}) == (answer.status, answer.json)
    assert 201 == api("PUT", f"{path}/tags/c%20d").status
    assert 201 == api("PUT", f"{path}/tags/a").status
    assert ["a", "b", "c d"] == shown()
    assert 204 == api("GET", f"{path}/tags/c%20d").status
    assert (404, "TagNotFound") == refusal(api("GET", f"{path}/tags/x"))
    assert (404, "TagNotFound") == refusal(api("DELETE", f"{path}/tags/x"))
    assert 204 == api("DELETE", f"{path}/tags/a").status
    assert ["b", "c d"] == shown()
    assert 204 == api("DELETE", f"{path}/tags").status
    assert [] == shown()


@pytest.mark.parametrize(
    "body",
    [{"tags": "a"}, {"tags": [5]}, {"tags": [LONG]}, {}, [], {"tags": list(map(str, range(51)))}],
)
def test_tags_that_cannot_be(api: Api, body: Any) -> None:
    """Tags are up to 50 strings of up to 255 characters."""
    network = api.create("network")

    assert 400 == refusal(api("PUT", f"networks/{network['id']}/tags", body))[0]
    answer = api("PUT", f"networks/{NOWHERE}/tags", {"tags": []})
    assert (404, "NetworkNotFound") == refusal(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_revisions_and_times(api: Api, kind: str) -> None:
    """Every change raises the revision by one; a PUT that changes nothing does not."""
    path = make_object(api, kind)
    made = api.get(path)[kind]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert made["created_at"] == made["updated_at"]

    changed = api("PUT", path, {kind: {"description": "new"}}).json[kind]
    same = api("PUT", path, {kind: {"description": "new"}}).json[kind]
    api("PUT", f"{path}/tags/a")

    assert made["revision_number"] + 1 == changed["revision_number"] == same["revision_number"]
    assert made["revision_number"] + 2 == api.get(path)[kind]["revision_number"]
    assert made["created_at"] == changed["created_at"] <= changed["updated_at"]


@pytest.mark.parametrize("kind", [*KINDS, "security_group_rule"])
def test_conditional_changes_are_refused(api: Api, kind: str) -> None:
    """Who asks for a change of one revision alone gets none of any other (revision-if-match)."""
    path = make_object(api, kind)
    before = api.get(path)
    headers = {"If-Match": f"revision_number={before[kind]['revision_number']}"}

    changed: Any = {kind: {}}
    for method, what, body in (
        ("PUT", path, changed),
        ("PUT", f"{path}/tags/a", None),
        ("DELETE", path, None),
    ):
        assert (400, "HTTPBadRequest") == refusal(api(method, what, body, headers))
    assert before == api.get(path)
    assert 404 == api("GET", "extensions/revision-if-match").status


def test_twins_of_the_project(api: Api) -> None:
    """Both names of the project are always there and the same, whichever was given."""
    projects: list[dict[str, str]] = [{}, {"tenant_id": "oVirt"}, {"project_id": "x"}]
    for given in (*projects, {"tenant_id": "", "project_id": ""}):
        answer = api("POST", "networks", {"network": given})
        network = answer.json["network"]
        assert network["tenant_id"] == network["project_id"] == "0" * 31 + "1"


def test_every_attribute_is_always_there(api: Api) -> None:
    """Objects have all their attributes whoever made them, with null or [] where nothing is."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)
    standard = {"id", "name", "tenant_id", "project_id", "description", "tags"}
    standard |= {"created_at", "updated_at", "revision_number"}
    network = {"admin_state_up", "status", "subnets", "shared", "router:external", "mtu"}
    network |= {"port_security_enabled", *PROVIDER}
    network |= {"availability_zone_hints", "availability_zones"}
    of_subnet = {"network_id", "ip_version", "cidr", "gateway_ip", "allocation_pools"}
    of_subnet |= {"dns_nameservers", "host_routes", "enable_dhcp"}
    of_subnet |= {"ipv6_address_mode", "ipv6_ra_mode"}
    of_port = {"network_id", "admin_state_up", "mac_address", "fixed_ips", "device_id", "status"}
    of_port |= {"device_owner", "security_groups", "port_security_enabled"}
    of_port |= {"allowed_address_pairs", "extra_dhcp_opts"}
    of_port |= {f"binding:{name}" for name in ("host_id", "vnic_type", "profile", "vif_type")}
    of_port |= {"binding:vif_details"}

    assert set() == (standard | network) - set(api.get(f"networks/{network_id}")["network"])
    assert set() == (standard | of_subnet) - set(subnet)
    assert set() == (standard | of_port) - set(port)
