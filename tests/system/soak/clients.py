# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that make, change, use and remove things at random, and know what they have.

Each has networks and machines of its own, and ports on one network of all. What a client
picks follows from its seed; when it comes to it, from the machine.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from system.lab import Chassis, Lab, Vm

MOST_NETWORKS, MOST_GUESTS, MOST_SPARES = 3, 3, 30
# On a busy machine everything takes its time, but not for ever.
PATIENCE_S = 60.0
MOST_OPERATIONS_PER_S = 20


@dataclass
class Guest:
    """A running machine, and the state of its vNIC."""

    vm: Vm
    is_plugged: bool = True
    is_enabled: bool = True

    @property
    def network_id(self) -> str:
        return str(self.vm.port["network_id"])

    @property
    def can_talk(self) -> bool:
        return self.is_plugged and self.is_enabled


class Client:
    """One client; `run` works until a time and a number of operations.

    `done` counts what it did, `failure` says why it ended early.
    """

    def __init__(self, lab: Lab, shared_network_id: str, number: int, seed: int) -> None:
        self._lab = lab
        self._rest = lab.rest
        self._shared = shared_network_id
        self._number = number
        self._random = random.Random(f"{seed}-{number}")
        self._subnets = 0
        self.networks: dict[str, dict[str, Any]] = {}
        self.guests: list[Guest] = []
        self.spares: list[str] = []
        self.groups: list[str] = []
        self.router: str | None = None
        self.routed: list[str] = []
        self.done: Counter[str] = Counter()
        self.failure = ""

    def run(self, seconds: float, is_ending: threading.Event) -> None:
        """Do one thing after the other."""
        operations: list[Callable[[], bool]] = [
            self._create_network,
            self._rename_network,
            self._delete_network,
            *[self._start_guest] * 3,
            self._stop_guest,
            self._unplug_guest,
            *[self._plug_guest] * 2,
            self._move_guest,
            self._switch_guest,
            self._readdress_guest,
            self._create_spares,
            self._delete_spares,
            self._route,
            self._end_routing,
            self._create_group,
            self._delete_group,
            *[self._ping] * 4,
        ]
        end = time.monotonic() + seconds
        left = int(seconds * MOST_OPERATIONS_PER_S)
        name = "nothing"
        try:
            while left > 0 and time.monotonic() < end and not is_ending.is_set():
                operation = self._random.choice(operations)
                name = operation.__name__.strip("_")
                if operation():
                    self.done[name] += 1
                    left -= 1
        except Exception as error:
            self.failure = f"client {self._number}, {name}: {type(error).__name__}: {error}"
            is_ending.set()

    def end(self) -> None:
        """Remove all that there is."""
        while self.guests:
            self._stop_guest()
        self._end_routing()
        while self.groups:
            self._delete_group()
        while self.spares:
            self._delete_spares()
        while self.networks:
            self._delete_network()

    # Each of these says whether there was something to do.

    def _create_network(self) -> bool:
        if len(self.networks) >= MOST_NETWORKS:
            return False
        self._subnets += 1
        third = self._subnets % 256
        cidrs = [f"10.{self._number}.{third}.0/24"]
        if self._random.random() < 0.5:
            cidrs.append(f"fd00:{self._number}:{third}::/64")
        network = self._lab.create_network(
            *cidrs,
            name=f"soak-{self._number}-{self._subnets}",
            port_security_enabled=self._random.random() < 0.5,
        )
        self.networks[network["id"]] = network
        return True

    def _rename_network(self) -> bool:
        network_id = self._pick(list(self.networks))
        if network_id is None:
            return False
        self._rest.update("network", network_id, name=f"renamed-{self._random.random()}")
        return True

    def _delete_network(self) -> bool:
        used = {guest.network_id for guest in self.guests} | set(self.routed)
        network_id = self._pick([it for it in self.networks if it not in used])
        if network_id is None:
            return False
        self._rest.delete("network", network_id)
        del self.networks[network_id]
        return True

    def _start_guest(self) -> bool:
        network_id = self._pick(list(self.networks))
        if network_id is None or len(self.guests) >= MOST_GUESTS:
            return False
        chassis = self._any_chassis()
        values: dict[str, Any] = {"device_owner": "oVirt", "binding:host_id": chassis.name}
        port = self._rest.create("port", network_id=network_id, name="guest", **values)
        vm = self._lab.make_vm(port, chassis)
        self.guests.append(Guest(vm))
        vm.configure()
        vm.plug()
        vm.wait_up(PATIENCE_S)
        return True

    def _stop_guest(self) -> bool:
        guest = self._pick(self.guests)
        if guest is None:
            return False
        guest.vm.stop()
        self._rest.delete("port", guest.vm.port["id"])
        self.guests.remove(guest)
        self._lab.machines.remove(guest.vm)
        return True

    def _unplug_guest(self) -> bool:
        guest = self._pick([it for it in self.guests if it.is_plugged])
        if guest is None:
            return False
        guest.vm.unplug()
        guest.is_plugged = False
        guest.vm.wait_down(PATIENCE_S)
        return True

    def _plug_guest(self) -> bool:
        guest = self._pick([it for it in self.guests if not it.is_plugged])
        if guest is None:
            return False
        guest.vm.plug()
        guest.is_plugged = True
        guest.vm.wait_up(PATIENCE_S)
        return True

    def _move_guest(self) -> bool:
        guest = self._pick([it for it in self.guests if it.is_plugged])
        if guest is None:
            return False
        chassis = self._any_chassis()
        guest.vm.unplug()
        guest.vm.wait_down(PATIENCE_S)
        self._rest.update("port", guest.vm.port["id"], **{"binding:host_id": chassis.name})
        if chassis is guest.vm.chassis:
            guest.vm.plug()
        else:
            guest.vm.restart_on(chassis)
        guest.vm.wait_up(PATIENCE_S)
        return True

    def _switch_guest(self) -> bool:
        guest = self._pick(self.guests)
        if guest is None:
            return False
        guest.is_enabled = not guest.is_enabled
        self._rest.update("port", guest.vm.port["id"], admin_state_up=guest.is_enabled)
        self._lab.sync()
        return True

    def _readdress_guest(self) -> bool:
        guest = self._pick(self.guests)
        if guest is None:
            return False
        subnet_id = guest.vm.port["fixed_ips"][0]["subnet_id"]
        self._rest.update("port", guest.vm.port["id"], fixed_ips=[{"subnet_id": subnet_id}])
        guest.vm.forget()
        guest.vm.configure()
        self._lab.sync()
        return True

    def _create_spares(self) -> bool:
        count = self._random.randint(1, 5)
        if len(self.spares) + count > MOST_SPARES:
            return False
        bodies = [{"network_id": self._shared, "name": "spare"}] * count
        answer = self._rest("POST", "ports", {"ports": bodies})
        assert answer.status == 201, answer
        self.spares += [port["id"] for port in answer.json["ports"]]
        return True

    def _delete_spares(self) -> bool:
        if not self.spares:
            return False
        for _ in range(self._random.randint(1, len(self.spares))):
            self._rest.delete("port", self.spares.pop())
        return True

    def _route(self) -> bool:
        if self.router is not None or not self.networks:
            return False
        self.router = self._rest.create("router", name=f"soak-{self._number}")["id"]
        for network_id, network in self.networks.items():
            subnet = {"subnet_id": network["subnets"][0]}
            path = f"routers/{self.router}/add_router_interface"
            answer = self._rest("PUT", path, subnet)
            assert answer.status == 200, answer
            self.routed.append(network_id)
        return True

    def _end_routing(self) -> bool:
        if self.router is None:
            return False
        for network_id in self.routed:
            subnet = {"subnet_id": self.networks[network_id]["subnets"][0]}
            path = f"routers/{self.router}/remove_router_interface"
            answer = self._rest("PUT", path, subnet)
            assert answer.status == 200, answer
        self._rest.delete("router", self.router)
        self.router = None
        self.routed = []
        return True

    def _create_group(self) -> bool:
        if len(self.groups) >= MOST_NETWORKS:
            return False
        group = self._rest.create("security_group", name=f"soak-{self._number}")
        self.groups.append(group["id"])
        for _ in range(self._random.randint(0, 3)):
            self._rest.create(
                "security_group_rule",
                security_group_id=group["id"],
                direction="ingress",
                protocol="tcp",
                port_range_min=self._random.randint(1, 1000),
                port_range_max=self._random.randint(1001, 2000),
            )
        return True

    def _delete_group(self) -> bool:
        group_id = self._pick(self.groups)
        if group_id is None:
            return False
        self._rest.delete("security_group", group_id)
        self.groups.remove(group_id)
        return True

    def _ping(self) -> bool:
        talking = [guest for guest in self.guests if guest.can_talk]
        pairs = [
            (one, other)
            for one in talking
            for other in talking
            if one is not other and one.network_id == other.network_id
        ]
        pair = self._pick(pairs)
        if pair is None:
            return False
        one, other = pair[0].vm, pair[1].vm
        # An address may have been another machine's a moment ago.
        for vm in (one, other):
            vm.namespace.ip("neigh flush dev eth0")
        assert one.can_ping(other.ip, PATIENCE_S), f"{one.ip} does not reach {other.ip}"
        return True

    def _any_chassis(self) -> Chassis:
        return self._random.choice(self._lab.chassis)

    def _pick(self, among: list[Any]) -> Any:
        return self._random.choice(among) if among else None
