# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ports of a router, both sides of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..nb import keys
from ..nb.rows import DhcpOptions, Router, RouterPort, Switch, SwitchPort
from ..wire.network import is_up
from ..wire.router import bad_router
from ..wire.router_sides import Side, gateway_of, interfaces_of, subnets_on
from ..wire.subnet import Subnet, read_subnet
from .common import created, network, updated
from .draft import Draft
from .port_row import with_asked_state


def subnets(draft: Draft, network_id: str) -> list[Subnet]:
    """Return the subnets of a network, oldest first."""
    rows = draft.subnets_of(network_id)
    return [subnet for subnet in map(read_subnet, rows) if subnet is not None]


def with_lengths(draft: Draft, network_id: str, ips: Iterable[str]) -> tuple[str, ...]:
    """Return addresses with the prefix lengths of their subnets, as a router port has them."""
    present = subnets(draft, network_id)
    lengths = {ip: subnet.network.prefixlen for ip in ips for subnet in present if subnet.holds(ip)}
    # In the order that the database gives to sets.
    return tuple(sorted(f"{ip}/{length}" for ip, length in lengths.items()))


def new_port(draft: Draft, switch: Switch, label: str) -> SwitchPort:
    """Plan a new port of a network, which a router is to `join`."""
    uuid = draft.context.row_uuid(label)
    port = SwitchPort.new(
        uuid, name=uuid, external_ids={**created({}, draft.context), keys.NIC_NAME: ""}
    )
    port = with_asked_state(port, True, is_up(switch))
    draft.insert_into(switch, "ports", port)
    return port


def join(
    draft: Draft,
    router: Router,
    network_id: str,
    port: SwitchPort,
    owner: str,
    mac: str,
    networks: tuple[str, ...],
) -> Side:
    """Plan a port of a network, new or not, as a router's port with these addresses.

    `owner` becomes its device_owner. A router answers for its addresses itself, and is
    not bound to them.
    """
    external_ids = {**port.external_ids, keys.DEVICE_ID: router.uuid, keys.DEVICE_OWNER: owner}
    for key in (keys.ADDRESS_PAIRS, keys.EXTRA_DHCP_OPTS, keys.SECURITY_GROUPS):
        external_ids.pop(key, None)
    # The names that ovirt-provider-ovn gives, and looks for.
    name = f"lrp{port.name}"
    port = port.copy(
        type="router",
        addresses=("router",),
        port_security=(),
        options={"router-port": name},
        external_ids=external_ids,
        dhcpv4_options=None,
        dhcpv6_options=None,
    )
    draft.update(port)
    router_port = RouterPort.new(
        draft.context.row_uuid(f"{port.name}/router port"), name=name, mac=mac, networks=networks
    )
    draft.insert_into(router, "ports", router_port)
    return Side(router_port, port, network_id)


def readdress(draft: Draft, side: Side, networks: Iterable[str]) -> Side:
    """Plan a router's port with these addresses instead of its own, as a change of the port."""
    row = draft.current(side.router_port).copy(networks=tuple(sorted(networks)))
    port = draft.current(side.port)
    port = port.copy(external_ids=updated(port.external_ids, draft.context))
    draft.update(row)
    draft.update(port)
    return Side(row, port, side.network_id)


def part(draft: Draft, router: Router, side: Side) -> None:
    """Plan the end of a router's port, both sides."""
    draft.delete_from(router, "ports", draft.current(side.router_port))
    draft.delete_from(network(draft, side.network_id), "ports", draft.current(side.port))


def check_overlap(draft: Draft, router: Router, new: Sequence[Subnet]) -> None:
    """Refuse subnets that a router has a port on, or that overlap with one that it has.

    All subnets of the external gateway's network count.
    """
    router = draft.current(router)
    gateway = gateway_of(router, draft)
    present = [
        subnet for side in interfaces_of(router, draft) for subnet in subnets_on(side, draft)
    ]
    if gateway is not None:
        present += subnets(draft, gateway.network_id)
    for subnet in new:
        for other in present:
            if other.id == subnet.id:
                raise bad_router(f"Router already has a port on subnet {subnet.id}")
            if other.network.overlaps(subnet.network):
                raise bad_router(
                    f"Cidr {subnet.network} of subnet {subnet.id} overlaps with cidr "
                    f"{other.network} of subnet {other.id}"
                )


def mark_gateways(draft: Draft, router: Router, side: Side, is_joined: bool) -> None:
    """Note in each subnet whose gateway is this port which router that is, or no more.

    ovirt-provider-ovn goes by it when it deletes subnets.
    """
    for row in draft.subnets_of(side.network_id):
        subnet = read_subnet(row)
        if subnet is not None and subnet.gateway_ip in side.ips:
            draft.update(_marked(row, router.uuid if is_joined else None))


def _marked(row: DhcpOptions, router_id: str | None) -> DhcpOptions:
    external_ids: dict[str, Any] = dict(row.external_ids)
    external_ids.pop(keys.SUBNET_GATEWAY_ROUTER, None)
    if router_id is not None:
        external_ids[keys.SUBNET_GATEWAY_ROUTER] = router_id
    return row.copy(external_ids=external_ids)
