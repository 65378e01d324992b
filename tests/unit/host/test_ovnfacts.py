# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN has on a host, from rows as localdb.read gives them."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_host.ovnfacts import Interface, OvnFacts, decode
from unit.host.hosts import packed


def tables(settings: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return the rows of a database with these external_ids and no bridges."""
    row = {"external_ids": settings}
    return {"Open_vSwitch": [row], "Bridge": [], "Port": [], "Interface": [], **more}


@pytest.mark.parametrize("settings", [{}, {"system-id": "hv1", "hostname": "hv1"}])
def test_no_ovn(settings: dict[str, str]) -> None:
    """Without a central and without a tunnel address there is no OVN."""
    assert decode(tables(settings)) is None


def test_no_row() -> None:
    """A database that was never set up has no OVN."""
    assert decode(tables({}, Open_vSwitch=[])) is None


def test_settings() -> None:
    """Addresses, bridge and mappings are read as ovn-controller reads them."""
    facts = decode(
        tables(
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
        tables(
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
    none: dict[str, str] = {}
    facts = decode(
        tables(
            {"ovn-remote": "unix:x"},
            Bridge=[
                {"name": "br-int", "ports": ["p1", "p2"]},
                {"name": "br-ex", "ports": "p3"},
                {"name": "empty", "ports": []},
            ],
            Port=[
                {"_uuid": "p1", "interfaces": "i1", "external_ids": none},
                {"_uuid": "p2", "interfaces": "i2", "external_ids": {"ovn-localnet-port": "x"}},
                {"_uuid": "p3", "interfaces": ["i3", "i4"], "external_ids": none},
            ],
            Interface=[
                {"_uuid": "i1", "name": "vnet0", "type": "", "external_ids": {"iface-id": "x"}},
                {"_uuid": "i2", "name": "patch", "type": "patch", "external_ids": none},
                {"_uuid": "i3", "name": "eth2", "type": "", "external_ids": none},
                {"_uuid": "i4", "name": "eth3", "type": "", "external_ids": none},
                {"_uuid": "i5", "name": "nowhere", "type": "", "external_ids": none},
            ],
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
