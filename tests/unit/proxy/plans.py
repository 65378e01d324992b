# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Help for tests of planners: rows into a view, a request into a plan, a plan into rows.

What a step does to rows is told here by its values, never by its operations: those
are compared as they are, and tried on a real ovsdb-server in `tests/daemon`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.replica import Replica
from ovirt_ovn_proxy.nb.rows import (
    ROWS,
    Acl,
    DhcpOptions,
    NbGlobal,
    PortGroup,
    RouterPort,
    Row,
    Switch,
    SwitchPort,
)
from ovirt_ovn_proxy.nb.schema import CHILDREN
from ovirt_ovn_proxy.nb.values import encode
from ovirt_ovn_proxy.nb.view import View
from ovirt_ovn_proxy.plan.acl import base_acls
from ovirt_ovn_proxy.plan.draft import Context, Draft, Plan
from ovirt_ovn_proxy.plan.steps import Advance, Attach, Delete, Detach, Insert, Update
from ovirt_ovn_proxy.plan.traces import Trace
from ovirt_ovn_proxy.resources import RESOURCES
from ovirt_ovn_proxy.routes import Route
from ovirt_ovn_proxy.writing import make_writer

NOW = "2026-01-02T03:04:05Z"
LATER = "2026-01-02T04:00:00Z"
REQUEST = uuid.UUID("00000000-0000-0000-0000-0000000000ff")
TENANT = Config().openstack_tenant_id


def row_id(number: int) -> str:
    """Return a readable UUID."""
    return str(uuid.UUID(int=number))


NB, NET, OTHER_NET, SUBNET, SUBNET6, PORT, PORT2 = map(row_id, range(1, 8))
FOREIGN_NET, FOREIGN_PORT, LOCALNET, ROUTER_SIDE, OWN_ROW = map(row_id, range(8, 13))
GROUP, GROUP2, RULE, RULE2, DEFAULT, DROP = map(row_id, range(13, 19))
MAC, MAC2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
CREATED = {keys.CREATED_AT: NOW, keys.UPDATED_AT: NOW, keys.REVISION: "1"}


# --- rows ---


def nb_global(**counters: str) -> NbGlobal:
    """Return the row of NB_Global with what stands in its external_ids."""
    return NbGlobal.new(NB, external_ids=counters)


def counted(*network_ids: str, count: str = "7") -> NbGlobal:
    """Return the row of NB_Global with a counter for each of the networks."""
    return nb_global(**{keys.SEQUENCE + network_id: count for network_id in network_ids})


def a_network(*port_uuids: str, uuid: str = NET, **external_ids: str) -> Switch:
    """Return a network with these ports; `external_ids` are added."""
    ids = {**CREATED, keys.NETWORK_NAME: "blue", keys.NETWORK_PORT_SECURITY: "False"}
    return Switch.new(
        uuid, name=f"ovirt-blue-{uuid}", ports=set(port_uuids), external_ids={**ids, **external_ids}
    )


def a_localnet(tag: int | None = None, physical: str = "phys", uuid: str = LOCALNET) -> SwitchPort:
    """Return the port that joins a network to a physical one."""
    return SwitchPort.new(
        uuid,
        name=uuid,
        type="localnet",
        addresses=("unknown",),
        options={"network_name": physical},
        tag=tag,
        tag_request=tag,
        external_ids={keys.NIC_NAME: keys.LOCALNET_NIC_NAME},
    )


def a_subnet(**changes: Any) -> DhcpOptions:
    """Return 10.0.0.0/24 with the gateway 10.0.0.1, as it is after its creation."""
    external_ids = {
        **CREATED,
        keys.SUBNET_NAME: "sub",
        keys.SUBNET_NETWORK: NET,
        keys.SUBNET_IP_VERSION: "4",
        keys.SUBNET_POOLS: "10.0.0.2-10.0.0.254",
        **changes.pop("external_ids", {}),
    }
    options = {
        "server_mac": "02:00:00:00:00:00",
        "lease_time": "86400",
        "server_id": "10.0.0.1",
        "router": "10.0.0.1",
        "mtu": "1442",
        **changes.pop("options", {}),
    }
    columns = {"cidr": "10.0.0.0/24", **changes}
    uuid = columns.pop("uuid", SUBNET)
    return DhcpOptions.new(uuid, options=options, external_ids=external_ids, **columns)


def a_subnet6(mode: str | None = "dhcpv6-stateful", **changes: Any) -> DhcpOptions:
    """Return fd00::/64 with the gateway fd00::, as it is after its creation."""
    external_ids = {
        **CREATED,
        keys.SUBNET_NAME: "sub6",
        keys.SUBNET_NETWORK: NET,
        keys.SUBNET_IP_VERSION: "6",
        keys.SUBNET_POOLS: "fd00::1-fd00::ffff:ffff:ffff:ffff",
        keys.SUBNET_V6_GATEWAY: "fd00::",
        keys.SUBNET_V6_MTU: "1442",
        **changes.pop("external_ids", {}),
    }
    if mode:
        external_ids[keys.SUBNET_ADDRESS_MODE] = mode.replace("-", "_")
    options = {"server_id": "02:00:00:00:00:00"}
    if mode == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    columns = {"cidr": "fd00::/64", **changes}
    uuid = columns.pop("uuid", SUBNET6)
    return DhcpOptions.new(uuid, options=options, external_ids=external_ids, **columns)


def a_port(addresses: str = MAC, uuid: str = PORT, **changes: Any) -> SwitchPort:
    """Return a port of a VM with one element of addresses, as it is after its creation."""
    external_ids = {**CREATED, keys.NIC_NAME: "nic", **changes.pop("external_ids", {})}
    columns = {"name": uuid, "addresses": (addresses,), "enabled": True, **changes}
    return SwitchPort.new(uuid, external_ids=external_ids, **columns)


def a_router_port(uuid: str = PORT2, **changes: Any) -> tuple[SwitchPort, RouterPort]:
    """Return both sides of a router's port with 10.0.0.1."""
    port = a_port(
        "router", uuid, type="router", options={"router-port": "lrp1"}, enabled=None, **changes
    )
    return port, RouterPort.new(ROUTER_SIDE, name="lrp1", mac=MAC2, networks=("10.0.0.1/24",))


def a_group(*rules: str, uuid: str = GROUP, **changes: Any) -> PortGroup:
    """Return a security group "web" with these rules, as it is after its creation."""
    external_ids = {**CREATED, keys.GROUP_NAME: "web", **changes.pop("external_ids", {})}
    columns = {"name": f"ovirt_{uuid.replace('-', '_')}", **changes}
    return PortGroup.new(uuid, acls=rules, external_ids=external_ids, **columns)


def a_rule(uuid: str = RULE, group: str = GROUP, **changes: Any) -> Acl:
    """Return a rule that lets IPv4 in; of its match, which nobody reads, there is nothing."""
    external_ids = {
        **CREATED,
        keys.RULE_GROUP: f"ovirt_{group.replace('-', '_')}",
        keys.RULE_ETHERTYPE: "IPv4",
        **changes.pop("external_ids", {}),
    }
    columns = {"direction": "to-lport", "action": "allow-related", "priority": 1001, **changes}
    return Acl.new(uuid, name=uuid, external_ids=external_ids, **columns)


def base_groups(*members: str) -> tuple[Row, ...]:
    """Return the default group, without rules, and the one that drops; with these ports in both."""
    drop = PortGroup.new(DROP, name="DropAll", ports=set(members))
    acls = [
        Acl.new(row_id(100 + number), **acl.columns())
        for number, acl in enumerate(base_acls("DropAll").values())
    ]
    ours = {**CREATED, keys.GROUP_NAME: "DropAll"}
    return (
        a_group(uuid=DEFAULT, name="Default", ports=set(members)),
        drop.copy(acls=tuple(acl.uuid for acl in acls), external_ids=ours),
        *acls,
    )


FOREIGN = (
    Switch.new(FOREIGN_NET, name="foreign", ports={FOREIGN_PORT}, external_ids={"owner": "k8s"}),
    SwitchPort.new(FOREIGN_PORT, name="pod", addresses=(f"{MAC} 10.0.0.2",)),
)


# --- views ---


def replica_of(*rows: Row) -> Replica:
    """Return a replica that has been loaded with these rows, and whose indexes are all in use."""
    replica = Replica()
    for row in rows:
        columns = {name: encode(row.table, name, value) for name, value in row.columns().items()}
        replica.load(row.table, {row.uuid: {"initial": columns}})
    replica.loaded()
    for switch in replica.tables.switches.values():
        replica.indexes.usage_of(switch)
    return replica


def view_of(*rows: Row) -> View:
    """Return the view of a database that holds these rows."""
    return View(replica_of(*rows))


def rows_after(rows: Sequence[Row], plan: Plan) -> list[Row]:
    """Return the rows once the steps of a plan are done."""
    found = {(row.table, row.uuid): row.copy() for row in rows}
    for step in plan.steps:
        if isinstance(step, Insert):
            assert (step.table, step.uuid) not in found
            found[step.table, step.uuid] = ROWS[step.table].new(step.uuid, **step.columns)
        elif isinstance(step, Update):
            row = found[step.table, step.uuid]
            found[step.table, step.uuid] = row.copy(**step.new)
        elif isinstance(step, Delete):
            del found[step.table, step.uuid]
        elif isinstance(step, (Attach, Detach)):
            row = found[step.table, step.uuid]
            members = getattr(row, step.column)
            kind = type(members)
            kept = {*members} - {step.member}
            kept |= {step.member} if isinstance(step, Attach) else set()
            found[step.table, step.uuid] = row.copy(**{step.column: kind(sorted(kept))})
        elif isinstance(step, Advance):
            _advance(found, step)
        elif isinstance(step, Trace):
            _leave_traces(found, step)
    # What was there before without an owner is the test's own simplification.
    return _without_orphans(found.values(), {(row.table, row.uuid) for row in _orphans(rows)})


def _advance(found: dict[tuple[str, str], Row], step: Advance) -> None:
    """Count the counter one up, or take it away, as the step's name says."""
    row = found.get(("NB_Global", step.uuid)) or NbGlobal.new(step.uuid, external_ids={})
    counters = dict(row.external_ids)  # type: ignore[attr-defined]
    count = counters.pop(keys.SEQUENCE + step.name, "0")
    if not step.is_last:
        counters[keys.SEQUENCE + step.name] = str(int(count) + 1)
    found["NB_Global", step.uuid] = row.copy(external_ids=counters)


def _leave_traces(found: dict[tuple[str, str], Row], step: Trace) -> None:
    """Leave a trace of each row that goes, and forget others, as the step's values say."""
    row = found["NB_Global", step.uuid]
    forgotten = {keys.DELETED + uuid for uuid in step.forgotten}
    ids = row.external_ids  # type: ignore[attr-defined]
    kept = {key: value for key, value in ids.items() if key not in forgotten}
    new = {keys.DELETED + uuid: f"{step.time} {step.request}" for uuid in step.deleted}
    found["NB_Global", step.uuid] = row.copy(external_ids={**kept, **new})


def _without_orphans(rows: Iterable[Row], allowed: set[tuple[str, str]]) -> list[Row]:
    """Leave out rows that nothing keeps alive any more: the server collects them."""
    kept = list(rows)
    gone = {(row.table, row.uuid) for row in _orphans(kept)} - allowed
    return [row for row in kept if (row.table, row.uuid) not in gone]


def _orphans(rows: Sequence[Row]) -> list[Row]:
    members = {
        (child, uuid)
        for (table, column), child in CHILDREN.items()
        for row in rows
        if row.table == table
        for uuid in getattr(row, column)
    }
    children = set(CHILDREN.values())
    return [row for row in rows if row.table in children and (row.table, row.uuid) not in members]


# --- requests ---


def context(is_engine: bool = False, now: str = LATER, **options: Any) -> Context:
    """Return what a request brings beside its values; `options` are the site's."""
    return Context(Config(**options), REQUEST, now, is_engine)


def row_uuid(label: str) -> str:
    """Return the UUID that a plan of `context()` gives to the row of this label."""
    return context().row_uuid(label)


def post(collection: str, *objects: Any, **options: Any) -> Callable[[View], Plan]:
    """Return the planner of a POST, a bulk one for several objects."""
    resource = RESOURCES[collection]
    table = resource.table
    root = {table.name: objects[0]} if len(objects) == 1 else {table.collection: list(objects)}
    route = Route("create", resource, ())
    return make_writer(route, resource, json.dumps(root).encode(), context(**options)).make_plan


def put(collection: str, object_id: str, **values: Any) -> Callable[[View], Plan]:
    """Return the planner of a PUT."""
    return put_by(collection, object_id, values)


def put_by(collection: str, object_id: str, values: Any, **options: Any) -> Callable[[View], Plan]:
    """Return the planner of a PUT from the engine, or on a site with other options."""
    resource = RESOURCES[collection]
    body = json.dumps({resource.table.name: values}).encode()
    route = Route("update", resource, (object_id,))
    return make_writer(route, resource, body, context(**options)).make_plan


def act(name: str, object_id: str, body: Any, **options: Any) -> Callable[[View], Plan]:
    """Return the planner of a router's action."""
    resource = RESOURCES["routers"]
    route = Route("act", resource, (object_id, name))
    return make_writer(route, resource, json.dumps(body).encode(), context(**options)).make_plan


def delete(collection: str, object_id: str) -> Callable[[View], Plan]:
    """Return the planner of a DELETE."""
    resource = RESOURCES[collection]
    return make_writer(Route("delete", resource, (object_id,)), resource, b"", context()).make_plan


def draft_of(*rows: Row, **options: Any) -> Draft:
    """Return an empty draft on a view of these rows."""
    return Draft(view_of(*rows), context(**options))


# --- results ---


def changes(plan: Plan) -> list[Operation]:
    """Return a plan's operations without its guards, whose number and order are checked."""
    operations = plan.operations
    guards = [operation for operation in operations if operation["op"] == "wait"]
    assert guards == operations[: len(guards)]
    return operations[len(guards) :]


def traces(*uuids: str) -> Operation:
    """Return the operation by which a plan of `context()` leaves traces of these rows."""
    new = {keys.DELETED + uuid: f"{LATER} {REQUEST}" for uuid in uuids}
    return ops.change_keys(schema.NB_GLOBAL, NB, "external_ids", (), new)


def encoded(collection: str, object_id: str, rows: Sequence[Row], is_engine: bool = False) -> Any:
    """Return the JSON form of an object in a database with these rows."""
    resource = RESOURCES[collection]
    view = view_of(*rows)
    row = resource.find(view, object_id)
    assert row is not None
    return resource.encode(row, view, Config(), is_engine, False)


def assert_answered(plan: Plan, rows: Sequence[Row], collection: str, **kwargs: Any) -> list[Row]:
    """Assert what every plan that answers with an object must hold; returns the rows after it.

    Its answer is what a GET would say then; it is done then and was not before;
    making it again changes nothing.
    """
    after = rows_after(rows, plan)
    body = plan.answer
    resource = RESOURCES[collection]
    table = resource.table
    objects = body[table.collection] if table.collection in body else [body[table.name]]
    for one in objects:
        assert encoded(collection, one["id"], after, **kwargs) == one
    assert plan.is_done(view_of(*after))
    if plan.steps:
        assert not plan.is_done(view_of(*rows))
    return after
