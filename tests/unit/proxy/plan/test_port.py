# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for ports, by their operations."""

from __future__ import annotations

import json
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
    a_localnet,
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
    put_by,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

NEW, NEW2 = row_uuid("port/0"), row_uuid("port/1")
EUI, EUI2 = "fd00::ff:fe00:1", "fd00::ff:fe00:2"
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
GUARD = ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + NET, "7")
ADVANCE = ops.set_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + NET, "8")
NETWORK: tuple[Row, ...] = (counted(NET), a_network(), a_subnet())


def inserted(addresses: str, columns: Any = None, **external_ids: str) -> Operation:
    """Return the insert of a new port without name."""
    return ops.insert(
        schema.PORT,
        NEW,
        {
            "name": NEW,
            "addresses": (addresses,),
            "enabled": True,
            **(columns or {}),
            "external_ids": {**STAMP, keys.NIC_NAME: "", **external_ids},
        },
    )


def find(rows: list[Row], uuid: str) -> SwitchPort:
    """Return a port's row."""
    [row] = [row for row in rows if row.uuid == uuid]
    assert isinstance(row, SwitchPort)
    return row


# --- create ---


@pytest.mark.parametrize(
    ("given", "columns", "external_ids"),
    [
        ({}, {}, {}),
        ({"name": "nic1"}, {}, {keys.NIC_NAME: "nic1"}),
        (
            {
                "device_id": "vm",
                "device_owner": "oVirt",
                "description": "d",
                "binding:host_id": "host1",
                "binding:vnic_type": "direct",
                "binding:profile": {"b": 1, "a": None},
            },
            {},
            {
                keys.DEVICE_ID: "vm",
                keys.DEVICE_OWNER: "oVirt",
                keys.DESCRIPTION: "d",
                keys.HOST_ID: "host1",
                keys.VNIC_TYPE: "direct",
                keys.BINDING_PROFILE: '{"a": null, "b": 1}',
            },
        ),
        ({"binding:host_id": None, "security_groups": []}, {}, {}),
        ({"admin_state_up": False}, {"enabled": False}, {}),
    ],
)
def test_create(given: Any, columns: Any, external_ids: dict[str, str]) -> None:
    """A new port is one row on its switch with the lowest free address, behind a counter."""
    plan = post("ports", {"network_id": NET, "mac_address": MAC, **given})(view_of(*NETWORK))

    assert [
        GUARD,
        ops.wait_exists(schema.SWITCH, NET),
        ADVANCE,
        inserted(f"{MAC} 10.0.0.2", {"dhcpv4_options": SUBNET, **columns}, **external_ids),
        ops.add_to_set(schema.SWITCH, NET, "ports", [NEW]),
    ] == plan.operations
    assert_answered(plan, NETWORK, "ports")


def test_create_without_subnet() -> None:
    """On a network without subnets a port has a MAC, made from the request, and no address."""
    rows = (counted(NET), a_network())
    plan = post("ports", {"network_id": NET})(view_of(*rows))
    mac = plan.answer["port"]["mac_address"]

    assert [ADVANCE, inserted(mac), ops.add_to_set(schema.SWITCH, NET, "ports", [NEW])] == changes(
        plan
    )
    assert mac.startswith("02:")
    assert plan == post("ports", {"network_id": NET})(view_of(*rows))
    assert_answered(plan, rows, "ports")


def test_create_with_everything() -> None:
    """IPv4, stateful IPv6 and SLAAC addresses, pairs and port security stand in one row."""
    slaac = a_subnet6("slaac", uuid=row_id(40), cidr="fd01::/64")
    rows = (counted(NET), a_network(ovirt_port_security="True"), a_subnet(), a_subnet6(), slaac)
    pairs = [{"ip_address": "10.0.0.99"}, {"ip_address": "10.0.0.98", "mac_address": MAC2}]
    make = post("ports", {"network_id": NET, "mac_address": MAC, "allowed_address_pairs": pairs})
    plan = make(view_of(*rows))
    own = f"{MAC} 10.0.0.2 fd00::1 fd01::ff:fe00:1"
    row = find(assert_answered(plan, rows, "ports"), NEW)

    assert (own, MAC2) == row.addresses
    assert (f"{own} 10.0.0.99", f"{MAC2} 10.0.0.98") == row.port_security
    assert (SUBNET, SUBNET6) == (row.dhcpv4_options, row.dhcpv6_options)
    assert [{**pairs[0], "mac_address": MAC}, pairs[1]] == plan.answer["port"][
        "allowed_address_pairs"
    ]
    assert ["10.0.0.2", "fd00::1", "fd01::ff:fe00:1"] == [
        ip["ip_address"] for ip in plan.answer["port"]["fixed_ips"]
    ]


def test_create_in_bulk() -> None:
    """The ports of a bulk request take addresses one after the other."""
    plan = post("ports", *[{"network_id": NET} for _ in range(3)])(view_of(*NETWORK))
    ports = plan.answer["ports"]

    assert ["10.0.0.2", "10.0.0.3", "10.0.0.4"] == [
        port["fixed_ips"][0]["ip_address"] for port in ports
    ]
    assert [NEW, NEW2, row_uuid("port/2")] == [port["id"] for port in ports]
    assert len({port["mac_address"] for port in ports}) == 3
    assert [GUARD, ops.wait_exists(schema.SWITCH, NET)] == plan.operations[:2]
    assert_answered(plan, NETWORK, "ports")


def test_create_on_a_network_that_is_down() -> None:
    """What was asked for is kept until the network is up."""
    rows = (counted(NET), a_network(ovirt_admin_state_up="False"))
    plan = post("ports", {"network_id": NET})(view_of(*rows))
    row = find(assert_answered(plan, rows, "ports"), NEW)

    assert (False, "True") == (row.enabled, row.external_ids[keys.ADMIN_STATE])
    assert plan.answer["port"]["admin_state_up"] is True


def test_create_is_pinned_only_where_the_site_says_so() -> None:
    """`ovs-version-2.9` pins a port to its host; without it nothing does."""
    given = {"network_id": NET, "binding:host_id": "host1"}
    pinned = post("ports", given, ovs_version_2_9=True)(view_of(*NETWORK))
    free = post("ports", given)(view_of(*NETWORK))

    assert {"requested-chassis": "host1"} == find(rows_after(NETWORK, pinned), NEW).options
    assert find(rows_after(NETWORK, free), NEW).options == {}


@pytest.mark.parametrize(
    ("given", "ips"),
    [
        ([], []),
        ([{"ip_address": "10.0.0.77"}], ["10.0.0.77"]),
        ([{"ip_address": "10.0.0.1"}], ["10.0.0.1"]),
        ([{"subnet_id": SUBNET}], ["10.0.0.2"]),
        ([{"subnet_id": SUBNET, "ip_address": "10.0.0.77"}], ["10.0.0.77"]),
        ([{"subnet_id": SUBNET}, {"subnet_id": SUBNET}], ["10.0.0.2", "10.0.0.3"]),
        ([{"subnet_id": SUBNET}, {"ip_address": "10.0.0.2"}], ["10.0.0.2", "10.0.0.3"]),
        ([{"subnet_id": SUBNET6}], ["fd00::1"]),
        ([{"ip_address": "FD00:0::7"}, {"subnet_id": SUBNET}], ["fd00::7", "10.0.0.2"]),
    ],
)
def test_fixed_ips(given: Any, ips: list[str]) -> None:
    """`fixed_ips` names addresses, subnets, both or nothing."""
    rows = (*NETWORK, a_subnet6())
    plan = post("ports", {"network_id": NET, "fixed_ips": given})(view_of(*rows))

    assert ips == [entry["ip_address"] for entry in plan.answer["port"]["fixed_ips"]]
    assert_answered(plan, rows, "ports")


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        ({"network_id": OTHER_NET}, NotFound, "NetworkNotFound"),
        ({"network_id": FOREIGN_NET}, NotFound, "NetworkNotFound"),
        ({"mac_address": MAC2}, Conflict, "MacAddressInUse"),
        ({"mac_address": "02-00-00-00-00-02"}, Conflict, "MacAddressInUse"),
        (
            {"fixed_ips": [{"ip_address": "10.0.0.5"}]},
            Conflict,
            "IpAddressAlreadyAllocated",
        ),
        ({"fixed_ips": [{"ip_address": "10.9.0.5"}]}, BadRequest, "InvalidIpForNetwork"),
        (
            {"fixed_ips": [{"ip_address": "10.9.0.5", "subnet_id": SUBNET}]},
            BadRequest,
            "InvalidIpForSubnet",
        ),
        (
            {"fixed_ips": [{"ip_address": "fd00::5", "subnet_id": SUBNET}]},
            BadRequest,
            "InvalidIpForSubnet",
        ),
        ({"fixed_ips": [{"ip_address": "10.0.0.0"}]}, BadRequest, "InvalidIpForSubnet"),
        ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, BadRequest, "InvalidIpForSubnet"),
        ({"fixed_ips": [{"subnet_id": row_id(99)}]}, NotFound, "SubnetNotFound"),
        ({"fixed_ips": [{"subnet_id": row_id(41)}]}, BadRequest, "InvalidInput"),
        ({"fixed_ips": [{}]}, BadRequest, "InvalidInput"),
        (
            {"fixed_ips": [{"ip_address": "fd01::5"}]},
            BadRequest,
            "AllocationOnAutoAddressSubnet",
        ),
        (
            {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
            Conflict,
            "AddressPairAndPortSecurityRequired",
        ),
        (
            {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}] * 2},
            BadRequest,
            "DuplicateAddressPairInRequest",
        ),
        # one of them leaves it to the port, the other one names the same MAC
        (
            {
                "mac_address": MAC,
                "allowed_address_pairs": [
                    {"ip_address": "10.0.0.9"},
                    {"ip_address": "10.0.0.9", "mac_address": MAC},
                ],
            },
            BadRequest,
            "DuplicateAddressPairInRequest",
        ),
    ],
)
def test_create_refused(given: Any, status: type[ApiError], error_type: str) -> None:
    """What cannot be is refused with the API's type."""
    elsewhere = row_id(42)
    view = view_of(
        nb_global(),
        a_network(PORT),
        a_port(f"{MAC2} 10.0.0.5"),
        a_subnet(),
        a_subnet6("slaac", cidr="fd01::/64"),
        a_network(uuid=elsewhere),
        a_subnet(uuid=row_id(41), external_ids={keys.SUBNET_NETWORK: elsewhere}),
        *FOREIGN,
    )
    with pytest.raises(status) as refused:
        post("ports", {"network_id": NET, **given})(view)

    assert error_type == refused.value.error_type


def test_bulk_is_all_or_nothing() -> None:
    """One bad element of a bulk request refuses all of it."""
    good, bad = {"network_id": NET, "mac_address": MAC}, {"network_id": OTHER_NET}
    with pytest.raises(NotFound):
        post("ports", good, bad)(view_of(*NETWORK))
    with pytest.raises(Conflict):
        post("ports", good, good)(view_of(*NETWORK))


def test_fixed_ips_need_a_subnet() -> None:
    """On a network without subnets there is no address to have."""
    with pytest.raises(BadRequest) as refused:
        post("ports", {"network_id": NET, "fixed_ips": [{"ip_address": "10.0.0.5"}]})(
            view_of(nb_global(), a_network())
        )

    assert refused.value.error_type == "InvalidInput"


# --- update ---

OWN = a_port(f"{MAC} 10.0.0.5", dhcpv4_options=SUBNET)
SITE: tuple[Row, ...] = (counted(NET), a_network(PORT, PORT2), OWN, a_port(MAC2, PORT2), a_subnet())


def site(port: SwitchPort, *more: Row) -> tuple[Row, ...]:
    """Return a network with this port."""
    return (counted(NET), a_network(port.uuid), port, a_subnet(), *more)


def changed_ids(row: SwitchPort, **changed: str) -> dict[str, str]:
    """Return the external_ids of a port after its first change."""
    return {**row.external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2", **changed}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"name": "new"}, {keys.NIC_NAME: "new"}),
        ({"device_id": "vm"}, {keys.DEVICE_ID: "vm"}),
        ({"device_owner": "oVirt"}, {keys.DEVICE_OWNER: "oVirt"}),
        ({"description": "d"}, {keys.DESCRIPTION: "d"}),
        ({"binding:vnic_type": "direct"}, {keys.VNIC_TYPE: "direct"}),
        ({"binding:profile": {"a": 1}}, {keys.BINDING_PROFILE: '{"a": 1}'}),
    ],
)
def test_update_words(given: Any, changed: dict[str, str]) -> None:
    """What is no matter of addresses is one update of external_ids, without counter."""
    plan = put("ports", PORT, **given)(view_of(*SITE))

    assert [
        ops.wait_columns(schema.PORT, PORT, {"external_ids": OWN.external_ids}),
        ops.update(schema.PORT, PORT, {"external_ids": changed_ids(OWN, **changed)}),
    ] == plan.operations
    assert_answered(plan, SITE, "ports")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "nic"},
        {"device_id": "", "description": "", "binding:vnic_type": "normal"},
        {"admin_state_up": True},
        {"mac_address": MAC.upper()},
        {"fixed_ips": [{"ip_address": "10.0.0.5"}]},
        {"fixed_ips": [{"subnet_id": SUBNET}]},
        {"fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.5"}]},
        {"port_security_enabled": False},
        {"allowed_address_pairs": []},
        {"extra_dhcp_opts": []},
        {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": None}]},
        {"binding:host_id": ""},
        {"binding:host_id": None, "security_groups": None},
        {"binding:profile": None},
    ],
)
def test_update_to_the_same(given: Any) -> None:
    """A state already reached needs no steps, and is answered as it is."""
    plan = put("ports", PORT, **given)(view_of(*SITE))

    assert () == plan.steps
    assert {"port": encoded("ports", PORT, SITE)} == plan.answer


@pytest.mark.parametrize(
    ("given", "addresses", "port_security"),
    [
        ({"mac_address": "02:00:00:00:00:09"}, ("02:00:00:00:00:09 10.0.0.5",), ()),
        ({"fixed_ips": [{"ip_address": "10.0.0.6"}]}, (f"{MAC} 10.0.0.6",), ()),
        (
            {"fixed_ips": [{"ip_address": "10.0.0.5"}, {"subnet_id": SUBNET}]},
            (f"{MAC} 10.0.0.5 10.0.0.2",),
            (),
        ),
        ({"fixed_ips": []}, (MAC,), ()),
        ({"port_security_enabled": True}, (f"{MAC} 10.0.0.5",), (f"{MAC} 10.0.0.5",)),
        (
            {
                "port_security_enabled": True,
                "allowed_address_pairs": [
                    {"ip_address": "10.0.0.0/25", "mac_address": "02:00:00:00:00:09"}
                ],
            },
            (f"{MAC} 10.0.0.5", "02:00:00:00:00:09"),
            (f"{MAC} 10.0.0.5", "02:00:00:00:00:09 10.0.0.0/25"),
        ),
    ],
)
def test_update_addresses(
    given: Any, addresses: tuple[str, ...], port_security: tuple[str, ...]
) -> None:
    """Addresses change behind the network's counter, and what the port may send with them."""
    make = put("ports", PORT, **given)
    plan = make(view_of(*SITE))
    after = assert_answered(plan, SITE, "ports")
    row = find(after, PORT)

    assert (addresses, port_security) == (row.addresses, row.port_security)
    assert (None if given.get("fixed_ips") == [] else SUBNET) == row.dhcpv4_options
    if addresses != OWN.addresses:
        assert GUARD in plan.operations
    assert () == make(view_of(*after)).steps


def test_update_keeps_stale_addresses_out() -> None:
    """A PUT of something else leaves addresses alone, also those of no subnet any more."""
    port = a_port(f"{MAC} 192.168.0.5")
    rows = site(port)
    plan = put("ports", PORT, mac_address="02:00:00:00:00:09")(view_of(*rows))

    assert ("02:00:00:00:00:09 192.168.0.5",) == find(rows_after(rows, plan), PORT).addresses


def test_auto_addresses_follow_the_mac() -> None:
    """An address made from the MAC changes with the MAC."""
    port = a_port(f"{MAC} 10.0.0.5 {EUI}", dhcpv4_options=SUBNET)
    rows = site(port, a_subnet6("slaac"))
    plan = put("ports", PORT, mac_address=MAC2)(view_of(*rows))

    assert (f"{MAC2} 10.0.0.5 {EUI2}",) == find(
        assert_answered(plan, rows, "ports"), PORT
    ).addresses


def test_port_without_addresses_stays_without() -> None:
    """A new MAC gives a port no address that it did not want."""
    rows = (counted(NET), a_network(PORT), a_port(), a_subnet6("slaac"))
    plan = put("ports", PORT, mac_address=MAC2)(view_of(*rows))

    assert (MAC2,) == find(rows_after(rows, plan), PORT).addresses


def test_auto_addresses_stay_beside_fixed_ips() -> None:
    """A new list of addresses leaves those of SLAAC subnets."""
    port = a_port(f"{MAC} 10.0.0.5 {EUI}", dhcpv4_options=SUBNET)
    rows = site(port, a_subnet6("slaac"))
    plan = put("ports", PORT, fixed_ips=[{"ip_address": "10.0.0.6"}])(view_of(*rows))

    assert (f"{MAC} 10.0.0.6 {EUI}",) == find(assert_answered(plan, rows, "ports"), PORT).addresses


@pytest.mark.parametrize(
    ("up", "is_engine", "is_allowed"),
    [(True, True, True), (True, False, False), (False, False, True), (None, False, True)],
)
@pytest.mark.parametrize("changed", [{"mac_address": MAC2}, {"binding:vnic_type": "direct"}])
def test_change_of_a_plugged_port(
    changed: Any, up: bool | None, is_engine: bool, is_allowed: bool
) -> None:
    """A plugged port keeps its MAC and type, but the engine knows what the VM starts with."""
    rows = site(OWN.copy(up=up))
    make = put_by("ports", PORT, changed, is_engine=is_engine)
    if is_allowed:
        assert_answered(make(view_of(*rows)), rows, "ports")
        return
    with pytest.raises(Conflict) as refused:
        make(view_of(*rows))

    assert refused.value.error_type == "PortBound"


@pytest.mark.parametrize(
    ("options", "given", "pins", "expected"),
    [
        ({}, "host2", False, {}),
        ({}, "host2", True, {"requested-chassis": "host2"}),
        ({"requested-chassis": "host1"}, "host2", False, {}),
        ({"requested-chassis": "host1"}, "host2", True, {"requested-chassis": "host2"}),
        ({"requested-chassis": "host1"}, "", True, {}),
        (
            {
                "requested-chassis": "host1,host2",
                "activation-strategy": "rarp",
                "qos_max_rate": "5",
            },
            "host2",
            False,
            {"qos_max_rate": "5"},
        ),
    ],
)
def test_host(options: dict[str, str], given: str, pins: bool, expected: dict[str, str]) -> None:
    """A new host clears what an earlier start or a migration left, and pins if the site says so."""
    rows = site(OWN.copy(options=options))
    make = put_by("ports", PORT, {"binding:host_id": given}, ovs_version_2_9=pins)
    plan = make(view_of(*rows))

    assert expected == find(assert_answered(plan, rows, "ports"), PORT).options
    assert ops.wait_columns(schema.PORT, PORT, {"options": options}) in plan.operations or (
        () == plan.steps
    )
    assert given == plan.answer["port"]["binding:host_id"]


@pytest.mark.parametrize(
    ("network_is_up", "given", "enabled", "asked"),
    [
        (True, False, False, None),
        (False, False, False, "False"),
    ],
)
def test_admin_state(network_is_up: bool, given: bool, enabled: bool, asked: str | None) -> None:
    """A port goes down at once, and comes up when its network does."""
    ids = {} if network_is_up else {keys.ADMIN_STATE: "True"}
    port = OWN.copy(enabled=network_is_up, external_ids={**OWN.external_ids, **ids})
    network = a_network(PORT) if network_is_up else a_network(PORT, ovirt_admin_state_up="False")
    rows = (counted(NET), network, port, a_subnet())
    plan = put("ports", PORT, admin_state_up=given)(view_of(*rows))
    row = find(assert_answered(plan, rows, "ports"), PORT)

    assert (enabled, asked) == (row.enabled, row.external_ids.get(keys.ADMIN_STATE))
    assert plan.answer["port"]["admin_state_up"] is given


@pytest.mark.parametrize(
    ("port", "given", "status", "error_type"),
    [
        (OWN, {"mac_address": MAC2}, Conflict, "MacAddressInUse"),
        (OWN, {"fixed_ips": [{"ip_address": "10.0.0.6"}]}, Conflict, "IpAddressAlreadyAllocated"),
        (OWN, {"fixed_ips": [{"ip_address": "10.9.0.6"}]}, BadRequest, "InvalidIpForNetwork"),
        (OWN, {"fixed_ips": [{"subnet_id": row_id(99)}]}, NotFound, "SubnetNotFound"),
        (
            OWN,
            {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
            Conflict,
            "AddressPairAndPortSecurityRequired",
        ),
        (
            OWN.copy(
                port_security=(MAC,),
                external_ids={
                    keys.NIC_NAME: "",
                    keys.ADDRESS_PAIRS: json.dumps(
                        [{"ip_address": "10.0.0.9", "mac_address": MAC}]
                    ),
                },
            ),
            {"port_security_enabled": False},
            Conflict,
            "AddressPairAndPortSecurityRequired",
        ),
        (
            OWN,
            {
                "allowed_address_pairs": [
                    {"ip_address": "10.0.0.9", "mac_address": MAC},
                    {"ip_address": "10.0.0.9"},
                ]
            },
            BadRequest,
            "DuplicateAddressPairInRequest",
        ),
        (a_port(""), {"fixed_ips": [{"ip_address": "10.0.0.6"}]}, BadRequest, "BadRequest"),
    ],
)
def test_update_refused(
    port: SwitchPort, given: Any, status: type[ApiError], error_type: str
) -> None:
    """What cannot be is refused with the API's type."""
    other = a_port(f"{MAC2} 10.0.0.6", PORT2)
    view = view_of(nb_global(), a_network(PORT, PORT2), port, other, a_subnet())
    with pytest.raises(status) as refused:
        put("ports", PORT, **given)(view)

    assert error_type == refused.value.error_type


def test_router_port() -> None:
    """A router's port is named and described here; its addresses and its end are the router's."""
    port, router_side = a_router_port(PORT)
    rows = site(port, router_side)
    assert_answered(put("ports", PORT, name="new")(view_of(*rows)), rows, "ports")
    refused_values: list[dict[str, Any]] = [
        {"mac_address": MAC},
        {"fixed_ips": []},
        {"port_security_enabled": True},
    ]
    for given in refused_values:
        with pytest.raises(BadRequest):
            put("ports", PORT, **given)(view_of(*rows))
    with pytest.raises(Conflict) as refused:
        delete("ports", PORT)(view_of(*rows))

    assert refused.value.error_type == "ServicePortInUse"


# --- ports whose addresses OVN chose ---

DYNAMIC = SwitchPort.new(
    PORT,
    name="peer-port",
    addresses=(f"{MAC} dynamic",),
    dynamic_addresses=f"{MAC} 10.0.0.5",
    dhcpv4_options=SUBNET,
    external_ids={"ovirt_nic_name": "nic", "ovirt_device_id": "vm"},
)


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ({"name": "new"}, (f"{MAC} dynamic",)),
        ({"binding:host_id": "host1"}, (f"{MAC} dynamic",)),
        ({"mac_address": MAC2}, (f"{MAC2} dynamic",)),
        ({"port_security_enabled": True}, (f"{MAC} dynamic",)),
        ({"fixed_ips": [{"ip_address": "10.0.0.6"}]}, (f"{MAC} 10.0.0.6",)),
        ({"fixed_ips": [{"ip_address": "10.0.0.5"}]}, (f"{MAC} 10.0.0.5",)),
        ({"fixed_ips": [{"subnet_id": SUBNET}]}, (f"{MAC} 10.0.0.5",)),
    ],
)
def test_dynamic(given: Any, addresses: tuple[str, ...]) -> None:
    """A port of the peer keeps OVN's address until somebody names one."""
    rows = site(DYNAMIC)
    plan = put("ports", "peer-port", **given)(view_of(*rows))
    row = find(rows_after(rows, plan), PORT)

    assert addresses == row.addresses
    assert SUBNET == row.dhcpv4_options
    assert plan.is_done(view_of(*rows_after(rows, plan)))
    if "mac_address" not in given:
        assert_answered(plan, rows, "ports")


@pytest.mark.parametrize(
    ("assigned", "given", "addresses"),
    [
        # OVN makes it of the MAC, so that it would not stay.
        ("10.0.0.5 fd00::5", {"mac_address": MAC2}, f"{MAC2} 10.0.0.5 fd00::5"),
        ("fd00::5", {"mac_address": MAC2}, f"{MAC2} fd00::5"),
        ("10.0.0.5 fd00::5", {"mac_address": MAC}, f"{MAC} dynamic"),
        ("10.0.0.5 fd00::5", {"port_security_enabled": True}, f"{MAC} dynamic"),
    ],
)
def test_dynamic_ipv6(assigned: str, given: Any, addresses: str) -> None:
    """The same of an IPv6 address, which OVN does not keep for another MAC."""
    rows = [*site(DYNAMIC.copy(dynamic_addresses=f"{MAC} {assigned}")), a_subnet6()]
    plan = put("ports", "peer-port", **given)(view_of(*rows))

    assert (addresses,) == find(rows_after(rows, plan), PORT).addresses
    assert_answered(plan, rows, "ports")


@pytest.mark.parametrize("old", [MAC.replace("01", "0A"), "02-00-00-00-00-0A"])
def test_dynamic_with_another_spelling(old: str) -> None:
    """The peer stored a MAC as it came; a new one replaces it, however it was spelled."""
    rows = site(DYNAMIC.copy(addresses=(f"{old} dynamic",), dynamic_addresses=None))
    plan = put("ports", "peer-port", mac_address=MAC2)(view_of(*rows))

    assert (f"{MAC2} dynamic",) == find(rows_after(rows, plan), PORT).addresses


def test_dynamic_with_pairs() -> None:
    """Address pairs of a port with OVN's addresses are more than shown: the port may use them."""
    pair = {"ip_address": "10.0.0.9", "mac_address": MAC2}
    rows = site(DYNAMIC)
    make = put("ports", "peer-port", port_security_enabled=True, allowed_address_pairs=[pair])
    row = find(rows_after(rows, make(view_of(*rows))), PORT)

    assert f"{MAC2} 10.0.0.9" in row.port_security
    assert MAC2 in row.addresses


# --- extra DHCP options ---

T1 = {"opt_name": "T1", "opt_value": "5", "ip_version": 4}


def own_row(options: dict[str, str], uuid: str) -> DhcpOptions:
    """Return the DHCP options of the port alone."""
    return DhcpOptions.new(
        uuid,
        cidr="10.0.0.0/24",
        options={**a_subnet().options, **options},
        external_ids={
            keys.PORT_OF_OPTIONS: PORT,
            keys.SUBNET_OF_OPTIONS: SUBNET,
            keys.SUBNET_IP_VERSION: "4",
        },
    )


def test_extra_dhcp_opts() -> None:
    """Options of a single port need a row of its own, which goes with the last of them."""
    new = row_uuid(f"{PORT}/dhcp4")
    rows = site(OWN)
    plan = put("ports", PORT, extra_dhcp_opts=[T1])(view_of(*rows))
    ids = changed_ids(OWN, **{keys.EXTRA_DHCP_OPTS: json.dumps([T1], sort_keys=True)})

    assert [
        ADVANCE,
        ops.insert(schema.DHCP, new, own_row({"T1": "5"}, new).columns()),
        ops.update(schema.PORT, PORT, {"external_ids": ids, "dhcpv4_options": new}),
    ] == changes(plan)
    after = assert_answered(plan, rows, "ports")

    gone = [{"opt_name": "T1", "opt_value": None}]
    plan = put("ports", PORT, extra_dhcp_opts=gone)(view_of(*after))
    assert ops.delete(schema.DHCP, new) in changes(plan)
    assert SUBNET == find(assert_answered(plan, after, "ports"), PORT).dhcpv4_options


def test_extra_dhcp_opts_are_merged() -> None:
    """A PUT names what changes: other options stay, null removes one."""
    kept = [T1, {"opt_name": "mtu", "opt_value": "9", "ip_version": 4}]
    ids = {**OWN.external_ids, keys.EXTRA_DHCP_OPTS: json.dumps(kept)}
    row = own_row({"T1": "5", "mtu": "9"}, OWN_ROW)
    rows = site(OWN.copy(external_ids=ids, dhcpv4_options=OWN_ROW), row)
    given = [{"opt_name": "mtu", "opt_value": None}, {"opt_name": "T2", "opt_value": "6"}]
    plan = put("ports", PORT, extra_dhcp_opts=given)(view_of(*rows))
    assert_answered(plan, rows, "ports")

    assert [("T1", "5"), ("T2", "6")] == [
        (one["opt_name"], one["opt_value"]) for one in plan.answer["port"]["extra_dhcp_opts"]
    ]
    options = {**own_row({"T1": "5", "T2": "6"}, OWN_ROW).options}
    assert ops.update(schema.DHCP, OWN_ROW, {"options": options}) in changes(plan)


# --- delete ---


def test_delete() -> None:
    """A port goes from its switch, and its own DHCP options with it."""
    rows = site(OWN, own_row({}, OWN_ROW))
    plan = delete("ports", PORT)(view_of(*rows))

    references = {
        "dhcpv4_options": SUBNET,
        "dhcpv6_options": None,
        "external_ids": OWN.external_ids,
    }
    assert [
        ops.wait_columns(schema.PORT, PORT, references),
        ops.wait_exists(schema.PORT, PORT),
        ops.wait_exists(schema.DHCP, OWN_ROW),
        ops.remove_from_set(schema.SWITCH, NET, "ports", [PORT]),
        ops.delete(schema.DHCP, OWN_ROW),
        traces(PORT, OWN_ROW),
    ] == plan.operations
    assert plan.answer is None
    assert not plan.is_done(view_of(*rows))
    assert plan.is_done(view_of(*rows_after(rows, plan)))


def test_delete_by_name() -> None:
    """A port of the peer has an id that is not its row's uuid."""
    plan = delete("ports", "peer-port")(view_of(*site(DYNAMIC)))

    assert [
        ops.remove_from_set(schema.SWITCH, NET, "ports", [PORT]),
        traces(PORT),
    ] == changes(plan)


@pytest.mark.parametrize("port_id", [row_id(90), row_id(91), "pod", row_id(99), ""])
def test_not_found(port_id: str) -> None:
    """Ports of strangers, and those of physical networks, are not found."""
    localnet = a_localnet(uuid=row_id(90))
    stranger = SwitchPort.new(row_id(91), name=row_id(91))
    view = view_of(nb_global(), a_network(row_id(90), row_id(91)), localnet, stranger, *FOREIGN)
    for make in (put("ports", port_id, name="x"), delete("ports", port_id)):
        with pytest.raises(NotFound) as refused:
            make(view)

        assert refused.value.error_type == "PortNotFound"


def test_peer_network() -> None:
    """A port on a network of the peer gets an address that OVN will not give again."""
    peer_net = Switch.new(
        NET,
        name="plain",
        other_config={"subnet": "10.0.0.0/24", "exclude_ips": "10.0.0.1 10.0.0.2..10.0.0.9"},
        external_ids={"ovirt_network_name": "plain"},
    )
    peer_subnet = DhcpOptions.new(
        SUBNET,
        cidr="10.0.0.0/24",
        options={"router": "10.0.0.1"},
        external_ids={"ovirt_name": "s", "ovirt_network_id": NET, "ip_version": "4"},
    )
    rows = (counted(NET), peer_net, peer_subnet)
    plan = post("ports", {"network_id": NET})(view_of(*rows))

    assert ["10.0.0.10"] == [one["ip_address"] for one in plan.answer["port"]["fixed_ips"]]
    assert_answered(plan, rows, "ports")
