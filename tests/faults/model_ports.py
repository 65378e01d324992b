# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of requests for networks, subnets, ports and groups, by the model. Pure.

The questions (`refuses_...`) give all reasons for which a request has to be refused, as
types of errors: one of them is the answer, and with none the request is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from faults.model import (
    SLAAC,
    STATELESS,
    Entries,
    IpNetwork,
    Model,
    Port,
    Reasons,
    Subnet,
    eui64,
    overlaps,
)


class PortModel(Model):
    """What needs no router."""

    # --- networks and subnets ------------------------------------------------------

    def refuses_network_change(self, network_id: str, is_external: bool | None) -> Reasons:
        """An external network that is in use as such stays external."""
        if network_id not in self.networks:
            return {"NetworkNotFound"}
        gateways = [port for port in self.ports_on(network_id).values() if port.is_gateway]
        is_used = bool(gateways or self.floating_on(network_id))
        return {"ExternalNetworkInUse"} if is_external is False and is_used else set()

    def refuses_network_end(self, network_id: str) -> Reasons:
        """A network with ports stays."""
        if network_id not in self.networks:
            return {"NetworkNotFound"}
        is_used = bool(self.ports_on(network_id) or self.floating_on(network_id))
        return {"NetworkInUse"} if is_used else set()

    def refuses_subnet(
        self, network_id: str, cidr: IpNetwork, modes: tuple[str | None, str | None]
    ) -> Reasons:
        """Subnets of a network do not overlap; modes are IPv6's, equal, and some need a /64."""
        if network_id not in self.networks:
            return {"NetworkNotFound"}
        given = {mode for mode in modes if mode is not None}
        is_wrong = (
            len(given) > 1
            or (given and cidr.version == 4)
            or (given & {SLAAC, STATELESS} and cidr.prefixlen != 64)
            or overlaps(cidr, self.subnets_on(network_id).values())
        )
        return {"InvalidInput"} if is_wrong else set()

    def refuses_gateway_change(self, subnet_id: str, gateway: str | None) -> Reasons:
        """A gateway is not given out to ports, and stays while it is a router's."""
        subnet = self.subnets.get(subnet_id)
        if subnet is None:
            return {"SubnetNotFound"}
        if gateway == subnet.gateway:
            return set()
        reasons = set()
        if gateway is not None and subnet.gives(gateway):
            reasons.add("GatewayConflictWithAllocationPools")
        if gateway is not None and subnet.holds(gateway) and not subnet.has_host(gateway):
            reasons.add("InvalidInput")
        ports = self.ports_on(subnet.network_id).values()
        if any(port.router_id and subnet.gateway in port.ips for port in ports):
            reasons.add("GatewayIpInUse")
        return reasons

    def refuses_subnet_end(self, subnet_id: str) -> Reasons:
        """A subnet stays while its addresses are in use, but those that VMs made themselves."""
        subnet = self.subnets.get(subnet_id)
        if subnet is None:
            return {"SubnetNotFound"}
        used = {one.ip for one in self.floating_on(subnet.network_id)}
        for port in self.ports_on(subnet.network_id).values():
            made = {eui64(subnet.cidr, port.mac)} if subnet.is_auto else set[str]()
            used |= set(port.ips) - (made if not port.router_id else set())
        return {"SubnetInUse"} if any(map(subnet.holds, used)) else set()

    def create_subnet(self, subnet_id: str, subnet: Subnet) -> None:
        """With a subnet of automatic addresses every VM's port has one more."""
        self.subnets[subnet_id] = subnet
        if subnet.is_auto:
            for port in self.ports_on(subnet.network_id).values():
                if not port.router_id:
                    port.ips = (*port.ips, eui64(subnet.cidr, port.mac))

    def delete_subnet(self, subnet_id: str) -> None:
        """The addresses that VMs made themselves in a subnet go with it."""
        subnet = self.subnets.pop(subnet_id)
        for port in self.ports_on(subnet.network_id).values():
            port.ips = tuple(ip for ip in port.ips if not subnet.holds(ip))

    def delete_network(self, network_id: str) -> None:
        """A network's subnets go with it."""
        for subnet_id in self.subnets_on(network_id):
            del self.subnets[subnet_id]
        del self.networks[network_id]

    # --- addresses -------------------------------------------------------------------

    def refuses_addresses(
        self, network_id: str, mac: str | None, entries: Entries, own: Sequence[str] = ()
    ) -> Reasons:
        """Say what is wrong with the `fixed_ips` of a port, None for those of any port.

        `mac` is None for one that nobody has; `own` are the addresses that the port has.
        """
        subnets, taken = self.subnets_on(network_id), self.used(network_id) - set(own)
        if entries and not subnets:
            return {"InvalidInput"}
        reasons = set()
        for entry in entries or ():
            reasons |= self.refuses_entry(network_id, mac, entry, taken)
        if entries is None:
            for version in (4, 6):
                given = [one for one in subnets.values() if one.version == version]
                given = [one for one in given if not one.is_auto]
                if given and not any(one.room(taken) > 0 for one in given):
                    reasons.add("IpAddressGenerationFailure")
        exact = {entry["ip_address"] for entry in entries or () if "ip_address" in entry}
        if len(exact) < sum("ip_address" in entry for entry in entries or ()):
            reasons.add("HTTPBadRequest")
        for subnet_id, number in self._anywhere(entries).items():
            if subnet_id in subnets:
                kept = self.kept(subnet_id, number, exact, own)
                room = subnets[subnet_id].room(taken | exact | set(kept))
                if number > len(kept) + room:
                    reasons.add("IpAddressGenerationFailure")
        if mac is not None and entries != [] and self.automatic(network_id, mac) & taken:
            reasons.add("IpAddressAlreadyAllocated")
        return reasons

    def refuses_entry(
        self, network_id: str, mac: str | None, entry: Mapping[str, str], taken: set[str]
    ) -> Reasons:
        """Say what is wrong with an element of `fixed_ips`, whatever room there is."""
        ip = entry.get("ip_address")
        if "subnet_id" in entry:
            subnet = self.subnets.get(entry["subnet_id"])
            if subnet is None:
                return {"SubnetNotFound"}
            if subnet.network_id != network_id:
                return {"InvalidInput"}
        else:
            assert ip is not None
            on = self.subnets_on(network_id).values()
            subnet = next((one for one in on if one.holds(ip)), None)
            if subnet is None:
                return {"InvalidIpForNetwork"}
        if ip is None:
            return set()
        if not subnet.has_host(ip):
            return {"InvalidIpForSubnet"}
        reasons = {"IpAddressAlreadyAllocated"} if ip in taken else set()
        if subnet.is_auto and (mac is None or ip != eui64(subnet.cidr, mac)):
            reasons.add("AllocationOnAutoAddressSubnet")
        return reasons

    def _anywhere(self, entries: Entries) -> Counter[str]:
        """Return how many addresses are wanted in which subnet, wherever in it."""
        names = [one["subnet_id"] for one in entries or () if "ip_address" not in one]
        return Counter(n for n in names if n in self.subnets and not self.subnets[n].is_auto)

    def kept(
        self, subnet_id: str, number: int, exact: Iterable[str], own: Sequence[str]
    ) -> list[str]:
        """Return the addresses that a port keeps where it wants so many in a subnet."""
        subnet, named = self.subnets[subnet_id], set(exact)
        return [ip for ip in own if subnet.holds(ip) and ip not in named][:number]

    def check_addresses(
        self, network_id: str, mac: str, entries: Entries, ips: Sequence[str], own: Sequence[str]
    ) -> None:
        """Assert that addresses, which a port got or has kept, are what was wanted."""
        automatic = self.automatic(network_id, mac)
        taken = self.used(network_id) - set(own)
        exact = {entry["ip_address"] for entry in entries or () if "ip_address" in entry}
        wanted = self._anywhere(entries)
        kept = {ip for key, number in wanted.items() for ip in self.kept(key, number, exact, own)}
        assert len(set(ips)) == len(ips), ips
        assert not set(ips) & taken, (ips, taken)
        if not entries and entries is not None:
            assert set(ips) == set(own) & automatic, (ips, own)
            return
        assert exact | automatic | kept <= set(ips), (ips, exact, automatic, kept)
        chosen = set(ips) - exact - automatic
        subnets = self.subnets_on(network_id)
        found = Counter(key for ip in chosen for key, one in subnets.items() if one.holds(ip))
        assert all(
            one.gives(ip) for ip in chosen - kept for one in subnets.values() if one.holds(ip)
        )
        if entries is None:
            versions = {one.version for one in subnets.values() if not one.is_auto}
            assert Counter(subnets[key].version for key in found) == Counter(versions), (ips, found)
        else:
            assert found == wanted, (ips, found, wanted)

    # --- ports and groups --------------------------------------------------------------

    def refuses_port_change(self, port_id: str, mac: str | None, entries: Entries) -> Reasons:
        """An address that has a floating IP stays; None for what is not to change."""
        port = self.ports.get(port_id)
        if port is None or port.router_id:
            return {"BadRequest"} if self.is_service(port_id) else {"PortNotFound"}
        reasons = set()
        if mac is not None and mac != port.mac and mac in self.macs(port.network_id):
            reasons.add("MacAddressInUse")
        following = self.following(port, mac)
        if entries:
            wanted_mac = mac or port.mac
            reasons |= self.refuses_addresses(port.network_id, wanted_mac, entries, port.ips)
            exact = {entry["ip_address"] for entry in entries if "ip_address" in entry}
            kept = exact | self.automatic(port.network_id, wanted_mac)
            for subnet_id, number in self._anywhere(entries).items():
                kept |= set(self.kept(subnet_id, number, exact, port.ips))
        else:
            if set(following) & (self.used(port.network_id) - set(port.ips)):
                reasons.add("IpAddressAlreadyAllocated")
            kept = set(following)
            if entries is not None:
                kept &= self.automatic(port.network_id, mac or port.mac)
        if any(one.fixed_ip not in kept for one in self.of_port(port_id)):
            reasons.add("BadRequest")
        return reasons

    def following(self, port: Port, mac: str | None) -> list[str]:
        """Return a port's addresses with another MAC."""
        on = self.subnets_on(port.network_id).values()
        moved = {
            eui64(one.cidr, port.mac): eui64(one.cidr, mac or port.mac) for one in on if one.is_auto
        }
        return [moved.get(ip, ip) for ip in port.ips]

    def is_holder(self, port_id: str) -> bool:
        """Say whether a port does nothing but hold the address of a floating IP."""
        return any(one.holder == port_id for one in self.floating_ips.values())

    def is_service(self, port_id: str) -> bool:
        """Say whether a port belongs to a router or a floating IP."""
        port = self.ports.get(port_id)
        return self.is_holder(port_id) or (port is not None and bool(port.router_id))

    def refuses_port_end(self, port_id: str) -> Reasons:
        """What belongs to a router or a floating IP goes with that alone."""
        if self.is_service(port_id):
            return {"ServicePortInUse"}
        return set() if port_id in self.ports else {"PortNotFound"}

    def delete_port(self, port_id: str) -> None:
        """The floating IPs of a port are free again."""
        for one in self.of_port(port_id):
            one.port_id = one.fixed_ip = one.router_id = None
        del self.ports[port_id]

    def refuses_group_end(self, group_id: str) -> Reasons:
        """A group with ports stays."""
        if group_id not in self.groups:
            return {"SecurityGroupNotFound"}
        is_used = any(group_id in port.groups for port in self.ports.values())
        return {"SecurityGroupInUse"} if is_used else set()
