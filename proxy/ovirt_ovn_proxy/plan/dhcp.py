# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN's DHCP servers answer: subnets, and the extra options of single ports.

Pure. A port refers to its subnet's row of DHCP_Options, or, where it has options
of its own, to a row made for it alone (ovn-nb(5), "DHCP_Options").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..config import Config
from ..errors import BadRequest
from ..nb import keys
from ..nb.addresses import ip_number, is_dynamic
from ..nb.rows import DhcpOptions, Switch, SwitchPort
from ..wire import readers
from ..wire.network import asked_mtu
from ..wire.port import extra_dhcp_opts
from ..wire.subnet import STATELESS, Subnet, has_leases, range_of, read_subnet
from .draft import Draft

# Names of DHCP options as clients write them (dnsmasq's names, or numbers) ->
# OVN's (ovn-nb(5)). A name that is not here is kept and shown, but OVN cannot send it:
# what one of its versions does not know, as DHCPv6's boot file, that one does not answer.
_V4_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("1", "netmask", "subnet-mask"), "netmask"),
    **dict.fromkeys(("3", "router"), "router"),
    **dict.fromkeys(("6", "dns-server", "dns_server"), "dns_server"),
    **dict.fromkeys(("7", "log-server", "log_server"), "log_server"),
    **dict.fromkeys(("9", "lpr-server", "lpr_server"), "lpr_server"),
    **dict.fromkeys(("12", "hostname"), "hostname"),
    **dict.fromkeys(("15", "domain-name", "domain_name"), "domain_name"),
    **dict.fromkeys(("16", "swap-server", "swap_server"), "swap_server"),
    **dict.fromkeys(("19", "ip-forward-enable", "ip_forward_enable"), "ip_forward_enable"),
    **dict.fromkeys(("21", "policy-filter", "policy_filter"), "policy_filter"),
    **dict.fromkeys(("23", "default-ttl", "default_ttl"), "default_ttl"),
    **dict.fromkeys(("26", "mtu", "interface-mtu"), "mtu"),
    **dict.fromkeys(("31", "router-discovery", "router_discovery"), "router_discovery"),
    **dict.fromkeys(("32", "router-solicitation", "router_solicitation"), "router_solicitation"),
    **dict.fromkeys(("35", "arp-timeout", "arp_cache_timeout"), "arp_cache_timeout"),
    **dict.fromkeys(("36", "ethernet-encap", "ethernet_encap"), "ethernet_encap"),
    **dict.fromkeys(("37", "tcp-ttl", "tcp_ttl"), "tcp_ttl"),
    **dict.fromkeys(("38", "tcp-keepalive", "tcp_keepalive_interval"), "tcp_keepalive_interval"),
    **dict.fromkeys(("41", "nis-server", "nis_server"), "nis_server"),
    **dict.fromkeys(("42", "ntp-server", "ntp_server"), "ntp_server"),
    **dict.fromkeys(("51", "lease-time", "lease_time"), "lease_time"),
    **dict.fromkeys(("58", "T1"), "T1"),
    **dict.fromkeys(("59", "T2"), "T2"),
    **dict.fromkeys(("66", "tftp-server", "tftp_server"), "tftp_server"),
    **dict.fromkeys(("67", "bootfile-name", "bootfile_name"), "bootfile_name"),
    **dict.fromkeys(("119", "domain-search", "domain_search_list"), "domain_search_list"),
    **dict.fromkeys(
        ("121", "classless-static-route", "classless_static_route"), "classless_static_route"
    ),
    **dict.fromkeys(("150", "server-ip-address", "tftp-server-address"), "tftp_server_address"),
    **dict.fromkeys(("210", "path-prefix", "path_prefix"), "path_prefix"),
    **dict.fromkeys(("252", "wpad"), "wpad"),
}
_V6_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("23", "dns-server", "dns_server"), "dns_server"),
    **dict.fromkeys(("24", "domain-search", "domain_search"), "domain_search"),
}
# The largest values of those that are numbers, and names of those that are text; all
# others are addresses. ovn-northd writes values into logical flows as they are, so one
# that OVN cannot read takes the whole answer from the port.
_NUMBERS = {
    **dict.fromkeys(("ethernet_encap", "ip_forward_enable", "router_discovery"), 1),
    **dict.fromkeys(("default_ttl", "tcp_ttl"), 2**8 - 1),
    "mtu": 2**16 - 1,
    **dict.fromkeys(("T1", "T2", "arp_cache_timeout", "lease_time"), 2**32 - 1),
    "tcp_keepalive_interval": 2**32 - 1,
}
_TEXTS = {
    "bootfile_name",
    "domain_name",
    "domain_search",
    "domain_search_list",
    "hostname",
    "path_prefix",
    "tftp_server",
    "wpad",
}
_ROUTES = "classless_static_route"


def with_options(row: DhcpOptions, subnet: Subnet, switch: Switch, config: Config) -> DhcpOptions:
    """Return a subnet's row with the options that its hosts get; what others added stays.

    DHCPv6 knows neither router nor MTU: these stand in external_ids, where
    ovirt-provider-ovn looks for them, and for the DNS server too.
    """
    mtu = str(asked_mtu(switch) or config.dhcp_mtu_bytes) if config.dhcp_enable_mtu else None
    if subnet.version == 4:
        return row.copy(options=_v4_options(subnet, row.options, mtu, config))
    options = {"server_id": config.dhcp_server_mac, **row.options}
    _set(options, "dns_server", _several(subnet.dns_nameservers))
    _set(options, "dhcpv6_stateless", "true" if subnet.address_mode == STATELESS else None)
    external_ids = dict(row.external_ids)
    _set(external_ids, keys.SUBNET_V6_GATEWAY, subnet.gateway_ip)
    _set(external_ids, keys.SUBNET_V6_DNS, next(iter(subnet.dns_nameservers), None))
    if mtu is not None:
        external_ids[keys.SUBNET_V6_MTU] = mtu
    return row.copy(options=options, external_ids=external_ids)


def _v4_options(
    subnet: Subnet, old: Mapping[str, str], mtu: str | None, config: Config
) -> dict[str, str]:
    options = dict(old)
    options.setdefault("server_mac", config.dhcp_server_mac)
    options.setdefault("lease_time", str(config.dhcp_lease_time_s))
    # Clients renew at the server's address, so it has to be one that they can
    # resolve: the gateway's. Without one, an address that no host has.
    no_host = str(subnet.network.network_address)
    if old.get("server_id") in (None, old.get("router", no_host)):
        options["server_id"] = subnet.gateway_ip or no_host
    _set(options, "router", subnet.gateway_ip)
    _set(options, "dns_server", _several(subnet.dns_nameservers))
    if mtu is not None:
        options["mtu"] = mtu
    routes = [f"{destination},{nexthop}" for destination, nexthop in subnet.host_routes]
    has_default = any(destination == "0.0.0.0/0" for destination, _ in subnet.host_routes)
    if routes and subnet.gateway_ip and not has_default:
        # Who asks for option 121 ignores the router option (RFC 3442).
        routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
    _set(options, _ROUTES, "{" + ", ".join(routes) + "}" if routes else None)
    return options


def refresh_network(draft: Draft, switch: Switch) -> None:
    """Plan the options of all subnets of a network anew, for its MTU changed."""
    draft.advance(switch.uuid)
    for row in draft.subnets_of(switch.uuid):
        subnet = read_subnet(row)
        if subnet is not None:
            draft.update(with_options(row, subnet, switch, draft.context.config))
    refresh_ports(draft, switch, draft.view.ports_of(switch))


def refresh_ports(draft: Draft, switch: Switch, ports: Iterable[SwitchPort]) -> None:
    """Plan the DHCP references of ports anew, for the subnets of their network changed."""
    subnets = draft.subnets_of(switch.uuid)
    for port in ports:
        if port.type == "":
            draft.update(with_dhcp(draft, draft.current(port), subnets))


def with_dhcp(draft: Draft, port: SwitchPort, subnets: list[DhcpOptions]) -> SwitchPort:
    """Return the port with references to the rows that serve its addresses.

    Plans the port's own rows of DHCP_Options as its extra options need them.
    """
    if is_dynamic(port) and not draft.addressing(port).ips:
        return port  # ovn-northd has not chosen yet
    extra = extra_dhcp_opts(port)
    own = {row.external_ids.get(keys.SUBNET_IP_VERSION): row for row in draft.options_of(port.name)}
    references: dict[int, str | None] = {}
    serving = _serving(draft, port, subnets)
    for version in (4, 6):
        served = serving.get(version)
        options = _own_options(extra, version) if served is not None else {}
        row = own.pop(str(version), None)
        if served is None or not options:
            references[version] = served.uuid if served is not None else None
            if row is not None:
                draft.delete(row)
            continue
        wanted = _own_row(draft, port, served, version, options)
        if row is None:
            draft.insert(wanted)
            references[version] = wanted.uuid
        else:
            columns = wanted.columns()
            draft.update(row.copy(**columns))
            references[version] = row.uuid
    return port.copy(dhcpv4_options=references[4], dhcpv6_options=references[6])


def _serving(draft: Draft, port: SwitchPort, subnets: list[DhcpOptions]) -> dict[int, DhcpOptions]:
    """Return the subnet whose DHCP server is to answer the port, by IP version.

    With addresses in several subnets it is the one of the first address.
    """
    spans = [(range_of(row), row) for row in subnets if has_leases(row)]
    serving: dict[int, DhcpOptions] = {}
    for number in map(ip_number, draft.addressing(port).ips):
        for span, row in spans:
            if span is not None and span.holds(number):
                serving.setdefault(span.version, row)
    return serving


def _own_row(
    draft: Draft, port: SwitchPort, served: DhcpOptions, version: int, own: Mapping[str, str]
) -> DhcpOptions:
    options = {**served.options, **own}
    return DhcpOptions.new(
        draft.context.row_uuid(f"{port.name}/dhcp{version}"),
        cidr=served.cidr,
        options={name: value for name, value in options.items() if value},
        external_ids={
            keys.PORT_OF_OPTIONS: port.name,
            keys.SUBNET_OF_OPTIONS: served.uuid,
            keys.SUBNET_IP_VERSION: str(version),
        },
    )


def _own_options(extra: list[Any], version: int) -> dict[str, str]:
    """Return the extra options of one IP version under OVN's names; "" for one not to send."""
    names = _V4_OPTIONS if version == 4 else _V6_OPTIONS
    options = {}
    for option in extra:
        name = names.get(option["opt_name"])
        if name is None or option["ip_version"] != version:
            continue
        text = option["opt_value"].strip()
        value = _own_value(name, text, version) if text else ""
        if value is not None:
            options[name] = value
    return options


def _own_value(name: str, text: str, version: int) -> str | None:
    """Return an option's value as OVN reads it, None for one that it cannot read."""
    if name in _TEXTS:
        return '"' + re.sub(r'["\\]', "", text) + '"'
    try:
        if name in _NUMBERS:
            return str(readers.integer(0, _NUMBERS[name])(name, text))
        return _own_addresses(name, text, version)
    except BadRequest:
        return None


def _own_addresses(name: str, text: str, version: int) -> str | None:
    """Return addresses, or pairs of network and address; raises BadRequest for others."""
    forms = (readers.cidr, readers.address) if name == _ROUTES else (readers.address,)
    items = re.split("[, ]+", text.strip("{} "))
    values = [form(name, item) for form, item in zip(itertools.cycle(forms), items)]
    numbers = (ip_number(value.partition("/")[0]) for value in values)
    if len(values) % len(forms) or {version} != {number[0] for number in numbers if number}:
        return None
    return values[0] if len(values) == 1 else "{" + ",".join(values) + "}"


def _several(values: tuple[str, ...]) -> str | None:
    if len(values) > 1:
        return "{" + ", ".join(values) + "}"
    return values[0] if values else None


def _set(options: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        options.pop(name, None)
    else:
        options[name] = value
