# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests for networks, subnets, ports and security groups, with what has to come of them."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from faults.machine import MACS, NAMES, NUMBERS, WISHES, Machine, Wishes
from faults.model import SLAAC, STATEFUL, STATELESS, Network, Port, Subnet, eui64

CIDRS = st.sampled_from(
    [
        "10.0.0.0/29",
        "10.0.0.8/29",
        "10.0.0.0/28",
        "10.1.0.0/29",
        "fd00:0:0:1::/64",
        "fd00:0:0:2::/64",
        "fd00::/62",
        "fd00:0:0:5::/125",
    ]
)
_BOTH = [(mode, mode) for mode in (SLAAC, STATELESS, STATEFUL)]
MODES = st.sampled_from(
    [(None, None), *_BOTH, (SLAAC, None), (None, STATELESS), (STATEFUL, None), (SLAAC, STATEFUL)]
)
GATEWAYS = st.sampled_from([None, None, None, "first", "third", "automatic", "none", "outside"])


class PortMachine(Machine):
    """What needs no router."""

    _births = count()

    # --- networks and subnets -------------------------------------------------------

    @rule(name=NAMES, is_external=st.booleans())
    def create_network(self, name: str, is_external: bool) -> None:
        made = self.create(set(), "network", name=name, **{"router:external": is_external})
        self.model.networks[made["id"]] = Network(name, is_external)

    @rule(network=NUMBERS, name=NAMES, is_external=st.sampled_from([None, None, True, False]))
    def update_network(self, network: int, name: str, is_external: bool | None) -> None:
        # One that would be refused, if any.
        network_id = self.prefer(
            "network",
            network,
            lambda key: bool(self.model.refuses_network_change(key, is_external)),
        )
        values: dict[str, Any] = {"name": name}
        if is_external is not None:
            values["router:external"] = is_external
        reasons = self.model.refuses_network_change(network_id, is_external)
        if self.update(reasons, "network", network_id, **values):
            known = self.model.networks[network_id]
            known.name = name
            known.is_external = known.is_external if is_external is None else is_external

    @rule(network=NUMBERS)
    def delete_network(self, network: int) -> None:
        network_id = self.pick("network", network)
        if self.delete(self.model.refuses_network_end(network_id), "network", network_id):
            self.model.delete_network(network_id)

    @rule(network=NUMBERS, text=CIDRS, modes=MODES, gateway=GATEWAYS)
    def create_subnet(
        self, network: int, text: str, modes: tuple[str | None, str | None], gateway: str | None
    ) -> None:
        network_id, cidr = self.pick("network", network), ip_network(text)
        values: dict[str, Any] = {"network_id": network_id, "cidr": text}
        values["ip_version"] = cidr.version
        names = ("ipv6_address_mode", "ipv6_ra_mode")
        values.update((name, mode) for name, mode in zip(names, modes) if mode is not None)
        if gateway is not None:
            values["gateway_ip"] = self._gateway(text, gateway)
        made = self.create(self.model.refuses_subnet(network_id, cidr, modes), "subnet", **values)
        if made is None:
            return
        if gateway is None:
            values["gateway_ip"] = str(cidr[0 if cidr.version == 6 else 1])
        if modes == (None, None) and cidr.version == 6:
            modes = (STATEFUL, None)
        assert made["gateway_ip"] == values["gateway_ip"]
        subnet = Subnet(network_id, cidr, next(self._births), made["gateway_ip"], *modes)
        self.model.create_subnet(made["id"], subnet)

    @staticmethod
    def _gateway(text: str, which: str) -> str | None:
        cidr = ip_network(text)
        if which == "automatic" and cidr.prefixlen == 64:
            return eui64(cidr, "02:00:00:00:00:01")
        if which == "outside":
            return "fe80::1" if cidr.version == 6 else "192.0.2.1"
        return None if which == "none" else str(cidr[{"first": 1}.get(which, 3)])

    @rule(subnet=NUMBERS, gateway=GATEWAYS)
    def move_gateway(self, subnet: int, gateway: str | None) -> None:
        # One that a router has: there is most to refuse.
        subnet_id = self.prefer(
            "subnet", subnet, lambda key: bool(self.model.refuses_gateway_change(key, None))
        )
        known = self.model.subnets.get(subnet_id)
        if gateway is None or known is None:
            wanted = known.gateway if known is not None else None
        else:
            wanted = self._gateway(str(known.cidr), gateway)
        reasons = self.model.refuses_gateway_change(subnet_id, wanted)
        if self.update(reasons, "subnet", subnet_id, gateway_ip=wanted) and known is not None:
            known.gateway = wanted

    @rule(subnet=NUMBERS)
    def delete_subnet(self, subnet: int) -> None:
        subnet_id = self.pick("subnet", subnet)
        if self.delete(self.model.refuses_subnet_end(subnet_id), "subnet", subnet_id):
            self.model.delete_subnet(subnet_id)

    # --- ports and groups -------------------------------------------------------------

    @rule(
        network=NUMBERS,
        name=NAMES,
        mac=MACS,
        wishes=WISHES,
        groups=st.sets(NUMBERS, max_size=2),
    )
    def create_port(
        self, network: int, name: str, mac: str | None, wishes: Wishes, groups: set[int]
    ) -> None:
        network_id = self.pick("network", network)
        group_ids = {self.pick("security_group", number) for number in groups}
        entries = self.entries(network_id, mac, wishes)
        if network_id not in self.model.networks:
            reasons = {"NetworkNotFound"}
        else:
            reasons = self.model.refuses_addresses(network_id, mac, entries)
            if mac in self.model.macs(network_id):
                reasons.add("MacAddressInUse")
        if entries is not None and _is_twice(entries):
            reasons = {"HTTPBadRequest"}
        if not group_ids <= set(self.model.groups):
            reasons.add("SecurityGroupNotFound")
        values: dict[str, Any] = {"network_id": network_id, "name": name}
        values.update(port_security_enabled=True, security_groups=sorted(group_ids))
        if mac is not None:
            values["mac_address"] = mac
        if entries is not None:
            values["fixed_ips"] = entries
        made = self.create(reasons, "port", **values)
        if made is None:
            return
        assert mac in (None, made["mac_address"])
        assert made["mac_address"] not in self.model.macs(network_id)
        ips = _ips(made)
        self.model.check_addresses(network_id, made["mac_address"], entries, ips, ())
        self.model.ports[made["id"]] = Port(
            network_id=network_id,
            name=name,
            mac=made["mac_address"],
            ips=ips,
            groups=frozenset(group_ids),
        )

    @rule(network=NUMBERS, number=st.integers(2, 4))
    def create_ports_of_which_the_last_one_is_wrong(self, network: int, number: int) -> None:
        """All of a bulk request is refused with its last element."""
        network_id = self.pick("network", network)
        one = {"network_id": network_id, "port_security_enabled": True}
        bad = {**one, "fixed_ips": [{"ip_address": "1.2.3.4"}]}
        reasons = {"InvalidIpForNetwork", "IpAddressGenerationFailure"}
        if network_id not in self.model.networks:
            reasons = {"NetworkNotFound"}
        elif not self.model.subnets_on(network_id):
            reasons = {"InvalidInput"}
        self.send(reasons, "POST", "ports", {"ports": [*([one] * number), bad]})

    @rule(port=NUMBERS, name=NAMES, mac=MACS, wishes=WISHES)
    def update_port(self, port: int, name: str, mac: str | None, wishes: Wishes) -> None:
        port_id = self.prefer("port", port, lambda key: not self.model.is_service(key))
        known = self.model.ports.get(port_id)
        network_id = known.network_id if known is not None else self.pick("network", port)
        values: dict[str, Any] = {"name": name}
        own_mac = mac or (known.mac if known is not None else None)
        entries = self.entries(network_id, own_mac, wishes)
        reasons = self.model.refuses_port_change(port_id, mac, entries)
        if self.model.is_service(port_id):
            # Its name is free.
            mac, entries, reasons = None, None, set()
        if entries is not None and _is_twice(entries):
            reasons = {"HTTPBadRequest", *(reasons & {"PortNotFound"})}
        if mac is not None:
            values["mac_address"] = mac
        if entries is not None:
            values["fixed_ips"] = entries
        changed = self.update(reasons, "port", port_id, **values)
        if changed is None or known is None:
            return
        known.name, ips = name, _ips(changed)
        if entries is None:
            assert list(ips) == self.model.following(known, mac)
        elif entries:
            wanted_mac = mac or known.mac
            self.model.check_addresses(network_id, wanted_mac, entries, ips, known.ips)
        else:
            automatic = self.model.automatic(network_id, mac or known.mac)
            assert set(ips) == set(self.model.following(known, mac)) & automatic
        known.ips, known.mac = ips, mac or known.mac

    @rule(port=NUMBERS, groups=st.sets(NUMBERS, max_size=2))
    def move_port(self, port: int, groups: set[int]) -> None:
        port_id = self.pick("port", port)
        known = self.model.ports.get(port_id)
        group_ids = {self.pick("security_group", number) for number in groups}
        reasons = set() if known is not None else {"PortNotFound"}
        if self.model.is_service(port_id):
            reasons = {"BadRequest"} if group_ids else set()
        elif not group_ids <= set(self.model.groups):
            reasons.add("SecurityGroupNotFound")
        groups_of_it = sorted(group_ids)
        changed = self.update(reasons, "port", port_id, security_groups=groups_of_it)
        if changed is not None and known is not None:
            known.groups = frozenset(group_ids)

    @rule(port=NUMBERS)
    def delete_port(self, port: int) -> None:
        port_id = self.prefer("port", port, lambda key: not self.model.is_service(key))
        if self.delete(self.model.refuses_port_end(port_id), "port", port_id):
            self.model.delete_port(port_id)

    @rule(name=NAMES)
    def create_group(self, name: str) -> None:
        self.model.groups[self.create(set(), "security_group", name=name)["id"]] = name

    @rule(group=NUMBERS)
    def delete_group(self, group: int) -> None:
        group_id = self.pick("security_group", group)
        if self.delete(self.model.refuses_group_end(group_id), "security_group", group_id):
            del self.model.groups[group_id]

    # --- the server ----------------------------------------------------------------------

    @precondition(lambda self: self.model.networks)
    @rule(name=NAMES)
    def crash(self, name: str) -> None:
        """The server dies between two requests; the second one waits for it, no more."""
        self.nb.kill()
        self.nb.start()
        self.update_network(0, name, None)


def _ips(shown: Any) -> tuple[str, ...]:
    return tuple(entry["ip_address"] for entry in shown["fixed_ips"])


def _is_twice(entries: Any) -> bool:
    ips = [entry["ip_address"] for entry in entries if "ip_address" in entry]
    return len(set(ips)) < len(ips)
