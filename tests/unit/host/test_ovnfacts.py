# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN has on a host, from rows of the local database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_host.ovnfacts import TABLES, Interface, OvnFacts, decode
from ovirt_ovn_host.snapshot import rows_of
from unit.host.hosts import packed
from unit.host.rows import Link, results


def rows(settings: dict[str, str], *links: Link, bridges: Sequence[str] = ()) -> dict[str, Any]:
    """Return the rows of a database with these external_ids, bridges and links."""
    return rows_of(TABLES, results(*links, ids=settings, bridges=bridges))


@pytest.mark.parametrize("settings", [{}, {"system-id": "hv1", "hostname": "hv1"}])
def test_no_ovn(settings: dict[str, str]) -> None:
    """Without a central and without a tunnel address there is no OVN."""
    assert decode(rows(settings)) is None


def test_no_row() -> None:
    """A database that was never set up has no OVN."""
    assert decode({**rows({}), "Open_vSwitch": []}) is None


def test_settings() -> None:
    """Addresses, bridge and mappings are read as ovn-controller reads them."""
    facts = decode(
        rows(
            {
                "ovn-remote": "ssl:192.0.2.1:6642",
                "ovn-encap-ip": "192.0.2.10, 2001:db8::10",
                "ovn-bridge": "br-virtual",
                "ovn-bridge-mappings": "physnet:br-ex,,other: br-other,broken",
            }
        )
    )

    assert facts == OvnFacts(
        encap_key="ovn-encap-ip",
        encap_value="192.0.2.10, 2001:db8::10",
        integration_bridge="br-virtual",
        mappings={"physnet": "br-ex", "other": "br-other"},
    )
    assert facts.encap == (packed("192.0.2.10"), packed("2001:db8::10"))


def test_settings_of_the_chassis() -> None:
    """A key with the chassis' name goes before the one without."""
    facts = decode(
        rows(
            {
                "system-id": "hv1",
                "ovn-encap-ip": "192.0.2.10",
                "ovn-encap-ip-hv1": "192.0.2.11",
                "ovn-encap-ip-hv2": "192.0.2.12",
                "ovn-bridge-hv1": "br-1",
            }
        )
    )

    assert facts is not None
    assert facts.encap_key == "ovn-encap-ip-hv1"
    assert facts.encap == (packed("192.0.2.11"),)
    assert facts.integration_bridge == "br-1"


def test_interfaces() -> None:
    """Interfaces are found by name with their bridge; OVN's own are known by their keys."""
    facts = decode(
        rows(
            {"ovn-remote": "unix:x"},
            Link("vnet0", kind="", ids={"iface-id": "x"}),
            Link("patch", kind="patch", port_ids={"ovn-localnet-port": "x"}),
            Link("eth2", kind="", bridge="br-ex"),
            Link("eth3", kind="", bridge="br-ex"),
            Link("nowhere", kind="", bridge=""),
            bridges=["br-int", "br-ex", "empty"],
        )
    )

    assert facts is not None
    assert facts.interfaces == {
        "vnet0": Interface("br-int", is_vnic=True),
        "patch": Interface("br-int", "patch", is_localnet=True),
        "eth2": Interface("br-ex"),
        "eth3": Interface("br-ex"),
    }
    assert facts.vnics == ["vnet0"]
