# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak` for a short time, and what its audit finds."""

from __future__ import annotations

import pytest

from system.lab import Lab
from system.soak.audit import audit
from system.soak.run import soak

pytestmark = pytest.mark.system

SECONDS = 20.0
SEED = 2026


def test_a_short_soak() -> None:
    """Clients that do all sorts of things leave all sides in agreement, and the proxy small."""
    done = soak(SECONDS, SEED)

    print(done)
    assert {"start_guest", "stop_guest", "ping", "create_spares"} <= done.keys()


def test_the_audit_finds_what_is_wrong(lab: Lab) -> None:
    """What nobody has made, or what is lost, is found: on switches, in REST, in Northbound."""
    hv1, hv2 = lab.chassis
    shared = lab.create_network("10.255.0.0/24")["id"]

    def check() -> None:
        audit(lab, [], shared, timeout_s=0)

    audit(lab, [], shared)
    hv1.vsctl("add-port", hv1.bridge, "leaked", "--", "set", "Interface", "leaked", "type=internal")
    with pytest.raises(AssertionError, match=r"left, or not there: .'leaked'"):
        check()
    hv1.vsctl("del-port", "leaked")
    audit(lab, [], shared)

    for table in ("Port_Group", "Address_Set"):
        lab.nbctl("create", table, "name=stray")
        with pytest.raises(AssertionError, match=rf"Northbound, {table}: .* on top"):
            check()
        lab.nbctl("destroy", table, "stray")
    vm = lab.create_vm({"id": shared}, hv2)
    with pytest.raises(AssertionError, match=f"REST, ports: ..{vm.port['id']}.. on top"):
        check()
    lab.nbctl("lsp-del", vm.port["id"])
    with pytest.raises(AssertionError, match=vm.tap):
        check()
    lab.nbctl("ls-add", "stray")
    with pytest.raises(AssertionError, match=r"Northbound, Logical_Switch: .* on top"):
        check()
    lab.nbctl("ls-del", shared)
    with pytest.raises(AssertionError, match=f"REST, networks: without ..{shared}"):
        check()
