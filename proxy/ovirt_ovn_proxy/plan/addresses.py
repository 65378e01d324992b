# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Address management: which MAC and which addresses a port gets.

Pure. What is taken is what the view shows plus what the draft takes; that the
view was current is for the network's counter to guard (`steps.Advance`), which
every user of this module has to advance.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import BadRequest, Conflict, NotFound
from ..nb.addresses import ip_number
from ..nb.rows import Switch
from ..wire.subnet import Subnet, eui64, host_limits, read_subnet
from .common import put
from .draft import Draft


def take_mac(draft: Draft, switch: Switch, mac: str) -> str:
    """Take a given MAC; raises Conflict if a port of the network has it."""
    if _is_mac_taken(draft, switch, mac):
        raise Conflict(
            "MacAddressInUse",
            f"Unable to complete operation for network {switch.uuid}. "
            f"The mac address {mac} is in use.",
        )
    draft.taken_macs.add((switch.uuid, mac))
    return mac


def make_mac(draft: Draft, switch: Switch, label: str) -> str:
    """Take a free MAC from the locally administered ones (IEEE 802, U/L bit set).

    It follows from the request's seed, so that each attempt makes the same one.
    """
    for attempt in range(100):
        octets = draft.context.row_uuid(f"{label}/mac/{attempt}").replace("-", "")[:10]
        mac = ":".join(["02", *(octets[i : i + 2] for i in range(0, 10, 2))])
        if not _is_mac_taken(draft, switch, mac):
            return take_mac(draft, switch, mac)
    raise Conflict(
        "MacAddressGenerationFailure",
        f"Unable to generate unique mac on network {switch.uuid}.",
    )


def reserve(draft: Draft, switch: Switch, ips: Iterable[str]) -> None:
    """Keep OVN's own address management off addresses that no switch port shows to it.

    It is in use on networks that ovirt-provider-ovn made, or may find after a site
    went back to it; then it has to find a gateway's address here to give it up.
    """
    _exclude(draft, switch, lambda excluded: [*excluded, *filter(_is_ipv4, ips)])


def release(draft: Draft, switch: Switch, ips: Iterable[str]) -> None:
    """Give addresses back that were reserved."""
    given_up = set(ips)
    _exclude(draft, switch, lambda excluded: [ip for ip in excluded if ip not in given_up])


def _exclude(draft: Draft, switch: Switch, change: Callable[[list[str]], list[str]]) -> None:
    row = draft.current(switch)
    config = dict(row.other_config)
    put(config, "exclude_ips", " ".join(change(config.get("exclude_ips", "").split())), "")
    draft.update(row.copy(other_config=config))


def _is_ipv4(ip: str) -> bool:
    return ":" not in ip


class Allocator:
    """Takes addresses for one port.

    `own` are the addresses that the port has already: they count as free for it. The
    addresses of an interface (`is_interface`) are never made from its MAC.
    """

    def __init__(
        self,
        draft: Draft,
        switch: Switch,
        mac: str,
        own: Iterable[str] = (),
        is_interface: bool = False,
    ) -> None:
        self._draft = draft
        self._switch = switch
        self._mac = mac
        self._is_interface = is_interface
        rows = draft.subnets_of(switch.uuid)
        self._subnets = [subnet for subnet in map(read_subnet, rows) if subnet is not None]
        self._own = list(own)
        self._own_numbers = {number for number in map(ip_number, own) if number is not None}

    def default(self) -> list[str]:
        """Take one IPv4 and one IPv6 address, and one of each subnet with auto addresses."""
        taken = []
        for version in (4, 6):
            subnets = [s for s in self._subnets if s.version == version and not s.is_auto]
            if subnets:
                taken.append(self._take_any(subnets))
        return [*taken, *self.automatic()]

    def automatic(self) -> list[str]:
        """Take the addresses that the port makes from its MAC."""
        return [self._take_auto(subnet) for subnet in self._subnets if self._makes(subnet)]

    def _makes(self, subnet: Subnet) -> bool:
        return subnet.is_auto and not self._is_interface

    def wanted(self, entries: Sequence[Mapping[str, str]]) -> list[str]:
        """Take what `fixed_ips` entries name: {subnet_id?, ip_address?} each."""
        if entries and not self._subnets:
            raise BadRequest(
                "InvalidInput",
                "Invalid input for operation: IP allocation requires subnets for network "
                f"{self._switch.uuid}.",
            )
        exact = [entry for entry in entries if "ip_address" in entry]
        taken = [self._take_given(entry) for entry in exact]
        for entry in entries:
            if "ip_address" in entry:
                continue
            if "subnet_id" not in entry:
                raise BadRequest(
                    "InvalidInput",
                    "Invalid input for operation: IP allocation requires subnet_id or ip_address; "
                    f"fixed_ips has {entry!r}.",
                )
            subnet = self._subnet(entry["subnet_id"])
            if self._makes(subnet):
                taken += {self._take_auto(subnet)} - set(taken)
            else:
                taken.append(self._keep(subnet, taken) or self._take_any([subnet]))
        automatic = [ip for ip in self.automatic() if ip not in taken]
        return [*taken, *automatic] if taken else taken

    def floating(self, subnet_id: str | None, ip: str | None) -> str:
        """Take an IPv4 address for a floating IP: the given one, or any (of one subnet)."""
        subnets = [subnet for subnet in self._subnets if subnet.version == 4]
        if not subnets:
            raise BadRequest(
                "BadRequest",
                f"Bad floatingip request: Network {self._switch.uuid} does not contain any "
                "IPv4 subnet.",
            )
        entry = {"subnet_id": subnet_id} if subnet_id is not None else {}
        if ip is not None:
            return self._take_given({**entry, "ip_address": ip})
        if subnet_id is not None:
            subnets = [subnet for subnet in [self._subnet(subnet_id)] if subnet.version == 4]
        try:
            if subnets:
                return self._take_any(subnets)
        except Conflict:
            pass
        raise BadRequest(
            "ExternalIpAddressExhausted",
            f"Unable to find any IP address on external network {self._switch.uuid}.",
        )

    def following(self, old_mac: str | None) -> list[str]:
        """Return the port's own addresses; those made from its old MAC change with it."""
        if old_mac is None or old_mac == self._mac:
            return list(self._own)
        made = {
            eui64(subnet.network, old_mac): subnet for subnet in self._subnets if subnet.is_auto
        }
        return [self._take_auto(made[ip]) if ip in made else ip for ip in self._own]

    def is_automatic(self, ip: str) -> bool:
        """Say whether the port makes this address from its MAC."""
        return any(
            subnet.is_auto and eui64(subnet.network, self._mac) == ip for subnet in self._subnets
        )

    def _take_given(self, entry: Mapping[str, str]) -> str:
        ip = entry["ip_address"]
        number = ip_number(ip)
        subnet = self._subnet(entry["subnet_id"]) if "subnet_id" in entry else self._holding(ip)
        if number is None or number[0] != subnet.version or not _is_host(subnet, number[1]):
            raise BadRequest(
                "InvalidIpForSubnet",
                f"IP address {ip} is not a valid IP for the specified subnet {subnet.id}.",
            )
        if self._makes(subnet) and ip != eui64(subnet.network, self._mac):
            raise BadRequest(
                "AllocationOnAutoAddressSubnet",
                f"IPv6 address {ip} can not be directly assigned to a port on subnet {subnet.id} "
                "as the subnet is configured for automatic addresses.",
            )
        self._take(ip, number)
        return ip

    def _take_auto(self, subnet: Subnet) -> str:
        ip = eui64(subnet.network, self._mac)
        number = ip_number(ip)
        if number is not None and number[1] not in self._taken(6):
            self._take(ip, number)
        return ip

    def _take(self, ip: str, number: tuple[int, int]) -> None:
        version, value = number
        taken = self._taken(version)
        in_use = value in self._used(version) and number not in self._own_numbers
        if in_use or value in taken:
            raise Conflict(
                "IpAddressAlreadyAllocated",
                f"IP address {ip} already allocated in network {self._switch.uuid}.",
            )
        taken.add(value)

    def _take_any(self, subnets: Sequence[Subnet]) -> str:
        """Take the lowest free address of the pools, subnet by subnet."""
        version = subnets[0].version
        taken = self._taken(version)
        excluded = self._excluded(version)
        unavailable = taken | excluded if excluded else taken
        for subnet in subnets:
            for first, last in subnet.spans:
                # A bulk request must not look through its own addresses for each new one.
                pool = (subnet.id, first)
                search_from = self._draft.search_from.get(pool, first)
                value = self._used(version).first_free(search_from, last, unavailable)
                self._draft.search_from[pool] = (last if value is None else value) + 1
                if value is not None:
                    taken.add(value)
                    return str(type(subnet.network.network_address)(value))
        names = ", ".join(subnet.id for subnet in subnets)
        raise Conflict(
            "IpAddressGenerationFailure",
            f"No more IP addresses available on network {self._switch.uuid}, subnet {names}.",
        )

    def _keep(self, subnet: Subnet, taken: Sequence[str]) -> str | None:
        """Return an address that the port has in the subnet already, if any is left."""
        for ip in self._own:
            number = ip_number(ip)
            if number is None or ip in taken or number[0] != subnet.version:
                continue
            if ipaddress.ip_address(ip) in subnet.network:
                self._take(ip, number)
                return ip
        return None

    def _subnet(self, subnet_id: str) -> Subnet:
        for subnet in self._subnets:
            if subnet.id == subnet_id:
                return subnet
        if self._draft.view.subnet(subnet_id) is None:
            raise NotFound("SubnetNotFound", f"Subnet {subnet_id} could not be found.")
        raise BadRequest(
            "InvalidInput",
            f"Invalid input for operation: Failed to create port on network {self._switch.uuid}, "
            f"because fixed_ips included invalid subnet {subnet_id}.",
        )

    def _holding(self, ip: str) -> Subnet:
        for subnet in self._subnets:
            if ipaddress.ip_address(ip) in subnet.network:
                return subnet
        raise BadRequest(
            "InvalidIpForNetwork",
            f"IP address {ip} is not a valid IP for any of the subnets on the specified network.",
        )

    def _used(self, version: int) -> Any:
        return self._draft.view.usage(self._switch).of(version)

    def _taken(self, version: int) -> set[int]:
        """Return what this draft takes, and what is taken where `_used` does not look."""
        key = (self._switch.uuid, version)
        known = self._draft.taken_addresses.get(key)
        if known is None:
            known = _translated_by_hand(self._draft, self._switch, version)
            self._draft.taken_addresses[key] = known
        return known

    def _excluded(self, version: int) -> set[int]:
        """Return what an existing switch keeps from OVN's own address management."""
        if version == 6:
            return set()
        known = self._draft.excluded.get(self._switch.uuid)
        if known is None:
            known = self._draft.excluded[self._switch.uuid] = _excluded_by(self._switch)
        return known


def _excluded_by(switch: Switch) -> set[int]:
    excluded: set[int] = set()
    for item in switch.other_config.get("exclude_ips", "").split():
        start, _, end = item.partition("..")
        first, last = ip_number(start), ip_number(end or start)
        # More than a subnet's worth is no list of exceptions but a mistake.
        if first and last and first[0] == 4 and 0 <= last[1] - first[1] < 65536:
            excluded.update(range(first[1], last[1] + 1))
    return excluded


def _translated_by_hand(draft: Draft, switch: Switch, version: int) -> set[int]:
    """Return the external addresses of NAT rules of other hands that are no port's."""
    rules = draft.view.foreign_nat(switch)
    numbers = filter(None, (ip_number(rule.external_ip) for rule in rules))
    found = {value for of_version, value in numbers if of_version == version}
    return {value for value in found if value not in draft.view.usage(switch).of(version)}


def _is_mac_taken(draft: Draft, switch: Switch, mac: str) -> bool:
    return mac in draft.view.usage(switch).macs or (switch.uuid, mac) in draft.taken_macs


def _is_host(subnet: Subnet, value: int) -> bool:
    first, last = int(subnet.network.network_address), int(subnet.network.broadcast_address)
    if subnet.version == 4:
        first, last = host_limits(subnet.network)
    return first <= value <= last
