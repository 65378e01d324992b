# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole of it: a central, chassis, virtual machines, and the world outside."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from daemon.ovsdb import HasRemote, northd, wait_until
from daemon.proxy import Api, Rest, running_api

from . import links, namespace
from .chassis import Chassis, ChassisSpec
from .machine import Machine
from .moving import MovingVm
from .namespace import Namespace, run
from .outside import OutsideMachine, PhysicalSwitch
from .switch import Switch
from .vm import Vm

PROGRAMS = [
    "ip",
    "ovsdb-server",
    "ovsdb-client",
    "ovsdb-tool",
    "ovs-vswitchd",
    "ovs-vsctl",
    "ovs-appctl",
    "ovn-northd",
    "ovn-controller",
    "ovn-nbctl",
    "ovn-sbctl",
]
# RFC 2544's addresses for laboratories.
TUNNEL_NETWORK = "198.18.0"
# As with hosts of oVirt: what goes to the central is none of the tunnels' traffic.
MANAGEMENT_NETWORK = "198.18.1"
CENTRAL_IP = f"{MANAGEMENT_NETWORK}.254"
SYNC_TIMEOUT_S = 15
# The tables of Northbound whose rows live without a reference, but for its own record.
ROOT_TABLES = [
    "Logical_Switch",
    "Logical_Router",
    "DHCP_Options",
    "Port_Group",
    "Address_Set",
    "DNS",
    "Load_Balancer",
    "Meter",
]


AnyVm = TypeVar("AnyVm", bound=Vm)
Servers = Mapping[str, HasRemote]


def missing() -> str:
    """Return in one sentence what a lab lacks on this machine, empty if nothing."""
    if os.geteuid() != 0:
        return "A lab makes network namespaces: run this as root, or see CONTRIBUTING.md."
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"A lab needs {', '.join(absent)}: run scripts/system-packages demo as root."
    return ""


class Lab:
    """A context manager; everything in it is gone at the end of its block.

    `chassis` are names or ChassisSpec, or how many plain ones there shall be ("hv1",
    "hv2"). `central` makes the databases and ovn-northd in a folder, in a namespace
    where chassis reach it as CENTRAL_IP. `settings` are fields of the proxy's Config;
    with a `proxy`, see `service`, that runs instead of one in this process.
    """

    def __init__(
        self,
        chassis: int | Sequence[str | ChassisSpec] = 2,
        *,
        central: Callable[[Path], contextlib.AbstractContextManager[Servers]] = northd,
        proxy: Callable[[Lab], contextlib.AbstractContextManager[Rest]] | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(chassis, int):
            chassis = [f"hv{number}" for number in range(1, chassis + 1)]
        self._specs = [ChassisSpec(it) if isinstance(it, str) else it for it in chassis]
        self._central = central
        self._proxy = proxy
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self.prefix = namespace.new_prefix()
        self._numbers = itertools.count(1)
        self.physical_switch: PhysicalSwitch | None = None
        self.folder = Path("/tmp", self.prefix.rstrip("-"))
        self.chassis: list[Chassis] = []
        self.machines: list[Machine] = []

    def __enter__(self) -> Lab:
        assert not missing(), missing()
        namespace.remove_leftovers()
        namespace.start_heir()
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.folder.mkdir(mode=0o755)
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.underlay = self.add_namespace("underlay")
        self.underlay.ip(
            "link add tunnels type bridge mcast_snooping 0",
            "link set tunnels up",
            "link add management type bridge mcast_snooping 0",
            f"addr add {CENTRAL_IP}/24 dev management",
            "link set management up",
        )
        with self.underlay.entered():
            servers = self._stack.enter_context(self._central(self.folder))
        self.nb, self.sb = servers["nb"], servers["sb"]
        self.rest = self._stack.enter_context(self._run_proxy())
        self._start_switches()
        for chassis in self.chassis:
            self.sbctl("wait-until", "Chassis", chassis.name, "nb_cfg>=0")
        for chassis, other in itertools.permutations(self.chassis, 2):
            chassis.meet(other)

    def _run_proxy(self) -> contextlib.AbstractContextManager[Rest]:
        return self._proxy(self) if self._proxy else running_api(self.nb, **self._settings)

    @property
    def api(self) -> Api:
        """The proxy in this process, for labs that have no other one."""
        assert isinstance(self.rest, Api), "the proxy of this lab is not in this process"
        return self.rest

    def _start_switches(self) -> None:
        switches: list[Switch] = []
        networks = sorted({name for spec in self._specs for name in spec.physical_networks})
        if networks:
            there = self.add_namespace("outside")
            self.physical_switch = PhysicalSwitch(there, self.folder / "outside", networks)
            switches.append(self.physical_switch)
        for number, spec in enumerate(self._specs, 1):
            self.chassis.append(self._make_chassis(spec, number))
        switches += self.chassis
        for switch in switches:
            self._stack.callback(switch.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda switch: switch.start(), switches))

    def _make_chassis(self, spec: ChassisSpec, number: int) -> Chassis:
        there = self.add_namespace(spec.name)
        address = f"{TUNNEL_NETWORK}.{number}/24"
        chassis = Chassis(spec, there, self.folder / spec.name, self.sb.remote, address)
        links.connect((self.underlay, spec.name), (there, "tunnel"))
        self.underlay.ip(
            f"link set {spec.name} master tunnels",
            f"link add host{number} type veth peer name management netns {there.name}",
            f"link set host{number} master management up",
        )
        there.ip(
            f"addr add {MANAGEMENT_NETWORK}.{number}/24 dev management", "link set management up"
        )
        for network in spec.physical_networks:
            assert self.physical_switch is not None
            self.physical_switch.lay_uplink(network, there)
        return chassis

    def add_namespace(self, name: str) -> Namespace:
        """Make a namespace that is gone with the lab; `name` is unique in it."""
        added = Namespace(self.prefix + name)
        self._stack.callback(added.delete)
        added.create()
        return added

    # What runs in it

    def nbctl(self, *words: str) -> str:
        """Run ovn-nbctl."""
        return self._ctl("ovn-nbctl", self.nb, *words)

    def sbctl(self, *words: str) -> str:
        """Run ovn-sbctl."""
        return self._ctl("ovn-sbctl", self.sb, *words)

    def _ctl(self, program: str, server: HasRemote, *words: str) -> str:
        return run(
            [program, f"--db={server.remote}", f"--timeout={SYNC_TIMEOUT_S}", *words]
        ).strip()

    def dump_northbound(self) -> str:
        """Return all rows of Northbound."""
        return run(["ovsdb-client", "dump", self.nb.remote, "OVN_Northbound"])

    def sync(self) -> None:
        """Wait until every running chassis does what Northbound says now, its datapath too."""
        self.nbctl("--wait=sb", "sync")
        wanted = self.nbctl("get", "NB_Global", ".", "nb_cfg")
        running = [chassis for chassis in self.chassis if chassis.controller.running]
        for chassis in running:
            self.sbctl("wait-until", "Chassis_Private", chassis.name, f"nb_cfg>={wanted}")
        for chassis in running:
            chassis.wait_datapath()

    def describe(self) -> str:
        """Return who has died, and what databases and switches say, for a test that has failed."""
        parts = [
            obituary
            for chassis in self.chassis
            for daemon in (chassis.database, chassis.vswitchd, chassis.controller)
            if (obituary := daemon.obituary())
        ]
        parts += [self.nbctl("show"), self.sbctl("show")]
        parts += [f"{chassis.name}\n{chassis.vsctl('show')}" for chassis in self.chassis]
        return "\n\n".join(parts)

    def is_port_up(self, port_id: str) -> bool:
        """Say whether Northbound has a port up."""
        return self.nbctl("get", "Logical_Switch_Port", port_id, "up") == "true"

    def wait_port(self, port_id: str, is_up: bool, timeout_s: float) -> None:
        """Wait until Northbound has a port up or down; AssertionError after `timeout_s`."""
        state = "up" if is_up else "down"
        wait_until(lambda: self.is_port_up(port_id) == is_up, timeout_s, f"{port_id} is {state}")

    # What tests make

    def create_network(self, *cidrs: str, **values: Any) -> dict[str, Any]:
        """Create a network with a subnet for each CIDR; return it as REST has it.

        `values` are the network's; a subnet with further ones is created by `rest`.
        """
        network: dict[str, Any] = self.rest.create("network", **values)
        for cidr in cidrs:
            version = 6 if ":" in cidr else 4
            self.rest.create("subnet", network_id=network["id"], cidr=cidr, ip_version=version)
        return dict(self.rest.get(f"networks/{network['id']}")["network"])

    def create_vm(
        self, network: dict[str, Any], chassis: Chassis, configure: bool = True, **values: Any
    ) -> Vm:
        """Create a port (`values` are its) and start a machine with it, see `start_vm`."""
        port = self.rest.create("port", network_id=network["id"], **values)
        return self.start_vm(port, chassis, configure)

    def create_moving_vm(
        self, network: dict[str, Any], chassis: Chassis, **values: Any
    ) -> MovingVm:
        """Create a port (`values` are its) and start a machine that can be migrated live."""
        port = self.rest.create("port", network_id=network["id"], **values)
        vm = self._make_vm(MovingVm, port, chassis)
        vm.start()
        return vm

    def start_vm(self, port: dict[str, Any], chassis: Chassis, configure: bool = True) -> Vm:
        """Start a machine with a port and wait until that is up.

        `configure`: with what the port has from the beginning; else without an address.
        """
        vm = self.make_vm(port, chassis)
        vm.start(configure)
        return vm

    def make_vm(self, port: dict[str, Any], chassis: Chassis) -> Vm:
        """Make a machine with a port; it is neither configured nor plugged yet."""
        return self._make_vm(Vm, port, chassis)

    def _make_vm(self, kind: type[AnyVm], port: dict[str, Any], chassis: Chassis) -> AnyVm:
        number = next(self._numbers)
        vm = kind(self, port, chassis, self.add_namespace(f"vm{number}"), f"vnet{number}")
        self.machines.append(vm)
        return vm

    def add_outside(
        self, physical_network: str, *addresses: str, vlan: int | None = None, name: str = ""
    ) -> OutsideMachine:
        """Make a machine on a physical network, on a VLAN or untagged.

        It forwards, so it can be the outside world's router, with more of the world's
        addresses on its "lo" (`add_address`).
        """
        assert self.physical_switch is not None, "no chassis has a physical network"
        number = next(self._numbers)
        machine = OutsideMachine(
            name or f"outside{number}",
            self.add_namespace(f"outside{number}"),
            self.physical_switch,
            f"outside{number}",
        )
        self.machines.append(machine)
        machine.attach(physical_network, vlan)
        for address in addresses:
            machine.add_address(address)
        return machine

    def clear(self) -> None:
        """Stop all machines and empty Northbound, so that the next test finds it new."""
        while self.machines:
            self.machines.pop().stop()
        words: list[str] = []
        for table in ROOT_TABLES:
            words += ["--", "--all", "destroy", table]
        self.nbctl(*words[1:])
        # The ports of routers have to be gone before the groups that they are placed on.
        self.nbctl("--all", "destroy", "HA_Chassis_Group")
