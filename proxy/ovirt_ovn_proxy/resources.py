# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The REST resources: for each one its attributes, rows, JSON form and planners.

Pure; the one table that joins `wire` and `plan`. A new resource is a new entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .config import Config
from .nb import keys
from .nb.rows import Acl, DhcpOptions, PortGroup, Router, Switch, SwitchPort
from .nb.view import View
from .plan import (
    floatingip,
    network,
    port,
    router,
    router_interface,
    security_group,
    security_group_rule,
    subnet,
)
from .plan.draft import Draft
from .wire.attributes import AttributeTable, Values
from .wire.floatingip import FLOATING_IP, encode_floating_ip, floating_ip_id
from .wire.network import NETWORK, encode_network
from .wire.port import PORT, encode_port
from .wire.router import (
    ROUTER,
    encode_router,
    read_extra_routes,
    read_interface,
    read_new_interface,
)
from .wire.security_group import SECURITY_GROUP, encode_security_group, groups_of_port
from .wire.security_group_rule import SECURITY_GROUP_RULE, encode_rule
from .wire.subnet import SUBNET, encode_subnet, ranges_of

JsonObject = dict[str, Any]


class Action(NamedTuple):
    """What a PUT below an object does: how its body is read, and planned to be answered."""

    read: Callable[[bytes], Values]
    plan: Callable[[Draft, Any, Values], JsonObject]


@dataclass(frozen=True)
class Resource:
    """What the application needs to know of one kind of object.

    `find` looks one up by its REST id, `candidates` yields at least the rows that
    can pass the given filters, `identify` gives a row's REST id. `encode` returns
    None for a row that cannot be shown. `queues` names what a change contends for,
    from the id (None for POST) and the values. `actions` are by their names in paths.
    """

    table: AttributeTable
    title: str
    find: Callable[[View, str], Any]
    candidates: Callable[[View, Mapping[str, Sequence[Any]]], Iterable[Any]]
    identify: Callable[[Any], str]
    encode: Callable[[Any, View, Config, bool, bool], JsonObject | None]
    create: Callable[[Draft, Values, str], JsonObject]
    update: Callable[[Draft, Any, Values], JsonObject]
    delete: Callable[[Draft, Any], None]
    queues: Callable[[View, str | None, Sequence[Values]], Iterable[str]]
    actions: Mapping[str, Action] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The collection in a path: with dashes, where the keys of bodies have underscores."""
        return self.table.collection.replace("_", "-")

    @property
    def not_found(self) -> str:
        """The type of the error for an id that does not exist."""
        return f"{self.title}NotFound"


def _network_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[Switch]:
    if "id" in equals:
        return filter(None, map(view.network, set(equals["id"])))
    return view.networks()


def _encode_network(
    row: Switch, view: View, config: Config, is_engine: bool, _in_list: bool
) -> JsonObject:
    return encode_network(row, view, config, is_engine)


def _network_queues(
    _view: View, network_id: str | None, _values: Sequence[Values]
) -> Iterable[str]:
    # New networks contend for physical networks only, which are rare.
    return [network_id] if network_id else []


def _subnet_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[DhcpOptions]:
    if "id" in equals:
        return filter(None, map(view.subnet, set(equals["id"])))
    return view.subnets()


def _encode_subnet(
    row: DhcpOptions, _view: View, config: Config, is_engine: bool, _in_list: bool
) -> JsonObject | None:
    return encode_subnet(row, config, is_engine)


def _subnet_queues(view: View, subnet_id: str | None, values: Sequence[Values]) -> Iterable[str]:
    if subnet_id is None:
        return [value["network_id"] for value in values]
    row = view.subnet(subnet_id)
    return [row.external_ids[keys.SUBNET_NETWORK]] if row is not None else []


def _port_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[SwitchPort]:
    if "id" in equals:
        return filter(None, map(view.port, set(equals["id"])))
    if "device_id" in equals and "" not in equals["device_id"]:
        return (row for device in set(equals["device_id"]) for row in view.ports_of_device(device))
    if "network_id" in equals:
        switches = filter(None, map(view.network, set(equals["network_id"])))
        return (row for switch in switches for row in view.ports_of(switch))
    return view.ports()


def _encode_port(
    row: SwitchPort, view: View, config: Config, _is_engine: bool, in_list: bool
) -> JsonObject:
    network_id = row.switch or ""
    ranges = ranges_of(view.subnets_of(network_id))
    groups = groups_of_port(row, view)
    return encode_port(row, network_id, view.addressing(row), ranges, groups, config, in_list)


def _port_queues(view: View, port_id: str | None, values: Sequence[Values]) -> Iterable[str]:
    if port_id is None:
        return [value["network_id"] for value in values]
    row = view.port(port_id)
    return [row.switch] if row is not None and row.switch else []


def _group_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[PortGroup]:
    if "id" in equals:
        return filter(None, map(view.security_group, set(equals["id"])))
    return view.security_groups()


def _encode_group(
    row: PortGroup, view: View, config: Config, _is_engine: bool, _in_list: bool
) -> JsonObject:
    return encode_security_group(row, view, config)


def _group_queues(_view: View, group_id: str | None, _values: Sequence[Values]) -> Iterable[str]:
    return [group_id, security_group_rule.REMOTE_GROUPS] if group_id else []


def _rule_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[Acl]:
    if "id" in equals:
        return filter(None, map(view.rule, set(equals["id"])))
    if "security_group_id" in equals:
        groups = filter(None, map(view.security_group, set(equals["security_group_id"])))
        return (rule for group in groups for rule in view.rules_of(group))
    return view.rules()


def _encode_rule(
    row: Acl, view: View, config: Config, _is_engine: bool, _in_list: bool
) -> JsonObject | None:
    group = view.group_of(row)
    return encode_rule(row, group, view, config) if group is not None else None


def _rule_queues(view: View, rule_id: str | None, values: Sequence[Values]) -> Iterable[str]:
    if rule_id is not None:
        row = view.rule(rule_id)
        group = view.group_of(row) if row is not None else None
        return [group.uuid] if group is not None else []
    names = {value["security_group_id"] for value in values}
    if any(value["remote_group_id"] for value in values):
        names.add(security_group_rule.REMOTE_GROUPS)
    return names


def _router_candidates(view: View, equals: Mapping[str, Sequence[Any]]) -> Iterable[Router]:
    if "id" in equals:
        return filter(None, map(view.router, set(equals["id"])))
    return view.routers()


def _encode_router(
    row: Router, view: View, config: Config, _is_engine: bool, _in_list: bool
) -> JsonObject:
    return encode_router(row, view, config)


def _router_queues(view: View, router_id: str | None, values: Sequence[Values]) -> Iterable[str]:
    names = [router_id] if router_id else []
    for value in values:
        names += _port_queues(view, value.get("port_id", ""), ())
        names += _subnet_queues(view, value.get("subnet_id", ""), ())
        names += [(value.get("external_gateway_info") or {}).get("network_id", "")]
    return filter(None, names)


def _floating_ip_candidates(
    view: View, equals: Mapping[str, Sequence[Any]]
) -> Iterable[SwitchPort]:
    if "id" in equals:
        return filter(None, map(view.floating_ip, set(equals["id"])))
    return view.floating_ips()


def _encode_floating_ip(
    row: SwitchPort, view: View, config: Config, _is_engine: bool, _in_list: bool
) -> JsonObject:
    return encode_floating_ip(row, view, config)


def _floating_ip_queues(
    view: View, floating_ip_id: str | None, values: Sequence[Values]
) -> Iterable[str]:
    row = view.floating_ip(floating_ip_id) if floating_ip_id else None
    names = [view.owner(row)] if row is not None else []
    for value in values:
        names += [value.get("floating_network_id")]
        names += _port_queues(view, value.get("port_id") or "", ())
    return filter(None, names)


def _uuid(row: Any) -> str:
    uuid: str = row.uuid
    return uuid


def _name(row: Any) -> str:
    name: str = row.name
    return name


NETWORKS = Resource(
    table=NETWORK,
    title="Network",
    find=View.network,
    candidates=_network_candidates,
    identify=_uuid,
    encode=_encode_network,
    create=network.create,
    update=network.update,
    delete=network.delete,
    queues=_network_queues,
)
SUBNETS = Resource(
    table=SUBNET,
    title="Subnet",
    find=View.subnet,
    candidates=_subnet_candidates,
    identify=_uuid,
    encode=_encode_subnet,
    create=subnet.create,
    update=subnet.update,
    delete=subnet.delete,
    queues=_subnet_queues,
)
PORTS = Resource(
    table=PORT,
    title="Port",
    find=View.port,
    candidates=_port_candidates,
    identify=_name,
    encode=_encode_port,
    create=port.create,
    update=port.update,
    delete=port.delete,
    queues=_port_queues,
)
ROUTERS = Resource(
    table=ROUTER,
    title="Router",
    find=View.router,
    candidates=_router_candidates,
    identify=_uuid,
    encode=_encode_router,
    create=router.create,
    update=router.update,
    delete=router.delete,
    queues=_router_queues,
    actions={
        "add_router_interface": Action(read_new_interface, router_interface.add_interface),
        "remove_router_interface": Action(read_interface, router_interface.remove_interface),
        "add_extraroutes": Action(read_extra_routes, router.add_routes),
        "remove_extraroutes": Action(read_extra_routes, router.remove_routes),
    },
)
FLOATING_IPS = Resource(
    table=FLOATING_IP,
    title="FloatingIP",
    find=View.floating_ip,
    candidates=_floating_ip_candidates,
    identify=floating_ip_id,
    encode=_encode_floating_ip,
    create=floatingip.create,
    update=floatingip.update,
    delete=floatingip.delete,
    queues=_floating_ip_queues,
)

SECURITY_GROUPS = Resource(
    table=SECURITY_GROUP,
    title="SecurityGroup",
    find=View.security_group,
    candidates=_group_candidates,
    identify=_uuid,
    encode=_encode_group,
    create=security_group.create,
    update=security_group.update,
    delete=security_group.delete,
    queues=_group_queues,
)
SECURITY_GROUP_RULES = Resource(
    table=SECURITY_GROUP_RULE,
    title="SecurityGroupRule",
    find=View.rule,
    candidates=_rule_candidates,
    identify=_uuid,
    encode=_encode_rule,
    create=security_group_rule.create,
    update=security_group_rule.update,
    delete=security_group_rule.delete,
    queues=_rule_queues,
)

# By their paths.
RESOURCES: Mapping[str, Resource] = {
    resource.path: resource
    for resource in (
        NETWORKS,
        SUBNETS,
        PORTS,
        SECURITY_GROUPS,
        SECURITY_GROUP_RULES,
        ROUTERS,
        FLOATING_IPS,
    )
}
