# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make demo`: two hosts with a virtual machine each, to look at until Ctrl-C.

It is the lab of the tests, brought up through our own parts: the proxy as a process, hosts
by our configurator, vNICs by our hook. Everything that is made is gone at the end.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from typing import Any

from daemon.proxy import path_of
from system.interrupt import interrupt_once
from system.lab import Chassis, Lab, Vm, lab
from system.lab.echo import Pinger
from system.lab.service import Service, service

PINGS = 3
PING_TIMEOUT_S = 2.0


def say(text: str = "") -> None:
    """Print at once, whoever reads."""
    print(text, flush=True)


def create(where: Lab, kind: str, **values: Any) -> dict[str, Any]:
    """Create a REST object and show the request."""
    made: dict[str, Any] = where.rest.create(kind, **values)
    say(f"POST /v2.0/{path_of(kind)} {json.dumps({kind: values})}")
    say(f"  -> 201 {made['id']}")
    return made


def start(where: Lab, name: str, network_id: str, chassis: Chassis) -> Vm:
    """Create a port as the engine does, and start a machine with it."""
    values = {"device_owner": "oVirt", "binding:host_id": chassis.name}
    port = create(where, "port", network_id=network_id, name=name, **values)
    has_client = shutil.which("dhclient") is not None
    vm = where.start_vm(port, chassis, configure=not has_client)
    keys = chassis.external_ids(vm.tap)
    say(f"{name} starts on {chassis.name}: our hook has its vNIC on {chassis.bridge}")
    say(f"  with interfaceid {keys['iface-id']}, and ovn-controller has its flows")
    if has_client:
        lease = vm.dhcp4()
        assert lease is not None, "OVN gave no lease"
        say(f"  DHCP: {lease.address}, MTU {lease.mtu_bytes}, from {lease.server}")
    return vm


def draw(alice: Vm, bob: Vm) -> None:
    """Show where everything is."""
    left, right = alice.chassis, bob.chassis
    rows = [
        (f"{alice.name} {alice.ip}", "", f"{bob.name} {bob.ip}"),
        (alice.mac, "", bob.mac),
        ("|", "", "|"),
        (left.bridge, "", right.bridge),
        (f"{left.name} {left.encap_ip}", " ==== Geneve ==== ", f"{right.name} {right.encap_ip}"),
        ("\\", "", "/"),
        ("", "Northbound, Southbound,", ""),
        ("", "ovn-northd, proxy", ""),
    ]
    say()
    for near, between, far in rows:
        say(f"{near:^22}{between:^25}{far:^22}".rstrip())
    say()


def ping(sender: Vm, receiver: Vm) -> None:
    """Show some pings."""
    say(f"{sender.name} pings {receiver.name} through the tunnel:")
    with Pinger(sender.namespace, receiver.ip) as pinger:
        for number in range(PINGS):
            begin = time.monotonic()
            pinger.send(number)
            answer = pinger.receive(PING_TIMEOUT_S)
            took_ms = 1000 * (time.monotonic() - begin)
            said = "no answer" if answer is None else f"time={took_ms:.1f} ms"
            say(f"  {receiver.ip}: seq={number} {said}")


def show(where: Lab) -> None:
    """Make a network and two machines, and tell what can be looked at."""
    for chassis in where.chassis:
        say(f"{chassis.name}: {chassis.said[-1]}")
    network = create(where, "network", name="blue")
    create(where, "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    alice, bob = (
        start(where, name, network["id"], chassis)
        for name, chassis in zip(("alice", "bob"), where.chassis)
    )
    draw(alice, bob)
    ping(alice, bob)
    assert isinstance(where.rest, Service)
    say()
    say("Look around in another terminal:")
    say(f"  ovn-nbctl --db={where.nb.remote} show")
    say(f"  ovn-sbctl --db={where.sb.remote} show")
    say(f"  ip netns exec {alice.namespace.name} ip addr")
    say(
        f"  ip netns exec {where.underlay.name} curl {where.rest.process.networking_url}/v2.0/ports"
    )
    say(f"Logs are in {where.folder}. Ctrl-C removes it all.")


def main() -> int:
    """Run until a signal comes; return the exit code."""
    problem = lab.missing()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    interrupt_once()
    try:
        say("Starting OVN's central, the proxy and two hosts, each in a network namespace.")
        with Lab(2, proxy=service) as where:
            show(where)
            signal.pause()
    except KeyboardInterrupt:
        say()
    say("All of it is gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
