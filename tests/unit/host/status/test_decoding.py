# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the two databases -> values, and what is asked of an old Southbound."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_host.status import bindings, switch
from ovirt_ovn_host.status.bindings import Binding, Chassis
from ovirt_ovn_host.status.surroundings import opens
from ovirt_ovn_host.status.switch import Switch, TunnelEnd, Vif

NONE = ["set", []]


def interface(number: int, name: str, **columns: Any) -> dict[str, Any]:
    return {
        "_uuid": ["uuid", f"i{number}"],
        "name": name,
        "type": "",
        "ofport": number,
        "error": NONE,
        "mtu": 1442,
        "external_ids": ["map", []],
        "options": ["map", []],
        "statistics": ["map", []],
        **columns,
    }


def port(number: int, *external_ids: list[str]) -> dict[str, Any]:
    return {
        "_uuid": ["uuid", f"p{number}"],
        "interfaces": ["uuid", f"i{number}"],
        "external_ids": ["map", list(external_ids)],
    }


ROWS: dict[str, list[Any]] = {
    "Open_vSwitch": [
        {
            "external_ids": ["map", [["system-id", "hv1"], ["ovn-encap-type", "geneve,vxlan"]]],
            "ovs_version": "3.1.0",
            "cur_cfg": 4,
            "next_cfg": 5,
        }
    ],
    "SSL": [{"private_key": "/k", "certificate": "/c", "ca_cert": "/a"}],
    "Bridge": [
        {
            "name": "br-int",
            "ports": ["set", [["uuid", f"p{number}"] for number in (1, 2, 3, 4)]],
            "fail_mode": "secure",
            "datapath_type": "netdev",
        },
        {"name": "br-ex", "ports": ["uuid", "p5"], "fail_mode": NONE, "datapath_type": ""},
    ],
    "Port": [
        port(1),
        port(2),
        port(3, ["ovn-chassis-id", "hv2@192.0.2.6"]),
        port(4),
        port(5),
    ],
    "Interface": [
        interface(1, "br-int"),
        interface(2, "vnet0", external_ids=["map", [["iface-id", "a"], ["ovn-installed", "true"]]]),
        interface(
            3,
            "ovn-hv2-0",
            options=["map", [["remote_ip", "192.0.2.6"]]],
            statistics=["map", [["rx_packets", 7]]],
        ),
        interface(
            4,
            "vnet1",
            ofport=-1,
            error="could not open",
            mtu=NONE,
            external_ids=["map", [["iface-id", "b"], ["vm-id", "v"]]],
        ),
        interface(5, "vnet2", external_ids=["map", [["iface-id", "not on br-int"]]]),
    ],
}


def test_switch() -> None:
    """Ports and tunnels of the integration bridge, and the files of TLS."""
    found = switch.decode(ROWS)
    assert (
        Switch(
            external_ids={"system-id": "hv1", "ovn-encap-type": "geneve,vxlan"},
            version="3.1.0",
            is_behind=True,
            tls_files=("/k", "/c", "/a"),
            fail_mode="secure",
            datapath_type="netdev",
            vifs=(
                Vif("vnet0", "a", "", 2, "", is_installed=True, mtu_bytes=1442),
                Vif("vnet1", "b", "v", -1, "could not open", is_installed=False, mtu_bytes=0),
            ),
            tunnels=(TunnelEnd("hv2", "192.0.2.6", 7, ""),),
        )
        == found
    )


def test_an_empty_switch() -> None:
    """A database that nobody has initialised is no reason to fail."""
    empty: dict[str, list[Any]] = {table: [] for table in switch.TABLES}
    assert Switch({}) == switch.decode(empty)


def test_a_setting_of_the_chassis_own_counts() -> None:
    """As ovn-controller reads them."""
    ids = {"system-id": "hv1", "ovn-encap-ip": "1.1.1.1", "ovn-encap-ip-hv1": "2.2.2.2, 3.3.3.3"}
    assert [("geneve", "2.2.2.2"), ("geneve", "3.3.3.3")] == Switch(
        {**ids, "ovn-encap-type": "geneve"}
    ).encaps


SCHEMA: dict[str, Any] = {
    "tables": {
        "Chassis": {"columns": {"name": {}, "hostname": {}}},
        "Encap": {"columns": {"type": {}, "ip": {}, "chassis_name": {}}},
        "Chassis_Private": {"columns": {"name": {}, "nb_cfg": {}, "nb_cfg_timestamp": {}}},
        "Port_Binding": {
            "columns": {
                "logical_port": {},
                "type": {},
                "chassis": {},
                "up": {},
                "options": {},
                "additional_chassis": {},
                "requested_chassis": {},
                "requested_additional_chassis": {},
            }
        },
    }
}


def test_what_is_asked_of_southbound() -> None:
    """The ports of this chassis by each way that it can be named, and some that wait."""
    operations = bindings.binding_operations(SCHEMA, "u1", [f"p{number}" for number in range(99)])
    wheres = [operation["where"][0] for operation in operations]
    assert [["logical_port", "==", f"p{number}"] for number in range(20)] == wheres[:20]
    assert [
        [column, "includes", ["uuid", "u1"]]
        for column in (
            "chassis",
            "additional_chassis",
            "requested_chassis",
            "requested_additional_chassis",
        )
    ] == wheres[20:]


def test_what_is_asked_of_an_old_southbound() -> None:
    """Columns that it lacks are not asked for, and a chassis that is not there has no ports."""
    columns = SCHEMA["tables"]["Port_Binding"]["columns"]
    old = {key: value for key, value in columns.items() if "_chassis" not in key}
    schema = {"tables": {**SCHEMA["tables"], "Port_Binding": {"columns": old}}}
    (operation,) = bindings.binding_operations(schema, "u1", ())
    assert [["chassis", "includes", ["uuid", "u1"]]] == operation["where"]
    assert ["logical_port", "type", "chassis", "up", "options"] == operation["columns"]
    assert [] == bindings.binding_operations(schema, None, ())
    (first, *_) = bindings.chassis_operations({"tables": {}})
    assert ["_uuid"] == first["columns"]


def test_chassis() -> None:
    """Each with its tunnels, and with what it has done."""
    results: list[dict[str, Any]] = [
        {
            "rows": [
                {"_uuid": ["uuid", "u2"], "name": "hv2", "hostname": "h2"},
                {"_uuid": ["uuid", "u1"], "name": "hv1", "hostname": "h1"},
            ]
        },
        {"rows": [{"type": "geneve", "ip": "192.0.2.6", "chassis_name": "hv2"}]},
        {"rows": [{"name": "hv2", "nb_cfg": 3, "nb_cfg_timestamp": 1700}]},
    ]
    found, names = bindings.decode_chassis(results)
    assert [
        Chassis("hv1", "h1"),
        Chassis("hv2", "h2", (("geneve", "192.0.2.6"),), 3, 1700),
    ] == found
    assert {"u1": "hv1", "u2": "hv2"} == names


def binding(**columns: Any) -> dict[str, Any]:
    return {"logical_port": "a", "type": "", "chassis": NONE, "options": ["map", []], **columns}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (binding(), Binding("a")),
        (binding(chassis=["uuid", "u1"], up=False), Binding("a", "", "hv1", is_up=False)),
        (binding(up=NONE), Binding("a")),
        (binding(parent_port="b"), Binding("a", "nested")),
        (binding(parent_port=NONE, type="patch"), Binding("a", "patch")),
        (
            binding(
                options=[
                    "map",
                    [["requested-chassis", "hv2, hv1"], ["activation-strategy", "rarp"]],
                ],
                requested_chassis=["uuid", "u2"],
                requested_additional_chassis=["uuid", "u1"],
                additional_chassis=["set", [["uuid", "u1"], ["uuid", "gone"]]],
            ),
            Binding("a", "", "", True, ("gone", "hv1"), ("hv2", "hv1"), "rarp"),
        ),
        (
            binding(requested_chassis=["uuid", "u2"], requested_additional_chassis=["uuid", "u1"]),
            Binding("a", requested=("hv2", "hv1")),
        ),
    ],
)
def test_bindings(row: dict[str, Any], expected: Binding) -> None:
    """A port with the chassis that it is on, may be on, and is on besides."""
    names = {"u1": "hv1", "u2": "hv2"}
    # It is found by several questions.
    assert [expected] == bindings.decode_bindings([{"rows": [row]}, {"rows": [row]}], names)


def test_a_refusal_is_none() -> None:
    """A Southbound that refuses has no ports of this host only as far as is known."""
    with pytest.raises(ValueError, match="no permission"):
        bindings.decode_bindings([{"error": "no permission"}], {})


ZONE = """\
public (active)
  target: {target}
  interfaces: eth0
  services: ssh{services}
  ports: 54321/tcp{ports}
  rich rules:
"""


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [
        ({}, False),
        ({"ports": " 6081/tcp"}, False),
        ({"ports": " 6080-6090/udp"}, True),
        ({"ports": " 6081/udp"}, True),
        ({"services": " ovn-host-firewall-service"}, True),
        ({"services": " ovirt-provider-ovn-driver"}, True),
        ({"target": "ACCEPT"}, True),
    ],
)
def test_what_firewalld_lets_in(changes: dict[str, str], is_open: bool) -> None:
    """By the port, a range with it, OVN's service, or a zone that lets in everything."""
    listing = ZONE.format(**{"target": "default", "services": "", "ports": "", **changes})
    assert is_open is opens(listing, 6081)
