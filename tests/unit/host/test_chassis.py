# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to change so that a host is a chassis, or none: plans by value, for every state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ovirt_ovn_host import chassis
from ovirt_ovn_host.chassis import Change, Plan, Wanted
from ovirt_ovn_host.errors import DatabaseError
from ovirt_ovn_host.live import Bridge, Interface, Live, Ssl, decode

FILES = ("/key", "/cert", "/ca")
WANTED = Wanted(
    system_id="hv1",
    remotes=("ssl:192.0.2.1:6642", "ssl:192.0.2.2:6642"),
    encap_type="geneve",
    encap_ip="192.0.2.5",
    remote_probe_interval_ms=60000,
    openflow_probe_interval_s=60,
    restart_wait_ms=8000,
    tls_files=FILES,
)
# What others have in the row, and keep.
THEIRS = {
    "hostname": "hv1",
    "rundir": "/run/openvswitch",
    "ovn-bridge-mappings": "physnet:br-ex",
    "ovn-cms-options": "enable-chassis-as-gw",
}
SETTINGS = {
    "system-id": "hv1",
    "ovn-remote": "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642",
    "ovn-encap-type": "geneve",
    "ovn-encap-ip": "192.0.2.5",
    "ovn-remote-probe-interval": "60000",
    "ovn-openflow-probe-interval": "60",
    "ovn-ofctrl-wait-before-clear": "8000",
}
IPSEC = {"private_key": "/key", "certificate": "/cert", "ca_cert": "/ca"}
SSL = Ssl("u-ssl", FILES, False)
LOCAL = Interface("br-int", 65534, {})
BRIDGE = Bridge("u-br", "br-int", "secure", {"disable-in-band": "true", "x": "y"}, {}, [LOCAL])
GUARD = {
    "op": "wait",
    "table": "Open_vSwitch",
    "where": [["_uuid", "==", ["uuid", "u-root"]]],
    "columns": ["bridges", "external_ids", "other_config", "ssl"],
    "until": "==",
    "timeout": 0,
}


def live(
    external_ids: Mapping[str, str] = {**SETTINGS, **THEIRS},
    other_config: Mapping[str, str] = {**IPSEC, "vlan-limit": "0"},
    ssl: Ssl | None = SSL,
    bridge: Bridge | None = BRIDGE,
) -> Live:
    """A host that is as it should be, but for what is given."""
    root = {"bridges": "b", "external_ids": "e", "other_config": "o", "ssl": "s"}
    bridges = {bridge.name: bridge} if bridge else {}
    return Live("u-root", root, external_ids, other_config, ssl, bridges)


def on(table: str, uuid: str, op: str, **arguments: Any) -> dict[str, Any]:
    return {"op": op, "table": table, "where": [["_uuid", "==", ["uuid", uuid]]], **arguments}


def root(op: str, **arguments: Any) -> dict[str, Any]:
    return on("Open_vSwitch", "u-root", op, **arguments)


def check(plan: Plan, now: Live, changes: list[Change], *operations: dict[str, Any]) -> None:
    """The plan is the guard, the operations and a comment; or nothing at all."""
    assert changes == list(plan.changes)
    if not changes:
        assert [] == list(plan.operations)
        return
    guard, *middle, comment = plan.operations
    assert {**GUARD, "rows": [now.root]} == guard
    assert list(operations) == middle
    names = ", ".join(change.what for change in changes)
    assert {"op": "comment", "comment": f"ovirt-provider-ovn-driver: {names}"} == comment


def test_a_host_that_is_right_needs_nothing() -> None:
    """A second run changes nothing."""
    check(chassis.join(WANTED, live()), live(), [])


def test_a_new_host() -> None:
    """Settings, TLS files and bridge come in one transaction; other keys stay."""
    now = live({**THEIRS, "system-id": "some-uuid"}, {"vlan-limit": "0"}, None, None)
    insert = [
        ["external_ids", "insert", ["map", [[key, value] for key, value in SETTINGS.items()]]]
    ]
    check(
        chassis.join(WANTED, now),
        now,
        [
            Change("external_ids:system-id", "some-uuid", "hv1"),
            *(
                Change(f"external_ids:{key}", "", value)
                for key, value in SETTINGS.items()
                if key != "system-id"
            ),
            *(Change(f"other_config:{key}", "", value) for key, value in IPSEC.items()),
            Change("SSL", "", "/key /cert /ca"),
            Change("bridge br-int", "", "fail-mode secure"),
        ],
        root("mutate", mutations=[["external_ids", "delete", ["set", sorted(SETTINGS)]], *insert]),
        root(
            "mutate",
            mutations=[
                ["other_config", "delete", ["set", ["ca_cert", "certificate", "private_key"]]],
                ["other_config", "insert", ["map", [[key, it] for key, it in IPSEC.items()]]],
            ],
        ),
        {
            "op": "insert",
            "table": "SSL",
            "uuid-name": "ssl",
            "row": {**IPSEC, "bootstrap_ca_cert": False},
        },
        root("update", row={"ssl": ["named-uuid", "ssl"]}),
        {
            "op": "insert",
            "table": "Interface",
            "uuid-name": "interface",
            "row": {"name": "br-int", "type": "internal"},
        },
        {
            "op": "insert",
            "table": "Port",
            "uuid-name": "port",
            "row": {"name": "br-int", "interfaces": ["named-uuid", "interface"]},
        },
        {
            "op": "insert",
            "table": "Bridge",
            "uuid-name": "bridge",
            "row": {
                "name": "br-int",
                "ports": ["named-uuid", "port"],
                "fail_mode": "secure",
                "other_config": ["map", [["disable-in-band", "true"]]],
                "external_ids": ["map", [["ovirt-provider-ovn-driver", "made"]]],
            },
        },
        root("mutate", mutations=[["bridges", "insert", ["set", [["named-uuid", "bridge"]]]]]),
    )


@pytest.mark.parametrize("key", SETTINGS)
@pytest.mark.parametrize("old", ["", "something else"])
def test_one_setting_differs(key: str, old: str) -> None:
    """Only the key that differs, or is missing, is written."""
    others = {name: value for name, value in SETTINGS.items() if name != key}
    now = live({**others, **({key: old} if old else {})})
    check(
        chassis.join(WANTED, now),
        now,
        [Change(f"external_ids:{key}", old, SETTINGS[key])],
        root(
            "mutate",
            mutations=[
                ["external_ids", "delete", ["set", [key]]],
                ["external_ids", "insert", ["map", [[key, SETTINGS[key]]]]],
            ],
        ),
    )


@pytest.mark.parametrize(
    ("ssl", "old"),
    [
        (Ssl("u-ssl", ("/k", "/cert", "/ca"), False), "/k /cert /ca"),
        (Ssl("u-ssl", FILES, True), "/key /cert /ca"),
    ],
)
def test_the_ssl_row_differs(ssl: Ssl, old: str) -> None:
    """A row that is there is changed, and trusts no authority that it has not been told of."""
    now = live(ssl=ssl)
    row = {**IPSEC, "bootstrap_ca_cert": False}
    check(
        chassis.join(WANTED, now),
        now,
        [Change("SSL", old, "/key /cert /ca")],
        on("SSL", "u-ssl", "update", row=row),
    )


def test_without_tls_the_files_stay_as_they_are() -> None:
    """A central that is reached without TLS needs no certificates, and removes none."""
    wanted = WANTED._replace(tls_files=None)
    check(chassis.join(wanted, live()), live(), [])
    check(chassis.join(wanted, live(other_config={}, ssl=None)), live(), [])


def test_the_bridge_differs() -> None:
    """A bridge that would forward without a controller, or be managed in band, is mended."""
    now = live(bridge=BRIDGE._replace(fail_mode="", other_config={"disable-in-band": "false"}))
    check(
        chassis.join(WANTED, now),
        now,
        [
            Change("bridge br-int fail-mode", "", "secure"),
            Change("bridge br-int disable-in-band", "false", "true"),
        ],
        on("Bridge", "u-br", "update", row={"fail_mode": "secure"}),
        on(
            "Bridge",
            "u-br",
            "mutate",
            mutations=[
                ["other_config", "delete", ["set", ["disable-in-band"]]],
                ["other_config", "insert", ["map", [["disable-in-band", "true"]]]],
            ],
        ),
    )


def test_another_bridge_stays_unless_one_is_wanted() -> None:
    """The bridge that OVN has is kept where the settings say none, and changed where they do."""
    bridge = BRIDGE._replace(name="br-x")
    now = live({**SETTINGS, "ovn-bridge": "br-x"}, bridge=bridge)
    check(chassis.join(WANTED, now), now, [])
    check(chassis.join(WANTED._replace(bridge="br-x"), now), now, [])

    plan = chassis.join(WANTED._replace(bridge="br-int"), now)
    assert [
        Change("external_ids:ovn-bridge", "br-x", "br-int"),
        Change("bridge br-int", "", "fail-mode secure"),
    ] == list(plan.changes)


def test_a_new_bridge_has_the_datapath_that_ovn_wants() -> None:
    """The kind of datapath that ovn-controller would give the bridge is given to it at once."""
    now = live({**SETTINGS, "ovn-bridge-datapath-type": "netdev"}, bridge=None)
    rows = [it["row"] for it in chassis.join(WANTED, now).operations if it.get("table") == "Bridge"]
    assert ["netdev"] == [row["datapath_type"] for row in rows]


def test_leaving_removes_what_we_set_and_nothing_else() -> None:
    """The name of the chassis stays, as does all that others have set."""
    now = live()
    ours = {key: value for key, value in SETTINGS.items() if key != "system-id"}
    check(
        chassis.leave(now, FILES, None),
        now,
        [
            *(Change(f"external_ids:{key}", value, "") for key, value in ours.items()),
            *(Change(f"other_config:{key}", value, "") for key, value in IPSEC.items()),
            Change("SSL", "/key /cert /ca", ""),
        ],
        root("mutate", mutations=[["external_ids", "delete", ["set", sorted(ours)]]]),
        root("mutate", mutations=[["other_config", "delete", ["set", sorted(IPSEC)]]]),
        root("update", row={"ssl": ["set", []]}),
    )


@pytest.mark.parametrize(
    ("now", "bridge"),
    [
        (live({**THEIRS, "system-id": "hv1"}, {"vlan-limit": "0"}, None), None),
        (
            live(THEIRS, {"private_key": "/other"}, Ssl("u", ("/other", "/cert", "/ca"), False)),
            None,
        ),
        (live({**THEIRS, "ovn-bridge": "br-x"}, {}, None), None),
        (live({**THEIRS, "ovn-bridge": "br-x"}, {}, None), "br-y"),
        (live(THEIRS, {}, None, None), "br-int"),
    ],
)
def test_leaving_lets_others_keep_theirs(now: Live, bridge: str | None) -> None:
    """A host that is not in OVN, other TLS files and another bridge stay as they are."""
    check(chassis.leave(now, FILES, bridge), now, [])


def test_leaving_removes_the_setting_of_our_bridge() -> None:
    """The bridge that our settings have named is not named any more."""
    now = live({**THEIRS, "ovn-bridge": "br-x"}, {}, None)
    assert [Change("external_ids:ovn-bridge", "br-x", "")] == list(
        chassis.leave(now, FILES, "br-x").changes
    )


MADE = BRIDGE._replace(external_ids={"ovirt-provider-ovn-driver": "made", "ovn-nb-cfg": "7"})


def test_leaving_removes_our_bridge_when_nothing_is_on_it() -> None:
    """A bridge that we have made goes, if it is empty."""
    now = live(THEIRS, {}, None, MADE)
    check(
        chassis.leave(now, FILES, None),
        now,
        [Change("bridge br-int", "made by us", "")],
        root("mutate", mutations=[["bridges", "delete", ["set", [["uuid", "u-br"]]]]]),
    )
    used = MADE._replace(interfaces=[LOCAL, Interface("vnet0", 1, {})])
    check(chassis.leave(live(THEIRS, {}, None, used), FILES, None), now, [])


def test_settings_of_this_chassis_alone_are_pointed_out() -> None:
    """A key with the chassis' name behind it goes before ours, which nobody would guess."""
    ids = {**SETTINGS, "ovn-remote-hv1": "x", "ovn-remote-hv2": "x", "ovn-bridge-hv1": "y"}
    assert ["ovn-remote-hv1", "ovn-bridge-hv1"] == list(chassis.overridden(live(ids)))


def test_settings_of_this_chassis_alone_count() -> None:
    """As for ovn-controller, the key with the chassis' name goes before the other one."""
    bridge = BRIDGE._replace(name="br-x", interfaces=[Interface("vnet0", 3, {"iface-id": "a"})])
    own = {"system-id": "hv1", "ovn-remote-hv1": "ssl:x:6642", "ovn-bridge-hv1": "br-x"}
    now = live({**own, "ovn-bridge": "br-int", "ovn-remote-hv2": "y"}, bridge=bridge)
    assert (True, "br-x", ["vnet0"]) == (now.is_chassis, now.bridge_name, now.plugged)
    assert not live({**THEIRS, "system-id": "hv1", "ovn-remote-hv2": "y"}).is_chassis


def test_vnics_of_running_machines() -> None:
    """Ports count that have an id of OVN's and a device; what a crash has left behind does not."""
    interfaces = [
        LOCAL,
        Interface("vnet0", 3, {"iface-id": "a"}),
        Interface("vnet1", -1, {"iface-id": "b"}),
        Interface("vnet2", 0, {"iface-id": "c"}),
        Interface("ovn-hv2-0", 4, {}),
    ]
    assert ["vnet0"] == live(bridge=BRIDGE._replace(interfaces=interfaces)).plugged
    assert [] == live(bridge=None).plugged


def test_an_empty_database_is_told() -> None:
    """A server whose database nobody has initialised is no Open vSwitch yet."""
    with pytest.raises(DatabaseError, match="is empty"):
        decode([{"rows": []}] * 5)
