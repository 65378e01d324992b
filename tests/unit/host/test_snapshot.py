# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the local Open_vSwitch database says of OVN."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_host.snapshot import TABLES, Snapshot, installations, selects
from unit.host.rows import VM1, VM2, Link, ovs_map, port_id, results, snapshot, tunnel, vif


def test_what_is_decoded_is_selected() -> None:
    """Four selects, each of some columns of all rows."""
    operations = selects(TABLES)

    assert ["Open_vSwitch", "Bridge", "Port", "Interface"] == [one["table"] for one in operations]
    for select, result in zip(operations, results(vif(1))):
        assert ("select", []) == (select["op"], select["where"])
        assert set(select["columns"]) == set(result["rows"][0])


def test_ports() -> None:
    """OVN's ports are the VIFs on the integration bridge, in the order of their ids."""
    found = snapshot(
        vif(2, VM2, is_installed=False),
        vif(1, statistics={"rx_bytes": 7}),
        vif(3, bridge="vdsmbr_x"),
        Link("br-int"),
        Link("patch-1", port_ids={"ovn-localnet-port": "ln"}),
        bridges=["vdsmbr_x", "br-int", "br-ex"],
    )

    assert [
        {
            "id": port_id(1),
            "vm_id": VM1,
            "mac": "56:6f:00:00:00:01",
            "interface": "vnet1",
            "is_installed": True,
            "installed_ms": 1700000000000,
            "statistics": {"rx_bytes": 7},
        },
        {
            "id": port_id(2),
            "vm_id": VM2,
            "mac": "56:6f:00:00:00:02",
            "interface": "vnet2",
            "is_installed": False,
            "installed_ms": None,
            "statistics": {},
        },
    ] == found.ports
    assert [] == found.tunnels


def test_a_port_without_libvirts_keys() -> None:
    """A port that somebody plugs by hand has neither VM nor MAC, and counts."""
    (port,) = snapshot(Link("tap0", ids={"iface-id": "hand-made"})).ports

    assert ("hand-made", "", "") == (port["id"], port["vm_id"], port["mac"])


def test_tunnels() -> None:
    """Tunnels are told by their chassis, in the order of these, whatever is in their names."""
    found = snapshot(
        tunnel("hv3.example.com", "192.0.2.3"),
        tunnel("hv2@site", "2001:db8::2", statistics={"tx_bytes": 9}),
        Link(
            "ovn-hv4-0",
            port_ids={"ovn-chassis-id": "hv4@192.0.2.4%192.0.2.1"},
            options={"remote_ip": "192.0.2.4"},
        ),
        Link("old", port_ids={"ovn-chassis-id": "hv5"}),
    )

    assert [
        ("hv2@site", "2001:db8::2", {"tx_bytes": 9}),
        ("hv3.example.com", "192.0.2.3", {}),
        ("hv4", "192.0.2.4", {}),
        ("hv5", "", {}),
    ] == [(one["chassis"], one["remote_ip"], one["statistics"]) for one in found.tunnels]
    assert [] == found.ports


@pytest.mark.parametrize(
    ("ids", "chassis", "bridge", "remote"),
    [
        ({}, "", "br-int", ""),
        ({"system-id": "hv1", "ovn-remote": "ssl:a:6642"}, "hv1", "br-int", "ssl:a:6642"),
        ({"system-id": "hv1", "ovn-bridge": "br-ovn"}, "hv1", "br-ovn", ""),
        (
            {"system-id": "hv1", "ovn-bridge": "br-ovn", "ovn-bridge-hv1": "br-own"},
            "hv1",
            "br-own",
            "",
        ),
        (
            {"system-id": "hv1", "ovn-remote": "ssl:a:6642", "ovn-remote-hv1": "ssl:b:6642"},
            "hv1",
            "br-int",
            "ssl:b:6642",
        ),
        (
            {"system-id": "hv1", "ovn-remote": "ssl:a:6642", "ovn-remote-hv2": "ssl:b:6642"},
            "hv1",
            "br-int",
            "ssl:a:6642",
        ),
    ],
)
def test_settings(ids: dict[str, str], chassis: str, bridge: str, remote: str) -> None:
    """A setting for this chassis alone goes before the one for all, as for ovn-controller."""
    found = snapshot(ids=ids)

    assert (chassis, bridge, remote) == (found.chassis, found.bridge, found.setting("ovn-remote"))


def test_the_bridge_is_the_configured_one() -> None:
    """Ports are looked for on the integration bridge that the host is set to."""
    link = vif(1, bridge="br-ovn")
    bridges = ["br-int", "br-ovn"]

    assert [] == snapshot(link, bridges=bridges).ports
    assert 1 == len(snapshot(link, bridges=bridges, ids={"ovn-bridge": "br-ovn"}).ports)


def test_a_host_without_anything() -> None:
    """A database without a single row, and one without bridges, are hosts without OVN."""
    empty: list[dict[str, Any]] = [{"rows": []}] * 4

    for found in (Snapshot(empty), snapshot(bridges=[])):
        assert ("", "", [], []) == (
            found.chassis,
            found.ovs_version,
            found.ports,
            found.tunnels,
        )
    assert "3.1.0" == snapshot(ovs_version=["3.1.0"]).ovs_version


@pytest.mark.parametrize(
    "answer",
    [
        [{"error": "unknown column", "details": "No column ovs_version"}, *[{"rows": []}] * 3],
        [{"rows": []}, {"rows": []}, {"rows": []}, {}],
    ],
)
def test_errors_of_the_database(answer: list[dict[str, Any]]) -> None:
    """A select that has failed is an error, not a host without ports."""
    with pytest.raises(ValueError, match="the database answered"):
        Snapshot(answer)


def test_installations() -> None:
    """A monitor's update tells of each port whether it is installed after it."""
    installed = {"iface-id": "a", "ovn-installed": "true"}
    waiting = {"iface-id": "b"}
    rows = [
        ["1", "initial", ovs_map(installed)],
        ["2", "initial", ovs_map(waiting)],
        ["3", "initial", ovs_map({})],
        ["2", "old", ovs_map(waiting)],
        ["", "new", ovs_map({**waiting, "ovn-installed": "true"})],
        ["4", "insert", ovs_map({"iface-id": "c", "ovn-installed": "false"})],
        ["1", "delete", ovs_map(installed)],
    ]

    expected = [("a", True), ("b", False), ("b", False), ("b", True), ("c", False), ("a", False)]
    assert expected == list(installations({"headings": [], "data": rows}))
