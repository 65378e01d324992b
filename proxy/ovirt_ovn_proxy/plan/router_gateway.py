# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A router's external gateway: its port on an external network. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Conflict
from ..nb import keys
from ..nb.rows import Router, RouterPort, Switch
from ..wire.network import is_external
from ..wire.port import GATEWAY_OWNER, fixed_ips
from ..wire.router import bad_router, has_snat
from ..wire.router_sides import Side, gateway_of
from ..wire.subnet import ranges_of
from .addresses import Allocator, make_mac, release, reserve
from .chassis import place
from .common import network, put
from .draft import Draft
from .router_ports import check_overlap, join, new_port, part, readdress, subnets, with_lengths
from .router_routes import drop_inherited_default
from .router_state import floating_rules, lock, refresh_router

Info = Mapping[str, Any]
Entries = Sequence[Mapping[str, str]]


def change_gateway(draft: Draft, router: Router, info: Info | None, label: str) -> None:
    """Plan a router with this external gateway, None for none."""
    lock(draft, router)
    before = _gateway_and_snat(draft, router)
    old = gateway_of(draft.current(router), draft)
    if old is not None and (info is None or info["network_id"] != old.network_id):
        remove_gateway(draft, router, old)
        old = None
    if info is not None:
        wanted = info.get("external_fixed_ips") or ()
        if old is None:
            _add(draft, router, info["network_id"], wanted, label)
        elif wanted and not _has(draft, old, wanted):
            _readdress(draft, router, old, wanted)
    _set_snat(draft, router, info)
    if _gateway_and_snat(draft, router) != before:
        refresh_router(draft, router)


def _gateway_and_snat(draft: Draft, router: Router) -> tuple[RouterPort | None, bool]:
    row = draft.current(router)
    gateway = gateway_of(row, draft)
    return gateway.router_port if gateway is not None else None, has_snat(row)


def remove_gateway(draft: Draft, router: Router, gateway: Side) -> None:
    """Plan a router without its gateway port, and the default routes that came with it."""
    _check_unneeded(draft, router, gateway)
    switch = network(draft, gateway.network_id)
    drop_inherited_default(draft, draft.current(router), _gateway_ips(draft, switch))
    release(draft, switch, gateway.ips)
    part(draft, router, gateway)
    row = draft.current(router)
    external_ids = dict(row.external_ids)
    external_ids.pop(keys.ROUTER_GATEWAY, None)
    draft.update(row.copy(external_ids=external_ids))


def _check_unneeded(draft: Draft, router: Router, gateway: Side) -> None:
    if floating_rules(draft, router):
        raise Conflict(
            "RouterExternalGatewayInUseByFloatingIp",
            f"Gateway cannot be updated for router {router.uuid}, since a gateway to external "
            f"network {gateway.network_id} is required by one or more floating IPs.",
        )


def _add(draft: Draft, router: Router, network_id: str, wanted: Entries, label: str) -> None:
    switch = network(draft, network_id)
    if not is_external(switch):
        raise bad_router(f"Network {network_id} is not an external network")
    check_overlap(draft, router, subnets(draft, network_id))
    mac = make_mac(draft, switch, f"{label}/gateway")
    networks = _take(draft, switch, Allocator(draft, switch, mac), wanted)
    port = new_port(draft, switch, f"{label}/gateway")
    side = join(draft, router, network_id, port, GATEWAY_OWNER, mac, networks)
    place(draft, router, side)
    reserve(draft, switch, side.ips)
    draft.advance(network_id)
    row = draft.current(router)
    draft.update(row.copy(external_ids={**row.external_ids, keys.ROUTER_GATEWAY: port.name}))


def _readdress(draft: Draft, router: Router, gateway: Side, wanted: Entries) -> None:
    switch = network(draft, gateway.network_id)
    row = gateway.router_port
    networks = _take(draft, switch, Allocator(draft, switch, row.mac, gateway.ips), wanted)
    new = readdress(draft, gateway, networks)
    if not new.has_ipv4:
        _check_unneeded(draft, router, gateway)
    release(draft, switch, gateway.ips)
    reserve(draft, switch, new.ips)
    draft.advance(switch.uuid)


def _take(draft: Draft, switch: Switch, allocator: Allocator, wanted: Entries) -> tuple[str, ...]:
    """Take addresses for a gateway port: the wanted ones, or one of each IP version."""
    for ip in _gateway_ips(draft, switch):
        if any(entry.get("ip_address") == ip for entry in wanted):
            raise bad_router(f"External IP {ip} is the same as the gateway IP")
    ips = allocator.wanted(wanted) if wanted else allocator.default()
    if not ips:
        raise bad_router(f"No IPs available for external network {switch.uuid}")
    return with_lengths(draft, switch.uuid, ips)


def _gateway_ips(draft: Draft, switch: Switch) -> list[str]:
    return [subnet.gateway_ip for subnet in subnets(draft, switch.uuid) if subnet.gateway_ip]


def _has(draft: Draft, gateway: Side, wanted: Entries) -> bool:
    """Say whether a gateway has exactly the wanted addresses."""
    ranges = ranges_of(draft.subnets_of(gateway.network_id))
    left = fixed_ips(draft.addressing(gateway.port), ranges)
    # Each address is one entry's; who names one leaves the others to who does not.
    for entry in sorted(wanted, key=lambda entry: "ip_address" not in entry):
        found = next((one for one in left if entry.items() <= one.items()), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _set_snat(draft: Draft, router: Router, info: Info | None) -> None:
    """Plan SNAT as asked; unasked it is on, where the site has chassis for gateways."""
    asked = info.get("enable_snat") if info is not None else False
    gateway = gateway_of(draft.current(router), draft)
    is_on = asked is not False and gateway is not None and place(draft, router, gateway)
    if asked and not is_on:
        raise bad_router(
            "enable_snat needs a chassis for gateways, which [NETWORK] gateway-chassis names"
        )
    row = draft.current(router)
    external_ids = dict(row.external_ids)
    put(external_ids, keys.ROUTER_SNAT, is_on, False)
    draft.update(row.copy(external_ids=external_ids))
