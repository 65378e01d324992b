# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes a floating IP work: a rule in the NAT table of a router. Pure.

Three rows tell of an association, and always change together: the floating IP's,
the port's, which lists its floating IPs, and the router's rule. So whoever deletes or
readdresses the port, and whoever takes interface or gateway from the router, sees it.
Source: ovn-nb(5), "NAT".
"""

from __future__ import annotations

from ..errors import BadRequest, Conflict, NotFound
from ..nb import keys
from ..nb.addresses import is_dynamic
from ..nb.rows import Nat, Router, SwitchPort
from ..wire.floatingip import bad_floating_ip, floating_ip_id
from ..wire.port import is_service_port
from ..wire.router_sides import Side, gateway_of, interfaces_of, subnets_with
from ..wire.subnet import Subnet
from .chassis import is_placed, place
from .common import network, put, updated
from .draft import Draft
from .router_state import floating_rules, is_physical, refresh_router, routers_on


def associate(draft: Draft, row: SwitchPort, port_id: str, fixed_ip: str | None) -> None:
    """Plan a floating IP for an address of a port, None for its only IPv4 address.

    Whatever it was associated with before is given up.
    """
    port = draft.port(port_id)
    if port is None:
        raise NotFound("PortNotFound", f"Port {port_id} could not be found.")
    if is_service_port(port):
        raise bad_floating_ip(f"Port {port_id} is unable to be assigned a floating IP")
    fixed_ip, subnet = _fixed_ip(draft, port, fixed_ip)
    router, gateway = _router_for(draft, row, port, subnet)
    wanted = {
        keys.FLOATING_PORT: port_id,
        keys.FLOATING_FIXED: fixed_ip,
        keys.FLOATING_ROUTER: router.uuid,
    }
    rules = _rules_of(draft, row)
    if rules and wanted.items() <= row.external_ids.items():
        for _, rule in rules:
            draft.update(_rule(draft, rule, row))
        return
    dissociate(draft, row)
    row, port = draft.current(row), draft.current(port)
    _check_only(draft, row, port, fixed_ip)
    _hold(draft, router, port)
    if not is_placed(gateway):
        if not place(draft, router, gateway):
            raise bad_floating_ip(
                f"The external gateway of router {router.uuid} is on no chassis; "
                "[NETWORK] gateway-chassis names those for gateways"
            )
        refresh_router(draft, router)
    draft.update(row.copy(external_ids={**row.external_ids, **wanted}))
    ids = [*_floating_ip_ids(port), floating_ip_id(row)]
    _name_floating_ips(draft, port, ids)
    rule = Nat.new(
        draft.context.row_uuid(f"{row.uuid}/rule"),
        external_ids={keys.NAT_FLOATING_IP: floating_ip_id(row)},
    )
    draft.insert_into(router, "nat", rule)
    draft.update(_rule(draft, rule, draft.current(row)))


def dissociate(draft: Draft, row: SwitchPort) -> None:
    """Plan a floating IP that is associated with nothing."""
    row = draft.current(row)
    for router, rule in _rules_of(draft, row):
        draft.delete_from(router, "nat", rule)
    port = draft.port(row.external_ids.get(keys.FLOATING_PORT, ""))
    if port is not None:
        ids = [found for found in _floating_ip_ids(port) if found != floating_ip_id(row)]
        _name_floating_ips(draft, port, ids)
    external_ids = dict(row.external_ids)
    for key in (keys.FLOATING_PORT, keys.FLOATING_FIXED, keys.FLOATING_ROUTER):
        external_ids.pop(key, None)
    draft.update(row.copy(external_ids=external_ids))


def leave_port(draft: Draft, port: SwitchPort) -> None:
    """Plan the floating IPs of a port without it, for it goes."""
    for row in _floating_ips_of(draft, port):
        dissociate(draft, row)
        row = draft.current(row)
        draft.update(row.copy(external_ids=updated(row.external_ids, draft.context)))


def follow_port(draft: Draft, port: SwitchPort) -> None:
    """Plan what a changed port means for its floating IPs; they keep it at their addresses."""
    for row in _floating_ips_of(draft, port):
        if row.external_ids.get(keys.FLOATING_FIXED) not in draft.addressing(port).ips:
            raise BadRequest(
                "BadRequest",
                f"Bad port request: Cannot update the fixed_ips of the port {port.name}, because "
                "its original fixed_ip has been associated to a floating ip.",
            )
        for _, rule in _rules_of(draft, row):
            draft.update(_rule(draft, rule, row))


def refresh_rules(draft: Draft, router: Router) -> None:
    """Plan anew, for all floating IPs of a router, which chassis does the work."""
    for rule in floating_rules(draft, router):
        row = draft.floating_ip(rule.external_ids[keys.NAT_FLOATING_IP])
        if row is not None:
            draft.update(_rule(draft, rule, row))


# --- finding ---


def _fixed_ip(draft: Draft, port: SwitchPort, wanted: str | None) -> tuple[str, Subnet]:
    """Return the address of a port that a floating IP is for, and its subnet."""
    network_id = draft.owner(port) or ""
    ips = [ip for ip in draft.addressing(port).ips if ":" not in ip]
    found = [(ip, subnet) for ip in ips for subnet in subnets_with([ip], network_id, draft)]
    if wanted is not None:
        found = [(ip, subnet) for ip, subnet in found if ip == wanted]
        if not found:
            raise bad_floating_ip(f"Port {port.name} does not have fixed ip {wanted}")
    if not found:
        raise bad_floating_ip(
            f"Cannot add floating IP to port {port.name} that has no fixed IPv4 addresses"
        )
    if len(found) > 1:
        raise bad_floating_ip(
            f"Port {port.name} has multiple fixed IPv4 addresses. Must provide a specific IPv4 "
            "address when assigning a floating IP"
        )
    return found[0]


def _router_for(
    draft: Draft, row: SwitchPort, port: SwitchPort, subnet: Subnet
) -> tuple[Router, Side]:
    """Return the router between a subnet and the floating IP's network, and its gateway.

    The one that is the subnet's own gateway comes first.
    """
    external = draft.owner(row)
    found = []
    for router in routers_on(draft, network(draft, subnet.network_id)):
        gateway = gateway_of(router, draft)
        # By IPv6 alone there is no way out for its replies.
        if gateway is None or gateway.network_id != external or not gateway.has_ipv4:
            continue
        ips = [
            ip
            for side in interfaces_of(router, draft)
            if side.network_id == subnet.network_id
            for ip in side.ips
            if subnet.holds(ip)
        ]
        if ips:
            found.append((subnet.gateway_ip not in ips, router.uuid, router, gateway))
    if not found:
        raise NotFound(
            "ExternalGatewayForFloatingIPNotFound",
            f"External network {external} is not reachable from subnet {subnet.id}. "
            f"Therefore, cannot associate Port {port.name} with a Floating IP.",
        )
    _, _, router, gateway = min(found, key=lambda one: one[:2])
    return router, gateway


def _rules_of(draft: Draft, row: SwitchPort) -> list[tuple[Router, Nat]]:
    """Return the rules of a floating IP (there is one, where it is associated)."""
    router = draft.router(row.external_ids.get(keys.FLOATING_ROUTER, ""))
    if router is None:
        return []
    own = floating_ip_id(row)
    return [
        (router, rule)
        for rule in floating_rules(draft, router)
        if rule.external_ids[keys.NAT_FLOATING_IP] == own
    ]


def _floating_ip_ids(port: SwitchPort) -> list[str]:
    return port.external_ids.get(keys.FLOATING_IPS, "").split()


def _floating_ips_of(draft: Draft, port: SwitchPort) -> list[SwitchPort]:
    rows = map(draft.floating_ip, _floating_ip_ids(port))
    return [row for row in rows if row is not None]


def _check_only(draft: Draft, row: SwitchPort, port: SwitchPort, fixed_ip: str) -> None:
    """Refuse a second floating IP of one external network for one address."""
    for other in _floating_ips_of(draft, port):
        if other.external_ids.get(keys.FLOATING_FIXED) == fixed_ip:
            if draft.owner(other) == draft.owner(row) and other.uuid != row.uuid:
                raise Conflict(
                    "FloatingIPPortAlreadyAssociated",
                    "Cannot associate floating IP "
                    f"{row.external_ids[keys.FLOATING_ADDRESS]} ({floating_ip_id(row)}) with "
                    f"port {port.name} using fixed IP {fixed_ip}, as that fixed IP already has "
                    f"a floating IP on external network {draft.owner(row)}.",
                )


# --- writing ---


def _hold(draft: Draft, router: Router, port: SwitchPort) -> None:
    """Hold the plan to the router's ports and the port's addresses as they are now."""
    old_router, old_port = draft.view.router(router.uuid), draft.view.port(port.name)
    if old_router is not None:
        draft.rest_on(old_router, "ports", "external_ids")
    if old_port is not None:
        chosen = ("dynamic_addresses",) if is_dynamic(old_port) else ()
        draft.rest_on(old_port, "addresses", *chosen)


def _name_floating_ips(draft: Draft, port: SwitchPort, ids: list[str]) -> None:
    external_ids = dict(port.external_ids)
    put(external_ids, keys.FLOATING_IPS, " ".join(ids), "")
    draft.update(port.copy(external_ids=external_ids))


def _rule(draft: Draft, rule: Nat, row: SwitchPort) -> Nat:
    """Return the rule of an associated floating IP."""
    port = draft.port(row.external_ids[keys.FLOATING_PORT])
    is_distributed = port is not None and _is_distributed(draft, row, port)
    return rule.copy(
        type="dnat_and_snat",
        external_ip=row.external_ids[keys.FLOATING_ADDRESS],
        logical_ip=row.external_ids[keys.FLOATING_FIXED],
        logical_port=port.name if port is not None and is_distributed else None,
        external_mac=row.external_ids.get(keys.FLOATING_MAC) if is_distributed else None,
    )


def _is_distributed(draft: Draft, row: SwitchPort, port: SwitchPort) -> bool:
    """Say whether the port's own chassis does the work, and not the gateway's.

    It has to reach the external network directly, by a physical network, and to see the
    port's traffic: not that of a virtual function, nor of a port on a physical network,
    which goes to the gateway's chassis unrouted.
    """
    external, internal = draft.owner(row) or "", draft.owner(port) or ""
    for network_id in (external, internal):
        switch = draft.view.network(network_id)
        if switch is not None:
            draft.rest_on(switch, "external_ids")
    return (
        draft.context.config.distributed_floating_ips
        and port.type == ""
        and port.external_ids.get(keys.VNIC_TYPE, "normal") == "normal"
        and is_physical(draft, external)
        and not is_physical(draft, internal)
    )
