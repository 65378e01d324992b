# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks before_network_setup and after_network_setup.

I/O: reads the request and the state of the host, lets `netguard` and `encap` decide, and
does as they say. Both run as root in supervdsmd, which waits for them without limit.
"""

from __future__ import annotations

import time

from . import encap, hookio, kernel, localdb, ovnfacts, settings, vdsmconf
from .links import family_of, unpack
from .netchange import Host
from .netguard import judge
from .networks import decode_bonds, decode_networks, decode_request

# How long to wait for DHCP or autoconf to give the tunnel's network an address.
_ADDRESS_TIMEOUT_S = 10.0
_POLL_S = 0.25


def before(point: str) -> int:
    """Refuse a request that provably takes away what OVN needs; return the exit status.

    Raises whatever goes wrong: what cannot be checked passes.
    """
    request = decode_request(hookio.read_json())
    ovn = None if request.is_harmless else _read_ovn()
    if ovn is None:
        return hookio.FINE
    host = Host(
        links=kernel.read_links(),
        networks=decode_networks(vdsmconf.read_running("nets")),
        bonds=frozenset(decode_bonds(vdsmconf.read_running("bonds"))),
    )
    tunnel_network = settings.read().get(settings.TUNNEL_NETWORK, "")
    judgement = judge(host, ovn, request, tunnel_network)
    if judgement.refusals:
        hookio.say(point, f"refused: {'; '.join(judgement.refusals)}")
        return hookio.REFUSED
    if judgement.warnings:
        hookio.say(point, f"warning: {'; '.join(judgement.warnings)}")
    return hookio.FINE


def after(point: str) -> int:
    """Let OVN's tunnel address follow the network that it was given by; return the exit status.

    Raises whatever goes wrong.
    """
    name = settings.read().get(settings.TUNNEL_NETWORK, "")
    ovn = _read_ovn() if name else None
    network = decode_networks(vdsmconf.read_running("nets")).get(name) if ovn else None
    if ovn is None or network is None:
        return hookio.FINE
    end = time.monotonic() + _ADDRESS_TIMEOUT_S
    while True:
        links = kernel.read_links()
        old = encap.outdated(ovn.encap, network, links)
        if old is None:
            return hookio.FINE
        new = encap.successor(old, network, links)
        if new is not None:
            break
        if family_of(old) not in network.dynamic or time.monotonic() > end:
            hookio.say(point, f"network {name} has no address to replace {unpack(old)} for OVN")
            return hookio.FINE
        time.sleep(_POLL_S)
    localdb.transact(encap.plan_change(ovn, old, new))
    change = f"OVN's tunnel address is now {unpack(new)}, not {unpack(old)}"
    hookio.say(point, f"network {name}: {change}")
    return hookio.FINE


def _read_ovn() -> ovnfacts.OvnFacts | None:
    """Return what OVN has here; None if there is no OVN, or Open vSwitch is not running."""
    try:
        return ovnfacts.decode(localdb.read(ovnfacts.TABLES))
    except localdb.NoLocalDatabase:
        return None
