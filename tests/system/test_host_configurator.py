# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The module "ovn" of vdsm-tool configure, on a host with real daemons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.ovsdb import wait_until
from system.host_machine import (
    ADDRESS,
    CENTRAL,
    HOOK_FILE,
    NAME,
    PKI,
    SETTINGS,
    SYSTEM_ID,
    TUNNEL,
    TUNNEL_NETWORK,
    HostMachine,
    host_machine,
)

pytestmark = pytest.mark.system

OVN_CONF = f"[ovn]\ncentral = {CENTRAL}\ntunnel = {ADDRESS}\n"
MODULE = ("--module", "ovn")
LIBRARY = "/usr/share/ovirt-provider-ovn-driver"
PIDS = ("openvswitch/ovsdb-server", "openvswitch/ovs-vswitchd", "ovn/ovn-controller")


def configured(host: HostMachine, text: str = OVN_CONF, name: str = NAME) -> None:
    """Have settings, and the host as they want it, registered in Southbound."""
    host.write(SETTINGS / "ovn.conf", text)
    done = host.tool("configure", *MODULE)
    assert done.returncode == 0, done.stdout + done.stderr
    host.wait_chassis(**{name: ADDRESS})


def pids(host: HostMachine) -> list[str]:
    """The daemons' processes: a restarted one is another."""
    return [host.read(Path(f"/run/{name}.pid")) for name in PIDS]


@pytest.mark.parametrize("is_running", [False, True])
def test_a_host_that_nobody_wants_in_ovn(image: Path, is_running: bool) -> None:
    """Without settings every verb succeeds and does nothing, whether Open vSwitch runs or not."""
    with host_machine(image) as host:
        if is_running:
            host.start("openvswitch")
        before = host.state
        for words in (
            ("is-configured",),
            ("is-configured", *MODULE),
            ("validate-config",),
            ("validate-config", *MODULE),
            ("configure",),
            ("configure", "--force"),
            ("configure", "--force", *MODULE),
            ("remove-config", *MODULE),
            ("remove-config",),
        ):
            done = host.tool(*words)
            assert (0, "") == (done.returncode, done.stderr), words
            says = "OVN: nothing to change: no settings in /etc/ovirt-provider-ovn-driver want this"
            is_asked = words[0] == "configure" and MODULE[1] in words
            assert is_asked == (says in done.stdout), words
            assert is_asked or "OVN:" not in done.stdout, words
        assert before == host.state
        assert "" == host.read(HOOK_FILE)
        assert is_running is bool(host.run("ls", "/run/openvswitch").stdout)


def test_a_host_is_brought_into_ovn(host: HostMachine) -> None:
    """Everything is set, said and started, and Southbound gets a chassis."""
    host.add_network(TUNNEL_NETWORK, bonding="bond0", vlan=100, bridged=False)
    names = f"[networks]\n{TUNNEL_NETWORK} = OVN tunnels\n"
    host.write(SETTINGS / "ovn.conf", f"[ovn]\ncentral = {CENTRAL}\ntunnel = OVN tunnels\n{names}")

    done = host.tool("configure", *MODULE)

    assert (0, "") == (done.returncode, done.stderr)
    why = f"tunnels end at {TUNNEL}: the IPv4 address of network {TUNNEL_NETWORK} (bond0.100)"
    assert f"OVN: {why}\n" in done.stdout
    assert f"OVN: external_ids:ovn-encap-ip: nothing -> {TUNNEL}\n" in done.stdout
    assert "Reconfiguration of ovn is done." in done.stdout
    host.wait_chassis(**{NAME: TUNNEL})
    assert f"{NAME}\n" == host.read(SYSTEM_ID)
    assert f"tunnel-network={TUNNEL_NETWORK}\n" == host.read(HOOK_FILE)
    assert "644" == host.do("stat", "--format=%a", str(HOOK_FILE))
    assert host.is_connected
    assert {"enable openvswitch", "enable ovn-controller", "start openvswitch-ipsec"} < set(
        host.calls
    )
    files = {"private_key": "ovn-key", "certificate": "ovn-cert", "ca_cert": "ca-cert"}
    files = {key: f"{PKI}/{name}.pem" for key, name in files.items()}
    # For IPsec, and for ovn-controller.
    assert files.items() <= host.column("other_config").items()
    assert all(path in host.vsctl("get-ssl") for path in files.values())
    assert "secure" == host.vsctl("get-fail-mode", "br-int")
    assert '"true"' == host.vsctl("get", "Bridge", "br-int", "other_config:disable-in-band")


def test_a_second_run_changes_nothing_and_says_so(host: HostMachine) -> None:
    """Repeated, forced or not, nothing is written, nothing restarted."""
    configured(host)
    before = (host.state, pids(host))
    for force in ((), ("--force",)):
        done = host.tool("configure", *MODULE, *force)
        assert (0, "") == (done.returncode, done.stderr)
        assert f"OVN: nothing to change: chassis {NAME}, tunnels at {ADDRESS}" in done.stdout
        assert "Reconfiguration" not in done.stdout
    assert before == (host.state, pids(host))
    done = host.tool("ovn-config", CENTRAL, ADDRESS)
    assert f"OVN: nothing to change: chassis {NAME}, tunnels at {ADDRESS}" in done.stdout
    assert (before[0][0], before[1]) == (host.state[0], pids(host))


DRIFT = (
    *("set", "Open_vSwitch", ".", "external_ids:ovn-encap-type=vxlan", "--"),
    *("set", "Open_vSwitch", ".", f"external_ids:ovn-encap-ip={TUNNEL}", "--"),
    *("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote-probe-interval", "--"),
    *("remove", "Open_vSwitch", ".", "other_config", "certificate", "--", "del-ssl"),
)


@pytest.mark.parametrize("words", [("vdsmd",), MODULE, (*MODULE, "--force"), ()])
def test_drift_is_found_and_applied(host: HostMachine, words: tuple[str, ...]) -> None:
    """What was changed by hand is put right by configure and at vdsmd's start, live."""
    configured(host)
    wanted = host.external_ids, host.column("other_config")
    before = pids(host)
    host.vsctl(*DRIFT)

    done = host.tool("is-configured")
    assert done.returncode == 0
    assert "OVN: to be changed: external_ids:ovn-encap-type: vxlan -> geneve; " in done.stdout
    if words == ("vdsmd",):
        code, output, seconds = host.start_vdsmd()
        assert code == 0, output
        assert seconds < 10
    else:
        assert host.tool("configure", *words).returncode == 0

    assert wanted == (host.external_ids, host.column("other_config"))
    assert host.tool("is-configured").stdout == ""
    assert before == pids(host)
    assert not any(call.startswith(("restart", "stop")) for call in host.calls)


def test_services_are_started_and_never_restarted(host: HostMachine) -> None:
    """Stopped services are started, those that run are left alone, and a missing IPsec is said."""
    configured(host)
    before = pids(host)
    host.do("systemctl", "stop", "ovn-controller")
    host.do("systemctl", "disable", "openvswitch-ipsec")
    assert host.tool("configure", *MODULE).returncode == 0
    assert before[:2] == pids(host)[:2]
    assert ["start ovn-controller", "enable openvswitch-ipsec"] == host.calls[-2:]

    host.do("rm", "/run/services/openvswitch-ipsec")
    assert host.tool("is-configured").stdout == ""
    done = host.tool("ovn-config", CENTRAL, ADDRESS)
    assert done.returncode == 0
    assert "openvswitch-ipsec is not installed: the engine shows" in done.stdout


def test_open_vswitch_is_started_if_it_is_stopped(host: HostMachine) -> None:
    """A stopped Open vSwitch is no reason to fail where somebody asked to configure."""
    host.do("systemctl", "stop", "ovn-controller")
    host.do("systemctl", "stop", "openvswitch")
    configured(host)
    assert {"start openvswitch", "start ovn-controller"} < set(host.calls)


def test_the_name_is_kept_over_a_restart_of_open_vswitch(host: HostMachine) -> None:
    """ovs-ctl, which makes a name of its own for a new host, gives back ours."""
    assert NAME != host.external_ids["system-id"]
    configured(host)
    host.do("systemctl", "stop", "openvswitch")
    host.start("openvswitch")
    assert NAME == host.external_ids["system-id"]
    assert host.tool("is-configured").stdout == ""


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (f"echo '{ADDRESS} hv1.example.com hv1' >>/etc/hosts", "hv1.example.com"),
        ("printf '#!/bin/sh\nexit 1\n' >/usr/bin/hostname", "hv1"),
    ],
)
def test_the_full_name_is_taken(host: HostMachine, command: str, name: str) -> None:
    """A host with a short name is called by its full one, if it has one."""
    host.do("sh", "-c", f"hostname hv1; {command}")
    configured(host, name=name)
    # From then on it is kept, whatever becomes of the host's.
    host.do("sh", "-c", "echo other.example.com >/proc/sys/kernel/hostname")
    assert f"nothing to change: chassis {name}" in host.tool("configure", *MODULE).stdout


@pytest.mark.parametrize(
    ("name", "program", "says"),
    [
        ("localhost", "exit 1", "this host is called localhost, which cannot be the name of"),
        ("1host.example.com", "exit 1", "set [ovn] system-id to a name that begins with a letter"),
        ("hv1", "exec sleep 60", "the full name of hv1 is not known in time: is DNS right?"),
    ],
)
def test_a_host_without_a_name(host: HostMachine, name: str, program: str, says: str) -> None:
    """What cannot be a chassis' name, or is not sure, is not taken, and nothing is changed."""
    host.do("hostname", name)
    host.write(Path("/usr/bin/hostname"), f"#!/bin/sh\n{program}\n", "0755")
    host.write(SETTINGS / "ovn.conf", OVN_CONF)
    before = host.state
    done = host.tool("configure", *MODULE)
    assert done.returncode == 1
    assert says in done.stderr
    assert before == host.state
    assert 0 == host.start_vdsmd()[0]


def test_a_usable_name_is_kept(host: HostMachine) -> None:
    """A host that has a name that VDSM can match keeps it, whatever the host is called."""
    host.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=alias.example.com")
    host.write(SETTINGS / "ovn.conf", OVN_CONF)
    done = host.tool("configure", *MODULE)
    assert done.returncode == 0, done.stderr
    host.wait_chassis(**{"alias.example.com": ADDRESS})
    assert f"is for {NAME}, not for alias.example.com" in done.stdout


def test_a_chassis_gets_another_name(host: HostMachine) -> None:
    """The old chassis leaves Southbound before the new one comes, which has the same address."""
    configured(host)
    host.write(SETTINGS / "ovn.conf", f"{OVN_CONF}system-id = hv1.other.example.com\n")

    code, output, _ = host.start_vdsmd()
    assert code == 0
    assert f"this host is chassis {NAME} and shall be hv1.other.example.com" in output
    assert NAME == host.external_ids["system-id"]

    done = host.tool("configure", *MODULE)
    assert done.returncode == 0, done.stderr
    assert f"OVN: chassis {NAME} is out of Southbound\n" in done.stdout
    host.wait_chassis(**{"hv1.other.example.com": ADDRESS})
    assert "hv1.other.example.com\n" == host.read(SYSTEM_ID)


def test_a_chassis_with_machines_keeps_its_name(host: HostMachine) -> None:
    """Nothing is changed while it would cut off a running virtual machine."""
    configured(host)
    host.plug()
    host.write(SETTINGS / "ovn.conf", f"{OVN_CONF}system-id = hv1.other.example.com\n")
    before = (host.state, pids(host))
    done = host.tool("configure", *MODULE)
    assert done.returncode == 1
    assert "would cut off the 1 OVN ports of running virtual machines: put the host" in done.stderr
    assert before == (host.state, pids(host))


def test_a_host_of_the_peers_is_taken_over(host: HostMachine) -> None:
    """What ovirt-provider-ovn-driver has set counts as it is, and goes when the host leaves."""
    values = {
        "system-id": NAME,
        "ovn-remote": f"ssl:{CENTRAL}:6642",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": ADDRESS,
        "ovn-remote-probe-interval": "60000",
        "ovn-openflow-probe-interval": "60",
    }
    for key, value in values.items():
        host.vsctl("set", "Open_vSwitch", ".", f"external_ids:{key}={json.dumps(value)}")
    for key, file in {
        "private_key": "ovn-key",
        "certificate": "ovn-cert",
        "ca_cert": "ca-cert",
    }.items():
        host.vsctl("set", "Open_vSwitch", ".", f"other_config:{key}=/etc/pki/vdsm/ovn/{file}.pem")
    host.write(SYSTEM_ID, f"{NAME}\n")

    done = host.tool("ovn-config", CENTRAL, ADDRESS, NAME)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " -> " in line]
    assert [
        "OVN: external_ids:ovn-ofctrl-wait-before-clear: nothing",
        "OVN: SSL: nothing",
    ] == [line.partition(" ->")[0] for line in lines]
    host.wait_chassis(**{NAME: ADDRESS})

    host.do("rm", str(SETTINGS / "conf.d/10-engine.conf"))
    assert host.tool("remove-config").returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    assert host.tool("ovn-unconfigure").returncode == 0
    host.wait_chassis()
    ours = {"ovn-remote", "ovn-encap-type", "ovn-encap-ip", "ovn-remote-probe-interval"}
    assert not ours & set(host.external_ids)


def test_remove_config_takes_away_what_we_set(host: HostMachine) -> None:
    """Others' settings and Open vSwitch stay, and the host does not come back by itself."""
    host.vsctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=physnet:br-ex")
    before = host.external_ids, host.column("other_config").keys()
    configured(host)
    switch = pids(host)[:2]

    done = host.tool("remove-config", *MODULE)

    assert (0, "") == (done.returncode, done.stderr)
    assert f"OVN: chassis {NAME} is out of Southbound\n" in done.stdout
    host.wait_chassis()
    assert {**before[0], "system-id": NAME} == host.external_ids
    assert before[1] == host.column("other_config").keys()
    assert f"{NAME}\n" == host.read(SYSTEM_ID)
    assert switch == pids(host)[:2]
    assert host.run("systemctl", "is-active", "ovn-controller").returncode == 3
    assert "" == host.read(HOOK_FILE)

    code, output, _ = host.start_vdsmd()
    assert (0, True) == (code, "no settings in /etc" in output)
    assert host.tool("configure", "--force").returncode == 0
    assert "ovn-remote" not in host.external_ids
    assert host.tool("remove-config", *MODULE).stdout == ""


def test_stopping_ovn_controller_keeps_the_chassis(host: HostMachine) -> None:
    """The drop-in of the unit: a stop for a restart leaves Southbound as it is."""
    configured(host)
    host.do("systemctl", "stop", "ovn-controller")
    assert {NAME: ADDRESS} == host.chassis
    assert "ovn-controller.pid" not in host.do("ls", "/run/ovn")
    log = host.read(Path("/run/systemctl.log"))
    assert "error" not in log, log
    host.start("ovn-controller")
    wait_until(lambda: host.is_connected)

    # What the unit does without it.
    host.do("ovn-appctl", "-t", "ovn-controller", "exit")
    host.wait_chassis()


def test_a_killed_run_is_completed_by_the_next_one(host: HostMachine) -> None:
    """Wherever a run is cut off, the next one ends where an undisturbed one does."""
    host.write(SETTINGS / "ovn.conf", OVN_CONF)
    for number in range(8):
        host.run(
            "timeout",
            "--signal=KILL",
            f"{0.08 + number * 0.04:.2f}",
            "vdsm-tool",
            "configure",
            *MODULE,
        )
        host.tool("configure", *MODULE)
        assert host.tool("is-configured").stdout == "", number
        host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote", "--", "del-ssl")
        host.do("rm", "-f", str(SYSTEM_ID))


HALF = {
    "files, and nothing in the database": (
        f"printf '%s\n' {NAME} >{SYSTEM_ID}",
        f"printf x >{SETTINGS}/conf.d/.10-engine.conf.4711",
    ),
    "the database, and no files": (f"rm -f {SYSTEM_ID} {HOOK_FILE}",),
    "half of the database": (
        "ovs-vsctl --no-wait remove Open_vSwitch . external_ids ovn-remote -- del-ssl",
        "ovs-vsctl --no-wait set-fail-mode br-int standalone",
    ),
    "no bridge": ("ovs-vsctl --no-wait del-br br-int",),
    "services that are not started": (
        "systemctl stop ovn-controller; systemctl stop openvswitch-ipsec",
        "systemctl disable ovn-controller",
    ),
}


@pytest.mark.parametrize("commands", HALF.values(), ids=HALF.keys())
def test_what_a_crash_has_left_is_completed(host: HostMachine, commands: tuple[str, ...]) -> None:
    """From any half of the way the next run gets to where an undisturbed one is."""
    if "printf" in commands[0]:
        host.write(SETTINGS / "ovn.conf", OVN_CONF)
    else:
        configured(host)
    for command in commands:
        host.do("sh", "-ec", command)

    done = host.tool("configure", *MODULE)

    assert done.returncode == 0, done.stderr
    assert host.tool("is-configured").stdout == ""
    host.wait_chassis(**{NAME: ADDRESS})
    wait_until(lambda: host.is_connected)
    assert f"{NAME}\n" == host.read(SYSTEM_ID)
    assert "secure" == host.vsctl("get-fail-mode", "br-int")
    assert host.run("systemctl", "is-active", "openvswitch-ipsec").returncode == 0
    assert f"nothing to change: chassis {NAME}" in host.tool("configure", *MODULE).stdout


def test_a_rename_that_was_cut_off_is_completed(host: HostMachine) -> None:
    """The old chassis has left Southbound, and nothing else has been done yet."""
    old = "old.example.com"
    host.write(SETTINGS / "ovn.conf", f"{OVN_CONF}system-id = {old}\n")
    assert host.tool("configure", *MODULE).returncode == 0
    host.wait_chassis(**{old: ADDRESS})
    wait_until(lambda: host.is_connected)
    host.do("ovn-appctl", "-t", "ovn-controller", "exit")
    host.wait_chassis()

    configured(host, f"{OVN_CONF}system-id = {NAME}\n")
    assert host.tool("is-configured").stdout == ""


def test_two_at_once(host: HostMachine) -> None:
    """The engine's call and vdsmd's start at the same moment do not disturb each other."""
    host.write(SETTINGS / "ovn.conf", OVN_CONF)
    engine = f"vdsm-tool ovn-config {CENTRAL} {ADDRESS} {NAME}"
    both = f"{engine} & vdsm-tool configure --module ovn && wait $!"
    for _ in range(3):
        done = host.run("sh", "-c", both)
        assert done.returncode == 0, done.stdout + done.stderr
        host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote", "--", "del-ssl")


def test_the_module_imports_next_to_nothing(host: HostMachine) -> None:
    """vdsm-tool imports it at every run, so it brings the standard library only."""
    program = (
        "import sys, vdsm.tool.configurators as package; before = set(sys.modules)\n"
        "import vdsm.tool.configurators.ovn\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
        "print(sorted(sys.stdlib_module_names) if hasattr(sys, 'stdlib_module_names') else '')"
    )
    loaded, known = host.do("/usr/bin/python3", "-c", program).splitlines()
    assert {"vdsm"} == {name for name in loaded.split() if f"'{name}'" not in known}


def test_a_broken_installation_keeps_nobody_from_starting(host: HostMachine) -> None:
    """Without our package the module still answers, and other modules are configured."""
    configured(host)
    host.do("mv", LIBRARY, f"{LIBRARY}.away")
    code, output, _ = host.start_vdsmd()
    assert code == 0, output
    assert "No module named 'ovirt_ovn_host'" in output
    host.do("rm", "/run/vdsm-passwd-is-configured")
    assert host.tool("configure", "--force").returncode == 0
    assert host.tool("configure", *MODULE).returncode == 1
    assert host.tool("is-configured").returncode == 0


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (
            "exec sleep 60",
            "systemd does not answer: /usr/bin/systemctl: no answer within 2 seconds",
        ),
        (
            "case $2 in enable) exec sleep 60 ;; esac; exit 1",
            "/usr/bin/systemctl: no answer within 8 seconds",
        ),
        (
            "case $2 in is-*) sleep 1.8 ;; enable) sleep 5 ;; esac; exit 1",
            "not done within 10 seconds",
        ),
    ],
)
def test_vdsmd_does_not_wait_for_a_systemd_that_hangs(
    host: HostMachine, program: str, says: str
) -> None:
    """After ten seconds the hook has given up, and the checks behind it are quicker."""
    configured(host)
    host.write(Path("/usr/bin/systemctl"), f"#!/bin/sh\n{program}\n", "0755")
    code, output, seconds = host.start_vdsmd()
    assert code == 0, output
    assert says in output
    assert seconds < 20
