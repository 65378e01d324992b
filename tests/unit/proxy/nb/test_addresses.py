# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A port's MAC and addresses are found wherever OVN keeps them (ovn-nb(5))."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.addresses import (
    NOTHING,
    Addressing,
    addressing,
    ip_number,
    is_dynamic,
    normalize_mac,
    pair_macs,
)
from ovirt_ovn_proxy.nb.rows import RouterPort, SwitchPort

M1, M2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOATING = {keys.FLOATING_ADDRESS: "203.0.113.9", keys.FLOATING_MAC: M1}
PAIR = {keys.ADDRESS_PAIRS: json.dumps([{"ip_address": "10.0.0.9", "mac_address": M2}])}


def port(*addresses: str, **columns: Any) -> SwitchPort:
    """Return a port with these addresses."""
    return SwitchPort.new("p", addresses=addresses, **columns)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (port(), NOTHING),
        (port(M1), Addressing(M1, ())),
        (port(f"{M1} 10.0.0.5 fd00::5"), Addressing(M1, ("10.0.0.5", "fd00::5"))),
        (port("02:00:00:00:00:0A 10.0.0.5"), Addressing("02:00:00:00:00:0a", ("10.0.0.5",))),
        (port("unknown"), NOTHING),
        (port("unknown", M1), Addressing(M1, ())),
        (port("router"), NOTHING),
        (port(""), NOTHING),
        (port("   "), NOTHING),
        # chosen by OVN
        (port(f"{M1} dynamic"), Addressing(M1, ())),
        (
            port(f"{M1} dynamic", dynamic_addresses=f"{M1} 10.0.0.5 fd00::5"),
            Addressing(M1, ("10.0.0.5", "fd00::5")),
        ),
        (port("dynamic"), NOTHING),
        (port("dynamic", dynamic_addresses=f"{M1} 10.0.0.5"), Addressing(M1, ("10.0.0.5",))),
        (
            port("dynamic 10.0.0.5", dynamic_addresses=f"{M1} 10.0.0.5"),
            Addressing(M1, ("10.0.0.5",)),
        ),
        (port("dynamic 10.0.0.5"), Addressing(None, ("10.0.0.5",))),
        (port(f"{M1} dynamic", dynamic_addresses=""), Addressing(M1, ())),
        # stale: the port is static by now
        (
            port(f"{M1} 10.0.0.5", dynamic_addresses=f"{M2} 10.0.0.6"),
            Addressing(M1, ("10.0.0.5",)),
        ),
        # the column has no order: pairs are told by their MACs
        (port(M2, f"{M1} 10.0.0.5", external_ids=PAIR), Addressing(M1, ("10.0.0.5",))),
        (port(f"{M1} 10.0.0.5", M2, external_ids=PAIR), Addressing(M1, ("10.0.0.5",))),
        (port(M2, external_ids=PAIR), Addressing(M2, ())),
        # damaged
        (port("nonsense 10.0.0.5"), Addressing(None, ("10.0.0.5",))),
        (port("02:00:00:00:00 10.0.0.5"), Addressing(None, ("10.0.0.5",))),
        # a floating IP, for which OVN's switch must not answer
        (port(external_ids=FLOATING), Addressing(M1, ("203.0.113.9",))),
        (
            port(external_ids={keys.FLOATING_ADDRESS: "203.0.113.9"}),
            Addressing(None, ("203.0.113.9",)),
        ),
        (port(f"{M2} 10.0.0.5", external_ids=FLOATING), Addressing(M2, ("10.0.0.5",))),
        # a router's, without its other side
        (port("router", type="router", options={"router-port": "lrp1"}), NOTHING),
    ],
)
def test_addressing(row: SwitchPort, expected: Addressing) -> None:
    """Every form of `addresses` is read, and a malformed one gives what is readable."""
    assert expected == addressing(row, None)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"mac": "0A:00:00:00:00:01", "networks": ("10.0.0.1/24", "fd00::1/64")},
            Addressing("0a:00:00:00:00:01", ("10.0.0.1", "fd00::1")),
        ),
        ({"mac": "", "networks": ()}, NOTHING),
    ],
)
def test_router(columns: dict[str, Any], expected: Addressing) -> None:
    """A router's port has the addresses of the router's side, whatever else it says."""
    row = port("router", type="router", dynamic_addresses=f"{M2} 10.0.0.6")

    assert expected == addressing(row, RouterPort.new("r", **columns))


@given(
    addresses=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    dynamic=st.none() | st.text(max_size=20),
    pairs=st.none() | st.text(max_size=20) | st.just('[{"mac_address": []}]'),
)
def test_addressing_never_raises(
    addresses: tuple[str, ...], dynamic: str | None, pairs: str | None
) -> None:
    """Whatever stands in a row, reading it does not fail."""
    external_ids = {} if pairs is None else {keys.ADDRESS_PAIRS: pairs}
    row = port(*addresses, dynamic_addresses=dynamic, external_ids=external_ids)
    found = addressing(row, None)

    assert found.mac is None or normalize_mac(found.mac) == found.mac
    assert all(isinstance(ip, str) for ip in found.ips)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (M1, M1),
        ("0A:BC:DE:F0:12:34", "0a:bc:de:f0:12:34"),
        ("0a-bc-de-f0-12-34", "0a:bc:de:f0:12:34"),
        ("0abc.def0.1234", "0a:bc:de:f0:12:34"),
        ("0abcdef01234", "0a:bc:de:f0:12:34"),
        ("  02:00:00:00:00:01\n", M1),
        ("", None),
        ("02:00:00:00:00", None),
        ("02:00:00:00:00:01:02", None),
        ("02:00:00:00:00:0g", None),
        ("02 00 00 00 00 01", None),
        ("０２:00:00:00:00:01", None),  # noqa: RUF001
        ("dynamic", None),
    ],
)
def test_normalize_mac(text: str, expected: str | None) -> None:
    """The common spellings of a MAC are one, anything else is none."""
    assert expected == normalize_mac(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.1", (4, 1)),
        ("::1", (6, 1)),
        ("FD00::1", (6, 0xFD << 120 | 1)),
        ("", None),
        ("10.0.0", None),
        ("10.0.0.256", None),
        ("10.0.0.1/24", None),
        ("fe80::1%eth0", None),
        ("10.0.0.1\0", None),
        ("\ud800", None),
        ("ž", None),
    ],
)
def test_ip_number(text: str, expected: tuple[int, int] | None) -> None:
    """An address is its version and its number; what is none gives None."""
    assert expected == ip_number(text)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (port(f"{M1} dynamic"), True),
        (port("dynamic"), True),
        (port("unknown", "dynamic 10.0.0.5"), True),
        (port(f"{M1} 10.0.0.5"), False),
        (port(), False),
    ],
)
def test_is_dynamic(row: SwitchPort, expected: bool) -> None:
    """OVN chooses the addresses exactly where the word stands."""
    assert expected is is_dynamic(row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, frozenset()),
        ("", frozenset()),
        ("[]", frozenset()),
        (PAIR[keys.ADDRESS_PAIRS], frozenset({M2})),
        ("no JSON", frozenset()),
        ("5", frozenset()),
        ('["text"]', frozenset()),
        ('[{"ip_address": "10.0.0.9"}]', frozenset()),
        ('[{"mac_address": ["list"]}]', frozenset()),
    ],
)
def test_pair_macs(text: str | None, expected: frozenset[str]) -> None:
    """The MACs of address pairs are read, and damaged ones are none."""
    external_ids = {} if text is None else {keys.ADDRESS_PAIRS: text}

    assert expected == pair_macs(port(external_ids=external_ids))
