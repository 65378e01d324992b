# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for subnets: DHCP_Options rows, and the ports that refer to them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import Conflict
from ..nb import keys
from ..nb.addresses import ip_number, is_dynamic
from ..nb.rows import DhcpOptions, Switch, SwitchPort
from ..nb.view import is_port
from ..wire.port import address_pairs, has_port_security, is_service_port
from ..wire.subnet import (
    Range,
    Subnet,
    default_pools,
    encode_subnet,
    eui64,
    range_of,
    read_subnet,
)
from .addresses import Allocator
from .common import created, put, updated
from .common import network as _network
from .dhcp import refresh_ports, with_options
from .draft import Draft
from .port_row import with_addresses
from .router_follow import follow_subnet
from .subnet_rules import check_gateway_unused, check_new, check_subnet

Values = Mapping[str, Any]


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new subnet; returns its JSON form. Raises NotFound for an unknown network."""
    context = draft.context
    switch = _network(draft, values["network_id"])
    network = ipaddress.ip_network(values["cidr"])
    subnet = Subnet(
        id=context.row_uuid(label),
        network_id=switch.uuid,
        network=network,
        gateway_ip=_new_gateway(draft, network, values),
        pools=(),
        dns_nameservers=tuple(values["dns_nameservers"]),
        host_routes=_routes(values),
        enable_dhcp=values["enable_dhcp"],
        address_mode=values.get("ipv6_address_mode"),
        ra_mode=values.get("ipv6_ra_mode"),
    )
    if network.version == 6 and subnet.enable_dhcp and not _names_mode(values):
        subnet = replace(subnet, address_mode=context.config.dhcp_default_ipv6_address_mode)
    has_pools = "allocation_pools" in values
    pools = _pools(values) if has_pools else default_pools(network, subnet.gateway_ip)
    subnet = replace(subnet, pools=pools)
    check_new(draft, switch, subnet, values["ip_version"])
    check_subnet(subnet)
    external_ids = {
        **created(values, context),
        keys.SUBNET_NAME: values["name"],
        keys.SUBNET_NETWORK: switch.uuid,
        keys.SUBNET_IP_VERSION: str(network.version),
    }
    row = _row(draft, switch, DhcpOptions.new(subnet.id, external_ids=external_ids), subnet)
    draft.insert(row)
    draft.rest_on(switch, "name")
    draft.advance(switch.uuid)
    _plan_ovn_addresses(draft, switch, subnet)
    if subnet.is_auto:
        _plan_auto_addresses(draft, switch, subnet)
    return _encode(draft, row)


def update(draft: Draft, row: DhcpOptions, values: Values) -> dict[str, Any]:
    """Plan a change of a subnet; returns its JSON form."""
    old = read_subnet(row)
    if old is None:
        raise Conflict("SubnetUnreadable", f"Subnet {row.uuid} has a malformed CIDR {row.cidr!r}.")
    switch = _network(draft, old.network_id)
    subnet = old
    if "gateway_ip" in values:
        subnet = replace(subnet, gateway_ip=values["gateway_ip"] or None)
    if "allocation_pools" in values:
        subnet = replace(subnet, pools=_pools(values))
    if "dns_nameservers" in values:
        subnet = replace(subnet, dns_nameservers=tuple(values["dns_nameservers"]))
    if "host_routes" in values:
        subnet = replace(subnet, host_routes=_routes(values))
    if "enable_dhcp" in values:
        subnet = _with_dhcp(draft, subnet, values["enable_dhcp"])
    if subnet != old:
        check_subnet(subnet)
    if subnet.gateway_ip != old.gateway_ip:
        check_gateway_unused(draft, switch, old)
    external_ids = dict(row.external_ids)
    if "name" in values:
        external_ids[keys.SUBNET_NAME] = values["name"]
    if "description" in values:
        put(external_ids, keys.DESCRIPTION, values["description"], "")
    wanted = row.copy(external_ids=external_ids)
    if subnet != old:
        wanted = _row(draft, switch, wanted, subnet)
    if row.difference(wanted):
        wanted = wanted.copy(external_ids=updated(wanted.external_ids, draft.context))
    draft.update(wanted)
    if subnet != old:
        draft.advance(switch.uuid)
        _follow_gateway(draft, switch, old, subnet)
        refresh_ports(draft, switch, draft.view.ports_of(switch))
        follow_subnet(draft, switch, old, subnet)
    return _encode(draft, wanted)


def delete(draft: Draft, row: DhcpOptions) -> None:
    """Plan the end of a subnet; refused while a port has an address of it.

    Addresses that ports made from their MACs do not count; they go with it.
    """
    subnet = read_subnet(row)
    span = range_of(row)
    switch = draft.network(row.external_ids.get(keys.SUBNET_NETWORK, ""))
    if subnet is not None and span is not None and switch is not None:
        holders = [
            port
            for port in _possible_holders(draft, switch, span.version, span.first, span.last)
            if any(map(span.holds, map(ip_number, draft.addressing(port).ips)))
        ]
        for port in holders:
            if not subnet.is_auto or not _drop_auto_address(draft, port, subnet, span):
                raise Conflict(
                    "SubnetInUse",
                    f"Unable to complete operation on subnet {row.uuid}: "
                    "One or more ports have an IP allocation from this subnet.",
                )
        draft.advance(switch.uuid)
        _forget_ovn_addresses(draft, switch, subnet)
    draft.delete(row)


def _encode(draft: Draft, row: DhcpOptions) -> dict[str, Any]:
    encoded = encode_subnet(row, draft.context.config, draft.context.is_engine)
    if encoded is None:
        raise LookupError(f"{row!r} was planned with a malformed CIDR")
    return encoded


def _with_dhcp(draft: Draft, subnet: Subnet, is_enabled: bool) -> Subnet:
    """Return a subnet with DHCP on or off; a mode that is the site's default goes with it."""
    default = draft.context.config.dhcp_default_ipv6_address_mode
    mode = subnet.address_mode
    if subnet.version == 6 and subnet.ra_mode is None and is_enabled != subnet.enable_dhcp:
        if is_enabled and mode is None:
            mode = default
        elif not is_enabled and mode == default:
            mode = None
    return replace(subnet, enable_dhcp=is_enabled, address_mode=mode)


def _names_mode(values: Values) -> bool:
    return "ipv6_address_mode" in values or "ipv6_ra_mode" in values


def _new_gateway(draft: Draft, network: Any, values: Values) -> str | None:
    """Return a new subnet's gateway.

    The engine leaves the key out, or sends "", when its user wants no gateway;
    for Networking API clients that means the first address.
    """
    given: str | None = values.get("gateway_ip", "")
    if given != "":
        return given
    if draft.context.is_engine:
        return None
    first = int(network.network_address)
    is_host = network.version == 6 or network.max_prefixlen - network.prefixlen < 2
    return str(type(network.network_address)(first if is_host else first + 1))


def _routes(values: Values) -> tuple[tuple[str, str], ...]:
    return tuple((route["destination"], route["nexthop"]) for route in values["host_routes"])


def _pools(values: Values) -> tuple[tuple[str, str], ...]:
    return tuple((pool["start"], pool["end"]) for pool in values["allocation_pools"])


def _row(draft: Draft, switch: Switch, row: DhcpOptions, subnet: Subnet) -> DhcpOptions:
    """Return the row of a subnet, with what others keep in it."""
    external_ids = dict(row.external_ids)
    put(external_ids, keys.SUBNET_POOLS, " ".join("-".join(pool) for pool in subnet.pools))
    routes = [{"destination": route[0], "nexthop": route[1]} for route in subnet.host_routes]
    put(external_ids, keys.SUBNET_ROUTES, routes, [])
    put(external_ids, keys.SUBNET_DHCP, subnet.enable_dhcp, True)
    for key, mode in (
        (keys.SUBNET_ADDRESS_MODE, subnet.address_mode),
        (keys.SUBNET_RA_MODE, subnet.ra_mode),
    ):
        put(external_ids, key, mode.replace("-", "_") if mode else None)
    row = row.copy(cidr=str(subnet.network), external_ids=external_ids)
    return with_options(row, subnet, switch, draft.context.config)


# --- OVN's own address management, for the peer's ports after going back ---


def _plan_ovn_addresses(draft: Draft, switch: Switch, subnet: Subnet) -> None:
    """Name the first subnet of each IP version to OVN.

    Ports of ours do not use it; ports that ovirt-provider-ovn makes on this network
    after a site went back to it do. Such ports that are there already would get an
    address each behind our back, so with them there is nothing to name.
    """
    if any(map(is_dynamic, draft.view.switch_ports(switch))):
        return
    config = dict(switch.other_config)
    if subnet.version == 4 and "subnet" not in config:
        config["subnet"] = str(subnet.network)
        if subnet.gateway_ip and ipaddress.ip_address(subnet.gateway_ip) in subnet.network:
            config["exclude_ips"] = subnet.gateway_ip
    elif subnet.version == 6 and subnet.network.prefixlen == 64:
        config.setdefault("ipv6_prefix", str(subnet.network.network_address))
    draft.update(draft.current(switch).copy(other_config=config))


def _follow_gateway(draft: Draft, switch: Switch, old: Subnet, new: Subnet) -> None:
    """Keep OVN off the new gateway as it was kept off the old one."""
    config = dict(switch.other_config)
    if config.get("subnet") != str(old.network) or new.gateway_ip == old.gateway_ip:
        return
    excluded = [item for item in config.get("exclude_ips", "").split() if item != old.gateway_ip]
    if new.gateway_ip and ipaddress.ip_address(new.gateway_ip) in new.network:
        excluded.append(new.gateway_ip)
    put(config, "exclude_ips", " ".join(excluded), "")
    draft.update(draft.current(switch).copy(other_config=config))


def _forget_ovn_addresses(draft: Draft, switch: Switch, subnet: Subnet) -> None:
    config = dict(switch.other_config)
    network = str(subnet.network)
    if subnet.version == 4 and config.get("subnet") == network:
        del config["subnet"]
        # Gateways and floating IPs of another subnet are among them as well.
        others = [
            item
            for item in config.get("exclude_ips", "").split()
            if ip_number(item) is not None and not subnet.holds(item)
        ]
        put(config, "exclude_ips", " ".join(others), "")
    elif subnet.version == 6 and config.get("ipv6_prefix") == network.partition("/")[0]:
        del config["ipv6_prefix"]
    draft.update(draft.current(switch).copy(other_config=config))


# --- addresses that ports make from their MACs ---


def _plan_auto_addresses(draft: Draft, switch: Switch, subnet: Subnet) -> None:
    """Give every port of the network its address in a new subnet."""
    ports = []
    for port in draft.view.ports_of(switch):
        port = draft.current(port)
        found = draft.addressing(port)
        if is_service_port(port) or is_dynamic(port) or found.mac is None:
            continue
        Allocator(draft, switch, found.mac, found.ips).wanted(
            [{"subnet_id": subnet.id, "ip_address": eui64(subnet.network, found.mac)}]
        )
        ips = [*found.ips, eui64(subnet.network, found.mac)]
        draft.update(_readdressed(draft, port, found.mac, ips))
        ports.append(port)
    refresh_ports(draft, switch, ports)


def _drop_auto_address(draft: Draft, port: SwitchPort, subnet: Subnet, span: Range) -> bool:
    """Plan a port without its address in the subnet; False if it has another one there.

    False too for a port whose addresses others decide on.
    """
    found = draft.addressing(port)
    if not is_port(port) or is_service_port(port) or is_dynamic(port) or found.mac is None:
        return False
    automatic = eui64(subnet.network, found.mac)
    ips = [ip for ip in found.ips if ip != automatic]
    if any(map(span.holds, map(ip_number, ips))):
        return False
    wanted = _readdressed(draft, port, found.mac, ips)
    if wanted.dhcpv6_options == subnet.id:
        wanted = wanted.copy(dhcpv6_options=None)
    for row in draft.options_of(port.name):
        if row.external_ids.get(keys.SUBNET_OF_OPTIONS) == subnet.id:
            draft.delete(row)
            wanted = wanted.copy(dhcpv6_options=None)
    draft.update(wanted)
    return True


def _readdressed(draft: Draft, port: SwitchPort, mac: str, ips: list[str]) -> SwitchPort:
    pairs = address_pairs(port, mac)
    port = with_addresses(port, mac, ips, has_port_security(port), pairs)
    return port.copy(external_ids=updated(port.external_ids, draft.context))


def _possible_holders(
    draft: Draft, switch: Switch, version: int, first: int, last: int
) -> list[SwitchPort]:
    """Return the switch's ports, or none where the index shows no address in the range."""
    if not draft.view.usage(switch).of(version).has_any(first, last):
        return []
    return list(draft.view.switch_ports(switch))
