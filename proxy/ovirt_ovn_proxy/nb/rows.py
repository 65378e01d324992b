# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the monitored tables as small objects.

Pure. A column is an attribute, in the form that `schema.Kind` says. Readers
treat rows as immutable (`copy` makes a changed one); only the replica updates
its own in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from . import schema
from .schema import Kind
from .values import DECODERS, default

RowT = TypeVar("RowT", bound="Row")


# What is done for each row of a load, or many times for a request, comes without a loop over
# the columns, a third faster: compiled for each class from its columns, as dataclasses do it.
_INIT = """\
def __init__(self, uuid, columns):
    self.uuid = uuid
    get = columns.get
"""
_INIT_COLUMN = """\
    value = get("{column}")
    self.{column} = read_{column}(value) if value is not None else {missing}
"""
_TWIN = """\
def _twin(self):
    twin = new(type(self))
    twin.uuid = self.uuid
"""
_TWIN_COLUMN = "    twin.{column} = self.{column}\n"


class Row:
    """One row: its `uuid` and the columns named by `schema.TABLES`."""

    __slots__ = ("uuid",)
    table: ClassVar[str]
    _missing: ClassVar[Mapping[str, Any]]
    _twin: ClassVar[Callable[[Any], Any]]

    uuid: str

    def __init_subclass__(cls) -> None:
        kinds = schema.TABLES[cls.table]
        cls._missing = {column: default(kind) for column, kind in kinds.items()}
        names: dict[str, Any] = {"new": object.__new__}
        init, twin = _INIT, _TWIN
        for column, kind in kinds.items():
            names[f"read_{column}"] = DECODERS[kind]
            names[f"missing_{column}"] = cls._missing[column]
            missing = "set()" if kind is Kind.MEMBERS else f"missing_{column}"
            init += _INIT_COLUMN.format(column=column, missing=missing)
            twin += _TWIN_COLUMN.format(column=column)
        exec(f"{init}{twin}    return twin\n", names)
        for name in ("__init__", "_twin"):
            setattr(cls, name, names[name])

    def __init__(self, uuid: str, columns: Mapping[str, Any]) -> None:
        """Take columns in OVSDB notation, as a monitor update gives them."""

    @classmethod
    def new(cls: type[RowT], uuid: str, **columns: Any) -> RowT:
        """Return a row with these Python values, and defaults for all other columns."""
        row = cls(uuid, {})
        for column, value in columns.items():
            setattr(row, column, value)
        return row

    def copy(self: RowT, **columns: Any) -> RowT:
        """Return a copy with some columns replaced."""
        twin: RowT = self._twin()
        for column, value in columns.items():
            setattr(twin, column, value)
        return twin

    def columns(self) -> dict[str, Any]:
        """Return the columns that do not hold their default, as Python values."""
        return {
            column: value
            for column, missing in self._missing.items()
            if (value := getattr(self, column)) != missing
        }

    def difference(self: RowT, other: RowT) -> dict[str, Any]:
        """Return the columns of `other` that hold something else than ours."""
        return {
            column: getattr(other, column)
            for column in schema.TABLES[self.table]
            if getattr(self, column) != getattr(other, column)
        }

    def __repr__(self) -> str:
        return f"<{self.table} {self.uuid} {self.columns()}>"


class NbGlobal(Row):
    """The one row of NB_Global."""

    __slots__ = ("external_ids",)
    table = schema.NB_GLOBAL

    external_ids: Mapping[str, str]


class Switch(Row):
    """A logical switch.

    Beside the columns, for rows of the replica: `rendered`, room for a reader's answer about
    all its ports, with `is_rendered`, which the replica unsets whenever something changes that
    the answer can rest on. The old answer stays in its room until the next list: to free
    megabytes takes longer than all else that is done for a change.
    """

    __slots__ = ("external_ids", "is_rendered", "name", "other_config", "ports", "rendered")
    table = schema.SWITCH

    name: str
    ports: set[str]
    other_config: Mapping[str, str]
    external_ids: Mapping[str, str]
    rendered: bytes
    is_rendered: bool


class SwitchPort(Row):
    """A logical switch port.

    Beside the columns, for rows of the replica: `switch`, the parent's uuid or
    None; `rendered`, room for a reader's answer about this port, which the replica
    empties (None) whenever something changes that the answer can rest on;
    `indexed`, what the replica's indexes hold of it.
    """

    __slots__ = (
        "addresses",
        "dhcpv4_options",
        "dhcpv6_options",
        "dynamic_addresses",
        "enabled",
        "external_ids",
        "indexed",
        "name",
        "options",
        "port_security",
        "rendered",
        "switch",
        "tag",
        "tag_request",
        "type",
        "up",
    )
    table = schema.PORT

    name: str
    type: str
    addresses: tuple[str, ...]
    dynamic_addresses: str | None
    port_security: tuple[str, ...]
    enabled: bool | None
    up: bool | None
    tag: int | None
    tag_request: int | None
    options: Mapping[str, str]
    external_ids: Mapping[str, str]
    dhcpv4_options: str | None
    dhcpv6_options: str | None
    switch: str | None
    rendered: bytes | None
    indexed: Any


class DhcpOptions(Row):
    """A row of DHCP_Options: a subnet, or the options of one port.

    Beside the columns: `reading`, room for what a reader made of them, together with them.
    """

    __slots__ = ("cidr", "external_ids", "options", "reading")
    table = schema.DHCP

    cidr: str
    options: Mapping[str, str]
    external_ids: Mapping[str, str]
    reading: tuple[tuple[Any, ...], Any]


class Router(Row):
    """A logical router."""

    __slots__ = ("enabled", "external_ids", "name", "nat", "options", "ports", "static_routes")
    table = schema.ROUTER

    name: str
    enabled: bool | None
    ports: tuple[str, ...]
    static_routes: tuple[str, ...]
    nat: tuple[str, ...]
    options: Mapping[str, str]
    external_ids: Mapping[str, str]


class RouterPort(Row):
    """A logical router port; `networks` are its addresses with prefix lengths."""

    __slots__ = (
        "enabled",
        "external_ids",
        "gateway_chassis",
        "ha_chassis_group",
        "ipv6_ra_configs",
        "mac",
        "name",
        "networks",
        "options",
    )
    table = schema.ROUTER_PORT

    name: str
    mac: str
    networks: tuple[str, ...]
    enabled: bool | None
    ha_chassis_group: str | None
    gateway_chassis: tuple[str, ...]
    ipv6_ra_configs: Mapping[str, str]
    options: Mapping[str, str]
    external_ids: Mapping[str, str]


class StaticRoute(Row):
    """A static route of a logical router; `policy` is "dst-ip" (or None) or "src-ip"."""

    __slots__ = ("external_ids", "ip_prefix", "nexthop", "output_port", "policy")
    table = schema.ROUTE

    ip_prefix: str
    nexthop: str
    output_port: str | None
    policy: str | None
    external_ids: Mapping[str, str]


class Nat(Row):
    """A NAT rule of a logical router; `type` is "snat", "dnat" or "dnat_and_snat"."""

    __slots__ = (
        "external_ids",
        "external_ip",
        "external_mac",
        "gateway_port",
        "logical_ip",
        "logical_port",
        "type",
    )
    table = schema.NAT

    type: str
    external_ip: str
    external_mac: str | None
    logical_ip: str
    logical_port: str | None
    gateway_port: str | None
    external_ids: Mapping[str, str]


class HaChassisGroup(Row):
    """Chassis that can stand in for each other as the place of a gateway port."""

    __slots__ = ("external_ids", "ha_chassis", "name")
    table = schema.HA_GROUP

    name: str
    ha_chassis: tuple[str, ...]
    external_ids: Mapping[str, str]


class HaChassis(Row):
    """One chassis of such a group; of those alive the highest `priority` is the place."""

    __slots__ = ("chassis_name", "external_ids", "priority")
    table = schema.HA_CHASSIS

    chassis_name: str
    priority: int
    external_ids: Mapping[str, str]


class PortGroup(Row):
    """A group of switch ports that share ACLs."""

    __slots__ = ("acls", "external_ids", "name", "ports")
    table = schema.PORT_GROUP

    name: str
    ports: set[str]
    acls: tuple[str, ...]
    external_ids: Mapping[str, str]


class Acl(Row):
    """One rule of a port group (or, of other managers, of a switch)."""

    __slots__ = ("action", "direction", "external_ids", "match", "name", "priority")
    table = schema.ACL

    name: str | None
    direction: str
    priority: int
    match: str
    action: str
    external_ids: Mapping[str, str]


ROWS: Mapping[str, type[Row]] = {
    row.table: row
    for row in (
        NbGlobal,
        Switch,
        SwitchPort,
        DhcpOptions,
        Router,
        RouterPort,
        StaticRoute,
        Nat,
        HaChassisGroup,
        HaChassis,
        PortGroup,
        Acl,
    )
}
