# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each reader takes what the Networking API allows, in its one form, and refuses the rest."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovirt_ovn_proxy.errors import BadRequest
from ovirt_ovn_proxy.wire import readers
from ovirt_ovn_proxy.wire.readers import Reader

UUID = "0a0b0c0d-0000-4000-8000-00000000000f"
ROUTE = readers.record(
    {"destination": readers.cidr, "nexthop": readers.address}, ("destination", "nexthop")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ALL: dict[str, Reader] = {
    "text": readers.text(),
    "name": readers.name,
    "boolean": readers.boolean,
    "integer": readers.integer(),
    "choice": readers.choice("a", "b"),
    "identifier": readers.identifier,
    "mac": readers.mac,
    "address": readers.address,
    "gateway": readers.gateway,
    "cidr": readers.cidr,
    "address_or_cidr": readers.address_or_cidr,
    "list_of": readers.list_of(readers.boolean, limit=2),
    "record": ROUTE,
    "flat_object": readers.flat_object,
}


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (readers.text(), "", ""),
        (readers.text(), " two\nlines ", " two\nlines "),
        (readers.text(2), "ab", "ab"),
        (readers.text(), "ž" * 255, "ž" * 255),
        (readers.name, "", ""),
        (readers.name, "my network ž", "my network ž"),
        *((readers.boolean, word, True) for word in (True, 1, "1", "T", "True", "YES", "y", "on")),
        *((readers.boolean, word, False) for word in (False, 0, "0", "f", "No", "N", " off ")),
        (readers.integer(), 0, 0),
        (readers.integer(), 2**31 - 1, 2**31 - 1),
        (readers.integer(), "42", 42),
        (readers.integer(), " 42 ", 42),
        (readers.integer(), 42.0, 42),
        (readers.integer(-1), "-1", -1),
        (readers.choice("a", "b"), "b", "b"),
        (readers.identifier, UUID, UUID),
        (readers.identifier, UUID.upper(), UUID),
        (readers.mac, "02-0A-00-00-00-01", "02:0a:00:00:00:01"),
        (readers.mac, "020a.0000.0001", "02:0a:00:00:00:01"),
        (readers.address, "10.0.0.1", "10.0.0.1"),
        (readers.address, "FD00:0:0::1", "fd00::1"),
        (readers.gateway, "", ""),
        (readers.gateway, "10.0.0.1", "10.0.0.1"),
        (readers.cidr, "10.0.0.5/24", "10.0.0.0/24"),
        (readers.cidr, "FD00:0::5/64", "fd00::/64"),
        (readers.cidr, "0.0.0.0/0", "0.0.0.0/0"),
        (readers.address_or_cidr, "10.0.0.5/24", "10.0.0.0/24"),
        (readers.address_or_cidr, "10.0.0.5", "10.0.0.5"),
        (readers.list_of(readers.boolean), [], []),
        (readers.list_of(readers.boolean, limit=2), ["yes", 0], [True, False]),
        (readers.list_of(readers.boolean, limit=0), [], []),
        (
            ROUTE,
            {"nexthop": "FD00::1", "destination": "::/0"},
            {"nexthop": "fd00::1", "destination": "::/0"},
        ),
        (readers.record({"a": readers.boolean}), {}, {}),
        (readers.flat_object, {}, {}),
        (
            readers.flat_object,
            {"a": "x", "b": 1, "c": True, "d": None},
            {"a": "x", "b": 1, "c": True, "d": None},
        ),
    ],
)
def test_accepted(read: Reader, value: Any, expected: Any) -> None:
    """A good value is returned in the form that the rest of the program rests on."""
    found = read("field", value)

    assert (type(expected), expected) == (type(found), found)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (readers.text(), "x" * 256),
        (readers.text(2), "abc"),
        (readers.text(), "a\0b"),
        (readers.text(), "\ud800"),
        (readers.text(), "ab\udfff"),
        (readers.text(), 1),
        (readers.text(), None),
        (readers.text(), ["a"]),
        (readers.name, " a"),
        (readers.name, "a\n"),
        (readers.name, "a\tb"),
        (readers.name, "a\x1b[2Jb"),
        (readers.name, "a\u200bb"),
        *((readers.boolean, value) for value in ("", "maybe", 2, -1, 1.0, None, "truee")),
        (readers.boolean, []),
        *((readers.integer(), value) for value in (-1, 2**31, "-1", "", "x", "1.5", 1.5, None)),
        *((readers.integer(), value) for value in (True, [1], "1" * 19, "0x10", "²", "1_0", 1e300)),
        (readers.integer(), float("inf")),
        (readers.integer(), float("nan")),
        (readers.integer(1, 4094), 4095),
        (readers.integer(1, 4094), 0),
        (readers.choice("a", "b"), "A"),
        (readers.choice("a", "b"), ["a"]),
        (readers.choice("a", "b"), None),
        *((readers.identifier, value) for value in ("", "x", 5, None, UUID[:-1], UUID + "0")),
        (readers.identifier, UUID.replace("-", "")),
        (readers.identifier, "{" + UUID + "}"),
        (readers.identifier, f"urn:uuid:{UUID}"),
        *((readers.mac, value) for value in ("", "x", 5, None, "02:00:00:00:00", "0" * 41)),
        (readers.mac, "00:00:00:00:00:00"),
        (readers.mac, "ff:ff:ff:ff:ff:ff"),
        (readers.mac, "01:00:5e:00:00:01"),
        *((readers.address, value) for value in ("", "10.0.0", "10.0.0.256", "x", 5, None, True)),
        (readers.address, "10.0.0.1/24"),
        (readers.address, "fe80::1%eth0"),
        (readers.address, "010.0.0.1"),
        (readers.gateway, " "),
        (readers.gateway, None),
        *((readers.cidr, value) for value in ("", "10.0.0.0", "10.0/16", "10.0.0.0/33", 5, None)),
        *((readers.cidr, f"10.0.0.0/{length}") for length in ("", "-1", "x", "255.255.255.0")),
        (readers.cidr, "10.0.0.0/24/24"),
        (readers.cidr, "fe80::%eth0/64"),
        (readers.cidr, "fd00::/129"),
        (readers.address_or_cidr, 5),
        (readers.address_or_cidr, "10.0.0.0/99"),
        (readers.list_of(readers.boolean), "yes"),
        (readers.list_of(readers.boolean), {}),
        (readers.list_of(readers.boolean), ["maybe"]),
        (readers.list_of(readers.boolean, limit=0), [True]),
        (ROUTE, []),
        (ROUTE, {"destination": "0.0.0.0/0"}),
        (ROUTE, {"destination": "0.0.0.0/0", "nexthop": "10.0.0.1", "metric": 1}),
        (ROUTE, {"destination": "0.0.0.0/0", "nexthop": None}),
        (readers.flat_object, []),
        (readers.flat_object, {"a": {}}),
        (readers.flat_object, {"a": []}),
        (readers.flat_object, {"a": 1.5}),
        (readers.flat_object, {"a": "x" * 256}),
        (readers.flat_object, {"\ud800": 1}),
    ],
)
def test_refused(read: Reader, value: Any) -> None:
    """A bad value is refused with the attribute's name, in one short line."""
    with pytest.raises(BadRequest) as refused:
        read("field", value)

    assert refused.value.error_type == "HTTPBadRequest"
    assert "field" in refused.value.message
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 700


def test_limit_has_its_own_type() -> None:
    """A list that is too long is refused with the type that its attribute wants."""
    read = readers.list_of(readers.address, limit=1, error_type="DNSNameServersExhausted")
    with pytest.raises(BadRequest) as refused:
        read("dns_nameservers", ["10.0.0.1", "10.0.0.2"])

    assert refused.value.error_type == "DNSNameServersExhausted"


def test_elements_are_named() -> None:
    """A bad element of a list of objects is named by its place."""
    with pytest.raises(BadRequest, match=r"host_routes\[1\]\.nexthop"):
        readers.list_of(ROUTE)(
            "host_routes",
            [
                {"destination": "0.0.0.0/0", "nexthop": "10.0.0.1"},
                {"destination": "0.0.0.0/0", "nexthop": "x"},
            ],
        )


@pytest.mark.parametrize("name", sorted(ALL))
@settings(max_examples=40, deadline=None)
@given(value=JSON)
def test_anything(name: str, value: Any) -> None:
    """Any JSON value is read or refused, and what was read is read again as itself."""
    with suppress(BadRequest):
        read = ALL[name]("field", value)

        assert read == ALL[name]("field", read)


@given(value=st.ip_addresses())
def test_addresses(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Every address is read from its longest form to its shortest."""
    if getattr(value, "scope_id", None) is None:
        assert str(value) == readers.address("field", value.exploded.upper())


@pytest.mark.parametrize("value", ["x" * 1_000_000, ["x"] * 1000, {"k": "x" * 5000}])
def test_shown(value: Any) -> None:
    """A value in a message is cut to what suits a log line."""
    assert len(readers.shown(value)) <= 100
