# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters, sorting, pages and fields of lists, on a real central."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from daemon.objects import NOWHERE, make_network, make_port, make_subnet, provider, refusal
from daemon.proxy import Api

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def listed(api: Api) -> dict[str, Any]:
    """A network "net" with five ports p0 to p4, in the order of their ids, that differ."""
    network_id, subnets = make_network(api, "10.7.0.0/24", "fd07::/64")
    ports = [make_port(api, network_id) for _ in range(5)]
    ports.sort(key=lambda port: str(port["id"]))
    for number, port in enumerate(ports):
        api.update(
            "port",
            port["id"],
            name=f"p{number}",
            description="even" if number % 2 == 0 else "",
            device_id=f"device{number // 2}",
            admin_state_up=number != 3,
            fixed_ips=[{"ip_address": f"10.7.0.{10 + number}"}],
        )
        assert 200 == api("PUT", f"ports/{port['id']}/tags", {"tags": _TAGS[number]}).status
    return {"id": network_id, "ids": [port["id"] for port in ports], "subnets": subnets}


_TAGS = [["a"], ["a", "b"], ["b"], [], ["c"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "01234"),
        ("name=p1", "1"),
        ("name=p1&name=p3", "13"),
        ("name=p1&description=even", ""),
        ("admin_state_up=True", "0124"),
        ("admin_state_up=false", "3"),
        ("admin_state_up=0", "3"),
        ("device_id=device1", "23"),
        ("device_id=device1&device_id=device2", "234"),
        ("device_id=", ""),
        ("description=", "13"),
        ("project_id=00000000000000000000000000000001", "01234"),
        ("tenant_id=other", ""),
        ("status=DOWN", "01234"),
        ("unknown=1", "01234"),
        ("all_tenants=True", "01234"),
        ("security_groups=x", ""),
        ("port_security_enabled=False", "01234"),
        ("fixed_ips=ip_address%3D10.7.0.12", "2"),
        ("fixed_ips=ip_address%3D10.7.0.12&fixed_ips=ip_address%3D10.7.0.13", "23"),
        ("fixed_ips=ip_address_substr%3D0.1", "01234"),
        ("fixed_ips=ip_address_substr%3D.13", "3"),
        ("fixed_ips=subnet_id%3DV4", "01234"),
        ("fixed_ips=subnet_id%3DV6", ""),
        ("fixed_ips=subnet_id%3DV4&fixed_ips=ip_address%3D10.7.0.12", "2"),
        ("tags=a", "01"),
        ("tags=a,b", "1"),
        ("tags-any=a,b", "012"),
        ("not-tags=a,b", "0234"),
        ("not-tags-any=a,b", "34"),
        ("changed_since=2000-01-01T00:00:00Z", "01234"),
        ("changed_since=2999-01-01T00:00:00Z", ""),
        ("mac_address=nonsense", ""),
        ("id=nonsense", ""),
        ("sort_key=name&sort_dir=desc", "43210"),
        ("sort_key=device_id&sort_key=name&sort_dir=desc&sort_dir=asc", "42301"),
        ("sort_key=admin_state_up&sort_dir=asc", "30124"),
        ("limit=0", "01234"),
        ("limit=2", "01"),
        ("limit=2&sort_key=name&sort_dir=desc", "43"),
        ("limit=2&marker=ID1", "23"),
        ("marker=ID3", "4"),
        ("marker=ID4", ""),
        ("limit=2&marker=ID3&page_reverse=True", "12"),
        ("limit=2&page_reverse=True", "34"),
        ("limit=2&marker=ID3&sort_key=name&sort_dir=desc", "21"),
    ],
)
def test_queries_of_a_list(api: Api, listed: dict[str, Any], query: str, names: str) -> None:
    """A list shows what its query asks for, in the order asked for and else by id."""
    query = _with_listed_ids(query, listed)

    found = api.get(f"ports?network_id={listed['id']}&{query}")["ports"]

    assert [f"p{name}" for name in names] == [port["name"] for port in found]


def _with_listed_ids(query: str, listed: Mapping[str, Any]) -> str:
    query = query.replace("V4", listed["subnets"][0]["id"]).replace(
        "V6", listed["subnets"][1]["id"]
    )
    return re.sub("ID([0-4])", lambda match: str(listed["ids"][int(match[1])]), query)


@pytest.mark.parametrize(
    ("query", "status", "error_type"),
    [
        ("limit=-1", 400, "BadRequest"),
        ("limit=x", 400, "BadRequest"),
        ("sort_key=name&sort_dir=asc&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=fixed_ips&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=unknown&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=name&sort_dir=up", 400, "HTTPBadRequest"),
        (f"marker={NOWHERE}", 404, "PortNotFound"),
        ("admin_state_up=maybe", 400, "HTTPBadRequest"),
        ("fixed_ips=10.0.0.1", 400, "HTTPBadRequest"),
        ("page_reverse=maybe", 400, "HTTPBadRequest"),
    ],
)
def test_queries_that_cannot_be(api: Api, query: str, status: int, error_type: str) -> None:
    """Nonsense in a query is refused, not taken for a filter that nothing passes."""
    assert (status, error_type) == refusal(api("GET", f"ports?{query}"))


def test_fields_are_a_projection(api: Api, listed: dict[str, Any]) -> None:
    """`fields` picks attributes, of lists and of one object; unknown ones are left out."""
    port_id = listed["ids"][2]
    wanted = {"id": port_id, "name": "p2"}

    found = api.get(f"ports?id={port_id}&fields=name&fields=id&fields=unknown")["ports"]
    assert [wanted] == found
    assert {"port": wanted} == api.get(f"ports/{port_id}?fields=name&fields=id")
    sorted_and_cut = api.get(
        f"ports?network_id={listed['id']}&fields=name&sort_key=id&sort_dir=asc&limit=1"
    )
    assert [{"name": "p0"}] == sorted_and_cut["ports"]


def test_pages_lead_to_all_objects(api: Api, listed: dict[str, Any]) -> None:
    """Following `next` shows every object once, and `previous` leads back the same way."""
    first = f"/v2.0/ports?network_id={listed['id']}&limit=2&fields=name&fields=id"
    forwards = _follow(api, first, "next")
    assert ["p0p1", "p2p3", "p4"] == forwards

    backwards = _follow(api, f"{first}&page_reverse=True", "previous")
    assert ["p3p4", "p1p2", "p0"] == backwards


def _follow(api: Api, url: str, rel: str) -> list[str]:
    pages = []
    while url:
        body = api.get(url)
        pages.append("".join(port["name"] for port in body["ports"]))
        links = {link["rel"]: link["href"] for link in body["ports_links"]}
        target = urlsplit(links.get(rel, ""))
        url = f"{target.path}?{target.query}" if rel in links else ""
        assert len(pages) < 9
    return pages


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=p3&name=p4&limit=1&marker=ID1", "3"),
        ("name=p0&name=p2&name=p4&limit=2&marker=ID3&page_reverse=True", "02"),
        ("device_id=device2&marker=ID1", "4"),
        ("name=p0&name=p4&sort_key=name&sort_dir=desc&marker=ID2", "0"),
        ("id=ID4&marker=ID4", ""),
    ],
)
def test_a_marker_that_passes_the_filters_no_more(
    api: Api, listed: dict[str, Any], query: str, names: str
) -> None:
    """The last object of a page may change before the next one is read: that goes on after it."""
    found = api.get(f"ports?{_with_listed_ids(query, listed)}")["ports"]

    assert [f"p{name}" for name in names] == [port["name"] for port in found]


@pytest.mark.parametrize(
    ("query", "rels"),
    [
        ("limit=2", {"next", "previous"}),
        ("limit=5", {"next", "previous"}),
        ("limit=9", {"previous"}),
        ("limit=2&marker=ID4", set()),
        ("limit=2&marker=ID1&page_reverse=True", {"next"}),
    ],
)
def test_links_of_a_page(api: Api, listed: dict[str, Any], query: str, rels: set[str]) -> None:
    """A page has links to where more can be: `next` unless it is short."""
    query = _with_listed_ids(query, listed)

    body = api.get(f"ports?network_id={listed['id']}&{query}")

    assert rels == {link["rel"] for link in body["ports_links"]}


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("networks?router%3Aexternal=True&name=LIST", 1),
        ("networks?router:external=False&name=LIST", 1),
        ("networks?provider:physical_network=listed&name=LIST", 1),
        ("networks?provider:segmentation_id=77&name=LIST", 1),
        ("networks?provider:network_type=geneve&name=LIST", 1),
        ("networks?mtu=9000&name=LIST", 1),
        ("networks?shared=false&name=LIST", 2),
        ("subnets?cidr=10.70.0.0/24&name=LIST", 1),
        ("subnets?ip_version=6&name=LIST", 1),
        ("subnets?enable_dhcp=true&name=LIST", 2),
        ("subnets?gateway_ip=10.70.0.1&name=LIST", 1),
    ],
)
def test_filters_of_networks_and_subnets(api: Api, path: str, count: int) -> None:
    """Filters compare as the attribute's own type, with names that hold a colon too."""
    name = re.sub(r"\W", "", path)
    external: dict[str, Any] = {
        "router:external": True,
        "mtu": 9000,
        **provider("vlan", "listed", 77),
    }
    first = api.create("network", name=name, **external)["id"]
    second = api.create("network", name=name)["id"]
    make_subnet(api, first, "10.70.0.0/24", name=name)
    make_subnet(api, first, "fd70::/64", name=name)

    found = api.get(path.replace("LIST", name))
    for network_id in (first, second):
        api.delete("network", network_id)

    assert count == len(next(iter(found.values())))
