# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site with an external network: what the tests of SNAT and floating IPs begin with."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from daemon.ovsdb import wait_until
from daemon.routing import attach, external_network
from system.lab import ChassisSpec, Lab, Machine
from system.lab.frames import Frame

# The outside world's router, where the external network has its gateway, and somebody behind.
OUTSIDE, OUTSIDE6 = "203.0.113.1", "2001:db8:1::1"
WORLD = "198.51.100.1"
GATEWAYS = ("hv1", "hv2")


@contextlib.contextmanager
def gateway_lab() -> Iterator[Lab]:
    """Give a lab in which routers' gateways are on "hv1", then on "hv2", and never on "hv3"."""
    specs = [ChassisSpec(name, ["physnet"], is_gateway=True) for name in GATEWAYS]
    with Lab([*specs, ChassisSpec("hv3", ["physnet"])], gateway_chassis=GATEWAYS) as lab:
        yield lab


class ExternalSite(NamedTuple):
    """An external network, a router to it, and an internal network of that."""

    lab: Lab
    outside: Machine
    external: dict[str, Any]
    router: str
    internal: dict[str, Any]

    def gateway(self) -> dict[str, Any]:
        """Return the port of the router's gateway."""
        query = f"ports?device_id={self.router}&network_id={self.external['id']}"
        [port] = self.lab.api.get(query)["ports"]
        return dict(port)

    def gateway_ip(self, version: int = 4) -> str:
        """Return the router's address outside."""
        ips = [ipaddress.ip_address(fixed["ip_address"]) for fixed in self.gateway()["fixed_ips"]]
        return str(next(ip for ip in ips if ip.version == version))

    def settle(self) -> None:
        """Wait until the gateway is on the first chassis for good.

        OVN begins to look which chassis lives with the first gateway. Until it knows, the
        second one takes it too.
        """
        lab = self.lab
        first, second, *_ = lab.chassis
        wait_until(
            lambda: first.sees(second) and second.sees(first), 60.0, "chassis see each other"
        )
        wanted = lab.sbctl("get", "Chassis", first.name, "_uuid")
        binding = ("get", "Port_Binding", f"cr-lrp{self.gateway()['id']}", "chassis")
        wait_until(lambda: lab.sbctl(*binding) == wanted, 60.0, f"it is on {first.name}")
        lab.sync()

    def set_snat(self, is_on: bool) -> None:
        """Switch SNAT on or off."""
        info = {"network_id": self.external["id"], "enable_snat": is_on}
        self.lab.api.update("router", self.router, external_gateway_info=info)
        self.lab.sync()

    def senders(self, ask: Callable[[], object], wanted: Callable[[Frame], bool]) -> set[str]:
        """Do something, and return the chassis from whose uplinks wanted frames came of it."""
        switch = self.lab.physical_switch
        assert switch is not None
        with contextlib.ExitStack() as stack:
            captures = {
                chassis.name: stack.enter_context(switch.capture("physnet", chassis.namespace))
                for chassis in self.lab.chassis
            }
            assert ask()
            # What came of it may be on its way through the captures yet.
            wait_until(lambda: any(heard.frames(wanted) for heard in captures.values()))
            return {name for name, heard in captures.items() if heard.frames(wanted)}


def on_physnet(vlan: int | None) -> dict[str, Any]:
    """Return the attributes of a network that is a VLAN, or untagged."""
    tag = {} if vlan is None else {"provider:segmentation_id": vlan}
    return {
        "provider:network_type": "flat" if vlan is None else "vlan",
        "provider:physical_network": "physnet",
        **tag,
    }


def external_site(lab: Lab, vlan: int | None = None, **internal: Any) -> ExternalSite:
    """Make one; `internal` are attributes of the internal network."""
    outside = lab.add_outside("physnet", f"{OUTSIDE}/24", f"{OUTSIDE6}/64", vlan=vlan)
    outside.add_address(f"{WORLD}/32", "lo")
    external = external_network(lab.api, "203.0.113.0/24", **on_physnet(vlan))
    lab.api.create(
        "subnet",
        network_id=external["id"],
        cidr="2001:db8:1::/64",
        ip_version=6,
        gateway_ip=OUTSIDE6,
    )
    info = {"network_id": external["id"]}
    router = lab.api.create("router", external_gateway_info=info)["id"]
    network = lab.create_network("10.1.0.0/24", "fd00:1::/64", **internal)
    for subnet_id in network["subnets"]:
        attach(lab.api, router, subnet_id=subnet_id)
    return ExternalSite(lab, outside, external, router, network)
