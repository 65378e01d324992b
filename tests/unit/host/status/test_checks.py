# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is judged of a host: facts, in which one thing is wrong, and the row that says so."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from ovirt_ovn_host.addresses import Address
from ovirt_ovn_host.chassis import Change, Plan
from ovirt_ovn_host.links import Link
from ovirt_ovn_host.outlook import Outlook
from ovirt_ovn_host.status import checks
from ovirt_ovn_host.status.bindings import Binding
from ovirt_ovn_host.status.facts import Echo, Facts, FileStatus, Firewall, Problem
from ovirt_ovn_host.status.rows import ERROR, OK, UNKNOWN, WARNING, Row, exit_code
from ovirt_ovn_host.status.switch import TunnelEnd, Vif
from unit.host.status.healthy import (
    BINDING,
    CERTIFICATE,
    DAY_S,
    ECHO,
    EXTERNAL_IDS,
    HEALTHY,
    HV1,
    HV2,
    LIVE,
    NOW_S,
    OTHER_PORT,
    OUTLOOK,
    OWNED,
    PORT,
    SOUTHBOUND,
    SWITCH,
    VIF,
    VM,
)

HIDDEN = Problem("only root can see it", is_hidden=True)
FAR = HV2._replace(done_ms=HV1.done_ms + 90_000)
WAITING = VIF._replace(is_installed=False)


def facts(**changes: Any) -> Facts:
    """The healthy host's, but for some."""
    return HEALTHY._replace(**changes)


def switch(**changes: Any) -> Facts:
    return facts(switch=SWITCH._replace(**changes))


def ids(**changes: str | None) -> Facts:
    """Open vSwitch with other external_ids; None takes one away."""
    new = {**EXTERNAL_IDS, **{key.replace("_", "-"): value for key, value in changes.items()}}
    return switch(external_ids={key: value for key, value in new.items() if value is not None})


def waiting(binding: Binding | None, **changes: Any) -> Facts:
    """The one port is not installed, and Southbound has this of it."""
    bindings = [] if binding is None else [binding]
    return facts(
        switch=SWITCH._replace(vifs=[WAITING._replace(**changes)]),
        southbound=SOUTHBOUND._replace(bindings=bindings),
    )


def bindings(*found: Binding, **changes: Any) -> Facts:
    return facts(southbound=SOUTHBOUND._replace(bindings=found), **changes)


def chassis(*found: Any) -> Facts:
    return facts(southbound=SOUTHBOUND._replace(chassis=found))


def rows_of(check: str, given: Facts) -> list[Row]:
    return [row for row in checks.status(given) if row.check == check]


def test_a_healthy_host() -> None:
    """All checks are made, and nothing is found."""
    rows = checks.status(HEALTHY)
    assert [OK] * len(rows) == [row.state for row in rows]
    assert [
        *("settings", "open-vswitch", "bridge", "ovn-controller", "southbound", "chassis"),
        *("other-chassis", "clock", "tls-files", "certificate", "tunnel", "mtu", "path-mtu"),
        *("udp-port", "ovn-configured", "ports", "migrations"),
    ] == [row.check for row in rows]
    assert {""} == {row.mend for row in rows}


def test_a_host_that_nobody_wants_in_ovn() -> None:
    """It is told so, and that is all."""
    host = ids(ovn_remote=None)._replace(outlook=Outlook(()), remotes=(), encaps=())
    assert [Row("settings", OK, "none want this host in OVN, and it is not")] == checks.status(host)


DRIFT = OUTLOOK._replace(plan=Plan([Change(f"k{n}", "a", "b") for n in range(6)], [{}]))

CASES: list[tuple[str, Facts, str, str, str]] = [
    # check, facts, state, what the reason says, what the mend says
    ("privileges", facts(is_root=False), WARNING, "not run by root", "sudo vdsm-tool"),
    # settings
    (
        "settings",
        facts(outlook=DRIFT),
        WARNING,
        "to be changed: k0: a -> b; k1: a -> b; k2: a -> b; k3: a -> b; and 2 more",
        "vdsm-tool configure --module ovn",
    ),
    ("settings", facts(outlook=Problem("ovn.conf: no")), ERROR, "ovn.conf: no", "configure"),
    ("settings", facts(outlook=HIDDEN), UNKNOWN, "only root can see it", ""),
    (
        "settings",
        facts(outlook=Outlook(())),
        WARNING,
        "in OVN without settings",
        "vdsm-tool ovn-config ssl:203.0.113.1:6642 192.0.2.5 hv1",
    ),
    (
        "settings",
        ids(system_id="7e9", ovn_encap_ip=None)._replace(outlook=Outlook(())),
        WARNING,
        "without settings",
        "vdsm-tool ovn-config ssl:203.0.113.1:6642 TUNNEL",
    ),
    (
        "settings",
        facts(outlook=Outlook(()), is_enabled=False),
        WARNING,
        "enabled = no, but this host is in OVN",
        "vdsm-tool ovn-unconfigure",
    ),
    (
        "settings",
        facts(
            outlook=OUTLOOK._replace(
                live=LIVE._replace(external_ids={**EXTERNAL_IDS, "ovn-remote-hv1": "x"})
            )
        ),
        WARNING,
        "external_ids:ovn-remote-hv1 goes before the setting",
        "ovs-vsctl remove Open_vSwitch . external_ids ovn-remote-hv1",
    ),
    # Open vSwitch and ovn-controller
    (
        "open-vswitch",
        facts(switch=Problem("it does not run"), services={"ovsdb-server": False}),
        ERROR,
        "it does not run",
        "systemctl start openvswitch",
    ),
    ("open-vswitch", facts(switch=Problem("no answer")), ERROR, "no answer", "systemctl status"),
    ("open-vswitch", facts(switch=HIDDEN), UNKNOWN, "only root", ""),
    ("open-vswitch", facts(vswitchd=Problem("gone")), ERROR, "ovs-vswitchd does not answer", "sta"),
    ("open-vswitch", switch(is_behind=True), WARNING, "has not done yet", "journalctl"),
    ("bridge", switch(fail_mode=None), ERROR, "there is no bridge br-int", "ovs-vsctl --may-exist"),
    ("bridge", switch(fail_mode=""), WARNING, "like any switch", "ovs-vsctl set-fail-mode br-int"),
    (
        "bridge",
        ids(ovn_bridge="br-ovn"),
        OK,
        "br-ovn, fail-mode secure",
        "",
    ),
    (
        "ovn-controller",
        facts(services={"ovn-controller": False}),
        ERROR,
        "it does not run",
        "systemctl enable --now ovn-controller",
    ),
    ("ovn-controller", facts(controller="not connected"), ERROR, "is not connected", "tail"),
    ("ovn-controller", facts(controller=Problem("mute")), ERROR, "mute", "systemctl status"),
    # Southbound and chassis
    ("southbound", facts(remotes=()), ERROR, "ovn-remote is not set", "configure"),
    ("southbound", facts(southbound=Problem("no answer")), ERROR, "no answer", "on the central"),
    (
        "southbound",
        facts(southbound=SOUTHBOUND._replace(ends_s=NOW_S + 3.5 * DAY_S)),
        WARNING,
        "ends in 3 days",
        "engine-setup",
    ),
    ("chassis", facts(system_id=""), ERROR, "system-id is not set", "configure"),
    ("chassis", chassis(HV2), ERROR, "Southbound has no chassis hv1", "tail"),
    (
        "chassis",
        chassis(HV1._replace(encaps=[("geneve", "192.0.2.99")])),
        ERROR,
        "has hv1 with geneve at 192.0.2.99, not with geneve at 192.0.2.5",
        "tail",
    ),
    (
        "other-chassis",
        chassis(HV1._replace(hostname="hv9.example.com")),
        ERROR,
        "a host called hv9.example.com uses the name hv1 too",
        "on hv9.example.com: vdsm-tool ovn-config CENTRAL TUNNEL hv9.example.com",
    ),
    (
        "other-chassis",
        chassis(HV2._replace(encaps=HV1.encaps)),
        ERROR,
        "chassis hv2 (hv2.example.com) has geneve at 192.0.2.5 too",
        "ovn-sbctl chassis-del hv2",
    ),
    (
        "other-chassis",
        chassis(HV1, HV2._replace(name="old", hostname="HV1.example.com")),
        WARNING,
        "chassis old is of a host called HV1.example.com too",
        "ovn-sbctl chassis-del old",
    ),
    # A short name is the same host's.
    (
        "other-chassis",
        chassis(HV1._replace(hostname="hv1"), HV2),
        OK,
        "none has this host's name or address",
        "",
    ),
    (
        "other-chassis",
        chassis(HV1._replace(hostname="hv2"), HV2),
        ERROR,
        "a host called hv2 uses the name hv1 too",
        "on hv2: vdsm-tool ovn-config",
    ),
    ("clock", chassis(HV1, HV2), OK, "within 0.3 s of another chassis'", ""),
    (
        "clock",
        chassis(HV1, HV2._replace(done_ms=HV1.done_ms - 90_000), HV2._replace(name="hv3")),
        OK,
        "within 0.3 s",
        "",
    ),
    # It may have joined later.
    ("clock", chassis(HV1, FAR), OK, "something keeps it right, the kernel says", ""),
    (
        "clock",
        chassis(HV1, FAR)._replace(is_clock_steered=False),
        WARNING,
        "nothing keeps it right, the kernel says, and it may be 90 s behind the nearest",
        "chronyc",
    ),
    # What was done for another value of nb_cfg was done at another time.
    (
        "clock",
        chassis(HV1, HV2._replace(nb_cfg=3))._replace(is_clock_steered=False),
        UNKNOWN,
        "nothing keeps it right, the kernel says, and there is no other",
        "chronyc",
    ),
    (
        "clock",
        chassis(HV1, FAR)._replace(is_clock_steered=None),
        UNKNOWN,
        "cannot be seen",
        "chronyc",
    ),
    # certificates
    (
        "tls-files",
        facts(file_status=[OWNED[0]._replace(mode=0o444), *OWNED[1:]]),
        ERROR,
        "everybody on this host can use the key /pki/key.pem",
        "chmod o= /pki/key.pem",
    ),
    (
        "tls-files",
        facts(file_status=[*OWNED[:2], OWNED[2]._replace(owner="root")]),
        WARNING,
        "/pki/ca.pem belongs to root, not to openvswitch",
        "chown openvswitch:openvswitch /pki/ca.pem",
    ),
    (
        "tls-files",
        facts(file_status=[OWNED[0], FileStatus("/pki/cert.pem", problem="No such file")]),
        ERROR,
        "/pki/cert.pem: No such file",
        "Enroll Certificate",
    ),
    ("tls-files", facts(files=None, remotes=["tcp:192.0.2.1:6642"]), OK, "none are needed", ""),
    ("certificate", facts(certificate=Problem("has expired")), ERROR, "has expired", "Enroll"),
    ("certificate", facts(certificate=HIDDEN), UNKNOWN, "only root", ""),
    (
        "certificate",
        facts(certificate=CERTIFICATE._replace(names=["a", "b"])),
        WARNING,
        "it is for a, b, not for hv1, the name of the chassis",
        "Enroll",
    ),
    (
        "certificate",
        facts(certificate=CERTIFICATE._replace(ends_s=NOW_S + 29.9 * DAY_S)),
        WARNING,
        "it ends in 29 days",
        "Enroll",
    ),
    (
        "certificate",
        facts(certificate=CERTIFICATE._replace(authority_ends_s=NOW_S + 5 * DAY_S)),
        WARNING,
        "its authority ends in 5 days",
        "engine-setup",
    ),
    ("certificate", HEALTHY, OK, "for hv1, 90 days left; its authority has 3000", ""),
    # tunnels
    ("tunnel", facts(encaps=()), ERROR, "ovn-encap-ip is not set", "configure"),
    (
        "tunnel",
        facts(encaps=[("geneve", "192.0.2.77")]),
        ERROR,
        "end at 192.0.2.77, which is no address of this host; it has 192.0.2.5 on tunnels",
        "configure",
    ),
    (
        "tunnel",
        facts(
            encaps=[("geneve", "169.254.0.5")],
            addresses=[Address("eth0", ipaddress.ip_address("169.254.0.5"), 16)],
        ),
        WARNING,
        "which other hosts cannot reach",
        "configure",
    ),
    ("mtu", HEALTHY, OK, "tunnels and below have 1500, of which 1442 are left", ""),
    (
        "mtu",
        facts(links={"tunnels": Link("tunnels", mtu_bytes=1450)}),
        WARNING,
        "1450, of which 1392 are left for vNICs; larger packets of theirs are lost",
        "MTU 1500 for the network of tunnels, or 1392 for OVN's",
    ),
    (
        "mtu",
        facts(
            links={
                "tunnels": Link("tunnels", "bridge", mtu_bytes=9000),
                "eth0": Link("eth0", controller="tunnels", mtu_bytes=1500),
            }
        ),
        OK,
        "tunnels and below have 1500",
        "",
    ),
    (
        "mtu",
        facts(
            encaps=[("geneve", "2001:db8::5")],
            addresses=[Address("tunnels", ipaddress.ip_address("2001:db8::5"), 64)],
        ),
        WARNING,
        "of which 1422 are left",
        "MTU 1520",
    ),
    ("mtu", facts(encaps=[("vxlan", "192.0.2.5")]), OK, "of which 1450 are left", ""),
    (
        "mtu",
        switch(vifs=[VIF._replace(mtu_bytes=8942)]),
        WARNING,
        "and they have 8942",
        "MTU 9000",
    ),
    ("mtu", facts(links={}), UNKNOWN, "the MTU of tunnels cannot be seen", ""),
    ("path-mtu", HEALTHY, OK, "packets of 1500 bytes reach 1 other chassis", ""),
    (
        "path-mtu",
        facts(echoes=[ECHO._replace(has_large=False)]),
        ERROR,
        "packets of 1500 bytes do not reach hv2 (192.0.2.6), small ones do",
        "tracepath -n 192.0.2.6",
    ),
    (
        "path-mtu",
        facts(echoes=[Echo("hv2", "192.0.2.6", 1500, has_small=False, has_large=False)]),
        UNKNOWN,
        "no answer to ping from hv2 (192.0.2.6)",
        "ping -c 3 192.0.2.6",
    ),
    (
        "path-mtu",
        facts(echoes=[ECHO._replace(has_large=False, is_sent=False)]),
        WARNING,
        "this host's own MTU is in the way",
        "",
    ),
    ("path-mtu", facts(other_ends=(), echoes=()), OK, "there is no other chassis", ""),
    ("path-mtu", facts(echoes=HIDDEN), UNKNOWN, "only root", ""),
    ("path-mtu", facts(other_ends=[("a", "1")] * 12), OK, "reach 1 of 12 other chassis", ""),
    ("path-mtu", facts(echoes=()), UNKNOWN, "no other chassis has an address of this", ""),
    ("udp-port", HEALTHY, OK, "6081/udp is open: packets came from 1 of 1 chassis", ""),
    (
        "udp-port",
        facts(firewall=Firewall("public", is_open=False)),
        ERROR,
        "firewalld does not let 6081/udp into zone public",
        "firewall-cmd --permanent --zone=public --add-port=6081/udp",
    ),
    ("udp-port", switch(tunnels=()), UNKNOWN, "there is none", ""),
    ("udp-port", facts(listens=False), ERROR, "nothing listens on 6081/udp", "tail"),
    (
        "udp-port",
        switch(tunnels=[TunnelEnd("hv2", "192.0.2.6")])._replace(firewall=Firewall("public", True)),
        UNKNOWN,
        "6081/udp listens, firewalld lets it in, but no packet has come",
        "",
    ),
    (
        "udp-port",
        switch(tunnels=[TunnelEnd("hv2", "192.0.2.6", error="could not add")]),
        ERROR,
        "no tunnel to hv2: could not add",
        "tail",
    ),
    # what VDSM tells the engine
    (
        "ovn-configured",
        facts(services={**HEALTHY.services, "openvswitch-ipsec": False}),
        WARNING,
        "the engine shows no: service openvswitch-ipsec does not run",
        "systemctl enable --now openvswitch-ipsec",
    ),
    (
        "ovn-configured",
        facts(vdsm_file_status=[it._replace(group="root") for it in OWNED]),
        WARNING,
        "key.pem, cert.pem, ca.pem in /pki belong to openvswitch:root, not to openvswitch:open",
        "Enroll",
    ),
    (
        "ovn-configured",
        facts(vdsm_certificate=CERTIFICATE._replace(names=["x"])),
        WARNING,
        "hv1, the system-id, is not a name in the certificate",
        "Enroll",
    ),
    (
        "ovn-configured",
        facts(system_id="1hv", vdsm_certificate=CERTIFICATE._replace(names=["1hv"])),
        WARNING,
        "the system-id 1hv should be a name that begins with a letter",
        "Enroll",
    ),
    (
        "ovn-configured",
        facts(services={"ovn-controller": Problem("systemd does not answer")}),
        UNKNOWN,
        "systemd does not answer",
        "",
    ),
    # ports
    ("ports", HEALTHY, OK, "1 are plugged, and all are installed", ""),
    (
        "ports",
        waiting(BINDING, ofport=-1, error="could not open network device vnet0"),
        ERROR,
        f"{PORT} (vnet0) is not installed: could not open network device vnet0",
        "tail /var/log/openvswitch/ovs-vswitchd.log",
    ),
    ("ports", waiting(BINDING, ofport=0), ERROR, "has not opened its interface", "tail"),
    (
        "ports",
        waiting(BINDING)._replace(controller="not connected"),
        WARNING,
        "see ovn-controller above",
        "",
    ),
    ("ports", waiting(None), ERROR, "OVN has no such port", "unplug the vNIC"),
    ("ports", waiting(None, port=PORT.upper()), ERROR, "names in lower case only", "unplug"),
    (
        "ports",
        waiting(Binding(PORT, requested=["hv2"])),
        ERROR,
        "OVN wants it on hv2 only",
        f"ovn-nbctl remove Logical_Switch_Port {PORT} options requested-chassis",
    ),
    (
        "ports",
        waiting(Binding(PORT, chassis="hv2", requested=["hv2", "hv1.example.com"])),
        WARNING,
        "it is bound to hv2, where it is plugged too",
        "on hv2: vdsm-tool ovn-status",
    ),
    ("ports", waiting(BINDING._replace(is_up=False)), WARNING, "is still at it", "tail"),
    ("ports", waiting(Binding(PORT)), WARNING, "has not bound it yet", "tail"),
    (
        "ports",
        switch(vifs=[VIF, VIF._replace(interface="vnet7")]),
        ERROR,
        f"{PORT} is plugged 2 times on this host",
        "ovs-vsctl find Interface",
    ),
    (
        "ports",
        bindings(BINDING, Binding(OTHER_PORT, chassis="hv1")),
        WARNING,
        f"Southbound has {OTHER_PORT} here, but nothing is plugged for it",
        "tail",
    ),
    # One that OVN itself has put here, a gateway, is plugged nowhere.
    ("ports", bindings(BINDING, Binding("cr-x", "chassisredirect", "hv1")), OK, "1 are", ""),
    # migrations
    (
        "migrations",
        bindings(BINDING._replace(requested=["hv1", "hv2"]), migrating={VM: True}),
        OK,
        f"{PORT} is announced on hv1, hv2, and its machine is being migrated",
        "",
    ),
    (
        "migrations",
        bindings(BINDING._replace(requested=["hv1", "hv2"]), migrating={VM: False}),
        WARNING,
        "but no migration of its machine runs: a leftover",
        f"on the central: ovn-nbctl remove Logical_Switch_Port {PORT} options requested-chassis",
    ),
    (
        "migrations",
        bindings(BINDING._replace(additional=["hv2"])),
        WARNING,
        "is announced on hv1, hv2, but whether a migration runs cannot be seen",
        "if none runs, on the central: ovn-nbctl",
    ),
    (
        "migrations",
        bindings(BINDING, Binding(OTHER_PORT, chassis="hv2", requested=["hv2", "hv1"])),
        WARNING,
        f"{OTHER_PORT} is announced on hv2, hv1, but it is not plugged here",
        "if none runs",
    ),
    (
        "migrations",
        bindings(Binding(PORT, chassis="hv2", requested=["hv2", "hv1"]), announced={PORT: 4.2}),
        OK,
        "and its machine is to come here since 4 s",
        "",
    ),
    (
        "migrations",
        bindings(Binding(PORT, chassis="hv2", requested=["hv2", "hv1"]), announced={PORT: 999.0}),
        WARNING,
        "whether a migration runs cannot be seen",
        "if none runs",
    ),
    ("migrations", facts(southbound=HIDDEN), UNKNOWN, "Southbound is not seen", ""),
]


@pytest.mark.parametrize(("check", "given", "state", "reason", "mend"), CASES)
def test_check(check: str, given: Facts, state: str, reason: str, mend: str) -> None:
    """One thing is wrong, and its check says so, why, and what mends it."""
    worst = max(
        rows_of(check, given), key=lambda row: (OK, UNKNOWN, WARNING, ERROR).index(row.state)
    )
    assert state == worst.state
    assert reason in worst.reason
    assert mend in worst.mend
    assert bool(mend) == bool(worst.mend)


@pytest.mark.parametrize(
    "name", ["outlook", "switch", "vswitchd", "controller", "certificate", "southbound"]
)
def test_nothing_seen_is_nothing_wrong(name: str) -> None:
    """What this user may not see is no error, and no warning."""
    rows = checks.status(facts(**{name: HIDDEN}))
    assert 0 == exit_code(rows), rows


def test_as_nobody() -> None:
    """A user who sees nothing is told what that means, and nothing else is claimed."""
    hidden = dict.fromkeys(
        ("outlook", "switch", "vswitchd", "controller", "certificate", "vdsm_certificate"), HIDDEN
    )
    rows = checks.status(
        facts(is_root=False, remotes=(), encaps=(), files=None, southbound=HIDDEN, **hidden)
    )
    assert {"privileges"} == {row.check for row in rows if row.state in (WARNING, ERROR)}


def test_many_ports_make_no_endless_table() -> None:
    """Ten are shown, and how many there are beyond these."""
    vifs = [Vif(f"vnet{n}", f"p{n}", ofport=-1, is_installed=False) for n in range(30)]
    rows = rows_of("ports", bindings(switch=SWITCH._replace(vifs=vifs)))
    assert 11 == len(rows)
    assert (ERROR, "and 20 more") == rows[-1][1:3]
