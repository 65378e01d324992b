# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs ovn-config and ovn-unconfigure, as the engine's roles call them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.ovsdb import wait_until
from system.host_machine import (
    ADDRESS,
    ADDRESS6,
    CENTRAL,
    CENTRAL6,
    ENGINE_FILE,
    HOOK_FILE,
    NAME,
    SETTINGS,
    SYSTEM_ID,
    TUNNEL,
    TUNNEL_NETWORK,
    HostMachine,
    central,
    host_machine,
)

pytestmark = pytest.mark.system

REMOTE, REMOTE6 = f"ssl:{CENTRAL}:6642", f"ssl:[{CENTRAL6}]:6642"
NETWORK_ID = "4cc0e1e8-a1c3-4b0a-9d0c-000000000001"


@pytest.fixture(scope="module")
def deployed(image: Path) -> Iterator[HostMachine]:
    """A host with networks of VDSM's, which the tests configure one after the other."""
    with host_machine(image) as host, central(host):
        host.add_network("ovirtmgmt", nic="eth0")
        host.add_network(TUNNEL_NETWORK, bonding="bond0", vlan=100, bridged=False)
        host.start("openvswitch")
        host.start("ovn-controller")
        yield host


@pytest.mark.parametrize(
    ("words", "remote", "address"),
    [
        ((CENTRAL, ADDRESS, NAME), REMOTE, ADDRESS),
        ((CENTRAL, ADDRESS), REMOTE, ADDRESS),
        ((CENTRAL, ADDRESS, ""), REMOTE, ADDRESS),
        # The engine knows the host by this.
        ((CENTRAL, ADDRESS, ADDRESS), REMOTE, ADDRESS),
        ((CENTRAL6, ADDRESS6, NAME), REMOTE6, ADDRESS6),
        ((f"[{CENTRAL6}]", ADDRESS6, NAME), REMOTE6, ADDRESS6),
        ((CENTRAL, "ovirtmgmt", NAME), REMOTE, ADDRESS),
        ((CENTRAL, TUNNEL_NETWORK, NAME), REMOTE, TUNNEL),
        ((CENTRAL, NETWORK_ID, NAME), REMOTE, TUNNEL),
        ((CENTRAL, "198.51.100.0/24"), REMOTE, TUNNEL),
        ((CENTRAL, "2001:db8::/64"), REMOTE, ADDRESS6),
        ((CENTRAL, "bond0.100"), REMOTE, TUNNEL),
        ((f"{REMOTE},{REMOTE6}", ADDRESS), f"{REMOTE},{REMOTE6}", ADDRESS),
        # One that answers is enough.
        ((f"ssl:{CENTRAL}:6699,{REMOTE}", ADDRESS), f"ssl:{CENTRAL}:6699,{REMOTE}", ADDRESS),
    ],
)
def test_what_the_engine_passes(
    deployed: HostMachine, words: tuple[str, ...], remote: str, address: str
) -> None:
    """Addresses of both families, networks and lists: the host becomes that chassis."""
    host = deployed
    # As if nothing had been said before.
    host.do("rm", "-f", str(ENGINE_FILE))
    host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote", "ovn-encap-ip")

    done = host.tool("ovn-config", *words)

    assert (0, "") == (done.returncode, done.stderr)
    ids = host.external_ids
    assert (remote, address, NAME) == (ids["ovn-remote"], ids["ovn-encap-ip"], ids["system-id"])
    text = host.read(ENGINE_FILE)
    assert f"[ovn]\ncentral = {words[0]}\ntunnel = {words[1]}\n" in text
    assert ("system-id" in text) == (words[2:] == (NAME,))
    host.wait_chassis(**{NAME: address})
    assert host.tool("is-configured").stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("ovn-config",),
        ("ovn-config", CENTRAL),
        ("ovn-config", CENTRAL, ADDRESS, NAME, "x"),
        ("ovn-unconfigure", "x"),
    ],
)
def test_wrong_arguments(deployed: HostMachine, words: tuple[str, ...]) -> None:
    """A wrong number of arguments shows how the verb is used."""
    before = deployed.state
    done = deployed.tool(*words)
    assert done.returncode == 1
    assert done.stderr.startswith(f"usage: \n /usr/bin/vdsm-tool [options] {words[0]}")
    assert before == deployed.state


@pytest.mark.parametrize("words", [("ovn-config", CENTRAL, ADDRESS), ("ovn-unconfigure",)])
def test_the_verbs_are_roots(deployed: HostMachine, words: tuple[str, ...]) -> None:
    """Anybody else is told so."""
    done = deployed.run("setpriv", "--reuid=36", "--clear-groups", "vdsm-tool", *words)
    assert done.returncode == 1
    assert "Error:  Must run as root" in done.stderr


def test_who_does_not_read_on_stops_nothing(host: HostMachine) -> None:
    """Where the output goes nowhere any more the host is configured all the same."""
    host.run("sh", "-c", f"vdsm-tool ovn-config {CENTRAL} {ADDRESS} {NAME} | true")
    assert host.tool("is-configured").stdout == ""
    host.wait_chassis(**{NAME: ADDRESS})


def test_only_the_engines_file_is_written(host: HostMachine) -> None:
    """No other file is made or changed, and what otopi has put beside stays."""
    host.write(ENGINE_FILE, "[ovn]\nenabled = no\n[hooks]\nstart = when-ports-installed\n")
    before = host.do("ls", "-R", str(SETTINGS))
    sample = host.read(SETTINGS / "ovn.conf")
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    assert before == host.do("ls", "-R", str(SETTINGS))
    assert sample == host.read(SETTINGS / "ovn.conf")
    assert "start = when-ports-installed\n" in host.read(ENGINE_FILE)
    assert "enabled" not in host.read(ENGINE_FILE)
    assert "start=when-ports-installed\n" == host.read(HOOK_FILE)
    assert "644" == host.do("stat", "--format=%a", str(ENGINE_FILE))


def test_the_administrator_goes_before_the_engine(host: HostMachine) -> None:
    """A list, a tunnel and a name in ovn.conf stay in force, and that is said."""
    both = f"{REMOTE6},{REMOTE}"
    text = f"[ovn]\ncentral = {both}\ntunnel = bond0.100\nsystem-id = hv1.site.example.com\n"
    host.write(SETTINGS / "ovn.conf", text)

    done = host.tool("ovn-config", CENTRAL, ADDRESS, NAME)

    assert done.returncode == 0, done.stderr
    assert text == host.read(SETTINGS / "ovn.conf")
    ids = host.external_ids
    assert both == ids["ovn-remote"]
    host.wait_chassis(**{"hv1.site.example.com": TUNNEL})
    for words in (
        f"ovn.conf sets central = {both}, which goes before {CENTRAL}",
        f"ovn.conf sets tunnel = bond0.100, which goes before {ADDRESS}",
        f"ovn.conf sets system-id = hv1.site.example.com, which goes before {NAME}",
    ):
        assert words in done.stdout
    # A name that VDSM could never match is no error where there is another one.
    done = host.tool("ovn-config", CENTRAL, ADDRESS, "1hv.example.com")
    assert done.returncode == 0, done.stderr
    assert "1hv.example.com, as the engine calls this host, cannot be the name" in done.stdout
    assert f"system-id = {NAME}\n" in host.read(ENGINE_FILE)


def test_what_otopi_or_a_hand_has_set_is_not_undone(host: HostMachine) -> None:
    """A list that has the engine's central in it, and a tunnel that means its address, stay."""
    host.add_network("ovirtmgmt", nic="eth0")
    both = f"{REMOTE},{REMOTE6}"
    host.write(ENGINE_FILE, f"[ovn]\ncentral = {both}\ntunnel = ovirtmgmt\n")
    done = host.tool("ovn-config", CENTRAL, ADDRESS, NAME)
    assert done.returncode == 0, done.stderr
    assert f"central = {both}\ntunnel = ovirtmgmt\nsystem-id = {NAME}\n" in host.read(ENGINE_FILE)
    assert f"central stays {both}, which {CENTRAL} is one of" in done.stdout
    assert f"tunnel stays ovirtmgmt, which is at {ADDRESS}" in done.stdout
    assert "tunnel-network=ovirtmgmt\n" == host.read(HOOK_FILE)

    # A list that somebody has set with ovs-vsctl, where no file knows it.
    host.do("rm", str(ENGINE_FILE))
    assert host.tool("ovn-config", CENTRAL6, TUNNEL).returncode == 0
    assert both == host.external_ids["ovn-remote"]
    assert TUNNEL == host.external_ids["ovn-encap-ip"]

    # Another central and another address are no longer what was said.
    assert (
        host.tool("ovn-config", f"ssl:{CENTRAL}:6642,ssl:{CENTRAL}:6699", ADDRESS).returncode == 0
    )
    assert f"{REMOTE},ssl:{CENTRAL}:6699" == host.external_ids["ovn-remote"]
    assert ADDRESS == host.external_ids["ovn-encap-ip"]


def test_a_host_leaves(host: HostMachine) -> None:
    """Chassis, settings and services go; Open vSwitch and the name stay; twice is fine."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    wait_until(lambda: host.is_connected)

    done = host.tool("ovn-unconfigure")

    assert (0, "") == (done.returncode, done.stderr)
    assert f"OVN: chassis {NAME} is out of Southbound\n" in done.stdout
    assert {} == host.chassis
    assert "" == host.read(ENGINE_FILE)
    assert f"{NAME}\n" == host.read(SYSTEM_ID)
    assert ["stop ovn-controller", "disable ovn-controller"] == host.calls[-2:]
    assert NAME == host.external_ids["system-id"]
    assert "" == host.vsctl("get-ssl")
    assert host.run("systemctl", "is-active", "openvswitch").returncode == 0
    assert host.start_vdsmd()[0] == 0
    assert {} == host.chassis

    done = host.tool("ovn-unconfigure")
    assert (0, "OVN: nothing to do: this host is not in OVN\n") == (done.returncode, done.stdout)

    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})


def test_a_host_of_the_administrators_leaves(host: HostMachine) -> None:
    """Where ovn.conf wants the host in OVN it is switched off, until the engine calls again."""
    text = f"[ovn]\ncentral = {CENTRAL}\ntunnel = {ADDRESS}\n"
    host.write(SETTINGS / "ovn.conf", text)
    assert host.tool("configure", "--module", "ovn").returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})

    assert host.tool("ovn-unconfigure").returncode == 0
    assert text == host.read(SETTINGS / "ovn.conf")
    assert "[ovn]\nenabled = no\n" in host.read(ENGINE_FILE)
    assert host.start_vdsmd()[0] == 0
    assert host.tool("configure", "--force").returncode == 0
    assert {} == host.chassis

    assert host.tool("ovn-config", CENTRAL, ADDRESS).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})

    host.write(SETTINGS / "ovn.conf", f"{text}enabled = yes\n")
    done = host.tool("ovn-unconfigure")
    assert done.returncode == 0
    assert "ovn.conf sets enabled = yes: this host will come back into OVN" in done.stdout


def test_a_host_with_machines_does_not_leave(host: HostMachine) -> None:
    """As long as virtual machines have OVN ports here nothing is changed."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    host.plug()
    before = host.state
    for words in (("ovn-unconfigure",), ("remove-config", "--module", "ovn")):
        done = host.tool(*words)
        assert done.returncode == 1
        assert "1 OVN ports of running virtual machines are on this host (vnet0)" in done.stderr
    assert before == host.state


def test_a_host_by_settings_of_its_chassis_alone_leaves(host: HostMachine) -> None:
    """Keys with the chassis' name are not ours: they stay, that is said, and they count."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote")
    own = f"ovn-remote-{NAME}"
    host.vsctl("set", "Open_vSwitch", ".", f'external_ids:{own}="{REMOTE}"')
    host.wait_chassis(**{NAME: ADDRESS})
    host.plug()
    before = host.state
    done = host.tool("ovn-unconfigure")
    assert (1, before) == (done.returncode, host.state)
    assert "1 OVN ports of running virtual machines are on this host (vnet0)" in done.stderr

    host.vsctl("del-port", "vnet0")
    done = host.tool("ovn-unconfigure")
    assert (0, "") == (done.returncode, done.stderr)
    assert {} == host.chassis
    assert f"external_ids:{own} is not ours and stays" in done.stdout
    assert own in host.external_ids


def test_a_stopped_ovn_controller_still_leaves(host: HostMachine) -> None:
    """It is started for it, as it has left its chassis behind when it was stopped."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    host.do("systemctl", "stop", "ovn-controller")
    assert {NAME: ADDRESS} == host.chassis
    assert host.tool("ovn-unconfigure").returncode == 0
    assert {} == host.chassis


# The first time it ends as one does that has not read Southbound yet: nothing is removed.
HASTY = """#!/bin/sh
case "$*" in
    *" exit")
        [ -e /run/hasty ] || exec sh -c '>/run/hasty; kill -9 $(cat /run/ovn/ovn-controller.pid)'
        ;;
esac
exec /usr/bin/ovn-appctl.real "$@"
"""


def test_a_chassis_is_seen_to_be_gone(host: HostMachine) -> None:
    """An ovn-controller that has just been started may end too soon; then it is done again."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    host.do("mv", "/usr/bin/ovn-appctl", "/usr/bin/ovn-appctl.real")
    host.write(Path("/usr/bin/ovn-appctl"), HASTY, "0755")

    done = host.tool("ovn-unconfigure")

    assert (0, "") == (done.returncode, done.stderr)
    assert "hasty" in host.do("ls", "/run")
    assert {} == host.chassis
    assert f"OVN: chassis {NAME} is out of Southbound\n" in done.stdout
    assert ["stop ovn-controller", "disable ovn-controller"] == host.calls[-2:]


# It ends so, and Southbound is away from then on.
CUT_OFF = """#!/bin/sh
case "$*" in
    *" exit") kill -9 $(cat /run/ovn/ovn-controller.pid); ip link del central ;;
    *) exec /usr/bin/ovn-appctl.real "$@" ;;
esac
"""


def test_what_is_not_seen_is_not_claimed(host: HostMachine) -> None:
    """Where Southbound cannot be asked any more, nobody says that the chassis is gone."""
    assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
    host.wait_chassis(**{NAME: ADDRESS})
    host.do("mv", "/usr/bin/ovn-appctl", "/usr/bin/ovn-appctl.real")
    host.write(Path("/usr/bin/ovn-appctl"), CUT_OFF, "0755")

    done = host.tool("ovn-unconfigure")

    assert {NAME: ADDRESS} == host.chassis
    assert "is out of Southbound" not in done.stdout
    assert done.returncode == 1
    assert f"run on the central: ovn-sbctl chassis-del {NAME}" in done.stderr
    assert "ovn-remote" not in host.external_ids


def test_a_host_leaves_without_its_central(image: Path) -> None:
    """Without Southbound the host is taken out as far as it goes; the rest is said."""
    with host_machine(image) as host:
        with central(host):
            host.start("openvswitch")
            assert host.tool("ovn-config", CENTRAL, ADDRESS, NAME).returncode == 0
            host.wait_chassis(**{NAME: ADDRESS})
        wait_until(lambda: not host.is_connected)

        done = host.tool("ovn-unconfigure")
        assert done.returncode == 1
        assert f"run on the central: ovn-sbctl chassis-del {NAME}" in done.stderr
        assert "ovn-remote" not in host.external_ids
        assert host.run("systemctl", "is-active", "ovn-controller").returncode == 3
        assert host.tool("ovn-unconfigure").returncode == 0
