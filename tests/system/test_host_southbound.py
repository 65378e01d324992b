# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ovn-status reads in a Southbound that ovn-northd and two chassis have written."""

from __future__ import annotations

import time

import pytest

from ovirt_ovn_host.status import central, checks_ports, checks_southbound
from ovirt_ovn_host.status.bindings import Binding, Southbound
from ovirt_ovn_host.status.facts import Facts
from ovirt_ovn_host.status.rows import OK, WARNING
from ovirt_ovn_host.status.switch import Switch, Vif
from system.lab import Lab

pytestmark = pytest.mark.system


def facts(lab: Lab, name: str, *vifs: Vif) -> Facts:
    """What a chassis of the lab would see."""
    chassis = next(it for it in lab.chassis if it.name == name)
    asked = Facts(
        now_s=time.time(),
        is_root=True,
        host_name=name,
        system_id=name,
        remotes=[lab.sb.remote],
        encaps=[("geneve", chassis.encap_ip)],
        switch=Switch({}, vifs=vifs),
        controller="connected",
    )
    return asked._replace(southbound=central.read(asked))


def southbound(given: Facts) -> Southbound:
    """What was read, which it must have been."""
    assert isinstance(given.southbound, Southbound), given.southbound
    return given.southbound


def test_chassis(lab: Lab) -> None:
    """All chassis, each with its tunnel, and as much of the clocks as there is."""
    lab.sync()
    seen = facts(lab, "hv1")
    found = southbound(seen)
    assert ["hv1", "hv2"] == [it.name for it in found.chassis]
    assert [[("geneve", it.encap_ip)] for it in lab.chassis] == [
        list(it.encaps) for it in found.chassis
    ]
    assert {"hv1", "hv2"} == {it.hostname for it in found.chassis}
    assert found.ends_s is None
    for check in (
        checks_southbound.chassis,
        checks_southbound.other_chassis,
        checks_southbound.clock,
    ):
        assert [OK] == [row.state for row in check(seen)]


def test_ports(lab: Lab) -> None:
    """Each chassis is told of its own ports, and of those that it waits for."""
    red = lab.create_network("10.0.0.0/24")
    hv1, hv2 = lab.chassis
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    (found,) = southbound(facts(lab, "hv1")).bindings
    assert Binding(alice.port["id"], chassis="hv1") == found

    waits = Vif("vnet9", bob.port["id"], is_installed=False)
    installed = Vif("vnet1", alice.port["id"])
    seen = facts(lab, "hv1", installed, waits)
    assert {alice.port["id"], bob.port["id"]} == {it.port for it in southbound(seen).bindings}
    (row,) = checks_ports.ports(seen)
    assert "it is bound to hv2, where it is plugged too" in row.reason


def test_a_leftover_of_a_migration(lab: Lab) -> None:
    """A port on two chassis is told to both, as ovn-northd writes it down."""
    red = lab.create_network("10.0.0.0/24")
    alice = lab.create_vm(red, lab.chassis[0])
    port = alice.port["id"]
    lab.nbctl(
        *("set", "Logical_Switch_Port", port, 'options:requested-chassis="hv1,hv2"'),
        "options:activation-strategy=rarp",
    )
    lab.sync()
    for name in ("hv1", "hv2"):
        seen = facts(lab, name)
        (found,) = southbound(seen).bindings
        assert ("hv1", ("hv1", "hv2"), "rarp") == (found.chassis, found.requested, found.strategy)
        (row,) = checks_ports.migrations(seen)
        assert (WARNING, True) == (row.state, f"{port} is announced on hv1, hv2" in row.reason)

    # What the row says mends it.
    command = row.mend.partition("ovn-nbctl ")[2].split()
    lab.nbctl(*command)
    lab.sync()
    (row,) = checks_ports.migrations(facts(lab, "hv2"))
    assert OK == row.state
    assert lab.is_port_up(port)
