# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for networks: Logical_Switch rows and their localnet ports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadRequest, Conflict
from ..nb import keys
from ..nb.rows import Switch, SwitchPort
from ..wire.network import (
    FLAT,
    NETWORK_TYPE,
    OVERLAY,
    PHYSICAL_NETWORK,
    SEGMENTATION_ID,
    VLAN,
    asked_mtu,
    encode_network,
    encode_provider,
    is_external,
    is_up,
)
from ..wire.port import GATEWAY_OWNER
from .base_groups import offer_default
from .common import created, put, updated
from .dhcp import refresh_network
from .draft import Draft
from .port_row import with_admin_state
from .router_follow import follow_network
from .subnet_rules import SMALLEST_MTU

Values = Mapping[str, Any]


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new network; returns its JSON form."""
    context = draft.context
    network_id = context.row_uuid(label)
    external_ids = created(values, context)
    security = values.get("port_security_enabled", context.config.port_security_enabled_default)
    external_ids[keys.NETWORK_NAME] = values["name"]
    external_ids[keys.NETWORK_PORT_SECURITY] = str(security)
    _put_attributes(external_ids, values)
    switch = Switch.new(
        network_id, name=f"ovirt-{values['name']}-{network_id}", external_ids=external_ids
    )
    _check_mtu(draft, switch, values)
    draft.insert(switch)
    draft.advance(network_id, is_first=True)
    if security:
        offer_default(draft)
    _plan_provider(draft, switch, values, label)
    return _encode(draft, switch)


def update(draft: Draft, switch: Switch, values: Values) -> dict[str, Any]:
    """Plan a change of a network; returns its JSON form."""
    external_ids = dict(switch.external_ids)
    if "name" in values:
        # The row's own name stays: other clients index it and lose a renamed row.
        external_ids[keys.NETWORK_NAME] = values["name"]
    if "description" in values:
        put(external_ids, keys.DESCRIPTION, values["description"], "")
    if "port_security_enabled" in values:
        external_ids[keys.NETWORK_PORT_SECURITY] = str(values["port_security_enabled"])
    _put_attributes(external_ids, values)
    wanted = switch.copy(external_ids=external_ids)
    _check_mtu(draft, wanted, values)
    localnet = draft.localnet(switch)
    _plan_provider(draft, switch, values, "network")
    if wanted.external_ids != switch.external_ids or draft.localnet(switch) is not localnet:
        wanted = switch.copy(external_ids=updated(external_ids, draft.context))
        # New ports take from their network what it says now, and the answer shows its subnets.
        draft.advance(switch.uuid)
    draft.update(wanted)
    if asked_mtu(wanted) != asked_mtu(switch):
        refresh_network(draft, wanted)
    if is_external(switch) and not is_external(wanted):
        _check_not_external(draft, switch)
    if asked_mtu(wanted) != asked_mtu(switch) or draft.localnet(switch) is not localnet:
        follow_network(draft, switch)
    if is_up(wanted) != is_up(switch):
        for port in draft.view.ports_of(switch):
            current = draft.current(port)
            draft.update(with_admin_state(current, was_up=is_up(switch), is_up=is_up(wanted)))
    return _encode(draft, wanted)


def delete(draft: Draft, switch: Switch) -> None:
    """Plan the end of a network, with its subnets; refused while it has ports."""
    if any(port.type != "localnet" for port in draft.view.switch_ports(switch)):
        raise Conflict(
            "NetworkInUse",
            f"Unable to complete operation on network {switch.uuid}. "
            "There are one or more ports still in use on the network.",
        )
    draft.rest_on(switch, "ports")
    for subnet in draft.subnets_of(switch.uuid):
        draft.delete(subnet)
    draft.delete(switch)
    draft.advance(switch.uuid, is_last=True)


def _check_not_external(draft: Draft, switch: Switch) -> None:
    """Refuse to make a network internal that gateways or floating IPs are on."""
    gateways = (
        port.external_ids.get(keys.DEVICE_OWNER) for port in draft.view.router_sides(switch)
    )
    floating = (draft.owner(port) for port in draft.view.floating_ips())
    if GATEWAY_OWNER in gateways or switch.uuid in floating:
        raise Conflict(
            "ExternalNetworkInUse",
            f"External network {switch.uuid} cannot be updated to be made non-external, since it "
            "has existing gateway ports or floating IPs.",
        )


def _encode(draft: Draft, switch: Switch) -> dict[str, Any]:
    return encode_network(switch, draft, draft.context.config, draft.context.is_engine)


def _put_attributes(external_ids: dict[str, str], values: Values) -> None:
    """Keep what a POST and a PUT treat alike."""
    if "mtu" in values:
        put(external_ids, keys.NETWORK_MTU, values["mtu"], 0)
    if "shared" in values:
        put(external_ids, keys.NETWORK_SHARED, values["shared"], False)
    if "router:external" in values:
        put(external_ids, keys.NETWORK_EXTERNAL, values["router:external"], False)
    if "admin_state_up" in values:
        put(external_ids, keys.ADMIN_STATE, values["admin_state_up"], True)


def _check_mtu(draft: Draft, switch: Switch, values: Values) -> None:
    mtu = values.get("mtu")
    if not mtu:
        return
    limit = draft.context.config.validation_max_allowed_mtu_bytes
    if limit and mtu > limit:
        raise BadRequest(
            "InvalidInput",
            f"Invalid input for operation: mtu {mtu} is larger than {limit}, "
            "the largest that this site allows.",
        )
    for subnet in draft.subnets_of(switch.uuid):
        version = 6 if subnet.external_ids.get(keys.SUBNET_IP_VERSION) == "6" else 4
        if mtu < SMALLEST_MTU[version]:
            raise Conflict(
                "NetworkMTUSubnetConflict",
                f"Invalid network MTU {mtu}: subnet {subnet.uuid} of IPv{version} "
                f"needs {SMALLEST_MTU[version]} at least.",
            )


def _plan_provider(draft: Draft, switch: Switch, values: Values, label: str) -> None:
    """Plan the localnet port that the provider attributes ask for."""
    if not {NETWORK_TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID} & set(values):
        return
    localnet = draft.localnet(switch)
    before = encode_provider(localnet)
    wanted = {key: values.get(key, before[key]) for key in before}
    if NETWORK_TYPE not in values and wanted[PHYSICAL_NETWORK] and localnet is None:
        wanted[NETWORK_TYPE] = FLAT if wanted[SEGMENTATION_ID] is None else VLAN
    kind = wanted[NETWORK_TYPE] or OVERLAY
    if kind != VLAN and SEGMENTATION_ID not in values:
        wanted[SEGMENTATION_ID] = None
    if kind == OVERLAY and PHYSICAL_NETWORK not in values:
        wanted[PHYSICAL_NETWORK] = None
    physical, tag = wanted[PHYSICAL_NETWORK], wanted[SEGMENTATION_ID]
    _check_provider(kind, physical, tag)
    if (physical, tag) == (before[PHYSICAL_NETWORK], before[SEGMENTATION_ID]):
        return
    if physical is None:
        if localnet is not None:
            draft.delete_from(switch, "ports", localnet)
        return
    _check_unused(draft, switch, physical, tag)
    draft.advance(f"physical_{physical}")
    if localnet is not None:
        options = {**localnet.options, "network_name": physical}
        draft.update(localnet.copy(options=options, tag=tag, tag_request=tag))
        return
    uuid = draft.context.row_uuid(f"{label}/localnet")
    draft.insert_into(
        switch,
        "ports",
        SwitchPort.new(
            uuid,
            name=uuid,
            type="localnet",
            addresses=("unknown",),
            options={"network_name": physical},
            # OVN makes the first of the second, which ovirt-provider-ovn does not know.
            tag=tag,
            tag_request=tag,
            external_ids={keys.NIC_NAME: keys.LOCALNET_NIC_NAME},
        ),
    )


def _check_provider(kind: str, physical: str | None, tag: int | None) -> None:
    reason = None
    if kind == OVERLAY and physical is not None:
        reason = f"{PHYSICAL_NETWORK} {physical!r} does not go with type {OVERLAY}"
    elif kind == OVERLAY and tag is not None:
        reason = f"{SEGMENTATION_ID} {tag} does not go with type {OVERLAY}"
    elif kind in (FLAT, VLAN) and not physical:
        reason = f"{PHYSICAL_NETWORK} is required for type {kind}"
    elif kind == FLAT and tag is not None:
        reason = f"{SEGMENTATION_ID} {tag} does not go with type {FLAT}"
    elif kind == VLAN and tag is None:
        reason = f"{SEGMENTATION_ID} is required for type {VLAN}"
    if reason:
        raise BadRequest("InvalidInput", f"Invalid input for operation: {reason}.")


def _check_unused(draft: Draft, switch: Switch, physical: str, tag: int | None) -> None:
    others = (
        localnet
        for other in draft.view.networks()
        if other.uuid != switch.uuid
        for localnet in [draft.localnet(other)]
        if localnet is not None
    )
    mine = draft.localnet(switch)
    new = (port for port in draft.inserted_ports() if port.type == "localnet" and port is not mine)
    for localnet in (*others, *new):
        used = encode_provider(localnet)
        if (used[PHYSICAL_NETWORK], used[SEGMENTATION_ID]) != (physical, tag):
            continue
        if tag is None:
            raise Conflict(
                "FlatNetworkInUse",
                f"Unable to create the flat network. Physical network {physical} is in use.",
            )
        raise Conflict(
            "VlanIdInUse",
            f"Unable to create the network. The VLAN {tag} on physical network "
            f"{physical} is in use.",
        )
