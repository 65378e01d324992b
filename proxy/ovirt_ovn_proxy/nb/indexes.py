# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The look-ups that readers of the replica need, kept current with its rows.

Pure data structure, owned and locked by the replica. Here too, what was
rendered of a row is marked as outdated as soon as something changes that it can rest on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from . import keys, schema
from .addresses import NOTHING, Addressing, addressing
from .rows import DhcpOptions, Nat, PortGroup, RouterPort, Row, Switch, SwitchPort
from .tables import Tables
from .usage import Usage


@dataclass(frozen=True)
class Changes:
    """What one transaction did to the rows.

    `changed` (or new), `deleted`: by table and uuid. `owners`: by table and uuid, the row that
    keeps this one alive from now on; None: none does.
    """

    changed: dict[str, dict[str, Row]] = field(default_factory=dict)
    deleted: dict[str, dict[str, Row]] = field(default_factory=dict)
    owners: dict[str, dict[str, str | None]] = field(default_factory=lambda: defaultdict(dict))


class _Indexed(NamedTuple):
    """What the indexes hold of one port, so that it can be taken out again."""

    name: str
    device_id: str | None
    router_port: str


class _IndexedDhcp:
    """Where a row of DHCP_Options stands in the indexes; `cidr` for subnets only."""

    __slots__ = ("cidr", "index", "owner")

    def __init__(
        self, index: dict[str, dict[str, DhcpOptions]], owner: str, cidr: str | None
    ) -> None:
        self.index = index
        self.owner = owner
        self.cidr = cidr

    def same(self, other: _IndexedDhcp | None) -> bool:
        """Say whether both stand at the same place with the same CIDR."""
        return other is not None and (self.owner, self.cidr) == (other.owner, other.cidr)


class Indexes:
    """What leads to the rows of `tables` by other names than their uuids."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        # By table: row -> the row that keeps it alive.
        self.owners: dict[str, dict[str, str]] = {table: {} for table in schema.CHILDREN.values()}
        self.ports_by_name: dict[str, SwitchPort] = {}
        self.ports_by_device: dict[str, tuple[SwitchPort, ...]] = {}
        self.floating_ips: dict[str, SwitchPort] = {}
        self.localnets_by_switch: dict[str, dict[str, SwitchPort]] = {}
        self.router_sides_by_switch: dict[str, dict[str, SwitchPort]] = {}
        self._by_switch = {
            "localnet": self.localnets_by_switch,
            "router": self.router_sides_by_switch,
        }
        self._usages: dict[str, Usage] = {}
        self._counted: dict[str, tuple[Usage, Addressing]] = {}
        self.subnets_by_network: dict[str, dict[str, DhcpOptions]] = {}
        self.options_by_port: dict[str, dict[str, DhcpOptions]] = {}
        self._indexed_dhcp: dict[str, _IndexedDhcp] = {}
        self._router_port_by_name: dict[str, RouterPort] = {}
        self._router_port_names: dict[str, str] = {}
        self._behind_router_port: dict[str, SwitchPort] = {}
        self.port_groups_by_name: dict[str, PortGroup] = {}
        self._port_group_names: dict[str, str] = {}
        # NAT rules without a key of ours, by uuid.
        self.foreign_nat: dict[str, Nat] = {}

    def router_port_of(self, port: SwitchPort) -> RouterPort | None:
        """Return the router's side of a port of type "router"; None if there is none."""
        return self._router_port_by_name.get(port.options.get("router-port", ""))

    def port_behind(self, router_port: RouterPort) -> SwitchPort | None:
        """Return the switch's side of a router port; None if there is none."""
        return self._behind_router_port.get(router_port.name)

    def usage_of(self, switch: Switch) -> Usage:
        """Return what is taken on a switch: counted once, and kept current from then on."""
        usage = self._usages.get(switch.uuid)
        if usage is None:
            usage = self._usages[switch.uuid] = Usage()
            for uuid in switch.ports:
                if uuid in self._tables.ports:
                    self._count(self._tables.ports[uuid], usage)
            # Now: else whoever creates the first port would wait for it.
            usage.v4.in_order()
            usage.v6.in_order()
        return usage

    # --- kept current by the replica ---------------------------------------

    def build(self) -> None:
        """Index all rows, after the last one of a load."""
        tables = self._tables
        for (table, column), child in schema.CHILDREN.items():
            for row in tables[table].values():
                self.owners[child].update(dict.fromkeys(getattr(row, column), row.uuid))
        self._reindex_router_ports(tables, {}, {})
        self._reindex_dhcp(tables.dhcp)
        self._reindex_port_groups(tables.port_groups)
        self._reindex_nat(tables, {})
        for switch in tables.switches.values():
            switch.rendered, switch.is_rendered = b"", False
        for port in tables.ports.values():
            self._put_in(port)

    def update(self, changes: Changes) -> None:
        """Index what one transaction did; the rows are changed already."""
        changed, deleted, owners = changes.changed, changes.deleted, changes.owners
        for uuid in deleted.get(schema.SWITCH, ()):
            self._usages.pop(uuid, None)
        for switch in cast("Iterable[Switch]", changed.get(schema.SWITCH, {}).values()):
            if not hasattr(switch, "is_rendered"):
                switch.rendered, switch.is_rendered = b"", False
        touched = dict(cast("Mapping[str, SwitchPort]", changed.get(schema.PORT, {})))
        for table, moved in owners.items():
            for uuid, owner in moved.items():
                if owner is None:
                    self.owners[table].pop(uuid, None)
                else:
                    self.owners[table][uuid] = owner
        for uuid in owners.get(schema.PORT, ()):
            if uuid in self._tables.ports:
                touched[uuid] = self._tables.ports[uuid]
        tables = changed.keys() | deleted.keys()
        if schema.ROUTER_PORT in tables:
            self._reindex_router_ports(changed, deleted, touched)
        if schema.DHCP in tables:
            self._reindex_dhcp([*deleted.get(schema.DHCP, {}), *changed.get(schema.DHCP, {})])
        if schema.PORT_GROUP in tables:
            self._reindex_port_groups(
                [*deleted.get(schema.PORT_GROUP, {}), *changed.get(schema.PORT_GROUP, {})]
            )
        if schema.NAT in tables:
            self._reindex_nat(changed, deleted)
        # All out before any is put in: a name or an address may change hands.
        for port in cast("Iterable[SwitchPort]", deleted.get(schema.PORT, {}).values()):
            self._take_out(port)
        for port in touched.values():
            self._take_out(port)
        for port in touched.values():
            self._put_in(port)

    def _reindex_router_ports(
        self,
        changed: Mapping[str, Mapping[str, Row]],
        deleted: Mapping[str, Mapping[str, Row]],
        touched: dict[str, SwitchPort],
    ) -> None:
        """Index router ports by name, and mark the switch ports behind changed ones."""
        new = cast("Mapping[str, RouterPort]", changed.get(schema.ROUTER_PORT, {}))
        names = set()
        for uuid in (*deleted.get(schema.ROUTER_PORT, {}), *new):
            name = self._router_port_names.pop(uuid, None)
            if name is not None:
                self._router_port_by_name.pop(name, None)
                names.add(name)
        for row in new.values():
            self._router_port_names[row.uuid] = row.name
            self._router_port_by_name[row.name] = row
            names.add(row.name)
        for name in names:
            port = self._behind_router_port.get(name)
            if port is not None and port.uuid in self._tables.ports:
                touched[port.uuid] = port

    def _reindex_dhcp(self, uuids: Iterable[str]) -> None:
        """Index subnets by network, and port options by port.

        A subnet that appears, goes or changes its CIDR changes which subnet the
        network's ports name for their addresses.
        """
        for uuid in uuids:
            before = self._indexed_dhcp.pop(uuid, None)
            if before is not None:
                rows = before.index[before.owner]
                del rows[uuid]
                if not rows:
                    del before.index[before.owner]
            row = self._tables.dhcp.get(uuid)
            after = self._owner_of(row) if row is not None else None
            if after is not None and row is not None:
                after.index.setdefault(after.owner, {})[uuid] = row
                self._indexed_dhcp[uuid] = after
            if before is not None and before.same(after):
                continue
            for entry in (before, after):
                if entry is not None and entry.cidr is not None:
                    self._forget_rendered(entry.owner)

    def _reindex_port_groups(self, uuids: Iterable[str]) -> None:
        """Index port groups by name; which one is the default group shows in ports' answers."""
        default = self.port_groups_by_name.get(keys.DEFAULT_GROUP)
        for uuid in uuids:
            name = self._port_group_names.pop(uuid, None)
            if name is not None:
                del self.port_groups_by_name[name]
        for uuid in uuids:
            row = self._tables.port_groups.get(uuid)
            if row is not None:
                self._port_group_names[uuid] = row.name
                self.port_groups_by_name[row.name] = row
        if default is not self.port_groups_by_name.get(keys.DEFAULT_GROUP):
            for network in self._tables.switches:
                self._forget_rendered(network)

    def _reindex_nat(
        self, changed: Mapping[str, Mapping[str, Row]], deleted: Mapping[str, Mapping[str, Row]]
    ) -> None:
        for uuid in deleted.get(schema.NAT, {}):
            self.foreign_nat.pop(uuid, None)
        for uuid, row in cast("Mapping[str, Nat]", changed.get(schema.NAT, {})).items():
            if keys.has_own(row.external_ids):
                self.foreign_nat.pop(uuid, None)
            else:
                self.foreign_nat[uuid] = row

    def _owner_of(self, row: DhcpOptions) -> _IndexedDhcp | None:
        network = row.external_ids.get(keys.SUBNET_NETWORK)
        if network:
            return _IndexedDhcp(self.subnets_by_network, network, row.cidr)
        port = row.external_ids.get(keys.PORT_OF_OPTIONS)
        return _IndexedDhcp(self.options_by_port, port, None) if port else None

    def _forget_rendered(self, network: str) -> None:
        switch = self._tables.switches.get(network)
        if switch is None or not hasattr(switch, "is_rendered"):  # not there, or just loaded
            return
        switch.is_rendered = False
        for uuid in switch.ports:
            port = self._tables.ports.get(uuid)
            if port is not None:
                port.rendered = None

    def _take_out(self, port: SwitchPort) -> None:
        indexed = getattr(port, "indexed", None)
        if indexed is None:
            return
        port.indexed = None
        if self.ports_by_name.get(indexed.name) is port:
            del self.ports_by_name[indexed.name]
        if indexed.device_id:
            others = tuple(
                other for other in self.ports_by_device.pop(indexed.device_id) if other is not port
            )
            if others:
                self.ports_by_device[indexed.device_id] = others
            if self.floating_ips.get(indexed.device_id) is port:
                del self.floating_ips[indexed.device_id]
        usage, found = self._counted.pop(port.uuid, (None, NOTHING))
        if usage is not None:
            usage.discard(found)
        if self._behind_router_port.get(indexed.router_port) is port:
            del self._behind_router_port[indexed.router_port]
        for index in self._by_switch.values():
            ports = index.get(port.switch or "", {})
            if ports.pop(port.uuid, None) is not None and not ports:
                del index[port.switch or ""]
        switch = self._tables.switches.get(port.switch or "")
        if switch is not None:
            switch.is_rendered = False
        if port.uuid not in self._tables.ports:
            self.owners[schema.PORT].pop(port.uuid, None)

    def _put_in(self, port: SwitchPort) -> None:
        port.rendered = None
        port.switch = self.owners[schema.PORT].get(port.uuid)
        switch = self._tables.switches.get(port.switch or "")
        self.ports_by_name[port.name] = port
        device_id = port.external_ids.get(keys.DEVICE_ID)
        if device_id:
            self.ports_by_device[device_id] = (*self.ports_by_device.get(device_id, ()), port)
            if keys.FLOATING_ADDRESS in port.external_ids:
                self.floating_ips[device_id] = port
        router_port = port.options.get("router-port", "") if port.type == "router" else ""
        if router_port:
            self._behind_router_port[router_port] = port
        if switch is not None:
            switch.is_rendered = False
            if port.type in self._by_switch:
                self._by_switch[port.type].setdefault(switch.uuid, {})[port.uuid] = port
            usage = self._usages.get(switch.uuid)
            if usage is not None:
                self._count(port, usage)
        port.indexed = _Indexed(port.name, device_id, router_port)

    def _count(self, port: SwitchPort, usage: Usage) -> None:
        found = addressing(port, self.router_port_of(port))
        self._counted[port.uuid] = (usage, found)
        usage.add(found)
