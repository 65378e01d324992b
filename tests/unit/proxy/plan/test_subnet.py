# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for subnets, by their operations."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict, NotFound
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Row, Switch, SwitchPort
from unit.proxy.plans import (
    FOREIGN,
    FOREIGN_NET,
    LATER,
    MAC,
    MAC2,
    NB,
    NET,
    OTHER_NET,
    OWN_ROW,
    PORT,
    PORT2,
    SUBNET,
    SUBNET6,
    a_network,
    a_port,
    a_router_port,
    a_subnet,
    a_subnet6,
    assert_answered,
    changes,
    counted,
    delete,
    encoded,
    nb_global,
    post,
    put,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

NEW = row_uuid("subnet/0")
V4 = {"network_id": NET, "ip_version": 4, "cidr": "10.0.0.0/24"}
V6 = {"network_id": NET, "ip_version": 6, "cidr": "fd00::/64"}
ROWS: tuple[Row, ...] = (counted(NET), a_network())
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
EUI = "fd00::ff:fe00:1"

GUARD = ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + NET, "7")
ADVANCE = ops.set_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + NET, "8")
NAME_GUARD = ops.wait_columns(schema.SWITCH, NET, {"name": a_network().name})


def config_guard(**other_config: str) -> Operation:
    """Return the guard on what OVN's own address management knows."""
    return ops.wait_columns(schema.SWITCH, NET, {"other_config": other_config})


def config(**other_config: str) -> Operation:
    """Return the update of what OVN's own address management knows."""
    return ops.update(schema.SWITCH, NET, {"other_config": other_config})


def created(row: DhcpOptions, **external_ids: str) -> Operation:
    """Return the insert of a row like `row`, made now and without name."""
    ids = {**row.external_ids, **STAMP, keys.SUBNET_NAME: "", **external_ids}
    columns = {"cidr": row.cidr, "options": row.options, "external_ids": ids}
    return ops.insert(schema.DHCP, NEW, columns)


# --- create ---


def test_create() -> None:
    """A new subnet is one row; OVN hears of the network's first one for the way back."""
    plan = post("subnets", V4)(view_of(*ROWS))

    assert [
        NAME_GUARD,
        GUARD,
        config_guard(),
        ADVANCE,
        created(a_subnet()),
        config(subnet="10.0.0.0/24", exclude_ips="10.0.0.1"),
    ] == plan.operations
    assert_answered(plan, ROWS, "subnets")


def test_create_ipv6() -> None:
    """An IPv6 subnet keeps its gateway and MTU where DHCPv6 has no room for them."""
    plan = post("subnets", V6)(view_of(*ROWS))

    assert [
        NAME_GUARD,
        GUARD,
        config_guard(),
        ADVANCE,
        created(a_subnet6()),
        config(ipv6_prefix="fd00::"),
    ] == plan.operations
    assert_answered(plan, ROWS, "subnets")


def test_create_second() -> None:
    """OVN's own address management knows one subnet of each version: the first."""
    row = a_network().copy(other_config={"subnet": "10.9.0.0/24"})
    rows = (counted(NET), row, a_subnet(cidr="10.9.0.0/24"))
    plan = post("subnets", V4)(view_of(*rows))

    assert [ADVANCE, created(a_subnet())] == changes(plan)
    assert_answered(plan, rows, "subnets")


def test_create_beside_dynamic_ports() -> None:
    """Where ports wait for OVN's addresses, OVN is told of no subnet behind their back."""
    port = a_port(f"{MAC} dynamic")
    rows = (counted(NET), a_network(PORT), port)
    plan = post("subnets", V4)(view_of(*rows))

    assert schema.SWITCH not in {op["table"] for op in changes(plan)}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({**V4, "gateway_ip": None}, {"gateway_ip": None}),
        ({**V4, "gateway_ip": ""}, {"gateway_ip": "10.0.0.1"}),
        (
            {**V4, "gateway_ip": "10.0.0.254"},
            {"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.253"}]},
        ),
        ({**V4, "gateway_ip": "192.168.0.1"}, {"gateway_ip": "192.168.0.1"}),
        ({**V4, "cidr": "10.0.0.77/24"}, {"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1"}),
        ({**V4, "cidr": "10.0.0.4/31", "enable_dhcp": False}, {"gateway_ip": "10.0.0.4"}),
        ({**V4, "cidr": "127.0.0.0/24", "enable_dhcp": False}, {"enable_dhcp": False}),
        (
            {**V4, "dns_nameservers": ["10.0.0.8", "10.0.0.9"]},
            {"dns_nameservers": ["10.0.0.8", "10.0.0.9"]},
        ),
        (
            {**V4, "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]},
            {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]},
        ),
        (
            {**V4, "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.9"}]},
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.9"}]},
        ),
        (
            {**V4, "allocation_pools": []},
            {"allocation_pools": []},
        ),
        ({**V4, "name": "n", "description": "d"}, {"name": "n", "description": "d"}),
        ({**V4, "ipv6_address_mode": None}, {"ipv6_address_mode": None}),
        (V6, {"gateway_ip": "fd00::", "ipv6_address_mode": "dhcpv6-stateful"}),
        ({**V6, "cidr": "FD00:0::7/64"}, {"cidr": "fd00::/64"}),
        ({**V6, "ipv6_address_mode": None}, {"ipv6_address_mode": None}),
        ({**V6, "enable_dhcp": False}, {"enable_dhcp": False, "ipv6_address_mode": None}),
        (
            {**V6, "ipv6_ra_mode": "slaac"},
            {"ipv6_ra_mode": "slaac", "ipv6_address_mode": None},
        ),
        (
            {**V6, "ipv6_ra_mode": "dhcpv6-stateless", "ipv6_address_mode": "dhcpv6-stateless"},
            {"ipv6_ra_mode": "dhcpv6-stateless", "ipv6_address_mode": "dhcpv6-stateless"},
        ),
        ({**V6, "cidr": "fd00::/126", "gateway_ip": None}, {"cidr": "fd00::/126"}),
        ({**V6, "gateway_ip": "fe80::1"}, {"gateway_ip": "fe80::1"}),
        ({**V6, "dns_nameservers": ["FD00::8"]}, {"dns_nameservers": ["fd00::8"]}),
    ],
)
def test_create_forms(given: Any, shown: dict[str, Any]) -> None:
    """What the API allows is kept and shown, with its defaults."""
    plan = post("subnets", given)(view_of(*ROWS))
    answer = plan.answer["subnet"]

    assert shown == {key: answer[key] for key in shown}
    assert_answered(plan, ROWS, "subnets")


@pytest.mark.parametrize("given", [V4, {**V4, "gateway_ip": ""}])
def test_engine_wants_no_gateway(given: Any) -> None:
    """The engine leaves the gateway out, or sends "", where its user wants none."""
    plan = post("subnets", given, is_engine=True)(view_of(*ROWS))

    assert (None, [{"start": "10.0.0.1", "end": "10.0.0.254"}]) == (
        plan.answer["subnet"]["gateway_ip"],
        plan.answer["subnet"]["allocation_pools"],
    )
    assert_answered(plan, ROWS, "subnets", is_engine=True)


def test_create_in_bulk() -> None:
    """The second subnet of a bulk request sees the first."""
    plan = post("subnets", V4, V6)(view_of(*ROWS))

    assert (
        config(subnet="10.0.0.0/24", exclude_ips="10.0.0.1", ipv6_prefix="fd00::")
        in plan.operations
    )
    assert_answered(plan, ROWS, "subnets")
    with pytest.raises(BadRequest, match="overlaps"):
        post("subnets", V4, {**V4, "cidr": "10.0.0.128/25"})(view_of(*ROWS))


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
@pytest.mark.parametrize("also", [[], [V4]])
def test_create_auto(mode: str, also: list[Any]) -> None:
    """Ports of the network get their addresses of a new SLAAC subnet in the same transaction."""
    router, router_side = a_router_port()
    port = a_port(f"{MAC} 10.9.0.5", port_security=(f"{MAC} 10.9.0.5",))
    rows = (counted(NET), a_network(PORT, PORT2), port, router, router_side)
    plan = post("subnets", *also, {**V6, "ipv6_address_mode": mode})(view_of(*rows))
    after = assert_answered(plan, rows, "subnets")
    [found] = [row for row in after if row.uuid == PORT]

    assert isinstance(found, SwitchPort)
    assert (f"{MAC} 10.9.0.5 {EUI}",) == found.addresses == found.port_security
    assert "2" == found.external_ids[keys.REVISION]
    answers_dhcp = mode == "dhcpv6-stateless"
    assert (row_uuid(f"subnet/{len(also)}") if answers_dhcp else None) == found.dhcpv6_options
    assert [router.columns()] == [row.columns() for row in after if row.uuid == PORT2]


def test_deterministic() -> None:
    """One view and one request give one plan."""
    make = post("subnets", V4, {**V6, "ipv6_address_mode": "slaac"})
    rows = (counted(NET), a_network(PORT), a_port())

    assert make(view_of(*rows)) == make(view_of(*rows))


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        ({"network_id": OTHER_NET}, NotFound, "NetworkNotFound"),
        ({"network_id": FOREIGN_NET}, NotFound, "NetworkNotFound"),
        ({"ip_version": 6}, BadRequest, "InvalidInput"),
        ({"cidr": "0.0.0.0/0"}, BadRequest, "InvalidInput"),
        ({"cidr": "10.9.0.0/24"}, BadRequest, "InvalidInput"),
        ({"cidr": "10.0.0.0/8"}, BadRequest, "InvalidInput"),
        ({"cidr": "10.0.0.0/31"}, BadRequest, "InvalidInput"),
        ({"cidr": "224.0.0.0/24"}, BadRequest, "InvalidInput"),
        ({"cidr": "127.0.0.0/24"}, BadRequest, "InvalidInput"),
        ({"gateway_ip": "10.0.0.0"}, BadRequest, "InvalidInput"),
        ({"gateway_ip": "10.0.0.255"}, BadRequest, "InvalidInput"),
        ({"gateway_ip": "fd00::1"}, BadRequest, "InvalidInput"),
        ({"dns_nameservers": ["fd00::8"]}, BadRequest, "InvalidInput"),
        ({"dns_nameservers": ["10.0.0.8", "10.0.0.8"]}, BadRequest, "InvalidInput"),
        (
            {"host_routes": [{"destination": "::/0", "nexthop": "10.0.0.9"}]},
            BadRequest,
            "InvalidInput",
        ),
        (
            {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}] * 2},
            BadRequest,
            "InvalidInput",
        ),
        ({"ipv6_address_mode": "slaac"}, BadRequest, "InvalidInput"),
        ({"ipv6_ra_mode": "slaac"}, BadRequest, "InvalidInput"),
        (
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.8"}]},
            BadRequest,
            "InvalidAllocationPool",
        ),
        (
            {"allocation_pools": [{"start": "10.0.0.9", "end": "fd00::1"}]},
            BadRequest,
            "InvalidAllocationPool",
        ),
        (
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.9"}]},
            BadRequest,
            "OutOfBoundsAllocationPool",
        ),
        (
            {"allocation_pools": [{"start": "10.0.0.0", "end": "10.0.0.9"}]},
            BadRequest,
            "OutOfBoundsAllocationPool",
        ),
        (
            {"allocation_pools": [{"start": "fd00::1", "end": "fd00::9"}]},
            BadRequest,
            "OutOfBoundsAllocationPool",
        ),
        (
            {"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.9"}]},
            Conflict,
            "GatewayConflictWithAllocationPools",
        ),
        (
            {
                "allocation_pools": [
                    {"start": "10.0.0.20", "end": "10.0.0.30"},
                    {"start": "10.0.0.9", "end": "10.0.0.20"},
                ]
            },
            Conflict,
            "OverlappingAllocationPools",
        ),
        # IPv6
        ({**V6, "cidr": "fd00::/127"}, BadRequest, "InvalidInput"),
        ({**V6, "cidr": "ff02::/64"}, BadRequest, "InvalidInput"),
        ({**V6, "cidr": "fd00::/63", "ipv6_ra_mode": "slaac"}, BadRequest, "InvalidInput"),
        (
            {**V6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"},
            BadRequest,
            "InvalidInput",
        ),
        (
            {**V6, "ipv6_ra_mode": "slaac", "enable_dhcp": False},
            BadRequest,
            "InvalidInput",
        ),
    ],
)
def test_create_refused(given: Any, status: type[ApiError], error_type: str) -> None:
    """What cannot be is refused with the API's type."""
    view = view_of(nb_global(), a_network(), a_subnet(cidr="10.9.0.0/24"), *FOREIGN)
    with pytest.raises(status) as refused:
        post("subnets", {**V4, **given})(view)

    assert error_type == refused.value.error_type


@pytest.mark.parametrize(("mtu", "given"), [("67", V4), ("1279", V6)])
def test_create_where_the_mtu_is_too_small(mtu: str, given: Any) -> None:
    """A network's MTU may be too small for a version of IP."""
    with pytest.raises(Conflict) as refused:
        post("subnets", given)(view_of(nb_global(), a_network(mtu=mtu)))

    assert refused.value.error_type == "NetworkMTUSubnetConflict"


def test_overlap_on_another_network() -> None:
    """Different networks may have the same addresses."""
    other = a_subnet(external_ids={keys.SUBNET_NETWORK: OTHER_NET})
    rows = (nb_global(), a_network(), a_network(uuid=OTHER_NET), other)

    assert_answered(post("subnets", V4)(view_of(*rows)), rows, "subnets")


# --- update ---

SITE: tuple[Row, ...] = (counted(NET), a_network(), a_subnet())


def changed_ids(row: DhcpOptions | SwitchPort, **changed: str) -> dict[str, str]:
    """Return the external_ids of a subnet after its first change."""
    return {**row.external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2", **changed}


@pytest.mark.parametrize(
    ("given", "changed"),
    [({"name": "new"}, {keys.SUBNET_NAME: "new"}), ({"description": "d"}, {keys.DESCRIPTION: "d"})],
)
def test_update_words(given: Any, changed: dict[str, str]) -> None:
    """A new name is no matter of addresses: one update, no counter."""
    row = a_subnet()
    plan = put("subnets", SUBNET, **given)(view_of(*SITE))

    assert [
        ops.wait_columns(schema.DHCP, SUBNET, {"external_ids": row.external_ids}),
        ops.update(schema.DHCP, SUBNET, {"external_ids": changed_ids(row, **changed)}),
    ] == plan.operations
    assert_answered(plan, SITE, "subnets")


def test_update_gateway() -> None:
    """A new gateway is told by DHCP, is the DHCP server's address, and advances the counter."""
    row = a_subnet()
    plan = put("subnets", SUBNET, gateway_ip="10.0.0.255", allocation_pools=[])
    with pytest.raises(BadRequest):
        plan(view_of(*SITE))
    make = put(
        "subnets",
        SUBNET,
        gateway_ip="10.0.0.254",
        allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.253"}],
    )
    found = make(view_of(*SITE))
    options = {**row.options, "router": "10.0.0.254", "server_id": "10.0.0.254"}
    update = ops.update(
        schema.DHCP,
        SUBNET,
        {
            "options": options,
            "external_ids": changed_ids(row, **{keys.SUBNET_POOLS: "10.0.0.2-10.0.0.253"}),
        },
    )

    assert [ADVANCE, update] == changes(found)
    assert GUARD in found.operations
    assert_answered(found, SITE, "subnets")


def test_update_gateway_where_ovn_gives_addresses() -> None:
    """OVN must not give the new gateway to a port, and may give the old one."""
    row = a_network().copy(other_config={"subnet": "10.0.0.0/24", "exclude_ips": "10.0.0.1"})
    pools = [{"start": "10.0.0.1", "end": "10.0.0.253"}]
    make = put("subnets", SUBNET, gateway_ip="10.0.0.254", allocation_pools=pools)
    plan = make(view_of(counted(NET), row, a_subnet()))

    assert config(subnet="10.0.0.0/24", exclude_ips="10.0.0.254") in changes(plan)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"gateway_ip": None}, {"gateway_ip": None}),
        ({"gateway_ip": ""}, {"gateway_ip": None}),
        ({"dns_nameservers": ["10.0.0.8"]}, {"dns_nameservers": ["10.0.0.8"]}),
        ({"enable_dhcp": False}, {"enable_dhcp": False}),
        (
            {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]},
            {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]},
        ),
        (
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.9"}]},
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.9"}]},
        ),
    ],
)
def test_update(given: Any, shown: dict[str, Any]) -> None:
    """What may change is changed and shown, counted once, and done the second time."""
    make = put("subnets", SUBNET, **given)
    plan = make(view_of(*SITE))
    after = assert_answered(plan, SITE, "subnets")

    assert shown == {key: plan.answer["subnet"][key] for key in shown}
    assert plan.answer["subnet"]["revision_number"] == 2
    assert GUARD in plan.operations
    assert () == make(view_of(*after)).steps


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "sub"},
        {"gateway_ip": "10.0.0.1"},
        {"enable_dhcp": True},
        {"dns_nameservers": None},
        {"host_routes": []},
        {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}]},
    ],
)
def test_update_to_the_same(given: Any) -> None:
    """A state already reached needs no steps, and is answered as it is."""
    plan = put("subnets", SUBNET, **given)(view_of(*SITE))

    assert () == plan.steps
    assert {"subnet": encoded("subnets", SUBNET, SITE)} == plan.answer


def test_update_of_dhcp_reaches_the_ports() -> None:
    """Ports refer to a subnet's DHCP options exactly while it has DHCP."""
    port = a_port(f"{MAC} 10.0.0.5", dhcpv4_options=SUBNET)
    rows = (counted(NET), a_network(PORT), port, a_subnet())
    plan = put("subnets", SUBNET, enable_dhcp=False)(view_of(*rows))
    after = assert_answered(plan, rows, "subnets")

    assert ops.update(schema.PORT, PORT, {"dhcpv4_options": None}) in changes(plan)
    again = put("subnets", SUBNET, enable_dhcp=True)(view_of(*after))
    assert ops.update(schema.PORT, PORT, {"dhcpv4_options": SUBNET}) in changes(again)


def test_update_keeps_what_others_added() -> None:
    """Options and keys that we do not know stay."""
    row = a_subnet(options={"domain_name": '"x"'}, external_ids={"theirs": "1"})
    rows = (counted(NET), a_network(), row)
    plan = put("subnets", SUBNET, dns_nameservers=["10.0.0.8"])(view_of(*rows))
    [after] = [row for row in rows_after(rows, plan) if isinstance(row, DhcpOptions)]

    assert ('"x"', "1") == (after.options["domain_name"], after.external_ids["theirs"])


@pytest.mark.parametrize(
    ("subnet", "given", "status", "error_type"),
    [
        (a_subnet(), {"gateway_ip": "10.0.0.9"}, Conflict, "GatewayConflictWithAllocationPools"),
        (a_subnet(), {"gateway_ip": "10.0.0.0"}, BadRequest, "InvalidInput"),
        (a_subnet(), {"gateway_ip": "192.168.0.1"}, Conflict, "GatewayIpInUse"),
        (a_subnet(), {"gateway_ip": None}, Conflict, "GatewayIpInUse"),
        (a_subnet(), {"dns_nameservers": ["fd00::8"]}, BadRequest, "InvalidInput"),
        (
            a_subnet(),
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.9"}]},
            BadRequest,
            "OutOfBoundsAllocationPool",
        ),
        (a_subnet6("slaac", uuid=SUBNET), {"enable_dhcp": False}, BadRequest, "InvalidInput"),
    ],
)
def test_update_refused(
    subnet: DhcpOptions, given: Any, status: type[ApiError], error_type: str
) -> None:
    """What cannot be is refused with the API's type."""
    view = view_of(nb_global(), a_network(PORT2), *a_router_port(), subnet)
    with pytest.raises(status) as refused:
        put("subnets", SUBNET, **given)(view)

    assert error_type == refused.value.error_type


# --- delete ---


def test_delete() -> None:
    """A subnet goes alone, and OVN's own address management forgets it."""
    row = a_network().copy(other_config={"subnet": "10.0.0.0/24", "exclude_ips": "x", "k": "v"})
    rows = (counted(NET), row, a_subnet())
    plan = delete("subnets", SUBNET)(view_of(*rows))

    assert [
        GUARD,
        config_guard(subnet="10.0.0.0/24", exclude_ips="x", k="v"),
        ops.wait_exists(schema.DHCP, SUBNET),
        ADVANCE,
        config(k="v"),
        ops.delete(schema.DHCP, SUBNET),
        traces(SUBNET),
    ] == plan.operations
    assert not plan.is_done(view_of(*rows))
    assert plan.is_done(view_of(*rows_after(rows, plan)))


def test_delete_one_of_two() -> None:
    """What OVN knows of another subnet stays."""
    row = a_network().copy(other_config={"subnet": "10.9.0.0/24", "ipv6_prefix": "fd00::"})
    rows = (counted(NET), row, a_subnet(), a_subnet6())

    assert [ADVANCE, ops.delete(schema.DHCP, SUBNET), traces(SUBNET)] == changes(
        delete("subnets", SUBNET)(view_of(*rows))
    )
    assert config(subnet="10.9.0.0/24") in changes(delete("subnets", SUBNET6)(view_of(*rows)))


@pytest.mark.parametrize(
    ("port", "subnet"),
    [
        ((a_port(f"{MAC} 10.0.0.5"),), a_subnet()),
        ((a_port(f"{MAC} 10.0.0.200"),), a_subnet()),
        ((a_port(f"{MAC} dynamic", dynamic_addresses=f"{MAC} 10.0.0.5"),), a_subnet()),
        (a_router_port(PORT), a_subnet()),
        ((SwitchPort.new(PORT, name="stranger", addresses=(f"{MAC} 10.0.0.5",)),), a_subnet()),
        ((a_port(f"{MAC} fd00::5"),), a_subnet6(uuid=SUBNET)),
        # not the address that the port makes itself
        ((a_port(f"{MAC} fd00::5"),), a_subnet6("slaac", uuid=SUBNET)),
        ((a_port(f"{MAC} {EUI} fd00::5"),), a_subnet6("slaac", uuid=SUBNET)),
        # others decide on these
        (
            (a_port(f"{MAC} dynamic", dynamic_addresses=f"{MAC} {EUI}"),),
            a_subnet6("slaac", uuid=SUBNET),
        ),
        (
            (SwitchPort.new(PORT, name="stranger", addresses=(f"{MAC} {EUI}",)),),
            a_subnet6("slaac", uuid=SUBNET),
        ),
    ],
)
def test_delete_in_use(port: tuple[Row, ...], subnet: DhcpOptions) -> None:
    """A subnet of which any port has an address stays."""
    with pytest.raises(Conflict) as refused:
        delete("subnets", SUBNET)(view_of(nb_global(), a_network(PORT), *port, subnet))

    assert refused.value.error_type == "SubnetInUse"


def test_delete_auto() -> None:
    """Addresses that ports made from their MACs go with their subnet."""
    addresses = f"{MAC} 10.0.0.5 {EUI}"
    port = a_port(addresses, port_security=(addresses,), dhcpv6_options=SUBNET6)
    other = a_port(f"{MAC2} 10.0.0.6", PORT2)
    subnet6 = a_subnet6("dhcpv6-stateless")
    rows = (counted(NET), a_network(PORT, PORT2), port, other, a_subnet(), subnet6)
    plan = delete("subnets", SUBNET6)(view_of(*rows))
    left = f"{MAC} 10.0.0.5"

    assert [
        ADVANCE,
        ops.update(
            schema.PORT,
            PORT,
            {
                "addresses": (left,),
                "port_security": (left,),
                "dhcpv6_options": None,
                "external_ids": changed_ids(port),
            },
        ),
        ops.delete(schema.DHCP, SUBNET6),
        traces(SUBNET6),
    ] == changes(plan)
    assert plan.is_done(view_of(*rows_after(rows, plan)))


def test_delete_auto_with_options_of_a_port() -> None:
    """The DHCP options that a port has of its own go with the subnet that they add to."""
    ids = {keys.PORT_OF_OPTIONS: PORT, keys.SUBNET_OF_OPTIONS: SUBNET6, "ip_version": "6"}
    own = DhcpOptions.new(OWN_ROW, cidr="fd00::/64", external_ids=ids)
    port = a_port(f"{MAC} {EUI}", dhcpv6_options=OWN_ROW)
    rows = (counted(NET), a_network(PORT), port, a_subnet6("dhcpv6-stateless"), own)
    plan = delete("subnets", SUBNET6)(view_of(*rows))

    assert [
        ADVANCE,
        ops.update(
            schema.PORT,
            PORT,
            {"addresses": (MAC,), "dhcpv6_options": None, "external_ids": changed_ids(port)},
        ),
        ops.delete(schema.DHCP, OWN_ROW),
        ops.delete(schema.DHCP, SUBNET6),
        traces(OWN_ROW, SUBNET6),
    ] == changes(plan)


@pytest.mark.parametrize("cidr", ["nonsense", ""])
def test_damaged(cidr: str) -> None:
    """A damaged subnet can be deleted, and is not changed."""
    rows = (nb_global(), a_network(PORT), a_port(f"{MAC} 10.0.0.5"), a_subnet(cidr=cidr))

    plan = delete("subnets", SUBNET)(view_of(*rows))
    assert [ops.delete(schema.DHCP, SUBNET), traces(SUBNET)] == changes(plan)
    with pytest.raises(Conflict):
        put("subnets", SUBNET, name="x")(view_of(*rows))


@pytest.mark.parametrize("subnet_id", [row_id(62), row_id(63), row_id(99), ""])
def test_not_found(subnet_id: str) -> None:
    """DHCP options of another manager, or of a network that is none, are not found."""
    foreign = DhcpOptions.new(row_id(62), cidr="10.0.0.0/24")
    stray = DhcpOptions.new(
        row_id(63), cidr="10.0.0.0/24", external_ids={keys.SUBNET_NETWORK: FOREIGN_NET}
    )
    view = view_of(nb_global(), foreign, stray, *FOREIGN)
    for make in (put("subnets", subnet_id, name="x"), delete("subnets", subnet_id)):
        with pytest.raises(NotFound) as refused:
            make(view)

        assert refused.value.error_type == "SubnetNotFound"


def test_peer_row() -> None:
    """A subnet of ovirt-provider-ovn is changed in place."""
    peer_net = Switch.new(NET, name="plain", external_ids={"ovirt_network_name": "plain"})
    row = DhcpOptions.new(
        SUBNET,
        cidr="10.0.0.0/24",
        options={
            "server_mac": "02:00:00:00:00:00",
            "lease_time": "86400",
            "server_id": "10.0.0.1",
            "router": "10.0.0.1",
            "dns_server": "10.0.0.8",
            "mtu": "1442",
        },
        external_ids={"ovirt_name": "sub", "ovirt_network_id": NET, "ip_version": "4"},
    )
    rows = (counted(NET), peer_net, row)

    assert () == put("subnets", SUBNET, dns_nameservers=["10.0.0.8"])(view_of(*rows)).steps
    plan = put("subnets", SUBNET, dns_nameservers=["10.0.0.9"])(view_of(*rows))
    [after] = [one for one in assert_answered(plan, rows, "subnets") if one.uuid == SUBNET]
    assert isinstance(after, DhcpOptions)
    assert {**row.options, "dns_server": "10.0.0.9"} == after.options
