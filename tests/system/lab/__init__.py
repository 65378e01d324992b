# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of real chassis in network namespaces, so that tests assert on packets.

    def test_ping(lab: Lab) -> None:
        hv1, hv2 = lab.chassis
        red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
        alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
        assert 3 == alice.ping(bob.ip)
        spoofed = frames.udp_frame((alice.mac, "10.0.0.9"), (bob.mac, bob.ip), b"hello")
        assert not alice.delivers(spoofed, bob)

**What is real.** NB, SB and ovn-northd. The proxy's networking application, in this
process: `lab.api`, see daemon/proxy.py, or the whole of it as a process: `lab.rest`. On
each chassis ovsdb-server, ovs-vswitchd with the datapath in user space, ovn-controller, and
Geneve over a bridge between them; our configurator makes it a chassis. A machine is a
namespace with a link `eth0`, plugged with the keys that libvirt sets for what our hook makes
of its XML; the kernel is its operating system, ISC's dhclient its DHCP client. Not covered
is the kernel's datapath.

**Guests.** Where it matters what a hypervisor does, `with hypervisors(lab.chassis) as hosts`
runs a libvirt on each chassis, with our hooks where VDSM finds them. There
`Guest("name", hosts[0], port)` is a virtual machine under QEMU, emulated, with
which everything is done that VDSM does; it takes some seconds to boot.

**Which lab.** The fixture `lab` has the chassis "hv1" and "hv2", both gateways and with
the physical network "physnet"; a module's tests share it, and Northbound is emptied
between them. A test that changes chassis, or wants others, makes its own, which takes
half a second: `with Lab(3) as lab`, `Lab([ChassisSpec("hv1", is_gateway=True), "hv2"])`,
`Lab(2, port_security_enabled_default=True)` for fields of the proxy's Config,
`Lab(central=partial(northd, nb_content=file))` with a Northbound that is there already,
`Lab(proxy=service)` with the proxy as a process, `Lab(central=ClusteredCentral(...))` with a
cluster; test_security.py and test_high_availability.py have all of it speak TLS.

**Nothing waits by sleeping.** `start_vm` and `create_vm` return when the port is up and
every chassis knows where it is. After any other change `lab.sync()` returns when every running
chassis does what Northbound says, packets included; then "nothing comes through" can be
asserted at once. Beside what must not arrive assert something that does, on the same way;
`reached` and `delivered` see to that themselves.

**Where things run.** A socket lives in the namespace where it was made. So the tests' process
opens its own sockets there (`Machine.open_socket` and all that is built on it), and only
dhclient and `Machine.probe` are processes of their own. `chassis.run(...)` starts any program
as on a host of its own: `ovs-vsctl` and `ovn-appctl` find this chassis' daemons.

**What is left.** Nothing: everything is in namespaces and a folder in /tmp named
`ovnlab-<pid>-<start of the process>-<number>-...`, and ends with the block. What a killed run
left is removed by a process that outlives it, and by the next lab. The machine's own network,
Open vSwitch and OVN are not touched.

    lab.py        Lab: chassis, machines, sync          namespace.py  namespaces, leftovers
    chassis.py    Chassis, ChassisSpec                  links.py      cables
    machine.py    Machine: what can be done from there  switch.py     one Open vSwitch
    vm.py         Vm: plugged, DHCP, RA                 outside.py    physical networks
    moving.py     MovingVm: live migration              frames.py     bytes <-> frames; pure
    cluster.py    ClusteredCentral                      service.py    the proxy as a process
    configurator.py  our plugin on a chassis
    libvirt.py    Hypervisor: a chassis with libvirt    guest.py      Guest: QEMU, by the hooks
    domain.py     VDSM's XML of guests; pure            guest_image.py  what guests boot
    offers.py     delivered, reached: what gets through a filter
    capture.py, echo.py, services.py, dhcp.py, probe.py: what Machine and Vm offer
"""

from __future__ import annotations

from .chassis import Chassis, ChassisSpec
from .lab import CENTRAL_IP, Lab
from .machine import Machine
from .moving import MovingVm
from .offers import delivered, reached
from .vm import Vm

__all__ = [
    "CENTRAL_IP",
    "Chassis",
    "ChassisSpec",
    "Lab",
    "Machine",
    "MovingVm",
    "Vm",
    "delivered",
    "reached",
]
