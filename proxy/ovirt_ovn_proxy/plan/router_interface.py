# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A router's interfaces on internal networks: added and removed by subnet or by port. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BadRequest, Conflict, NotFound
from ..nb import keys
from ..nb.addresses import is_dynamic
from ..nb.rows import Router
from ..wire.attributes import Values
from ..wire.port import INTERFACE_OWNER, is_service_port
from ..wire.router import bad_router
from ..wire.router_sides import Side, interfaces_of, subnets_on, subnets_with
from ..wire.subnet import Subnet, read_subnet
from .addresses import Allocator, make_mac
from .common import network, updated
from .draft import Draft
from .router_ports import (
    check_overlap,
    join,
    mark_gateways,
    new_port,
    part,
    readdress,
    with_lengths,
)
from .router_routes import check_routes, shown_routes
from .router_state import (
    count_change,
    floating_rules,
    lock,
    refresh_announcements,
    refresh_router,
)

Entries = Sequence[Mapping[str, str]]


def add_interface(draft: Draft, router: Router, values: Values) -> dict[str, Any]:
    """Plan an interface more, by subnet or by port; returns what the API answers."""
    lock(draft, router)
    if "subnet_id" in values:
        side, subnets = _add_subnet(draft, router, values["subnet_id"])
    else:
        side, subnets = _add_port(draft, router, values["port_id"])
    # Whoever changes the network's subnets meanwhile has to look again, or we have.
    draft.advance(side.network_id)
    mark_gateways(draft, router, side, is_joined=True)
    refresh_announcements(draft, side)
    return _finish(draft, router, side, subnets)


def remove_interface(draft: Draft, router: Router, values: Values) -> dict[str, Any]:
    """Plan an interface less, by subnet or by port; returns what the API answers."""
    lock(draft, router)
    if "port_id" in values:
        side = _side_of_port(draft, router, values["port_id"], values.get("subnet_id"))
        subnets, kept = subnets_on(side, draft), []
    else:
        side, subnet = _side_on_subnet(draft, router, values["subnet_id"])
        networks = side.router_port.networks
        subnets = [subnet]
        kept = [text for text in networks if not subnet.holds(text.partition("/")[0])]
    _check_unused(draft, router, subnets)
    if kept:
        _readdress(draft, router, side, kept)
    else:
        mark_gateways(draft, router, side, is_joined=False)
        part(draft, router, side)
    return _finish(draft, router, side, subnets)


def readdress_interface(draft: Draft, router: Router, side: Side, wanted: Entries) -> None:
    """Plan an interface with the addresses that `fixed_ips` entries name."""
    switch = network(draft, side.network_id)
    allocator = Allocator(draft, switch, side.router_port.mac, side.ips, is_interface=True)
    ips = allocator.wanted(wanted)
    networks = with_lengths(draft, switch.uuid, ips)
    _check_addresses(networks)
    if networks == side.router_port.networks:
        return
    old, new = subnets_on(side, draft), subnets_with(ips, switch.uuid, draft)
    _check_unused(draft, router, [subnet for subnet in old if subnet not in new])
    check_overlap(draft, router, [subnet for subnet in new if subnet not in old])
    _readdress(draft, router, side, networks)
    check_routes(draft, router)
    draft.advance(switch.uuid)
    refresh_router(draft, router)


def _readdress(draft: Draft, router: Router, side: Side, networks: Sequence[str]) -> None:
    mark_gateways(draft, router, side, is_joined=False)
    side = readdress(draft, side, networks)
    mark_gateways(draft, router, side, is_joined=True)
    refresh_announcements(draft, side)


def _finish(draft: Draft, router: Router, side: Side, subnets: Sequence[Subnet]) -> dict[str, Any]:
    refresh_router(draft, router)
    count_change(draft, router)
    tenant_id = draft.context.config.openstack_tenant_id
    ids = [subnet.id for subnet in subnets]
    return {
        "id": router.uuid,
        "tenant_id": tenant_id,
        "project_id": tenant_id,
        "port_id": side.port.name,
        "network_id": side.network_id,
        "subnet_id": ids[-1] if ids else None,
        "subnet_ids": ids,
    }


# --- adding ---


def _add_subnet(draft: Draft, router: Router, subnet_id: str) -> tuple[Side, list[Subnet]]:
    """Plan an interface that is the gateway of a subnet.

    An IPv6 subnet joins the port that the router has for others of its network.
    """
    subnet = _subnet(draft, subnet_id)
    if subnet.gateway_ip is None:
        raise bad_router("Subnet for router interface must have a gateway IP")
    check_overlap(draft, router, [subnet])
    switch = network(draft, subnet.network_id)
    side = _side_with_v6(draft, router, switch.uuid) if subnet.version == 6 else None
    address = f"{subnet.gateway_ip}/{subnet.network.prefixlen}"
    entries = [{"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}]
    if side is not None:
        row = side.router_port
        Allocator(draft, switch, row.mac, side.ips, is_interface=True).wanted(entries)
        side = readdress(draft, side, [*row.networks, address])
    else:
        mac = make_mac(draft, switch, "interface")
        Allocator(draft, switch, mac, is_interface=True).wanted(entries)
        port = new_port(draft, switch, "interface")
        side = join(draft, router, switch.uuid, port, INTERFACE_OWNER, mac, (address,))
    return side, [subnet]


def _add_port(draft: Draft, router: Router, port_id: str) -> tuple[Side, list[Subnet]]:
    """Plan a port, which nobody uses yet, as an interface with the addresses that it has."""
    port = draft.port(port_id)
    network_id = draft.owner(port) if port is not None else None
    if port is None or network_id is None:
        raise NotFound("PortNotFound", f"Port {port_id} could not be found.")
    device_id = port.external_ids.get(keys.DEVICE_ID) or port.external_ids.get(keys.FLOATING_IPS)
    if device_id or is_service_port(port):
        raise Conflict(
            "PortInUse",
            f"Unable to complete operation on port {port_id} for network {network_id}. "
            f"Port already has an attached device {device_id}.",
        )
    found = draft.addressing(port)
    networks = with_lengths(draft, network_id, found.ips)
    subnets = subnets_with(found.ips, network_id, draft)
    if found.mac is None:
        raise bad_router("Router port must have a MAC address")
    _check_addresses(networks)
    check_overlap(draft, router, subnets)
    if is_dynamic(port):
        draft.rest_on(port, "dynamic_addresses")
    for row in draft.options_of(port.name):
        draft.delete(row)
    for group in draft.view.port_groups_of(port):
        draft.detach(group, "ports", port)
    port = port.copy(external_ids=updated(port.external_ids, draft.context))
    side = join(draft, router, network_id, port, INTERFACE_OWNER, found.mac, networks)
    return side, subnets


def _check_addresses(networks: Sequence[str]) -> None:
    if not networks:
        raise bad_router("Router port must have at least one fixed IP")
    if sum(":" not in address for address in networks) > 1:
        raise bad_router("Cannot have multiple IPv4 subnets on router port")


def _subnet(draft: Draft, subnet_id: str) -> Subnet:
    row = draft.view.subnet(subnet_id)
    if row is None:
        raise NotFound("SubnetNotFound", f"Subnet {subnet_id} could not be found.")
    subnet = read_subnet(draft.current(row))
    if subnet is None:
        raise bad_router(f"Subnet {subnet_id} has a malformed CIDR")
    return subnet


def _side_with_v6(draft: Draft, router: Router, network_id: str) -> Side | None:
    for side in interfaces_of(draft.current(router), draft):
        if side.network_id == network_id and any(":" in ip for ip in side.ips):
            return side
    return None


# --- removing ---


def _side_of_port(draft: Draft, router: Router, port_id: str, subnet_id: str | None) -> Side:
    for side in interfaces_of(draft.current(router), draft):
        if side.port.name == port_id:
            if subnet_id not in (None, *(subnet.id for subnet in subnets_on(side, draft))):
                raise BadRequest(
                    "SubnetMismatchForPort",
                    f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.",
                )
            return side
    raise NotFound(
        "RouterInterfaceNotFound",
        f"Router {router.uuid} does not have an interface with id {port_id}",
    )


def _side_on_subnet(draft: Draft, router: Router, subnet_id: str) -> tuple[Side, Subnet]:
    subnet = _subnet(draft, subnet_id)
    for side in interfaces_of(draft.current(router), draft):
        if subnet_id in (other.id for other in subnets_on(side, draft)):
            return side, subnet
    raise NotFound(
        "RouterInterfaceNotFoundForSubnet",
        f"Router {router.uuid} has no interface on subnet {subnet_id}",
    )


def _check_unused(draft: Draft, router: Router, subnets: Sequence[Subnet]) -> None:
    """Refuse to take away what routes or floating IPs of the router need."""
    hops = [route.nexthop for route in shown_routes(draft, router)]
    floating = [row.logical_ip for row in floating_rules(draft, router)]
    for subnet in subnets:
        for ips, error_type, reason in (
            (hops, "RouterInterfaceInUseByRoute", "routes"),
            (floating, "RouterInterfaceInUseByFloatingIP", "floating IPs"),
        ):
            if any(map(subnet.holds, ips)):
                raise Conflict(
                    error_type,
                    f"Router interface for subnet {subnet.id} on router {router.uuid} cannot be "
                    f"deleted, as it is required by one or more {reason}.",
                )
