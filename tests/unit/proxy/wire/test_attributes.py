# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies are read by the attribute tables, or refused with the attribute's name."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import BadRequest
from ovirt_ovn_proxy.resources import RESOURCES
from ovirt_ovn_proxy.wire import readers
from ovirt_ovn_proxy.wire.attributes import (
    IDENTITY,
    MOST_AT_ONCE,
    STANDARD,
    Attribute,
    AttributeTable,
    read_json,
)

TABLE = AttributeTable(
    "thing",
    "things",
    (
        *IDENTITY,
        Attribute("size", readers.integer(), required=True),
        Attribute("colour", readers.text(), default="blue"),
        Attribute("owner", readers.text(), put=False, null=None),
        Attribute("parts", readers.list_of(readers.text()), default=(), null=()),
        Attribute("state", readers.text(), post=False, put=False),
    ),
)


def post(value: Any) -> tuple[list[Any], bool]:
    """Read the body of a POST."""
    return TABLE.read_post(json.dumps(value).encode())


def put(value: Any) -> Any:
    """Read the body of a PUT."""
    return TABLE.read_put(json.dumps(value).encode())


def test_bulk_has_a_limit() -> None:
    """So many objects at once that others would have to wait for long are refused."""
    assert MOST_AT_ONCE == len(post({"things": [{"size": 1}] * MOST_AT_ONCE})[0])
    with pytest.raises(BadRequest, match=f"1 to {MOST_AT_ONCE}"):
        post({"things": [{"size": 1}] * (MOST_AT_ONCE + 1)})


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"size": 1}, {"size": 1, "colour": "blue", "parts": ()}),
        ({"size": "2", "colour": ""}, {"size": 2, "colour": "", "parts": ()}),
        ({"size": 1, "owner": None}, {"size": 1, "owner": None, "colour": "blue", "parts": ()}),
        ({"size": 1, "parts": None}, {"size": 1, "parts": (), "colour": "blue"}),
        (
            {"size": 1, "tenant_id": "t", "project_id": "t"},
            {"size": 1, "tenant_id": "t", "project_id": "t", "colour": "blue", "parts": ()},
        ),
    ],
)
def test_post(given: Any, values: Any) -> None:
    """A POST gives values and defaults, null where null is a value."""
    assert ([values], False) == post({"thing": given})


def test_bulk() -> None:
    """A bulk POST gives its objects in order, wrapped in their own name or not."""
    values, is_bulk = post({"things": [{"size": 1}, {"thing": {"size": 2}}, {"size": 3}]})

    assert ([1, 2, 3], True) == ([one["size"] for one in values], is_bulk)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({}, {}),
        ({"colour": "red"}, {"colour": "red"}),
        ({"parts": None}, {"parts": ()}),
        ({"size": "5", "parts": ["a"]}, {"size": 5, "parts": ["a"]}),
    ],
)
def test_put(given: Any, values: Any) -> None:
    """A PUT gives what it names and no default."""
    assert values == put({"thing": given})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "'size' not specified"),
        ({"colour": "red"}, "'size' not specified"),
        ({"size": None}, "size"),
        ({"size": 1, "colour": None}, "colour"),
        ({"size": 1, "shape": "round"}, "Unrecognized attribute(s) 'shape'"),
        ({"size": 1, "a\nb": 1}, "a\\nb"),
        ({"size": 1, "id": "x"}, "'id' not allowed in POST"),
        ({"size": 1, "state": "x"}, "'state' not allowed in POST"),
        ({"size": "big"}, "size"),
        ({"size": 1, "tenant_id": "a", "project_id": "b"}, "project_id 'b' and tenant_id 'a'"),
        ({"size": 1, "tenant_id": None}, "tenant_id"),
    ],
)
def test_post_refused(given: Any, named: str) -> None:
    """What a POST must not carry is refused by name, alone and in a bulk request."""
    for body in ({"thing": given}, {"things": [{"size": 1}, given]}):
        with pytest.raises(BadRequest) as refused:
            post(body)

        assert refused.value.error_type == "HTTPBadRequest"
        assert named in refused.value.message


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"id": "x"}, "read-only attribute id"),
        ({"state": "x"}, "read-only attribute state"),
        ({"owner": "x"}, "read-only attribute owner"),
        ({"tenant_id": "x"}, "read-only attribute tenant_id"),
        ({"project_id": "x"}, "read-only attribute project_id"),
        ({"shape": "round"}, "Unrecognized attribute(s) 'shape'"),
        ({"colour": None}, "colour"),
        ({"size": "big"}, "size"),
    ],
)
def test_put_refused(given: Any, named: str) -> None:
    """What a PUT must not carry is refused by name."""
    with pytest.raises(BadRequest) as refused:
        put({"thing": given})

    assert refused.value.error_type == "HTTPBadRequest"
    assert named in refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        [{"thing": {"size": 1}}],
        "thing",
        5,
        {},
        {"size": 1},
        {"thing": None},
        {"thing": [{"size": 1}]},
        {"thing": {"size": 1}, "more": 1},
        {"other": {"size": 1}},
        {"things": []},
        {"things": {"size": 1}},
        {"things": None},
        {"things": [None]},
        {"things": [[{"size": 1}]]},
        {"things": [{"size": 1}], "thing": {"size": 1}},
    ],
)
def test_wrong_shape(body: Any) -> None:
    """A body that is no {singular: object} or {plural: list} is refused."""
    with pytest.raises(BadRequest) as refused:
        post(body)

    assert refused.value.error_type == "HTTPBadRequest"


def test_no_bulk_put() -> None:
    """A PUT is of one object."""
    with pytest.raises(BadRequest):
        put({"things": [{"size": 1}]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'thing': 1}",
        b"\xff\xfe",
        b"\xc3",
        b'{"thing": NaN}',
        b'{"thing": Infinity}',
        b'{"thing": -Infinity}',
        b'{"thing": {"size": 1}} trailing',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 40 + b"]" * 40,
        b'{"thing": {"size": ' + b"9" * 1_000_000 + b"}}",
        b'{"thing": {"size": -' + b"9" * 1_000_000 + b"}}",
    ],
)
def test_no_json(body: bytes) -> None:
    """What is not JSON, nests too deeply or holds an absurd number is refused at once."""
    started = time.monotonic()
    with pytest.raises(BadRequest) as refused:
        read_json(body)

    assert refused.value.error_type == "HTTPBadRequest"
    assert len(refused.value.message) < 100
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"thing": {"size": ' + b"9" * 400_000 + b".5}}",
        b'{"thing": {"size": 1e999999999}}',
        b'{"thing": {"size": 123456789012345678901}}',
        b'{"thing": {"size": true}}',
        b'{"thing": {"size": {"deep": [[[[1]]]]}}}',
    ],
)
def test_absurd_values(body: bytes) -> None:
    """A number that is no size is refused, however it is spelled."""
    started = time.monotonic()
    with pytest.raises(BadRequest):
        TABLE.read_post(body)

    assert time.monotonic() - started < 1


@pytest.mark.parametrize("digits", [19, 20, 90, 1000])
@pytest.mark.parametrize("template", ["%s", "-%s", '"%s"'])
def test_a_number_of_many_digits(digits: int, template: str) -> None:
    """It is an integer, and out of range: the message says so, with the field and the value."""
    number = template % ("9" * digits)
    with pytest.raises(BadRequest) as refused:
        TABLE.read_post(b'{"thing": {"size": %s}}' % number.encode())

    start = f"Invalid input for size. Reason: {number[:90]}".replace('"', "'")
    assert refused.value.message.startswith(start)
    assert " is not in the range 0 to " in refused.value.message


def test_repeated_key() -> None:
    """Of a key that stands twice the last counts, as JSON readers do."""
    assert {"size": 2} == TABLE.read_put(b'{"thing": {"size": 1, "size": 2}}')


@pytest.mark.parametrize("collection", sorted(RESOURCES))
def test_standard_attributes(collection: str) -> None:
    """Every resource has the standard attributes; what names an object is for POST at most."""
    table = RESOURCES[collection].table
    read_only = {name for name, one in table.by_name.items() if not (one.post or one.put)}

    # Rules and floating IPs have no names.
    assert {one.name for one in STANDARD} - set(table.by_name) <= {"name"}
    assert {"id", "created_at", "updated_at", "revision_number", "tags"} <= read_only
    assert not any(table.by_name[name].put for name in ("tenant_id", "project_id"))
    assert (collection.replace("-", "_"), f"{table.name}s") == (table.collection, table.collection)


# (collection, attribute) of facts "Resources": refused in a PUT though a POST may carry them.
@pytest.mark.parametrize(
    ("collection", "attribute"),
    [
        ("networks", "availability_zone_hints"),
        ("subnets", "network_id"),
        ("subnets", "ip_version"),
        ("subnets", "cidr"),
        ("subnets", "ipv6_address_mode"),
        ("subnets", "ipv6_ra_mode"),
        ("ports", "network_id"),
        *(
            ("security-group-rules", attribute)
            for attribute in (
                "security_group_id",
                "direction",
                "ethertype",
                "protocol",
                "port_range_min",
                "port_range_max",
                "remote_ip_prefix",
                "remote_group_id",
                "description",
            )
        ),
        ("routers", "availability_zone_hints"),
        ("floatingips", "floating_network_id"),
        ("floatingips", "floating_ip_address"),
        ("floatingips", "subnet_id"),
    ],
)
def test_only_at_creation(collection: str, attribute: str) -> None:
    """What an object is made with does not change."""
    found = RESOURCES[collection].table.by_name[attribute]

    assert (True, False) == (found.post, found.put)


# What the planners index without asking: a POST gives it a value.
@pytest.mark.parametrize(
    ("collection", "given", "present"),
    [
        ("networks", {}, {"name": "", "admin_state_up": True, "shared": False}),
        (
            "subnets",
            {"network_id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "ip_version": 4, "cidr": "::/0"},
            {"name": "", "dns_nameservers": (), "host_routes": (), "enable_dhcp": True},
        ),
        (
            "ports",
            {"network_id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12},
            {
                "name": "",
                "device_id": "",
                "device_owner": "",
                "admin_state_up": True,
                "allowed_address_pairs": (),
                "extra_dhcp_opts": (),
                "binding:host_id": "",
                "binding:vnic_type": "normal",
            },
        ),
    ],
)
def test_defaults(collection: str, given: Any, present: dict[str, Any]) -> None:
    """The smallest POST of each resource gets the defaults of the API."""
    table = RESOURCES[collection].table
    [values], _ = table.read_post(json.dumps({table.name: given}).encode())

    assert present == {name: values[name] for name in present}


@pytest.mark.parametrize(
    ("collection", "given"),
    [
        ("networks", {"mtu": -1}),
        ("networks", {"mtu": None}),
        ("networks", {"provider:segmentation_id": 4095}),
        ("networks", {"provider:segmentation_id": 0}),
        ("networks", {"provider:network_type": "vxlan"}),
        ("networks", {"provider:physical_network": "x" * 65}),
        ("networks", {"segments": []}),
        ("networks", {"availability_zone_hints": ["nova"]}),
        ("subnets", {"gateway_ip": "nowhere"}),
        ("subnets", {"allocation_pools": [{"start": "10.0.0.2"}]}),
        ("subnets", {"allocation_pools": None}),
        ("subnets", {"subnetpool_id": None}),
        ("ports", {"mac_address": None}),
        ("ports", {"fixed_ips": None}),
        ("ports", {"fixed_ips": [{"ip": "10.0.0.2"}]}),
        ("ports", {"binding:profile": {"a": {"b": 1}}}),
        ("ports", {"binding:vnic_type": "magic"}),
        ("ports", {"extra_dhcp_opts": [{"opt_value": "x"}]}),
        ("ports", {"extra_dhcp_opts": [{"opt_name": " ", "opt_value": "x"}]}),
        ("ports", {"extra_dhcp_opts": [{"opt_name": "x" * 65, "opt_value": "x"}]}),
        ("ports", {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "a\nb"}]}),
        ("ports", {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "x" * 256}]}),
        ("ports", {"extra_dhcp_opts": [{"opt_name": "a", "opt_value": "b", "ip_version": 5}]}),
        ("ports", {"allowed_address_pairs": [{"ip_address": "224.0.0.1"}]}),
        ("ports", {"allowed_address_pairs": [{"ip_address": "ff02::1"}]}),
        ("ports", {"allowed_address_pairs": [{"ip_address": "10.0.0.1", "port": 1}]}),
    ],
)
def test_resources_refuse(collection: str, given: Any) -> None:
    """Each table refuses in a PUT what the API refuses for its resource."""
    table = RESOURCES[collection].table
    with pytest.raises(BadRequest) as refused:
        table.read_put(json.dumps({table.name: given}).encode())

    assert refused.value.error_type == "HTTPBadRequest"


@pytest.mark.parametrize(
    ("collection", "given", "error_type"),
    [
        (
            "subnets",
            {"dns_nameservers": [f"10.0.0.{i}" for i in range(6)]},
            "DNSNameServersExhausted",
        ),
        (
            "subnets",
            {"host_routes": [{"destination": "0.0.0.0/0", "nexthop": "10.0.0.1"}] * 21},
            "HostRoutesExhausted",
        ),
        (
            "ports",
            {"allowed_address_pairs": [{"ip_address": f"10.0.0.{i}"} for i in range(11)]},
            "AllowedAddressPairExhausted",
        ),
        (
            "ports",
            {"allowed_address_pairs": [{"mac_address": "02:00:00:00:00:01"}]},
            "AllowedAddressPairsMissingIP",
        ),
    ],
)
def test_resources_refuse_with_type(collection: str, given: Any, error_type: str) -> None:
    """What has a type of its own in the API is refused with it."""
    table = RESOURCES[collection].table
    with pytest.raises(BadRequest) as refused:
        table.read_put(json.dumps({table.name: given}).encode())

    assert error_type == refused.value.error_type
