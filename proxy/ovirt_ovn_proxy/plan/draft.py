# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A draft: the rows that a request wants, on top of the view that it was planned from.

Pure. Planners read rows through the draft, so that the second object of a bulk
request sees the first, and write the rows that they want; `finish` gives the
plan. Reading goes to the view for everything that the draft does not touch.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, cast

from ..config import Config
from ..json_text import json_bytes
from ..nb import keys, ops, schema
from ..nb.addresses import Addressing, addressing
from ..nb.ops import Operation
from ..nb.rows import (
    Acl,
    DhcpOptions,
    PortGroup,
    Router,
    RouterPort,
    Row,
    RowT,
    Switch,
    SwitchPort,
)
from ..nb.view import View, is_ours, is_security_group
from .steps import Advance, Attach, Delete, Detach, Guard, Insert, Step, Update
from .traces import leave_trace


def time_text(moment: datetime) -> str:
    """Return a moment as rows keep it and `Context` has it; it has to be in UTC."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@dataclass(frozen=True)
class Context:
    """What a request brings beside its values.

    `request_uuid` is the seed of every id that the plan chooses, `now` the time
    as "YYYY-MM-DDTHH:MM:SS.ffffffZ"; `is_engine` tells oVirt's engine from Networking
    API clients where their expectations differ.
    """

    config: Config
    request_uuid: uuid.UUID
    now: str
    is_engine: bool = False

    def row_uuid(self, label: str) -> str:
        """Return the UUID for the row that `label` names within this request.

        The same on each attempt, so that an attempt whose reply was lost can be
        recognised, and can never be applied twice.
        """
        return str(uuid.uuid5(self.request_uuid, label))


@dataclass(frozen=True)
class Plan:
    """What a request becomes: its steps, and the JSON answer once they are done.

    All values in it are chosen by the planner, so the answer is known beforehand.
    Without steps there is nothing to change.
    """

    steps: tuple[Step, ...]
    answer: Any

    @cached_property
    def operations(self) -> list[Operation]:
        """The transaction: every guard once, before the first change.

        All that comes into one set is one mutation: the server copies a set for each, and
        sets of ports are long.
        """
        guards: list[Operation] = []
        known: dict[str, list[Operation]] = {}
        for guard in chain.from_iterable(step.guards() for step in self.steps):
            of_row = known.setdefault(ops.guarded_row(guard), [])
            if guard not in of_row:
                of_row.append(guard)
                guards.append(guard)
        members: dict[tuple[str, str, str], list[str]] = {}
        for step in self.steps:
            if isinstance(step, Attach):
                members.setdefault(step.target, []).append(step.member)
        changes: list[Operation] = []
        for step in self.steps:
            if not isinstance(step, Attach):
                changes += step.operations()
            elif step.target in members:
                changes.append(ops.add_to_set(*step.target, members.pop(step.target)))
        return [*guards, *changes]

    @cached_property
    def body(self) -> bytes:
        """The answer as JSON."""
        return json_bytes(self.answer)

    def render(self) -> None:
        """Have `body` at hand: there is time for it while the database works."""
        _ = self.body

    def is_done(self, view: View) -> bool:
        """Say whether all its changes are in the view."""
        return all(step.is_done(view) for step in self.steps)


class Draft:
    """The wanted rows of one attempt at a request."""

    def __init__(self, view: View, context: Context) -> None:
        self.view = view
        self.context = context
        self._inserted: dict[str, Row] = {}
        self._updated: dict[str, Row] = {}
        self._deleted: dict[str, Delete] = {}
        # By the row that has the set, and its member.
        self._attached: dict[tuple[str, str], Attach] = {}
        self._detached: dict[tuple[str, str], Detach] = {}
        # The same by row and column, and the rows that keep new ones alive.
        self._members: dict[tuple[str, str], list[str]] = {}
        self._owners: dict[str, str] = {}
        # Both sides of routers' ports that this draft makes or changes, by the port's name.
        self._router_ports: dict[str, RouterPort] = {}
        self._behind_router_ports: dict[str, SwitchPort] = {}
        # New floating IPs, by id.
        self._floating_ips: dict[str, str] = {}
        self._guards: list[Guard] = []
        self._counters: dict[str, Advance] = {}
        self._counters_row: list[Insert] = []
        # Rows of DHCP_Options among the inserted, by the network or port that they serve.
        self._new_dhcp: dict[str, list[str]] = {}
        # Subnets that were asked for since the last change of any, by network.
        self._subnets: dict[str, list[DhcpOptions]] = {}
        # Port groups among the inserted, by name.
        self._new_port_groups: dict[str, str] = {}
        # Port groups that are known to be as they have to be.
        self.ready_groups: set[str] = set()
        # The rules of security groups in the view, by what makes two of them the same.
        self.known_rules: dict[str, Mapping[Any, str]] = {}
        # What this draft takes on a network, beside what the view shows as taken.
        self.taken_macs: set[tuple[str, str]] = set()
        self.taken_addresses: dict[tuple[str, int], set[int]] = {}
        # What an existing switch keeps from address management, by its uuid.
        self.excluded: dict[str, set[int]] = {}
        # Where the search in a pool goes on: nothing below is free any more.
        self.search_from: dict[tuple[str, int], int] = {}

    # --- writing ----------------------------------------------------------

    def insert(self, row: Row) -> None:
        """Want a new row."""
        self._inserted[row.uuid] = row
        self._index(row)
        if isinstance(row, DhcpOptions):
            owner = row.external_ids.get(keys.SUBNET_NETWORK) or row.external_ids.get(
                keys.PORT_OF_OPTIONS, ""
            )
            self._new_dhcp.setdefault(owner, []).append(row.uuid)
        elif isinstance(row, PortGroup):
            self._new_port_groups[row.name] = row.uuid

    def insert_into(self, parent: Row, column: str, child: Row) -> None:
        """Want a new row, in a column of the one that keeps it alive."""
        self.insert(child)
        self.attach(parent, column, child)

    def attach(self, row: Row, column: str, member: Row) -> None:
        """Want a reference to `member` in a set of `row`."""
        key = (row.uuid, member.uuid)
        if self._detached.pop(key, None) is None:
            is_new = row.uuid in self._inserted
            self._attached[key] = Attach(row.table, row.uuid, column, member.uuid, is_new)
            self._members.setdefault((row.uuid, column), []).append(member.uuid)
            if (row.table, column) in schema.CHILDREN:
                self._owners[member.uuid] = row.uuid

    def update(self, new: Row) -> None:
        """Want a row of the view, or of this draft, to become `new`."""
        (self._inserted if new.uuid in self._inserted else self._updated)[new.uuid] = new
        self._index(new)

    def _index(self, row: Row) -> None:
        if isinstance(row, DhcpOptions):
            self._subnets.clear()
        elif isinstance(row, RouterPort):
            self._router_ports[row.name] = row
        elif isinstance(row, SwitchPort) and row.type == "router":
            self._behind_router_ports[row.options.get("router-port", "")] = row
        elif isinstance(row, SwitchPort) and keys.FLOATING_ADDRESS in row.external_ids:
            self._floating_ips[row.external_ids.get(keys.DEVICE_ID, "")] = row.uuid

    def delete(self, row: Row) -> None:
        """Want a row of a root table to go."""
        self._updated.pop(row.uuid, None)
        self._subnets.clear()
        if self._inserted.pop(row.uuid, None) is None:
            self._deleted[row.uuid] = Delete(row.table, row.uuid)

    def delete_from(self, parent: Row, column: str, child: Row) -> None:
        """Want a row to go that only a column of `parent` keeps alive."""
        self._updated.pop(child.uuid, None)
        self._inserted.pop(child.uuid, None)
        self.detach(parent, column, child)

    def detach(self, row: Row, column: str, member: Row) -> None:
        """Want no reference to `member` in a set of `row`."""
        key = (row.uuid, member.uuid)
        if self._attached.pop(key, None) is None:
            self._detached[key] = Detach(row.table, row.uuid, column, member.uuid)

    def rest_on(self, row: Row, *columns: str) -> None:
        """Hold the plan to what these columns say now."""
        if row.uuid not in self._inserted:
            # Members change in place: what is seen now has to be kept.
            seen = {column: getattr(row, column) for column in columns}
            frozen = {k: frozenset(v) if isinstance(v, set) else v for k, v in seen.items()}
            self._guards.append(Guard(row.table, row.uuid, frozen))

    def advance(self, name: str, *, is_first: bool = False, is_last: bool = False) -> None:
        """Advance a counter, once for the whole plan."""
        row = self.view.nb_global
        if row is not None:
            step = Advance(name, row.uuid, row.external_ids, is_first, is_last)
        else:
            # maxRows is 1: where somebody else made the row meanwhile, the insert is refused.
            uuid = self.context.row_uuid("nb_global")
            self._counters_row = [Insert(schema.NB_GLOBAL, uuid, {})]
            step = Advance(name, uuid, {}, is_first=True, is_last=is_last)
        self._counters.setdefault(name, step)

    # --- reading ----------------------------------------------------------

    def current(self, row: RowT) -> RowT:
        """Return the row as this draft wants it."""
        wanted = self._updated.get(row.uuid) or self._inserted.get(row.uuid) or row
        return cast("RowT", wanted)

    def inserted(self, uuid: str) -> Row | None:
        """Return a row that this draft inserts."""
        return self._inserted.get(uuid)

    def network(self, network_id: str) -> Switch | None:
        """Return the switch of a network as this draft wants it."""
        row = self.view.network(network_id)
        return self.current(row) if row is not None else None

    def children(self, parent: Row, column: str) -> list[Row]:
        """Return the rows in a column that keeps them alive, as this draft wants them."""
        old = self.view.row(parent.table, parent.uuid)
        rows = self.view.children(old, column) if old is not None else []
        kept = [self.current(row) for row in rows if (parent.uuid, row.uuid) not in self._detached]
        return [*kept, *self._attached_to(parent, column)]

    def _attached_to(self, parent: Row, column: str) -> list[Row]:
        return [
            self._inserted[member]
            for member in self._members.get((parent.uuid, column), ())
            if (parent.uuid, member) in self._attached and member in self._inserted
        ]

    def owner(self, row: Row) -> str | None:
        """Return the uuid of the row that keeps this one alive, or will."""
        return self._owners.get(row.uuid) or self.view.owner(row)

    def localnet(self, switch: Switch) -> SwitchPort | None:
        """Return the port that joins a network to its physical network."""
        for port in self._attached_to(switch, "ports"):
            if isinstance(port, SwitchPort) and port.type == "localnet":
                return port
        row = self.view.localnet(switch)
        if row is None or (switch.uuid, row.uuid) in self._detached:
            return None
        return self.current(row)

    def addressing(self, port: SwitchPort) -> Addressing:
        """Return the MAC and the addresses of a port as this draft wants it."""
        return addressing(port, self.router_port_of(port))

    def port(self, port_id: str) -> SwitchPort | None:
        """Return the row of a REST port of the view as this draft wants it."""
        row = self.view.port(port_id)
        return self.current(row) if row is not None else None

    def router(self, router_id: str) -> Router | None:
        """Return the row of a router of the view as this draft wants it."""
        row = self.view.router(router_id)
        return self.current(row) if row is not None else None

    def floating_ip(self, floating_ip_id: str) -> SwitchPort | None:
        """Return the port that holds a floating IP as this draft wants it."""
        inserted = self._inserted.get(self._floating_ips.get(floating_ip_id, ""))
        row = self.view.floating_ip(floating_ip_id)
        return cast("SwitchPort | None", inserted) or (self.current(row) if row else None)

    def router_port_of(self, port: SwitchPort) -> RouterPort | None:
        """Return the router's side of a port as this draft wants it."""
        if port.type != "router":
            return None
        found = self._router_ports.get(port.options.get("router-port", ""))
        return found or self.view.router_port_of(port)

    def port_behind(self, router_port: RouterPort) -> SwitchPort | None:
        """Return the switch's side of a router port as this draft wants it."""
        found = self._behind_router_ports.get(router_port.name)
        return found or self.view.port_behind(router_port)

    def subnets_of(self, network_id: str) -> list[DhcpOptions]:
        """Return the subnets of a network as this draft wants them, oldest first."""
        known = self._subnets.get(network_id)
        if known is None:
            rows = self.view.subnets_of(network_id)
            kept = [self.current(row) for row in rows if row.uuid not in self._deleted]
            known = self._subnets[network_id] = [*kept, *self._new_dhcp_of(network_id)]
        return known

    def options_of(self, port_id: str) -> list[DhcpOptions]:
        """Return the DHCP rows that belong to one port alone, as this draft wants them."""
        rows = [row for row in self.view.options_of(port_id) if row.uuid not in self._deleted]
        return [*map(self.current, rows), *self._new_dhcp_of(port_id)]

    def _new_dhcp_of(self, owner: str) -> list[DhcpOptions]:
        uuids = dict.fromkeys(self._new_dhcp.get(owner, ()))
        rows = (self._inserted.get(uuid) for uuid in uuids)
        return [row for row in rows if isinstance(row, DhcpOptions)]

    def port_group(self, name: str) -> PortGroup | None:
        """Return a port group by the name of its row, whoever made it."""
        inserted = self._inserted.get(self._new_port_groups.get(name, ""))
        row = inserted if isinstance(inserted, PortGroup) else self.view.port_group(name)
        return self.current(row) if row is not None else None

    def security_group(self, group_id: str) -> PortGroup | None:
        """Return the port group of a security group as this draft wants it."""
        inserted = self._inserted.get(group_id)
        row = inserted if isinstance(inserted, PortGroup) else self.view.security_group(group_id)
        return self.current(row) if row is not None else None

    def security_group_named(self, name: str) -> PortGroup | None:
        """Return the port group of a security group by the name of its row."""
        row = self.port_group(name)
        return row if row is not None and is_security_group(row) else None

    def rules_of(self, group: PortGroup) -> list[Acl]:
        """Return the ACLs that are the rules of a security group, as this draft wants them."""
        rows = self.children(group, "acls")
        return [row for row in rows if isinstance(row, Acl) and is_ours(row)]

    def inserted_ports(self) -> Iterator[SwitchPort]:
        """Yield the ports that this draft inserts."""
        return (row for row in self._inserted.values() if isinstance(row, SwitchPort))

    # --- the result -------------------------------------------------------

    def finish(self, answer: Any) -> Plan:
        """Return the plan; a draft that changes nothing gives one without steps."""
        inserts = [Insert(row.table, row.uuid, row.columns()) for row in self._inserted.values()]
        changes: list[Step] = [
            *inserts,
            *filter(None, map(self._difference, self._updated.values())),
            *self._attached.values(),
            *self._detached.values(),
            *self._deleted.values(),
        ]
        if not changes:
            return Plan((), answer)
        counters: list[Step] = [*self._counters_row, *self._counters.values()]
        return Plan((*self._guards, *counters, *changes, *self._traces()), answer)

    def _traces(self) -> list[Step]:
        steps: list[Detach | Delete] = [*self._detached.values(), *self._deleted.values()]
        gone = [step.gone for step in steps if step.gone is not None]
        row = self.view.nb_global
        if not gone or row is None:
            return []
        request = str(self.context.request_uuid)
        return [leave_trace(row, [uuid for _, uuid in gone], request, self.context.now)]

    def _difference(self, new: Row) -> Update | None:
        old = self.view.row(new.table, new.uuid)
        if old is None:
            raise LookupError(f"{new!r} is not in the view")
        columns = old.difference(new)
        if not columns:
            return None
        seen = {column: getattr(old, column) for column in columns}
        return Update(new.table, new.uuid, seen, columns)
