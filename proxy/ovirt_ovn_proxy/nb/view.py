# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The read-only face of the replica that planners and encoders receive.

Pure: looks up, never changes, never blocks. Valid only while the caller holds
the replica's lock. Shows our rows only; rows of other managers are invisible.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from . import keys, schema
from .addresses import Addressing, addressing
from .replica import Replica
from .rows import (
    Acl,
    DhcpOptions,
    HaChassisGroup,
    Nat,
    NbGlobal,
    PortGroup,
    Router,
    RouterPort,
    Row,
    Switch,
    SwitchPort,
)
from .usage import Usage


def is_ours(row: Switch | PortGroup | Acl) -> bool:
    """Say whether a row carries any key of ours."""
    return keys.has_own(row.external_ids)


def is_port(row: SwitchPort) -> bool:
    """Say whether a switch port is a REST port: ours, and not a physical network's."""
    return row.type != "localnet" and keys.NIC_NAME in row.external_ids


def is_security_group(row: PortGroup) -> bool:
    """Say whether a port group is a REST security group."""
    return is_ours(row) and row.name != keys.DROP_GROUP


def is_bare_router(row: Router) -> bool:
    """Say whether a router is as ovirt-provider-ovn leaves one without gateway and interfaces.

    It writes no key of its own, but always `enabled`, which `ovn-nbctl lr-add` and
    other managers leave empty; those that set it (OpenStack) write keys of theirs.
    """
    has_nothing = not (row.external_ids or row.options or row.ports or row.nat)
    return has_nothing and row.enabled is not None


class View:
    """Look-ups by the identifiers that REST objects have."""

    def __init__(self, replica: Replica) -> None:
        self._tables = replica.tables
        self._indexes = replica.indexes

    def row(self, table: str, uuid: str) -> Row | None:
        """Return any monitored row."""
        return self._tables[table].get(uuid)

    def children(self, row: Row, column: str) -> list[Row]:
        """Return the rows that a row keeps alive by a column, ordered by uuid."""
        table = self._tables[schema.CHILDREN[row.table, column]]
        return [table[uuid] for uuid in sorted(getattr(row, column)) if uuid in table]

    def owner(self, row: Row) -> str | None:
        """Return the uuid of the row that keeps this one alive."""
        return self._indexes.owners[row.table].get(row.uuid)

    # networks

    def networks(self) -> Iterator[Switch]:
        """Yield the switches that are networks."""
        return filter(is_ours, self._tables.switches.values())

    def network(self, network_id: str) -> Switch | None:
        """Return the switch of a network."""
        row = self._tables.switches.get(network_id)
        return row if row is not None and is_ours(row) else None

    def localnet(self, switch: Switch) -> SwitchPort | None:
        """Return the port that joins a network to its physical network."""
        localnets = self._indexes.localnets_by_switch.get(switch.uuid)
        # We make one; of several, made by others, always the same is looked at.
        return localnets[min(localnets)] if localnets else None

    def usage(self, switch: Switch) -> Usage:
        """Return the MACs and addresses taken on a network."""
        return self._indexes.usage_of(switch)

    # ports

    def switch_ports(self, switch: Switch) -> Iterator[SwitchPort]:
        """Yield every port of a switch, those of other managers too."""
        ports = self._tables.ports
        return (ports[uuid] for uuid in switch.ports if uuid in ports)

    def ports(self) -> Iterator[SwitchPort]:
        """Yield the rows that are REST ports."""
        for switch in self.networks():
            yield from self.ports_of(switch)

    def ports_of(self, switch: Switch) -> Iterator[SwitchPort]:
        """Yield the REST ports of one network."""
        return filter(is_port, self.switch_ports(switch))

    def port(self, port_id: str) -> SwitchPort | None:
        """Return the row of a REST port."""
        row = self._indexes.ports_by_name.get(port_id)
        if row is None or not is_port(row) or self.network(row.switch or "") is None:
            return None
        return row

    def ports_of_device(self, device_id: str) -> Iterator[SwitchPort]:
        """Yield the REST ports with this device_id."""
        for row in self._indexes.ports_by_device.get(device_id, ()):
            if self.port(row.name) is row:
                yield row

    def addressing(self, port: SwitchPort) -> Addressing:
        """Return the MAC and the addresses of a port."""
        return addressing(port, self._indexes.router_port_of(port))

    # routers

    def routers(self) -> Iterator[Router]:
        """Yield the routers that are ours."""
        rows = cast("dict[str, Router]", self._tables[schema.ROUTER]).values()
        return filter(self._is_our_router, rows)

    def router(self, router_id: str) -> Router | None:
        """Return the row of a router."""
        row = cast("Router | None", self.row(schema.ROUTER, router_id))
        return row if row is not None and self._is_our_router(row) else None

    def _is_our_router(self, row: Router) -> bool:
        """Say whether a router is ours.

        It has a key of ours, or none (ovirt-provider-ovn writes one with the external
        gateway only) and a port of ours that names it as its device.
        """
        if keys.has_own(row.external_ids):
            return True
        return is_bare_router(row) or any(
            port is not None and port.external_ids.get(keys.DEVICE_ID) == row.uuid
            for port in map(self.port_behind, self.router_ports(row))
        )

    def router_ports(self, router: Router) -> list[RouterPort]:
        """Return the ports of a router, those that others gave it too."""
        return cast("list[RouterPort]", self.children(router, "ports"))

    def port_behind(self, router_port: RouterPort) -> SwitchPort | None:
        """Return the REST port that is the switch's side of a router port."""
        row = self._indexes.port_behind(router_port)
        return row if row is not None and self.port(row.name) is row else None

    def router_sides(self, switch: Switch) -> list[SwitchPort]:
        """Return the REST ports of a network that are routers' ports."""
        rows = self._indexes.router_sides_by_switch.get(switch.uuid, {})
        return [rows[uuid] for uuid in sorted(rows) if is_port(rows[uuid])]

    def router_port_of(self, port: SwitchPort) -> RouterPort | None:
        """Return the router's side of a port."""
        return self._indexes.router_port_of(port) if port.type == "router" else None

    def foreign_nat(self, switch: Switch) -> Iterator[Nat]:
        """Yield the NAT rules of other hands on routers of ours that are on a network."""
        for rule in self._indexes.foreign_nat.values():
            router = self.router(self.owner(rule) or "")
            sides = map(self.port_behind, self.router_ports(router)) if router else ()
            if any(side is not None and side.switch == switch.uuid for side in sides):
                yield rule

    def chassis_group(self, name: str) -> HaChassisGroup | None:
        """Return the group of chassis with this name, whoever made it."""
        rows = cast("dict[str, HaChassisGroup]", self._tables[schema.HA_GROUP]).values()
        return next((row for row in rows if row.name == name), None)

    # floating IPs

    def floating_ips(self) -> Iterator[SwitchPort]:
        """Yield the ports that hold floating IPs."""
        return (row for row in self._indexes.floating_ips.values() if self.port(row.name) is row)

    def floating_ip(self, floating_ip_id: str) -> SwitchPort | None:
        """Return the port that holds a floating IP."""
        row = self._indexes.floating_ips.get(floating_ip_id)
        return row if row is not None and self.port(row.name) is row else None

    def options_of(self, port_id: str) -> list[DhcpOptions]:
        """Return the DHCP rows that belong to one port alone."""
        return list(self._indexes.options_by_port.get(port_id, {}).values())

    # subnets

    def subnets(self) -> Iterator[DhcpOptions]:
        """Yield the rows that are subnets of networks of ours."""
        for network_id in self._indexes.subnets_by_network:
            if self.network(network_id) is not None:
                yield from self.subnets_of(network_id)

    def subnets_of(self, network_id: str) -> list[DhcpOptions]:
        """Return the subnets of a network, oldest first."""
        rows = self._indexes.subnets_by_network.get(network_id, {}).values()
        return sorted(rows, key=lambda row: (row.external_ids.get(keys.CREATED_AT, ""), row.uuid))

    def subnet(self, subnet_id: str) -> DhcpOptions | None:
        """Return the row of a subnet."""
        row = self._tables.dhcp.get(subnet_id)
        network_id = row.external_ids.get(keys.SUBNET_NETWORK) if row is not None else None
        return row if network_id and self.network(network_id) is not None else None

    # security groups

    def port_group(self, name: str) -> PortGroup | None:
        """Return a port group by the name of its row, whoever made it."""
        return self._indexes.port_groups_by_name.get(name)

    def port_groups_of(self, port: SwitchPort) -> list[PortGroup]:
        """Return the port groups of ours that a port is in, the one that drops too."""
        rows = self._tables.port_groups.values()
        return [row for row in rows if port.uuid in row.ports and is_ours(row)]

    def security_groups(self) -> Iterator[PortGroup]:
        """Yield the port groups that are security groups."""
        return filter(is_security_group, self._tables.port_groups.values())

    def security_group(self, group_id: str) -> PortGroup | None:
        """Return the port group of a security group."""
        row = self._tables.port_groups.get(group_id)
        return row if row is not None and is_security_group(row) else None

    def security_group_named(self, name: str) -> PortGroup | None:
        """Return the port group of a security group by the name of its row."""
        row = self.port_group(name)
        return row if row is not None and is_security_group(row) else None

    def rules_of(self, group: PortGroup) -> list[Acl]:
        """Return the ACLs that are the rules of a security group."""
        rows = map(self._tables.acls.get, group.acls)
        return [row for row in rows if row is not None and is_ours(row)]

    def rules(self) -> Iterator[Acl]:
        """Yield the ACLs that are rules of security groups."""
        for group in self.security_groups():
            yield from self.rules_of(group)

    def rule(self, rule_id: str) -> Acl | None:
        """Return the ACL of a security group rule."""
        row = self._tables.acls.get(rule_id)
        return row if row is not None and is_ours(row) and self.group_of(row) else None

    def group_of(self, rule: Acl) -> PortGroup | None:
        """Return the security group that a rule belongs to."""
        return self.security_group(self.owner(rule) or "")

    # guards

    @property
    def nb_global(self) -> NbGlobal | None:
        """The row of NB_Global; None where neither ovn-northd nor `ovn-nbctl init` made it."""
        return self._tables.nb_global
