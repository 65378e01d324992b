# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for floating IPs: the port that holds one, and the rule that makes it work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import Nat, Router, Row, Switch, SwitchPort
from unit.proxy.plans import (
    CREATED,
    LATER,
    MAC,
    MAC2,
    NB,
    NET,
    PORT,
    PORT2,
    SUBNET,
    a_localnet,
    a_network,
    a_port,
    a_subnet6,
    assert_answered,
    delete,
    encoded,
    post,
    put,
    put_by,
    row_id,
    row_uuid,
    rows_after,
    view_of,
)
from unit.proxy.routed import (
    CHASSIS,
    CONNECTED,
    EXT,
    EXT_SUBNET,
    GROUP,
    INSIDE,
    INSIDE_LRP,
    NET2,
    NETWORKS,
    OUTSIDE,
    OUTSIDE_LRP,
    ROUTED,
    ROUTER,
    a_router,
    an_external_network,
    an_external_subnet,
    inside,
    outside,
    with_rows,
)

NEW, HOLDER = row_uuid("floatingip/0"), row_uuid("floatingip/0/port")
RULE = row_uuid(f"{HOLDER}/rule")
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
COUNTER = keys.SEQUENCE + EXT
# A floating IP that is there, and what it is when it is associated with PORT.
FIP, FIP_PORT, FIP_RULE, FIP_MAC = row_id(110), row_id(111), row_id(112), "02:00:00:00:00:21"
ASSOCIATED = {
    keys.FLOATING_PORT: PORT,
    keys.FLOATING_FIXED: "10.0.0.5",
    keys.FLOATING_ROUTER: ROUTER,
}


def a_floating_ip(ip: str = "203.0.113.9", **external_ids: str) -> SwitchPort:
    """Return the port that holds a floating IP; `external_ids` are added."""
    return SwitchPort.new(
        FIP_PORT,
        name=FIP_PORT,
        enabled=True,
        external_ids={
            **CREATED,
            keys.NIC_NAME: "",
            keys.DEVICE_ID: FIP,
            keys.DEVICE_OWNER: "network:floatingip",
            keys.FLOATING_ADDRESS: ip,
            keys.FLOATING_MAC: FIP_MAC,
            **external_ids,
        },
    )


def a_rule(**changes: Any) -> Nat:
    """Return the rule of that floating IP."""
    columns = {
        "type": "dnat_and_snat",
        "external_ip": "203.0.113.9",
        "logical_ip": "10.0.0.5",
        "external_ids": {keys.NAT_FLOATING_IP: FIP},
        **changes,
    }
    return Nat.new(FIP_RULE, **columns)


ROUTER_IDS = {keys.ROUTER_GATEWAY: OUTSIDE}
HELD = with_rows(
    CONNECTED,
    an_external_network(OUTSIDE, FIP_PORT).copy(
        other_config={"exclude_ips": "203.0.113.2 203.0.113.9"}
    ),
    a_floating_ip(),
)
USED = with_rows(
    HELD,
    a_floating_ip(**ASSOCIATED),
    a_port(f"{MAC} 10.0.0.5", external_ids={keys.FLOATING_IPS: FIP}),
    a_router(INSIDE_LRP, OUTSIDE_LRP, external_ids=ROUTER_IDS, nat=(FIP_RULE,)),
    a_rule(),
)
# The external network is a physical one.
PHYSICAL = with_rows(
    HELD,
    an_external_network(OUTSIDE, FIP_PORT, row_id(60)).copy(
        other_config={"exclude_ips": "203.0.113.2 203.0.113.9"}
    ),
    a_localnet(uuid=row_id(60)),
)


def create(**values: Any) -> Any:
    """Return the planner of a new floating IP on the external network."""
    return post("floatingips", {"floating_network_id": EXT, **values})


def some(rows: Sequence[Row], kind: type[Row]) -> list[Any]:
    """Return the rows of a kind."""
    return [row for row in rows if isinstance(row, kind)]


def find(rows: Sequence[Row], uuid: str) -> Any:
    """Return a row."""
    [row] = [row for row in rows if row.uuid == uuid]
    return row


# --- allocation ---


def test_create() -> None:
    """A floating IP is a port without addresses that OVN would answer for."""
    plan = create(description="d")(view_of(*CONNECTED))
    mac = find(rows_after(CONNECTED, plan), HOLDER).external_ids[keys.FLOATING_MAC]
    config = {"exclude_ips": "203.0.113.2"}

    assert [
        ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "7"),
        ops.wait_columns(schema.SWITCH, EXT, {"other_config": config}),
        ops.wait_exists(schema.SWITCH, EXT),
        ops.set_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "8"),
        ops.insert(
            schema.PORT,
            HOLDER,
            {
                "name": HOLDER,
                "enabled": True,
                "external_ids": {
                    **STAMP,
                    keys.DESCRIPTION: "d",
                    keys.NIC_NAME: "",
                    keys.DEVICE_ID: NEW,
                    keys.DEVICE_OWNER: "network:floatingip",
                    keys.FLOATING_ADDRESS: "203.0.113.3",
                    keys.FLOATING_MAC: mac,
                },
            },
        ),
        ops.update(
            schema.SWITCH, EXT, {"other_config": {"exclude_ips": "203.0.113.2 203.0.113.3"}}
        ),
        ops.add_to_set(schema.SWITCH, EXT, "ports", [HOLDER]),
    ] == plan.operations
    after = assert_answered(plan, CONNECTED, "floatingips")
    shown = plan.answer["floatingip"]
    assert (NEW, "203.0.113.3", None, None, None, "DOWN", None, "d") == tuple(
        shown[key]
        for key in (
            "id",
            "floating_ip_address",
            "port_id",
            "fixed_ip_address",
            "router_id",
            "status",
            "port_details",
            "description",
        )
    )
    port = encoded("ports", HOLDER, after)
    assert ("network:floatingip", NEW, "N/A", mac) == tuple(
        port[key] for key in ("device_owner", "device_id", "status", "mac_address")
    )
    assert [{"subnet_id": EXT_SUBNET, "ip_address": "203.0.113.3"}] == port["fixed_ips"]


@pytest.mark.parametrize(
    ("given", "ip"),
    [
        ({"floating_ip_address": "203.0.113.77"}, "203.0.113.77"),
        ({"subnet_id": EXT_SUBNET}, "203.0.113.3"),
        ({"subnet_id": EXT_SUBNET, "floating_ip_address": "203.0.113.77"}, "203.0.113.77"),
        (
            dict.fromkeys(["floating_ip_address", "subnet_id", "port_id", "fixed_ip_address"]),
            "203.0.113.3",
        ),
    ],
)
def test_addresses(given: Any, ip: str) -> None:
    """An address is the one that is asked for, or the next free one."""
    plan = create(**given)(view_of(*CONNECTED))

    assert ip == plan.answer["floatingip"]["floating_ip_address"]
    assert "subnet_id" not in plan.answer["floatingip"]


def test_create_in_bulk() -> None:
    """Each of several gets an address of its own, in one transaction."""
    wanted = [{"floating_network_id": EXT} for _ in range(3)]
    plan = post("floatingips", *wanted)(view_of(*HELD))

    assert ["203.0.113.3", "203.0.113.4", "203.0.113.5"] == [
        one["floating_ip_address"] for one in plan.answer["floatingips"]
    ]
    after = assert_answered(plan, HELD, "floatingips")
    ips = "203.0.113.2 203.0.113.9 203.0.113.3 203.0.113.4 203.0.113.5"
    assert {"exclude_ips": ips} == find(after, EXT).other_config


# A router that an administrator has given rules of his own.
BY_HAND = with_rows(
    CONNECTED,
    a_router(
        INSIDE_LRP,
        OUTSIDE_LRP,
        nat=tuple(map(row_id, range(100, 104))),
        external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
    ),
    Nat.new(row_id(100), type="dnat_and_snat", external_ip="203.0.113.3", logical_ip="10.0.0.5"),
    Nat.new(row_id(101), type="snat", external_ip="203.0.113.2", logical_ip="10.0.0.0/24"),
    Nat.new(row_id(102), type="dnat_and_snat", external_ip="fd00::9", logical_ip="fd01::9"),
    Nat.new(row_id(103), type="snat", external_ip="nonsense", logical_ip="10.0.0.7"),
)


def test_addresses_of_rules_by_hand() -> None:
    """An address that a rule of an administrator's translates is given to nobody else."""
    plan = create()(view_of(*BY_HAND))
    assert "203.0.113.4" == plan.answer["floatingip"]["floating_ip_address"]
    port = post("ports", {"network_id": EXT})(view_of(*BY_HAND))
    assert "203.0.113.4" == port.answer["port"]["fixed_ips"][0]["ip_address"]
    with pytest.raises(ApiError) as refused:
        create(floating_ip_address="203.0.113.3")(view_of(*BY_HAND))

    assert "IpAddressAlreadyAllocated" == refused.value.error_type
    # The gateway's own address stays its own, whatever translates to it.
    info = {"network_id": EXT, "external_fixed_ips": [{"ip_address": "203.0.113.2"}]}
    more = {**info, "external_fixed_ips": [*info["external_fixed_ips"], {"subnet_id": EXT_SUBNET}]}
    plan = put("routers", ROUTER, external_gateway_info=more)(view_of(*BY_HAND))
    shown = plan.answer["router"]["external_gateway_info"]["external_fixed_ips"]
    assert ["203.0.113.2", "203.0.113.4"] == [one["ip_address"] for one in shown]


@pytest.mark.parametrize(
    ("rows", "given", "status", "error_type"),
    [
        (CONNECTED, {"floating_network_id": row_id(99)}, 400, "BadRequest"),
        (CONNECTED, {"floating_network_id": NET}, 400, "BadRequest"),
        (
            tuple(row for row in NETWORKS if row.uuid != EXT_SUBNET),
            {},
            400,
            "BadRequest",
        ),
        (CONNECTED, {"subnet_id": SUBNET}, 400, "InvalidInput"),
        (CONNECTED, {"subnet_id": row_id(99)}, 404, "SubnetNotFound"),
        (CONNECTED, {"floating_ip_address": "192.0.2.1"}, 400, "InvalidIpForNetwork"),
        (
            CONNECTED,
            {"floating_ip_address": "203.0.113.2"},
            409,
            "IpAddressAlreadyAllocated",
        ),
        (HELD, {"floating_ip_address": "203.0.113.9"}, 409, "IpAddressAlreadyAllocated"),
        (
            with_rows(
                CONNECTED,
                an_external_subnet(external_ids={keys.SUBNET_POOLS: "203.0.113.2-203.0.113.2"}),
            ),
            {},
            400,
            "ExternalIpAddressExhausted",
        ),
        (CONNECTED, {"fixed_ip_address": "10.0.0.5"}, 400, "BadRequest"),
        (CONNECTED, {"port_id": row_id(99)}, 404, "PortNotFound"),
        (ROUTED, {"port_id": PORT}, 404, "ExternalGatewayForFloatingIPNotFound"),
    ],
)
def test_create_refused(rows: tuple[Row, ...], given: Any, status: int, error_type: str) -> None:
    """What cannot be a floating IP is refused with the API's own type."""
    with pytest.raises(ApiError) as refused:
        create(**given)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "x"},
        {"router_id": ROUTER},
        {"floating_ip_address": "fd00::1"},
        {"port_id": "x"},
        {"fixed_ip_address": "x"},
        {"status": "ACTIVE"},
    ],
)
def test_create_malformed(given: Any) -> None:
    """What a floating IP does not have is refused before anybody looks."""
    with pytest.raises(ApiError) as refused:
        create(**given)

    assert (400, "HTTPBadRequest") == (refused.value.status, refused.value.error_type)


# --- association ---


def test_create_associated() -> None:
    """A floating IP can be made and associated in one transaction."""
    plan = create(port_id=PORT)(view_of(*CONNECTED))
    after = assert_answered(plan, CONNECTED, "floatingips")
    [rule] = some(after, Nat)

    assert {
        "type": "dnat_and_snat",
        "external_ip": "203.0.113.3",
        "logical_ip": "10.0.0.5",
        "external_ids": {keys.NAT_FLOATING_IP: NEW},
    } == rule.columns()
    assert (rule.uuid,) == find(after, ROUTER).nat
    assert NEW == find(after, PORT).external_ids[keys.FLOATING_IPS]
    shown = plan.answer["floatingip"]
    assert (PORT, "10.0.0.5", ROUTER, "ACTIVE") == tuple(
        shown[key] for key in ("port_id", "fixed_ip_address", "router_id", "status")
    )
    assert {
        "name": "nic",
        "network_id": NET,
        "mac_address": MAC,
        "admin_state_up": True,
        "status": "DOWN",
        "device_id": "",
        "device_owner": "",
    } == shown["port_details"]


def test_associate() -> None:
    """An association changes three rows, and rests on router and port as they were."""
    plan = put("floatingips", FIP, port_id=PORT)(view_of(*HELD))
    after = assert_answered(plan, HELD, "floatingips")
    rule = row_uuid(f"{FIP_PORT}/rule")
    ids = a_floating_ip().external_ids
    port_ids = find(HELD, PORT).external_ids
    networks = [
        ops.wait_columns(schema.SWITCH, uuid, {"external_ids": find(HELD, uuid).external_ids})
        for uuid in (EXT, NET)
    ]

    assert [
        ops.wait_columns(
            schema.ROUTER,
            ROUTER,
            {
                "ports": (INSIDE_LRP, OUTSIDE_LRP),
                "external_ids": {**CREATED, **ROUTER_IDS},
            },
        ),
        ops.wait_columns(schema.PORT, PORT, {"addresses": (f"{MAC} 10.0.0.5",)}),
        *networks,
        ops.wait_columns(schema.PORT, FIP_PORT, {"external_ids": ids}),
        ops.wait_columns(schema.PORT, PORT, {"external_ids": port_ids}),
        ops.wait_exists(schema.ROUTER, ROUTER),
        ops.insert(
            schema.NAT,
            rule,
            {
                "type": "dnat_and_snat",
                "external_ip": "203.0.113.9",
                "logical_ip": "10.0.0.5",
                "external_ids": {keys.NAT_FLOATING_IP: FIP},
            },
        ),
        ops.update(
            schema.PORT,
            FIP_PORT,
            {
                "external_ids": {
                    **ids,
                    **ASSOCIATED,
                    keys.UPDATED_AT: LATER,
                    keys.REVISION: "2",
                }
            },
        ),
        ops.update(schema.PORT, PORT, {"external_ids": {**port_ids, keys.FLOATING_IPS: FIP}}),
        ops.add_to_set(schema.ROUTER, ROUTER, "nat", [rule]),
    ] == plan.operations
    again = put("floatingips", FIP, port_id=PORT)(view_of(*after))
    assert again.steps == ()


VNIC = {keys.VNIC_TYPE: "direct"}


@pytest.mark.parametrize(
    ("rows", "options", "is_distributed"),
    [
        (PHYSICAL, {}, True),
        (PHYSICAL, {"distributed_floating_ips": False}, False),
        # The external network is an overlay, the port's is a physical one, or the port is
        # a virtual function.
        (HELD, {}, False),
        (
            with_rows(
                PHYSICAL,
                a_network(PORT, INSIDE, row_id(61)),
                a_localnet(7, "other", row_id(61)),
            ),
            {},
            False,
        ),
        (with_rows(PHYSICAL, a_port(f"{MAC} 10.0.0.5", external_ids=VNIC)), {}, False),
    ],
)
def test_where_the_work_is_done(rows: tuple[Row, ...], options: Any, is_distributed: bool) -> None:
    """The port's own chassis does the work where it can, else that of the gateway."""
    plan = put_by("floatingips", FIP, {"port_id": PORT}, **options)(view_of(*rows))
    [rule] = some(assert_answered(plan, rows, "floatingips"), Nat)

    expected = (PORT, FIP_MAC) if is_distributed else (None, None)
    assert expected == (rule.logical_port, rule.external_mac)


def test_the_place_follows() -> None:
    """Whoever changes port or networks moves the work in the same transaction."""
    rows = rows_after(PHYSICAL, put("floatingips", FIP, port_id=PORT)(view_of(*PHYSICAL)))
    for request, is_distributed in (
        (put("ports", PORT, **{"binding:vnic_type": "direct"}), False),
        (put("ports", PORT, **{"binding:vnic_type": "normal"}), True),
        (put("networks", EXT, **{"provider:network_type": "geneve"}), False),
    ):
        rows = rows_after(rows, request(view_of(*rows)))
        [rule] = some(rows, Nat)
        assert is_distributed == (rule.logical_port is not None) == (rule.external_mac is not None)


def test_the_sites_choice_follows() -> None:
    """Associating again what is associated already puts the work where the site wants it now."""
    rows = rows_after(PHYSICAL, put("floatingips", FIP, port_id=PORT)(view_of(*PHYSICAL)))
    central = {"distributed_floating_ips": False}
    plan = put_by("floatingips", FIP, {"port_id": PORT}, **central)(view_of(*rows))

    assert [None] == [rule.logical_port for rule in some(rows_after(rows, plan), Nat)]


def test_associate_places_the_gateway() -> None:
    """A gateway of ovirt-provider-ovn's is put on a chassis when a floating IP needs it."""
    rows = with_rows(HELD, *outside())
    plan = put("floatingips", FIP, port_id=PORT)(view_of(*rows))
    after = assert_answered(plan, rows, "floatingips")

    assert GROUP == find(after, OUTSIDE_LRP).ha_chassis_group
    assert "router" == find(after, OUTSIDE).options["nat-addresses"]
    without = tuple(row for row in rows if row.uuid not in (GROUP, CHASSIS))
    with pytest.raises(ApiError, match="gateway-chassis"):
        put("floatingips", FIP, port_id=PORT)(view_of(*without))


SEVERAL = with_rows(HELD, a_port(f"{MAC} 10.0.0.5 10.0.0.6 fd00::5"), a_subnet6("dhcpv6-stateful"))


@pytest.mark.parametrize(
    ("rows", "given", "fixed_ip"),
    [
        (HELD, {"fixed_ip_address": "10.0.0.5"}, "10.0.0.5"),
        (HELD, {"fixed_ip_address": None}, "10.0.0.5"),
        (SEVERAL, {"fixed_ip_address": "10.0.0.6"}, "10.0.0.6"),
        (
            with_rows(HELD, a_port(f"{MAC} dynamic", dynamic_addresses=f"{MAC} 10.0.0.7")),
            {},
            "10.0.0.7",
        ),
    ],
)
def test_fixed_address(rows: tuple[Row, ...], given: Any, fixed_ip: str) -> None:
    """The address is the port's only one, or the one that is named."""
    plan = put("floatingips", FIP, port_id=PORT, **given)(view_of(*rows))

    assert fixed_ip == plan.answer["floatingip"]["fixed_ip_address"]
    assert [fixed_ip] == [rule.logical_ip for rule in some(rows_after(rows, plan), Nat)]


@pytest.mark.parametrize(
    ("rows", "given", "status", "error_type"),
    [
        (HELD, {"port_id": row_id(99)}, 404, "PortNotFound"),
        (HELD, {"port_id": INSIDE}, 400, "BadRequest"),
        (HELD, {"port_id": FIP_PORT}, 400, "BadRequest"),
        (HELD, {"fixed_ip_address": "10.0.0.5"}, 400, "BadRequest"),
        (HELD, {"port_id": None, "fixed_ip_address": "10.0.0.5"}, 400, "BadRequest"),
        (HELD, {"port_id": PORT, "fixed_ip_address": "10.0.0.6"}, 400, "BadRequest"),
        (SEVERAL, {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(HELD, a_port(MAC)), {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(HELD, a_port(f"{MAC} 10.99.0.5")), {"port_id": PORT}, 400, "BadRequest"),
        # No router on the network, none with a gateway, one with a gateway elsewhere, one that
        # has no IPv4 address outside.
        (
            with_rows(
                HELD, a_network(INSIDE), a_network(PORT, uuid=NET2), a_port(f"{MAC} 10.2.0.5")
            ),
            {"port_id": PORT},
            404,
            "ExternalGatewayForFloatingIPNotFound",
        ),
        (
            with_rows(HELD, a_router(INSIDE_LRP, OUTSIDE_LRP)),
            {"port_id": PORT},
            404,
            "ExternalGatewayForFloatingIPNotFound",
        ),
        (
            with_rows(
                HELD,
                an_external_network(FIP_PORT),
                a_network(OUTSIDE, uuid=NET2, **{keys.NETWORK_EXTERNAL: "True"}),
            ),
            {"port_id": PORT},
            404,
            "ExternalGatewayForFloatingIPNotFound",
        ),
        (
            with_rows(HELD, *outside("2001:db8::2/64", ha_chassis_group=GROUP)),
            {"port_id": PORT},
            404,
            "ExternalGatewayForFloatingIPNotFound",
        ),
    ],
)
def test_associate_refused(rows: tuple[Row, ...], given: Any, status: int, error_type: str) -> None:
    """What cannot be associated is refused with the API's own type."""
    with pytest.raises(ApiError) as refused:
        put("floatingips", FIP, **given)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


def test_one_floating_ip_for_one_address() -> None:
    """An address has one floating IP of an external network; another address has its own."""
    with pytest.raises(ApiError) as refused:
        create(port_id=PORT)(view_of(*USED))

    assert (409, "FloatingIPPortAlreadyAssociated") == (
        refused.value.status,
        refused.value.error_type,
    )
    twice = [{"floating_network_id": EXT, "port_id": PORT} for _ in range(2)]
    with pytest.raises(ApiError, match="already has a floating IP"):
        post("floatingips", *twice)(view_of(*CONNECTED))
    ids = {keys.FLOATING_IPS: FIP}
    rows = with_rows(USED, a_port(f"{MAC} 10.0.0.5 10.0.0.6", external_ids=ids))
    plan = create(port_id=PORT, fixed_ip_address="10.0.0.6")(view_of(*rows))
    after = assert_answered(plan, rows, "floatingips")
    assert f"{FIP} {NEW}" == find(after, PORT).external_ids[keys.FLOATING_IPS]
    assert 2 == len(some(after, Nat))


def test_the_subnets_own_gateway_first() -> None:
    """Of several routers that could do it, the subnet's gateway does."""
    other, side, gateway = row_id(120), row_id(121), row_id(122)
    ids = {keys.DEVICE_OWNER: "network:router_interface", keys.DEVICE_ID: other}
    port, router_port = inside("10.0.0.254/24")
    second = port.copy(
        name=side, options={"router-port": f"lrp{side}"}, external_ids={**port.external_ids, **ids}
    )
    second.uuid = side
    second_lrp = router_port.copy(name=f"lrp{side}")
    second_lrp.uuid = row_id(123)
    out, out_lrp = outside("203.0.113.3/24", ha_chassis_group=GROUP)
    third = out.copy(
        name=gateway,
        options={"router-port": f"lrp{gateway}"},
        external_ids={**out.external_ids, keys.DEVICE_ID: other},
    )
    third.uuid = gateway
    third_lrp = out_lrp.copy(name=f"lrp{gateway}")
    third_lrp.uuid = row_id(124)
    rows = with_rows(
        HELD,
        a_network(PORT, INSIDE, side),
        an_external_network(OUTSIDE, FIP_PORT, gateway),
        Router.new(
            other,
            name="r2",
            ports=(row_id(123), row_id(124)),
            external_ids={**CREATED, keys.ROUTER_GATEWAY: gateway},
        ),
        second,
        second_lrp,
        third,
        third_lrp,
    )
    plan = put("floatingips", FIP, port_id=PORT)(view_of(*rows))
    assert ROUTER == plan.answer["floatingip"]["router_id"]
    # With the first one off the network, the other one does.
    rows = with_rows(rows, a_router(OUTSIDE_LRP, external_ids=ROUTER_IDS))
    plan = put("floatingips", FIP, port_id=PORT)(view_of(*rows))
    assert other == plan.answer["floatingip"]["router_id"]


def test_move() -> None:
    """A floating IP changes ports in one transaction."""
    rows = with_rows(USED, a_network(PORT, PORT2, INSIDE), a_port(f"{MAC2} 10.0.0.8", PORT2))
    plan = put("floatingips", FIP, port_id=PORT2)(view_of(*rows))
    after = assert_answered(plan, rows, "floatingips")
    [rule] = some(after, Nat)

    assert (row_uuid(f"{FIP_PORT}/rule"), "10.0.0.8") == (rule.uuid, rule.logical_ip)
    assert (rule.uuid,) == find(after, ROUTER).nat
    assert keys.FLOATING_IPS not in find(after, PORT).external_ids
    assert FIP == find(after, PORT2).external_ids[keys.FLOATING_IPS]
    assert ops.wait_exists(schema.NAT, FIP_RULE) in plan.operations


def test_move_on_one_port() -> None:
    """A floating IP changes addresses of its port in one transaction."""
    ids = {keys.FLOATING_IPS: FIP}
    rows = with_rows(USED, a_port(f"{MAC} 10.0.0.5 10.0.0.6", external_ids=ids))
    values = {"port_id": PORT, "fixed_ip_address": "10.0.0.6"}
    after = assert_answered(put("floatingips", FIP, **values)(view_of(*rows)), rows, "floatingips")

    assert ["10.0.0.6"] == [rule.logical_ip for rule in some(after, Nat)]
    assert FIP == find(after, PORT).external_ids[keys.FLOATING_IPS]


@pytest.mark.parametrize("given", [{"port_id": None}, {}])
def test_dissociate(given: Any) -> None:
    """Null for the port, and a body that says nothing, leave the address alone."""
    plan = put("floatingips", FIP, **given)(view_of(*USED))
    after = assert_answered(plan, USED, "floatingips")

    assert some(after, Nat) == []
    assert keys.FLOATING_IPS not in find(after, PORT).external_ids
    ids = {**a_floating_ip().external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2"}
    assert ids == find(after, FIP_PORT).external_ids
    again = put("floatingips", FIP, **given)(view_of(*after))
    assert again.steps == ()


def test_a_description_alone() -> None:
    """A PUT that says nothing of the port leaves the association alone."""
    plan = put("floatingips", FIP, description="d")(view_of(*USED))
    after = assert_answered(plan, USED, "floatingips")

    assert ("d", "ACTIVE") == tuple(
        plan.answer["floatingip"][key] for key in ("description", "status")
    )
    assert [FIP_RULE] == [rule.uuid for rule in some(after, Nat)]


@pytest.mark.parametrize("rows", [HELD, USED])
def test_delete(rows: tuple[Row, ...]) -> None:
    """A floating IP goes with its rule, and its address can be given out again."""
    plan = delete("floatingips", FIP)(view_of(*rows))
    after = rows_after(rows, plan)

    assert some(after, Nat) == []
    assert FIP_PORT not in {row.uuid for row in after}
    assert {"exclude_ips": "203.0.113.2"} == find(after, EXT).other_config
    assert keys.FLOATING_IPS not in find(after, PORT).external_ids
    assert plan.is_done(view_of(*after))
    assert not plan.is_done(view_of(*rows))
    guard = ops.wait_columns(
        schema.PORT, FIP_PORT, {"external_ids": find(rows, FIP_PORT).external_ids}
    )
    assert guard in plan.operations


# --- around floating IPs ---


def test_a_port_goes() -> None:
    """The port of a floating IP leaves it behind, free for another."""
    plan = delete("ports", PORT)(view_of(*USED))
    after = rows_after(USED, plan)

    assert PORT not in {row.uuid for row in after}
    assert some(after, Nat) == []
    shown = encoded("floatingips", FIP, after)
    assert (None, "DOWN", 2) == (shown["port_id"], shown["status"], shown["revision_number"])
    assert keys.FLOATING_PORT not in find(after, FIP_PORT).external_ids
    assert plan.is_done(view_of(*after))


@pytest.mark.parametrize(
    ("values", "is_allowed"),
    [
        ({"name": "n"}, True),
        ({"fixed_ips": [{"ip_address": "10.0.0.5"}]}, True),
        ({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.9"}]}, True),
        ({"mac_address": MAC2}, True),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, False),
        ({"fixed_ips": []}, False),
    ],
)
def test_a_port_changes(values: Any, is_allowed: bool) -> None:
    """A port keeps the address that a floating IP is for."""
    make = put("ports", PORT, **values)
    if is_allowed:
        after = assert_answered(make(view_of(*USED)), USED, "ports")
        assert [FIP_RULE] == [rule.uuid for rule in some(after, Nat)]
        return
    with pytest.raises(ApiError) as refused:
        make(view_of(*USED))

    assert (400, "BadRequest") == (refused.value.status, refused.value.error_type)


@pytest.mark.parametrize(
    ("request_of", "status", "error_type"),
    [
        (delete("ports", FIP_PORT), 409, "ServicePortInUse"),
        (put("ports", FIP_PORT, fixed_ips=[]), 400, "BadRequest"),
        (put("ports", FIP_PORT, description="d"), 400, "BadRequest"),
        (put("ports", FIP_PORT, device_id=""), 400, "BadRequest"),
        (delete("networks", EXT), 409, "NetworkInUse"),
        (delete("subnets", EXT_SUBNET), 409, "SubnetInUse"),
        (put("networks", EXT, **{"router:external": False}), 409, "ExternalNetworkInUse"),
        (
            post("ports", {"network_id": EXT, "mac_address": FIP_MAC}),
            409,
            "MacAddressInUse",
        ),
        (
            post("ports", {"network_id": EXT, "fixed_ips": [{"ip_address": "203.0.113.9"}]}),
            409,
            "IpAddressAlreadyAllocated",
        ),
    ],
)
def test_what_a_floating_ip_keeps(request_of: Any, status: int, error_type: str) -> None:
    """Its port, its network, its subnet and its addresses are a floating IP's alone."""
    rows = tuple(
        row
        for row in with_rows(HELD, an_external_network(FIP_PORT))
        if row.uuid not in (OUTSIDE, OUTSIDE_LRP)
    )
    with pytest.raises(ApiError) as refused:
        request_of(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


def test_a_new_auto_address_subnet() -> None:
    """A floating IP gets no address of a subnet whose hosts make their own."""
    values = {
        "network_id": EXT,
        "cidr": "2001:db8::/64",
        "ip_version": 6,
        "ipv6_address_mode": "slaac",
    }
    after = rows_after(HELD, post("subnets", values)(view_of(*HELD)))

    assert () == find(after, FIP_PORT).addresses


@pytest.mark.parametrize(
    "rows",
    [
        tuple(row for row in USED if row.uuid != PORT),
        tuple(row for row in USED if not isinstance(row, Router)),
    ],
)
def test_what_another_hand_took(rows: tuple[Row, ...]) -> None:
    """A floating IP whose port or router is gone is free, and can be used again or deleted."""
    shown = encoded("floatingips", FIP, rows)

    assert (None, None, None, "DOWN", None) == tuple(
        shown[key] for key in ("port_id", "fixed_ip_address", "router_id", "status", "port_details")
    )
    freed = rows_after(rows, put("floatingips", FIP, port_id=None)(view_of(*rows)))
    assert not {*ASSOCIATED} & set(find(freed, FIP_PORT).external_ids)
    assert FIP_PORT not in {
        row.uuid for row in rows_after(rows, delete("floatingips", FIP)(view_of(*rows)))
    }


def test_a_rule_that_is_gone_comes_back() -> None:
    """Associating again what OVN has lost by another hand makes the rule anew."""
    rows = with_rows(USED, a_router(INSIDE_LRP, OUTSIDE_LRP, external_ids=ROUTER_IDS))
    rows = tuple(row for row in rows if row.uuid != FIP_RULE)
    plan = put("floatingips", FIP, port_id=PORT)(view_of(*rows))

    assert ["10.0.0.5"] == [rule.logical_ip for rule in some(rows_after(rows, plan), Nat)]


def test_switch_of_a_network_that_is_down() -> None:
    """A floating IP can be had on a network that is down, and is up with it."""
    rows = with_rows(CONNECTED, an_external_network(OUTSIDE, **{keys.ADMIN_STATE: "False"}))
    after = assert_answered(create()(view_of(*rows)), rows, "floatingips")

    assert False is find(after, HOLDER).enabled
    up = rows_after(after, put("networks", EXT, admin_state_up=True)(view_of(*after)))
    assert True is find(up, HOLDER).enabled
    assert isinstance(find(up, EXT), Switch)
