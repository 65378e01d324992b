# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks of setupNetworks as VDSM starts them, with real links and a real database."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.host.machine import Machine
from daemon.host.network_host import NetworkHost, network_host
from unit.host.hosts import REMOVE, bond, net

pytestmark = pytest.mark.daemon

A, B, A6 = "192.0.2.10", "192.0.2.20", "2001:db8::10"
BEFORE, AFTER = "before_network_setup", "after_network_setup"
PACKAGE = "/usr/share/ovirt-provider-ovn-driver"


@pytest.fixture
def host(machine: Machine) -> Iterator[NetworkHost]:
    """A host with two network cards, and OVN on an address that no link has yet."""
    with network_host(machine) as host:
        yield host


def is_supported(kind: str, *more: str) -> bool:
    """Say whether this kernel has links of a kind."""
    script = (
        "ip link add name base type veth peer name other &&"
        ' ip link add link base name probe type "$@"'
    )
    command = ["unshare", "--net", "sh", "-c", script, "sh", kind, *more]
    return subprocess.run(command, capture_output=True, timeout=10).returncode == 0


def put_on_nic(host: NetworkHost, *addresses: str) -> dict[str, Any]:
    """Have the addresses on a network card; return what VDSM calls the link."""
    host.add_addresses("eth1", *addresses)
    return {"nic": "eth1", "bridged": False}


def put_on_bridge(host: NetworkHost, *addresses: str) -> dict[str, Any]:
    """Have the addresses on a bridge over a network card."""
    host.add_bridge("tunnel", "eth1", *addresses)
    return {"nic": "eth1"}


def put_on_vlan(host: NetworkHost, *addresses: str) -> dict[str, Any]:
    """Have the addresses on a VLAN of a network card."""
    host.ip("link add link eth1 name eth1.100 type vlan id 100", "link set eth1.100 up")
    host.add_addresses("eth1.100", *addresses)
    return {"nic": "eth1", "vlan": 100, "bridged": False}


def put_on_bond(host: NetworkHost, *addresses: str) -> dict[str, Any]:
    """Have the addresses on a bond of one network card."""
    host.ip("link add name bond0 type bond", "link set eth1 down")
    host.ip("link set eth1 master bond0", "link set bond0 up")
    host.add_addresses("bond0", *addresses)
    return {"bonding": "bond0", "bridged": False}


PLACES = [put_on_nic, put_on_bridge]
# Not every kernel that tests run on has these; the decisions have a table of their own.
PLACES += [put_on_vlan] if is_supported("vlan", "id", "1") else []
PLACES += [put_on_bond] if is_supported("bond") else []


def put_tunnel(host: NetworkHost, put: Any) -> None:
    """Have two tunnel addresses in one of these places, on VDSM's network "tunnel"."""
    network = net(**put(host, A, A6), ip=A, ip6=A6)
    bonds = {"bond0": bond("eth1")} if "bonding" in network else {}
    host.have_networks({"tunnel": network}, bonds)
    host.set_up_ovn(f"{A},{A6}")


@pytest.mark.parametrize("put", PLACES)
def test_loss_is_refused(host: NetworkHost, put: Any) -> None:
    """Removing the tunnel's network is refused in one line, and the data file stays as it was."""
    put_tunnel(host, put)
    data = {"request": {"networks": {"tunnel": REMOVE}, "bondings": {}, "options": {}}}

    outcome = host.machine.hook(BEFORE, data=data, user=0)

    words = outcome.ours.stderr
    assert outcome.ours.status == 2
    assert words.startswith("ovn before_network_setup: refused: network tunnel: ")
    assert words.count("\n") == 1
    assert A in words
    assert A6 in words
    assert outcome.left == json.dumps(data)
    assert outcome.error == f"Hook Error: ({words.encode()!r},)"


@pytest.mark.parametrize("put", PLACES)
def test_move_passes(host: NetworkHost, put: Any) -> None:
    """The tunnel's network may go to another network card with its addresses."""
    put_tunnel(host, put)

    ran = host.setup_networks(BEFORE, {"tunnel": net(nic="eth0", ip=A, ip6=A6)})

    assert (0, "") == ran


@pytest.mark.parametrize(
    "wanted",
    [{"ip": A}, {"dhcp": True}, {"ip6": A6}, {"ipv6autoconf": True}],
    ids=["static", "dhcp", "v6 static", "v6 autoconf"],
)
def test_first_deployment(host: NetworkHost, wanted: dict[str, Any]) -> None:
    """A bare network card's address goes to ovirtmgmt on it, and is protected from then on."""
    address = A if "ip" in wanted or "dhcp" in wanted else A6
    host.add_addresses("eth0", address)
    host.set_up_ovn(address)
    management = {"ovirtmgmt": net(nic="eth0", defaultRoute=True, **wanted)}

    assert (0, "") == host.setup_networks(BEFORE, management)

    host.ip("address flush dev eth0")
    host.add_bridge("ovirtmgmt", "eth0", address)
    host.have_networks(management)

    assert (0, "") == host.setup_networks(BEFORE, management)
    assert host.setup_networks(BEFORE, {"ovirtmgmt": REMOVE})[0] == 2


def test_nic_of_a_mapped_bridge(host: NetworkHost) -> None:
    """The network card of a bridge in ovn-bridge-mappings is not given to another bridge."""
    host.vsctl("add-br", "br-ex", "--", "add-port", "br-ex", "eth1")
    host.vsctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=physnet:br-ex")

    code, words = host.setup_networks(BEFORE, {"green": net(nic="eth1")})

    assert code == 2
    assert "network green: eth1 is a port of OVN's bridge br-ex (physical network physnet)" in words


def test_lower_mtu_is_a_warning(host: NetworkHost) -> None:
    """A smaller MTU passes with a line that says what it means."""
    host.add_addresses("eth1", A)
    host.have_networks({"tunnel": net(nic="eth1", ip=A, bridged=False)})

    wanted = net(nic="eth1", ip=A, bridged=False, mtu=1400)
    code, words = host.setup_networks(BEFORE, {"tunnel": wanted})

    assert code == 0
    assert words.startswith("ovn before_network_setup: warning: the links below")


def _lossy(host: NetworkHost) -> None:
    """Have the host in a state where the removal of "tunnel" would be refused."""
    host.have_networks({"tunnel": net(**put_on_nic(host, A), ip=A)})
    assert host.setup_networks(BEFORE, {"tunnel": REMOVE})[0] == 2


def test_rollback_is_not_checked(host: NetworkHost) -> None:
    """A rollback passes without a question to the database, which would have no answer."""
    _lossy(host)
    host.database.signal(signal.SIGSTOP)

    ran = host.setup_networks(BEFORE, {"tunnel": REMOVE}, options={"_inRollback": True})

    assert (0, "") == ran


def test_hanging_database(host: NetworkHost) -> None:
    """A database that does not answer lets the request pass after some seconds, with a line."""
    _lossy(host)
    host.database.signal(signal.SIGSTOP)
    start = time.monotonic()

    code, words = host.setup_networks(BEFORE, {"tunnel": REMOVE})

    assert code == 0
    assert "passed unchecked: the local Open_vSwitch database: no answer within 3 seconds" in words
    assert 2 < time.monotonic() - start < 15


def test_open_vswitch_stopped(host: NetworkHost) -> None:
    """Without Open vSwitch there is nothing to protect: killed, or stopped in an orderly way."""
    _lossy(host)

    host.database.kill()
    assert (0, "") == host.setup_networks(BEFORE, {"tunnel": REMOVE})

    host.socket.unlink()
    assert (0, "") == host.setup_networks(BEFORE, {"tunnel": REMOVE})


def test_no_ovn(host: NetworkHost) -> None:
    """On a host without OVN's settings everything passes."""
    _lossy(host)
    host.vsctl("clear", "Open_vSwitch", ".", "external_ids")

    assert (0, "") == host.setup_networks(BEFORE, {"tunnel": REMOVE})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "the data file is no JSON"),
        ("[1, 2", "the data file is no JSON"),
        (r"\377\376", "the data file is no JSON"),
        ("{}", "request: None"),
        ('{"request": {"networks": []}}', "networks: []"),
        ('{"request": {"networks": {"tunnel": "no"}}}', "network tunnel: 'no'"),
        ('{"request": {"networks": {"tunnel": {"vlan": "x"}}}}', "network tunnel, vlan: 'x'"),
        ('{"request": {"bondings": {"bond0": {}}}}', "bond bond0, nics: None"),
    ],
)
def test_malformed_request(host: NetworkHost, data: str, words: str) -> None:
    """What is not understood passes with one line that says what it was."""
    host.machine.add_script(BEFORE, "10_breaker", f"printf '{data}' >\"$_hook_json\"")

    ran = host.machine.hook(BEFORE, data={}, user=0).ours

    assert ran.status == 0
    assert ran.stderr.startswith(f"ovn before_network_setup: passed unchecked: {words}")
    assert ran.stderr.count("\n") == 1


def test_spoiled_configuration(host: NetworkHost) -> None:
    """A file of VDSM's that cannot be read lets the request pass, with a line."""
    _lossy(host)
    host.spoil_network("green")

    code, words = host.setup_networks(BEFORE, {"tunnel": REMOVE})

    assert code == 0
    assert "passed unchecked: /var/lib/vdsm/staging/netconf/nets/green is no JSON" in words


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("hook.py", ""),
        ("ovirt_ovn_host", "ModuleNotFoundError"),
        ("ovirt_ovn_host/network_setup.py", "unexpected ImportError"),
    ],
)
def test_package_missing(host: NetworkHost, part: str, words: str) -> None:
    """A hook left behind by a removed package, or by half of one, does not stop VDSM."""
    _lossy(host)
    with host.machine.missing(f"{PACKAGE}/{part}"):
        outcome = host.machine.hook(
            BEFORE, data={"request": {"networks": {"tunnel": REMOVE}}}, user=0
        )

    assert outcome.ours.status == 0
    assert words in outcome.ours.stderr
    assert outcome.error is None


# --- after_network_setup ---


def _follow(host: NetworkHost, network: dict[str, Any]) -> None:
    """Have the tunnel given by the name of a network on eth1."""
    host.machine.write_settings("# written by the configurator", "tunnel-network=tunnel")
    host.have_networks({"tunnel": network})


def test_tunnel_follows_its_network(host: NetworkHost) -> None:
    """A changed address of the tunnel's network is OVN's in one transaction, and nothing else."""
    wanted = net(nic="eth1", ip=B, bridged=False)
    host.add_addresses("eth1", A)
    _follow(host, net(nic="eth1", ip=A, bridged=False))
    assert (0, "") == host.setup_networks(BEFORE, {"tunnel": wanted})
    host.ip("address flush dev eth1")
    host.add_addresses("eth1", B)
    _follow(host, wanted)
    before = host.vsctl("get", "Open_vSwitch", ".", "external_ids")
    count = host.transactions()

    code, words = host.setup_networks(AFTER, {"tunnel": wanted})

    assert code == 0
    assert words == (
        "ovn after_network_setup: network tunnel: OVN's tunnel address is now"
        " 192.0.2.20, not 192.0.2.10\n"
    )
    assert host.vsctl("get", "Open_vSwitch", ".", "external_ids") == before.replace(A, B)
    assert host.transactions() == count + 1

    assert (0, "") == host.setup_networks(AFTER, {"tunnel": wanted})
    assert host.transactions() == count + 1


def test_tunnel_waits_for_dhcp(host: NetworkHost) -> None:
    """An address that DHCP gives a moment after the set-up is followed too."""
    wanted = net(nic="eth1", dhcp=True, bridged=False)
    _follow(host, wanted)
    later = threading.Timer(1.0, host.add_addresses, ["eth1", B])
    later.start()

    assert host.setup_networks(AFTER, {"tunnel": wanted})[0] == 0
    later.join()

    assert host.encap() == B


def test_tunnel_by_address_stays(host: NetworkHost) -> None:
    """A tunnel that was given by address is left alone, whatever a network's address is."""
    host.add_addresses("eth1", B)
    host.have_networks({"tunnel": net(nic="eth1", ip=B, bridged=False)})

    assert (0, "") == host.setup_networks(AFTER, {"tunnel": net(nic="eth1", ip=B)})
    assert host.encap() == A


def test_tunnel_network_without_address(host: NetworkHost) -> None:
    """Where there is nothing to follow, and to wait for, the old address stays; a line says so."""
    _follow(host, net(nic="eth1", bridged=False))
    start = time.monotonic()

    code, words = host.setup_networks(AFTER, {})

    assert code == 0
    # For DHCP it would wait for ten.
    assert time.monotonic() - start < 8
    assert "network tunnel has no address to replace 192.0.2.10" in words
    assert host.encap() == A


def test_tunnel_network_of_several_addresses(host: NetworkHost) -> None:
    """Where OVN has several addresses, all of them lost, none is guessed; a line says so."""
    both = f"{A},192.0.2.11"
    host.vsctl("set", "Open_vSwitch", ".", f'external_ids:ovn-encap-ip="{both}"')
    wanted = net(nic="eth1", ip=B, bridged=False)
    host.add_addresses("eth1", B)
    _follow(host, wanted)

    code, words = host.setup_networks(AFTER, {"tunnel": wanted})

    assert code == 0
    assert f"none of OVN's tunnel addresses {A}, 192.0.2.11 any more" in words
    assert "vdsm-tool configure --module ovn" in words
    assert host.encap() == both


def test_following_a_hanging_database(host: NetworkHost) -> None:
    """A database that hangs costs the set-up some seconds and nothing more."""
    host.add_addresses("eth1", B)
    _follow(host, net(nic="eth1", ip=B, bridged=False))
    host.database.signal(signal.SIGSTOP)
    start = time.monotonic()

    code, words = host.setup_networks(AFTER, {})

    assert code == 1
    assert "OVN's tunnel address does not follow network tunnel: the local Open_vSwitch" in words
    assert time.monotonic() - start < 15
