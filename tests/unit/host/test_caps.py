# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine learns of OVN on a host."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ovirt_ovn_host.caps import add_ovn
from unit.host.rows import port_id, snapshot, vif

CHASSIS = {
    "system-id": "hv1.example.com",
    "ovn-remote": "ssl:192.0.2.1:6642",
    "ovn-encap-type": "geneve",
    "ovn-encap-ip": "192.0.2.11",
}


def test_all_there_is() -> None:
    """The chassis, its settings, versions and ports, and nothing else has changed."""
    caps = {"vmTypes": ["kvm"], "ovnConfigured": True, "mtu": "1500"}
    found = snapshot(vif(2), vif(1), ids=CHASSIS, ovs_version=["3.1.0"])

    changed, note = add_ovn(caps, found, "23.03.1")

    assert "" == note
    assert {
        **caps,
        "openstack_binding_host_ids": {"OVIRT_PROVIDER_OVN": "hv1.example.com"},
        "ovn": {
            "chassis": "hv1.example.com",
            "remote": "ssl:192.0.2.1:6642",
            "encapType": "geneve",
            "encapIp": "192.0.2.11",
            "bridge": "br-int",
            "ovsVersion": "3.1.0",
            "ovnVersion": "23.03.1",
            "ports": [port_id(1), port_id(2)],
        },
    } == changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"openstack_binding_host_ids": {}}, {}),
        ({"openstack_binding_host_ids": None}, {}),
        (
            {"openstack_binding_host_ids": {"OPEN_VSWITCH": "h", "OPENSTACK_OVN": "h"}},
            {"OPEN_VSWITCH": "h", "OPENSTACK_OVN": "h"},
        ),
        ({"openstack_binding_host_ids": {"OVIRT_PROVIDER_OVN": "of the peer"}}, {}),
    ],
)
def test_other_plugins_stay(before: dict[str, Any], after: dict[str, str]) -> None:
    """The host ids of other plugins' hooks are kept, and what was given is not changed."""
    given = copy.deepcopy(before)
    changed, _ = add_ovn(given, snapshot(ids=CHASSIS), "")

    expected = {**after, "OVIRT_PROVIDER_OVN": "hv1.example.com"}
    assert expected == changed["openstack_binding_host_ids"]
    assert before == given


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ({}, "the host has no system-id, 'vdsm-tool configure --module ovn' sets it"),
        ({"system-id": "x" * 65}, f"the system-id {'x' * 65} is longer than 64 characters"),
    ],
)
def test_no_host_id(ids: dict[str, str], reason: str) -> None:
    """Without a system-id that the engine can keep there is no host id, but the rest and a note."""
    caps = {"openstack_binding_host_ids": {"OPEN_VSWITCH": "h"}}
    changed, note = add_ovn(caps, snapshot(ids=ids), "")

    assert f"no host id for the engine: {reason}" == note
    assert caps["openstack_binding_host_ids"] == changed["openstack_binding_host_ids"]
    assert "br-int" == changed["ovn"]["bridge"]


def test_64_characters_are_fine() -> None:
    """The longest host id that the engine's database takes."""
    changed, note = add_ovn({}, snapshot(ids={"system-id": "x" * 64}), "")

    assert ("", {"OVIRT_PROVIDER_OVN": "x" * 64}) == (note, changed["openstack_binding_host_ids"])


def test_what_is_not_known_is_left_out() -> None:
    """A host where OVN is not configured shows its bridge and that it has no ports."""
    changed, _ = add_ovn({}, snapshot(), "")

    assert {"ovn": {"bridge": "br-int", "ports": []}} == changed
