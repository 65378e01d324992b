# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Query strings of lists: filters, projection, order, pages and their links."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.errors import BadRequest, NotFound
from ovirt_ovn_proxy.wire.binding import BINDING
from ovirt_ovn_proxy.wire.network import NETWORK
from ovirt_ovn_proxy.wire.port import PORT
from ovirt_ovn_proxy.wire.query import Query, page_links, read_query
from ovirt_ovn_proxy.wire.subnet import SUBNET

S1, S2 = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def port(number: str, **changes: Any) -> dict[str, Any]:
    """Return a port as a list shows it."""
    return {
        "id": number,
        "name": "",
        "admin_state_up": True,
        "mac_address": "02:00:00:00:00:0a",
        "device_id": "",
        "revision_number": 1,
        "updated_at": "2026-01-02T00:00:00Z",
        "security_groups": [],
        "binding:host_id": "",
        "fixed_ips": [],
        "tags": [],
        **changes,
    }


PORTS = [
    port("a", name="x", device_id="vm1", tags=["red", "blue"], revision_number=3),
    port("b", name="y", device_id="vm2", tags=["red"], **{"binding:host_id": "h"}),
    port("c", name="", admin_state_up=False, mac_address="02:00:00:00:00:0b"),
    port("d", name="x", device_id="vm2", fixed_ips=[{"subnet_id": S1, "ip_address": "10.0.0.5"}]),
    port(
        "e",
        name="z",
        updated_at="2026-01-03T00:00:00Z",
        fixed_ips=[
            {"subnet_id": S1, "ip_address": "10.0.0.50"},
            {"subnet_id": S2, "ip_address": "fd00::5"},
        ],
    ),
]


def found(text: str) -> str:
    """Return the ids of the ports that pass, as one word."""
    query = read_query(text, PORT)
    return "".join(one["id"] for one in PORTS if query.matches(one))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcde"),
        ("name=x", "ad"),
        ("name=x&name=y", "abd"),
        ("name=x&device_id=vm2", "d"),
        ("name=x&name=y&device_id=vm2", "bd"),
        ("id=a&id=e&id=no", "ae"),
        ("name=nothing", ""),
        ("name=", "c"),
        ("device_id=", "ce"),
        ("name=%20padded", ""),
        ("admin_state_up=True", "abde"),
        ("admin_state_up=0", "c"),
        ("admin_state_up=no&admin_state_up=yes", "abcde"),
        ("mac_address=02-00-00-00-00-0B", "c"),
        ("mac_address=no-mac", ""),
        ("revision_number=3", "a"),
        ("revision_number=1&revision_number=3", "abcde"),
        ("binding%3Ahost_id=h", "b"),
        # ignored
        ("no_such_key=1", "abcde"),
        ("binding%3Aprofile=x", "abcde"),
        ("fields=id&fields=name", "abcde"),
        ("limit=2&marker=a&page_reverse=True&sort_key=name&sort_dir=asc", "abcde"),
        # addresses
        ("fixed_ips=ip_address%3D10.0.0.5", "d"),
        ("fixed_ips=ip_address%3D10.0.0.5&fixed_ips=ip_address%3DFD00:0::5", "de"),
        (f"fixed_ips=subnet_id%3D{S1}", "de"),
        (f"fixed_ips=subnet_id%3D{S2}", "e"),
        (f"fixed_ips=subnet_id%3D{S1}&fixed_ips=ip_address%3D10.0.0.50", "e"),
        (f"fixed_ips=subnet_id%3D{S2}&fixed_ips=ip_address%3D10.0.0.50", ""),
        ("fixed_ips=ip_address_substr%3D10.0.0.5", "de"),
        ("fixed_ips=ip_address_substr%3D0.50", "e"),
        ("fixed_ips=ip_address_substr%3D::", "e"),
        ("fixed_ips=ip_address%3D10.0.0.5&device_id=vm1", ""),
        # tags
        ("tags=red", "ab"),
        ("tags=red,blue", "a"),
        ("tags=red&tags=blue", "a"),
        ("tags-any=blue,green", "a"),
        ("tags-any=red,blue", "ab"),
        ("not-tags=red,blue", "bcde"),
        ("not-tags-any=red,blue", "cde"),
        ("tags=red&not-tags-any=blue", "b"),
        ("changed_since=2026-01-02T12:00:00Z", "e"),
        ("changed_since=2026-01-02T00:00:00Z", "abcde"),
        ("changed_since=2026-01-02T14:00:00%2B02:00", "e"),
        ("changed_since=2026-01-02T14:00:00.500%2B02:00", "e"),
        ("changed_since=0300-01-01", "abcde"),
        ("changed_since=2026-01-02T12:00:00", "e"),
        ("changed_since=9999-12-31T23:59:59", ""),
    ],
)
def test_filters(text: str, expected: str) -> None:
    """Different keys narrow, one key repeated widens, unknown keys do nothing."""
    assert expected == found(text)


@pytest.mark.parametrize(
    ("table", "text", "element", "expected"),
    [
        (NETWORK, "router:external=True", {"router:external": True}, True),
        (NETWORK, "router%3Aexternal=false", {"router:external": True}, False),
        (
            NETWORK,
            "provider:segmentation_id=5&provider:segmentation_id=6",
            {"provider:segmentation_id": 6},
            True,
        ),
        (NETWORK, "provider:physical_network=p", {"provider:physical_network": None}, False),
        (NETWORK, "mtu=1500", {"mtu": 1500}, True),
        (SUBNET, "cidr=10.0.0.7/24", {"cidr": "10.0.0.0/24"}, True),
        (SUBNET, "gateway_ip=FD00:0::1", {"gateway_ip": "fd00::1"}, True),
        (SUBNET, "ip_version=4", {"ip_version": 4}, True),
        (SUBNET, f"network_id={S1.upper()}", {"network_id": S1}, True),
        (SUBNET, "network_id=none", {"network_id": S1}, False),
        (SUBNET, "enable_dhcp=", {"enable_dhcp": False}, False),
        (SUBNET, "fixed_ips=x", {}, True),
        (BINDING, "tags=a&not-tags-any=b&changed_since=x", {"host": "hv1"}, True),
        (PORT, "security_groups=g", {"security_groups": ["f", "g"]}, True),
        (PORT, "security_groups=h", {"security_groups": ["f", "g"]}, False),
    ],
)
def test_filters_by_type(table: Any, text: str, element: Any, expected: bool) -> None:
    """Values are compared as what the attribute is, in its one form."""
    assert expected is read_query(text, table).matches(element)


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        ("admin_state_up=maybe", "HTTPBadRequest"),
        ("revision_number=one", "HTTPBadRequest"),
        ("name=" + "x" * 256, None),
        ("device_id=" + "x" * 256, "HTTPBadRequest"),
        ("fixed_ips=10.0.0.5", "HTTPBadRequest"),
        ("fixed_ips=mac%3Dx", "HTTPBadRequest"),
        ("fixed_ips=ip_address%3Dnone", "HTTPBadRequest"),
        ("sort_key=tags&sort_dir=asc", "HTTPBadRequest"),
        ("sort_key=fixed_ips&sort_dir=asc", "HTTPBadRequest"),
        ("sort_key=no_such&sort_dir=asc", "HTTPBadRequest"),
        ("sort_key=name", "HTTPBadRequest"),
        ("sort_key=name&sort_dir=up", "HTTPBadRequest"),
        ("sort_key=name&sort_dir=asc&sort_dir=desc", "HTTPBadRequest"),
        ("sort_dir=asc", "HTTPBadRequest"),
        ("limit=-1", "BadRequest"),
        ("limit=ten", "BadRequest"),
        ("limit=", "BadRequest"),
        ("limit=1.5", "BadRequest"),
        ("limit=" + "9" * 5000, "BadRequest"),
        ("limit=" + "9" * 1001, "BadRequest"),
        ("page_reverse=perhaps", "HTTPBadRequest"),
        ("changed_since=today", "HTTPBadRequest"),
        # before the first moment in UTC, and after the last
        ("changed_since=0001-01-01T00:00:00%2B14:00", "HTTPBadRequest"),
        ("changed_since=9999-12-31T23:59:59-14:00", "HTTPBadRequest"),
        ("&".join(f"k{i}=1" for i in range(1001)), "HTTPBadRequest"),
    ],
)
def test_refused(text: str, error_type: str | None) -> None:
    """Nonsense in a reserved key, or in a filter that has a type, is refused."""
    if error_type is None:
        assert found(text) == ""
        return
    with pytest.raises(BadRequest) as refused:
        read_query(text, PORT)

    assert error_type == refused.value.error_type
    assert refused.value.message.isprintable()


@given(text=st.text() | st.lists(st.sampled_from("&=%,;+ab0\x00ÿ")).map("".join))
def test_anything(text: str) -> None:
    """Any query string is read or refused."""
    try:
        query = read_query(text, PORT)
    except BadRequest:
        return
    query.sorted([query.projected(one) for one in PORTS if query.matches(one) and not query.fields])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("no_such=1", True),
        ("page_reverse=True", True),
        ("limit=0", True),
        ("fields=&sort_key=&sort_dir=&marker=", True),
        ("name=x", False),
        ("tags=x", False),
        ("fixed_ips=subnet_id%3Dx", False),
        ("fields=id", False),
        ("sort_key=id&sort_dir=asc", False),
        ("limit=1", False),
        ("marker=x", False),
    ],
)
def test_is_plain(text: str, expected: bool) -> None:
    """The rendered list is the answer exactly where nothing narrows or changes it."""
    assert expected is read_query(text, PORT).is_plain


def test_equals() -> None:
    """The plain filters are known beforehand, for indexes to use."""
    query = read_query("id=a&id=b&admin_state_up=1&tags=x&name=", PORT)

    assert {"id": ["a", "b"], "admin_state_up": [True], "name": [""]} == query.equals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"id": 1, "name": 2, "tags": 3}),
        ("fields=id", {"id": 1}),
        ("fields=name&fields=id", {"id": 1, "name": 2}),
        ("fields=", {"id": 1, "name": 2, "tags": 3}),
        ("fields=&fields=id", {"id": 1}),
        ("fields=no_such", {}),
        ("fields=id&fields=no_such", {"id": 1}),
    ],
)
def test_fields(text: str, expected: Any) -> None:
    """`fields` names what is shown; unknown names are left out silently."""
    assert expected == read_query(text, PORT).projected({"id": 1, "name": 2, "tags": 3})


NETWORKS: list[dict[str, Any]] = [
    {"id": "c", "name": "b", "mtu": 1500, "admin_state_up": True},
    {"id": "a", "name": "b", "mtu": None, "admin_state_up": False},
    {"id": "d", "name": "a", "mtu": 9000, "admin_state_up": True},
    {"id": "b", "name": None, "mtu": 0, "admin_state_up": False},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcd"),
        ("sort_key=id&sort_dir=desc", "dcba"),
        ("sort_key=name&sort_dir=asc", "bdac"),
        ("sort_key=name&sort_dir=desc", "acdb"),
        ("sort_key=mtu&sort_dir=asc", "abcd"),
        ("sort_key=mtu&sort_dir=desc", "dcba"),
        ("sort_key=admin_state_up&sort_dir=asc", "abcd"),
        ("sort_key=admin_state_up&sort_key=name&sort_dir=desc&sort_dir=asc", "dcba"),
        ("sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc", "bdca"),
    ],
)
def test_sorted(text: str, expected: str) -> None:
    """Null is the smallest, the first key decides first, and ids decide between equals."""
    ordered = read_query(text, NETWORK).sorted(NETWORKS)

    assert expected == "".join(one["id"] for one in ordered)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcde"),
        ("limit=0", "abcde"),
        ("limit=2", "ab"),
        ("limit=9", "abcde"),
        ("limit=" + "9" * 1000, "abcde"),
        ("marker=b", "cde"),
        ("limit=2&marker=b", "cd"),
        ("limit=2&marker=e", ""),
        ("limit=2&marker=d", "e"),
        ("limit=2&marker=d&page_reverse=True", "bc"),
        ("limit=2&marker=b&page_reverse=True", "a"),
        ("limit=2&marker=a&page_reverse=True", ""),
        ("limit=2&page_reverse=True", "de"),
        ("marker=c&page_reverse=True", "ab"),
        ("limit=1&limit=3", "abc"),
        ("limit=2&marker=", "ab"),
        ("limit=" + "9" * 18, "abcde"),
    ],
)
def test_page(text: str, expected: str) -> None:
    """A page starts behind its marker, or ends before it, in the order of the list."""
    assert expected == "abcde"[read_query(text, PORT).page("abcde", "PortNotFound")]


@pytest.mark.parametrize("marker", ["z", "a\nb"])
def test_unknown_marker(marker: str) -> None:
    """A marker that is not in the list is an object that does not exist."""
    query = Query({}, (), (), (), 2, marker, False)
    with pytest.raises(NotFound) as refused:
        query.page("abcde", "PortNotFound")

    assert refused.value.error_type == "PortNotFound"
    assert refused.value.message.isprintable()


def links(text: str, ids: str) -> dict[str, list[tuple[str, str]]]:
    """Return the query of each link around a page of these ids."""
    query = read_query(text, PORT)
    found = page_links(query, "http://h/v2.0/ports", text, [{"id": one} for one in ids])
    assert all(link["href"].startswith("http://h/v2.0/ports?") for link in found)
    return {link["rel"]: parse_qsl(urlsplit(link["href"]).query) for link in found}


LIMIT = ("limit", "2")
BACK = ("page_reverse", "True")


@pytest.mark.parametrize(
    ("text", "ids", "expected"),
    [
        ("", "abcde", {}),
        (
            "limit=2",
            "ab",
            {"next": [LIMIT, ("marker", "b")], "previous": [LIMIT, ("marker", "a"), BACK]},
        ),
        ("limit=2&marker=d", "e", {"previous": [LIMIT, ("marker", "e"), BACK]}),
        ("limit=2&marker=b&page_reverse=True", "a", {"next": [LIMIT, ("marker", "a")]}),
        (
            "limit=2&marker=e&page_reverse=True",
            "cd",
            {"next": [LIMIT, ("marker", "d")], "previous": [LIMIT, ("marker", "c"), BACK]},
        ),
        ("limit=2&marker=e", "", {}),
        (
            "name=a%26b&limit=2&fields=id",
            "ab",
            {
                "next": [("name", "a&b"), LIMIT, ("fields", "id"), ("marker", "b")],
                "previous": [("name", "a&b"), LIMIT, ("fields", "id"), ("marker", "a"), BACK],
            },
        ),
    ],
)
def test_links(text: str, ids: str, expected: Any) -> None:
    """Links repeat the query with another marker; the last page has none to go on."""
    assert expected == links(text, ids)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("relation", ["next", "previous"])
def test_walk(limit: int, relation: str) -> None:
    """Whoever follows the links sees every object once, forwards and backwards."""
    text = f"limit={limit}" + ("&page_reverse=True" if relation == "previous" else "")
    seen: list[str] = []
    for _ in range(10):
        query = read_query(text, PORT)
        ids = "abcde"[query.page("abcde", "PortNotFound")]
        seen = [*seen, *ids] if relation == "next" else [*ids, *seen]
        around = page_links(query, "u", text, [{"id": one} for one in ids])
        following = [link["href"] for link in around if link["rel"] == relation]
        if not following:
            break
        text = urlsplit(following[0]).query

    assert list("abcde") == seen
