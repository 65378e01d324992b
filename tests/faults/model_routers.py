# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of requests for routers and floating IPs, by the model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from faults.model import Entries, FloatingIp, Port, Reasons, overlaps
from faults.model_ports import PortModel


class RouterModel(PortModel):
    """What stands between networks."""

    # --- routers -----------------------------------------------------------------------

    def refuses_router_end(self, router_id: str) -> Reasons:
        """A router with interfaces stays; its gateway goes with it."""
        if router_id not in self.routers:
            return {"RouterNotFound"}
        return {"RouterInUse"} if self.interfaces(router_id) else set()

    def refuses_gateway(
        self, router_id: str | None, network_id: str | None, entries: Entries
    ) -> Reasons:
        """Say what is wrong with a router's external gateway, None for none.

        `router_id` is None for a router that is being made.
        """
        if router_id is not None and router_id not in self.routers:
            return {"RouterNotFound"}
        old = self.gateway(router_id) if router_id is not None else None
        reasons = set()
        if old is not None and old.network_id != network_id and self.served_by(router_id or ""):
            reasons.add("RouterExternalGatewayInUseByFloatingIp")
        if network_id is None:
            return reasons
        if network_id not in self.networks:
            return reasons | {"NetworkNotFound"}
        subnets = self.subnets_on(network_id)
        if {one.gateway for one in subnets.values()} & {e.get("ip_address") for e in entries or ()}:
            reasons.add("BadRequest")
        if old is not None and old.network_id == network_id:
            if entries:
                reasons |= self.refuses_addresses(network_id, old.mac, entries, old.ips)
                if self.served_by(router_id or "") and not self._names_ipv4(entries):
                    reasons.add("RouterExternalGatewayInUseByFloatingIp")
            return reasons
        if not self.networks[network_id].is_external or (not entries and not subnets):
            reasons.add("BadRequest")
        sides = self.interfaces(router_id) if router_id is not None else {}
        for port in sides.values():
            for subnet_id, subnet in self.subnets_with(port).items():
                if subnet_id in subnets or overlaps(subnet.cidr, subnets.values()):
                    reasons.add("BadRequest")
        return reasons | self.refuses_addresses(network_id, None, entries or None)

    def _names_ipv4(self, entries: Sequence[Mapping[str, str]]) -> bool:
        ids = [entry.get("subnet_id", "") for entry in entries if "ip_address" not in entry]
        subnets = [self.subnets[key] for key in ids if key in self.subnets]
        ips = [entry["ip_address"] for entry in entries if "ip_address" in entry]
        return any(":" not in ip for ip in ips) or any(one.version == 4 for one in subnets)

    def refuses_interfaces(self, router_id: str, subnet_ids: Iterable[str]) -> Reasons:
        """No two subnets of a router overlap, those of its gateway's network included."""
        gateway = self.gateway(router_id)
        others = dict(self.subnets_on(gateway.network_id)) if gateway is not None else {}
        for port in self.interfaces(router_id).values():
            others.update(self.subnets_with(port))
        is_wrong = any(overlaps(self.subnets[key].cidr, others.values()) for key in subnet_ids)
        return {"BadRequest"} if is_wrong else set()

    def refuses_interface(self, router_id: str, subnet_id: str) -> Reasons:
        """A router's address is the subnet's gateway."""
        missing = self._missing(router_id, subnet_id)
        if missing:
            return missing
        subnet = self.subnets[subnet_id]
        if subnet.gateway is None:
            return {"BadRequest"}
        reasons = self.refuses_interfaces(router_id, [subnet_id])
        if not subnet.has_host(subnet.gateway):
            reasons.add("InvalidIpForSubnet")
        if subnet.gateway in self.used(subnet.network_id):
            reasons.add("IpAddressAlreadyAllocated")
        return reasons

    def _missing(self, router_id: str, subnet_id: str) -> Reasons:
        found = {"RouterNotFound": router_id in self.routers}
        found["SubnetNotFound"] = subnet_id in self.subnets
        return {reason for reason, is_there in found.items() if not is_there}

    def joined(self, router_id: str, subnet_id: str) -> set[str]:
        """Return the ports of a router that another subnet joins: IPv6 has one on a network."""
        subnet = self.subnets[subnet_id]
        return {
            port_id
            for port_id, port in self.interfaces(router_id).items()
            if port.network_id == subnet.network_id and subnet.version == 6
            if any(":" in ip for ip in port.ips)
        }

    def refuses_interface_port(self, router_id: str, port_id: str) -> Reasons:
        """A port that nobody uses becomes an interface, with one IPv4 address at most."""
        reasons = set() if router_id in self.routers else {"RouterNotFound"}
        if self.is_holder(port_id):
            return reasons | {"PortInUse"}
        port = self.ports.get(port_id)
        if port is None:
            return reasons | {"PortNotFound"}
        if port.router_id or self.of_port(port_id):
            return reasons | {"PortInUse"}
        if not port.ips or len(port.v4) > 1:
            reasons.add("BadRequest")
        return reasons | self.refuses_interfaces(router_id, self.subnets_with(port))

    def refuses_removal(self, router_id: str, subnet_id: str) -> Reasons:
        """Only what is attached can be taken away, and that floating IPs do not need."""
        missing = self._missing(router_id, subnet_id)
        if missing:
            return missing
        ports = self.interfaces(router_id).values()
        if not any(subnet_id in self.subnets_with(port) for port in ports):
            return {"RouterInterfaceNotFoundForSubnet"}
        return self._needed(router_id, [subnet_id])

    def refuses_port_removal(self, router_id: str, port_id: str, subnet_id: str | None) -> Reasons:
        """The same by port; a subnet besides must be one of the port's."""
        if router_id not in self.routers:
            return {"RouterNotFound"}
        port = self.interfaces(router_id).get(port_id)
        if port is None:
            return {"RouterInterfaceNotFound"}
        subnets = self.subnets_with(port)
        if subnet_id is not None and subnet_id not in subnets:
            return {"SubnetMismatchForPort"}
        return self._needed(router_id, subnets)

    def _needed(self, router_id: str, subnet_ids: Iterable[str]) -> Reasons:
        fixed = [one.fixed_ip for one in self.served_by(router_id) if one.fixed_ip is not None]
        is_needed = any(self.subnets[key].holds(ip) for key in subnet_ids for ip in fixed)
        return {"RouterInterfaceInUseByFloatingIP"} if is_needed else set()

    def refuses_readdress(self, port_id: str, entries: Sequence[Mapping[str, str]]) -> Reasons:
        """An interface has addresses, one of IPv4 at most, and stays where it is needed.

        All entries name the address.
        """
        port = self.ports[port_id]
        new = replace(port, ips=tuple(entry["ip_address"] for entry in entries))
        taken = self.used(port.network_id) - set(port.ips)
        reasons = set() if new.ips and len(new.v4) < 2 else {"BadRequest"}
        for entry in entries:
            reasons |= self.refuses_entry(port.network_id, None, entry, taken)
        # A router makes no address from its MAC.
        reasons.discard("AllocationOnAutoAddressSubnet")
        before, after = set(self.subnets_with(port)), set(self.subnets_with(new))
        reasons |= self._needed(port.router_id, before - after)
        return reasons | self.refuses_interfaces(port.router_id, after - before)

    def remove(self, router_id: str, subnet_id: str) -> None:
        """A router's port on several subnets stays with the others."""
        subnet = self.subnets[subnet_id]
        for port_id, port in self.interfaces(router_id).items():
            if subnet_id in self.subnets_with(port):
                port.ips = tuple(ip for ip in port.ips if not subnet.holds(ip))
                if not port.ips:
                    del self.ports[port_id]

    # --- floating IPs --------------------------------------------------------------------

    def refuses_floating_ip(self, network_id: str, entry: Mapping[str, str]) -> Reasons:
        """Say what is wrong with a new floating IP; `entry` is as in `fixed_ips`, or empty."""
        network, subnets = self.networks.get(network_id), self.subnets_on(network_id)
        v4 = [subnet for subnet in subnets.values() if subnet.version == 4]
        if network is None or not network.is_external or not v4:
            return {"BadRequest"}
        taken = self.used(network_id)
        if entry:
            reasons = self.refuses_entry(network_id, None, entry, taken)
            if reasons or "ip_address" in entry:
                return reasons
            v4 = [subnet for subnet in v4 if subnet is self.subnets[entry["subnet_id"]]]
        has_room = any(subnet.room(taken) > 0 for subnet in v4)
        return set() if has_room else {"ExternalIpAddressExhausted"}

    def refuses_association(
        self, network_id: str, port_id: str, fixed_ip: str | None, own: FloatingIp | None
    ) -> Reasons:
        """A floating IP is for an IPv4 address of a VM behind a router to its network.

        `own` is the one that changes, None for a new one. An address has one at most.
        """
        port = self.ports.get(port_id)
        if port is None:
            return {"BadRequest"} if self.is_holder(port_id) else {"PortNotFound"}
        if port.router_id:
            return {"BadRequest"}
        if fixed_ip is None and len(port.v4) == 1:
            fixed_ip = port.v4[0]
        if fixed_ip not in port.v4:
            return {"BadRequest"}
        if not self.routers_to(network_id, port, fixed_ip):
            return {"ExternalGatewayForFloatingIPNotFound"}
        others = [one for one in self.of_port(port_id) if one.fixed_ip == fixed_ip]
        others = [one for one in others if one.network_id == network_id and one is not own]
        return {"FloatingIPPortAlreadyAssociated"} if others else set()

    def routers_to(self, network_id: str, port: Port, fixed_ip: str) -> set[str]:
        """Return the routers between an address and an external network.

        Only those that are the gateway of its subnet, if there are any.
        """
        on = self.subnets_on(port.network_id).items()
        [(subnet_id, subnet)] = [(key, one) for key, one in on if one.holds(fixed_ip)]
        found = {}
        for router_id in self.routers:
            gateway = self.gateway(router_id)
            if gateway is None or gateway.network_id != network_id or not gateway.v4:
                continue
            for side in self.interfaces(router_id).values():
                if subnet_id in self.subnets_with(side):
                    found[router_id] = subnet.gateway in side.ips
        return {key for key, is_gateway in found.items() if is_gateway} or set(found)
