# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migrations that go as they should not, or not as the others: nobody is left without network."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

import pytest

from migration.moves import COPY_S, migrate, watching
from migration.site import CAME, COMING, GONE, LEAVING, Guest, Migration, Site
from system.lab import CENTRAL_IP, Vm

pytestmark = [pytest.mark.system, pytest.mark.alone]

# Two hosts that fight for a port lose every second ping for as long as they do; a busy
# machine loses some.
FEW = 25
# Longer than the new host waits if nobody can tell it of the old one.
LATE_S = 6
# Of a migration without us. It ends when the old host lets go.
PATIENCE_S = 20.0


class Network(NamedTuple):
    """A VM that moves, one that pings it, and one that stays where the first one was."""

    alice: Guest
    bob: Vm
    carol: Vm

    @property
    def is_reached(self) -> bool:
        """Whether all vNICs of the VM can be reached, now or soon."""
        return all(self.bob.can_ping(vnic.ip, PATIENCE_S) for vnic in self.alice.vnics)


def network(site: Site, vnics: int = 1) -> Network:
    """Start the three."""
    red = site.lab.create_network("10.0.0.0/24")
    return Network(
        site.create_guest(red, "hv1", vnics),
        site.lab.create_vm(red, site.lab.chassis[2]),
        site.lab.create_vm(red, site.lab.chassis[0]),
    )


def assert_at_home(site: Site, guest: Guest, host: str) -> None:
    """Assert that a VM's ports are on a host, without a trace of a migration."""
    for vnic in guest.vnics:
        vnic.wait_up()
    assert ["{}"] * len(guest.vnics) == site.options(guest)
    assert [host] * len(guest.vnics) == site.hosts_of(guest)


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_the_engine(site: Site, when: str) -> None:
    """Before, after or without the engine's word the port is the new host's alone."""
    net = network(site)

    def tell() -> None:
        site.engine_says(net.alice, "hv2")

    with watching(net.bob, net.carol, net.alice) as silences:
        line = migrate(site, net.alice, tell if when == "before" else lambda: None)
        if when == "after":
            tell()
        assert_at_home(site, net.alice, "hv2")
    assert ", activated +" in line
    assert silences.lost < FEW
    assert net.is_reached
    assert [f"{net.alice.id}.done"] == site.hosts["hv2"].records()


def test_the_active_binding_stays(site: Site) -> None:
    """A record that has outlived its migration takes no port from its VM."""
    net = network(site)
    migrate(site, net.alice)
    host = site.hosts["hv2"]
    record = f"/run/vdsm/ovn-migrations/{net.alice.id}"
    host.machine.run("mv", f"{record}.done", record)
    assert "" == host.hook(GONE, net.alice).ours.stderr
    assert [] == host.records()
    assert_at_home(site, net.alice, "hv2")
    assert net.is_reached


@pytest.mark.parametrize("known", ["hv2", "hv3", ""])
def test_the_engine_is_wrong(site: Site, known: str) -> None:
    """Wherever the engine believes a VM to be, the host that it leaves knows better."""
    net = network(site)
    site.engine_says(net.alice, known)
    with watching(net.bob, net.carol, net.alice) as silences:
        migrate(site, net.alice)
        assert_at_home(site, net.alice, "hv2")
    assert silences.lost < FEW
    assert net.is_reached


def test_the_engine_is_early(site: Site) -> None:
    """Where it has told the new host already, and the old one cannot, the VM moves as ever."""
    net = network(site)
    site.engine_says(net.alice, "hv2")
    move = Migration(site, net.alice)
    with move.source.machine.missing(f"/usr/libexec/vdsm/hooks/{LEAVING}"):
        assert "not announced: " in move.prepare().ours.stderr
    time.sleep(COPY_S)
    move.resume().result()
    move.end_source()
    move.close()
    assert net.is_reached
    assert_at_home(site, net.alice, "hv2")


def test_two_vnics(site: Site) -> None:
    """Each vNIC of a VM moves with it."""
    net = network(site, vnics=2)
    with watching(net.bob, net.carol, net.alice) as silences:
        migrate(site, net.alice)
        assert_at_home(site, net.alice, "hv2")
    assert silences.lost < FEW
    assert net.is_reached


def test_two_vms_at_once(site: Site) -> None:
    """VMs that pass each other do not hinder each other."""
    net = network(site)
    red = {"id": net.alice.vnics[0].port["network_id"]}
    dora = site.create_guest(red, "hv2")
    moves = [Migration(site, guest) for guest in (net.alice, dora)]
    with watching(net.bob, net.carol, net.alice, dora) as silences:
        for move in moves:
            move.prepare()
        for move in moves:
            move.wait_prepared()
        time.sleep(COPY_S)
        came = [move.resume() for move in moves]
        for move in moves:
            move.end_source()
        for future in came:
            assert ", activated +" in future.result().ours.stderr
        assert_at_home(site, net.alice, "hv2")
        assert_at_home(site, dora, "hv1")
    for move in moves:
        move.close()
    assert silences.lost < FEW
    assert net.is_reached


def test_an_old_host_that_takes_its_time(site: Site) -> None:
    """A VM with so much memory that its old host keeps the tap for long is not fought for."""
    net = network(site)
    move = Migration(site, net.alice)
    with watching(net.bob, net.carol, net.alice) as silences:
        move.prepare()
        move.wait_prepared()
        time.sleep(COPY_S)
        came = move.resume()
        time.sleep(LATE_S)
        assert not came.done()
        move.end_source()
        assert ", activated +" in came.result().ours.stderr
        assert_at_home(site, net.alice, "hv2")
    move.close()
    assert silences.lost < FEW
    assert net.is_reached


def test_a_cancelled_migration(site: Site) -> None:
    """A VM that stays does not notice that it was to move, and nothing is left of it."""
    net = network(site)
    move = Migration(site, net.alice)
    with watching(net.bob, net.carol, net.alice) as silences:
        move.prepare()
        move.wait_prepared()
        time.sleep(COPY_S)
        move.give_up()
        assert_at_home(site, net.alice, "hv1")
    move.close()
    assert silences.lost < FEW
    assert [] == site.hosts["hv2"].records()
    # And it can move after all.
    migrate(site, net.alice)
    assert_at_home(site, net.alice, "hv2")


def test_a_failed_migration(site: Site) -> None:
    """A VM whose copy does not wake runs on where it was."""
    net = network(site)
    vnic = net.alice.vnics[0]
    move = Migration(site, net.alice)
    with watching(net.bob, net.carol, net.alice) as silences:
        move.prepare()
        move.wait_prepared()
        time.sleep(COPY_S)
        # Stopped for its last pages, and resumed when the copy is lost.
        vnic.namespace.ip(f"link set {vnic.tap} nomaster")
        time.sleep(0.1)
        vnic.resume_on(net.alice.chassis)
        move.give_up()
        assert_at_home(site, net.alice, "hv1")
    move.close()
    assert silences.lost < FEW
    assert net.is_reached


def test_a_host_that_forgets(site: Site) -> None:
    """What a host that crashed has announced ends with the VM's next migration."""
    net = network(site)
    move = Migration(site, net.alice)
    move.prepare()
    move.close()
    for vnic in net.alice.vnics:
        vnic.remove_from(site.hosts["hv2"].chassis)
    site.hosts["hv2"].reset()
    assert net.is_reached

    migrate(site, net.alice)

    assert_at_home(site, net.alice, "hv2")
    assert net.is_reached


def test_an_arrival_that_nobody_tells(site: Site) -> None:
    """A VM moves on as ever, back too, though neither host nor engine has told that it came."""
    net = network(site)
    move = Migration(site, net.alice)
    with watching(net.bob, net.carol, net.alice) as silences:
        with move.destination.machine.missing(f"/usr/libexec/vdsm/hooks/{CAME}"):
            move.prepare()
            move.wait_prepared()
            move.resume().result()
            move.end_source()
        assert ['{activation-strategy=rarp, requested-chassis="hv1,hv2"}'] == site.options(
            net.alice
        )
        assert ", activated +" in migrate(site, net.alice)
        assert_at_home(site, net.alice, "hv1")
    move.close()
    assert silences.lost < FEW
    assert net.is_reached


# Without some of it


def test_no_listener(site: Site) -> None:
    """The VM moves as it always has; one line says that it could do better."""
    net = network(site)
    for host in site.hosts.values():
        host.machine.write_settings(f"bindings-url=https://{CENTRAL_IP}:9698")
    with watching(net.bob, net.carol, net.alice):
        move = Migration(site, net.alice)
        line = move.prepare().ours.stderr
        time.sleep(COPY_S)
        assert "" == move.resume().result().ours.stderr
        move.end_source()
        move.close()
        assert net.is_reached
    assert f"not announced: port {net.alice.vnics[0].port['id']}: {CENTRAL_IP} port 9698" in line
    assert 1 == line.count("\n")
    # The engine's word is missing still, and nothing waits for it.
    assert ["{}"] == site.options(net.alice)
    assert [] == site.hosts["hv2"].records()


@pytest.mark.parametrize("old", ["hv1", "hv2"])
def test_an_old_package_on_one_side(site: Site, old: str) -> None:
    """All is done where the VM goes to; with an old package there it moves as it always has."""
    net = network(site)
    machine = site.hosts[old].machine
    move = Migration(site, net.alice)
    with contextlib.ExitStack() as stack:
        for point in (LEAVING, COMING, CAME):
            stack.enter_context(machine.missing(f"/usr/libexec/vdsm/hooks/{point}"))
        with watching(net.bob, net.carol, net.alice) as silences:
            move.prepare()
            time.sleep(COPY_S)
            came = move.resume()
            move.end_source()
            came.result()
            assert net.is_reached
        assert ["{}"] == site.options(net.alice)
    move.close()
    site.engine_says(net.alice, "hv2")
    assert_at_home(site, net.alice, "hv2")
    assert old == "hv2" or silences.lost < FEW


def test_a_port_that_the_peer_has_written(site: Site) -> None:
    """A port that ovirt-provider-ovn has pinned to its host moves as well as one of ours."""
    net = network(site)
    name = net.alice.vnics[0].port["id"]
    site.lab.nbctl(
        *("remove", "Logical_Switch_Port", name, "external_ids", "ovirt_binding_host_id"),
        *("--", "set", "Logical_Switch_Port", name, "options:requested-chassis=hv1"),
    )
    with watching(net.bob, net.carol, net.alice) as silences:
        migrate(site, net.alice)
        assert_at_home(site, net.alice, "hv2")
    assert silences.lost < FEW
    assert net.is_reached


@pytest.mark.parametrize("comes_back", [True, False])
def test_the_proxy_is_killed(site: Site, comes_back: bool) -> None:
    """A proxy that is away at the end is waited for; then the engine's word does it."""
    net = network(site)
    move = Migration(site, net.alice)
    with watching(net.bob, net.carol, net.alice) as silences:
        move.prepare()
        move.wait_prepared()
        site.proxy.kill()
        time.sleep(COPY_S)
        came = move.resume()
        time.sleep(0.3)
        move.end_source()
        if comes_back:
            time.sleep(2)
            site.start_proxy()
        line = came.result().ours.stderr
        assert net.is_reached
        assert comes_back == (", activated +" in line)
        if not comes_back:
            assert "is not activated: " in line
            site.engine_says(net.alice, "hv2")
        assert_at_home(site, net.alice, "hv2")
    move.close()
    assert silences.lost < FEW
