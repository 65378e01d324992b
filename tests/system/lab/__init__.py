# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of real chassis in network namespaces, so that tests assert on packets.

    with Lab(chassis=2) as lab:
        hv1, hv2 = lab.chassis
        red = lab.create_network("10.0.0.0/24")
        alice = lab.create_vm(red, hv1)
        bob = lab.create_vm(red, hv2)
        assert alice.can_ping(bob.ip)

**What is real.** NB, SB and ovn-northd; the proxy's application in this process
(`lab.api`, see daemon/proxy.py); on each chassis ovsdb-server, ovs-vswitchd with the
datapath in user space, and ovn-controller; Geneve between the chassis.
"""

from __future__ import annotations

from .chassis import Chassis, ChassisSpec
from .lab import CENTRAL_IP, Lab, missing
from .machine import Machine
from .moving import MovingVm
from .vm import Vm

__all__ = ["CENTRAL_IP", "Chassis", "ChassisSpec", "Lab", "Machine", "MovingVm", "Vm", "missing"]
