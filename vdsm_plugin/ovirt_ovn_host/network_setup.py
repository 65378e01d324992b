# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hooks before_network_setup and after_network_setup do.

I/O: reads the request and the state of the host, lets `netguard` and `encap` decide, and
does as they say. Both run as root in supervdsmd, which waits for them without limit.
"""

from __future__ import annotations

import time

from . import encap, hookio, kernel, netguard, ovnfacts, ovsdb, vdsmconf
from .hookio import HookError
from .links import family_of, unpack
from .localdb import LocalDatabaseError
from .netchange import Host
from .networks import NotUnderstood, decode_bonds, decode_networks, decode_request

# How long to wait for DHCP or autoconf to give the tunnel's network an address.
_ADDRESS_TIMEOUT_S = 10.0
_POLL_S = 0.25

# Why the state of the host may not be known.
_UNKNOWN = (LocalDatabaseError, NotUnderstood, OSError, ValueError)


def check(tunnel_network: str) -> str:
    """Return a warning, or "", if the request may pass; hookio.Refusal if it must not.

    That is if it provably takes away what OVN needs. HookError if that cannot be
    known, so that the request passes.
    """
    try:
        judgement = _judge(tunnel_network)
    except (HookError, *_UNKNOWN) as error:
        raise HookError(f"passed unchecked: {error}") from error
    if judgement.refusals:
        raise hookio.Refusal("; ".join(judgement.refusals))
    return f"warning: {'; '.join(judgement.warnings)}" if judgement.warnings else ""


def _judge(tunnel_network: str) -> netguard.Judgement:
    request = decode_request(hookio.read_json())
    ovn = None if request.is_harmless else _read_ovn()
    if ovn is None:
        return netguard.Judgement()
    host = Host(
        links=kernel.read_links(),
        networks=decode_networks(vdsmconf.read_running("nets")),
        bonds=frozenset(decode_bonds(vdsmconf.read_running("bonds"))),
    )
    return netguard.judge(host, ovn, request, tunnel_network)


def follow(tunnel_network: str) -> str:
    """Put the network's new address in the place of OVN's tunnel address; return a note, or "".

    HookError if that fails.
    """
    if not tunnel_network:
        return ""
    try:
        return _follow(tunnel_network)
    except _UNKNOWN as error:
        raise HookError(
            f"OVN's tunnel address does not follow network {tunnel_network}: {error}"
        ) from error


def _follow(name: str) -> str:
    ovn = _read_ovn()
    network = decode_networks(vdsmconf.read_running("nets")).get(name) if ovn else None
    if ovn is None or network is None:
        return ""
    end = time.monotonic() + _ADDRESS_TIMEOUT_S
    while True:
        links = kernel.read_links()
        outdated = encap.outdated(ovn.encap, network, links)
        if not outdated:
            return ""
        if len(outdated) > 1:
            several = ", ".join(map(unpack, outdated))
            return (
                f"network {name} has none of OVN's tunnel addresses {several} any more, and which "
                "it had is not known: run vdsm-tool configure --module ovn"
            )
        (old,) = outdated
        new = encap.successor(old, network, links)
        if new is not None:
            break
        if family_of(old) not in network.dynamic or time.monotonic() > end:
            return f"network {name} has no address to replace {unpack(old)} for OVN"
        time.sleep(_POLL_S)
    ovsdb.transact(encap.plan_change(ovn, old, new))
    return f"network {name}: OVN's tunnel address is now {unpack(new)}, not {unpack(old)}"


def _read_ovn() -> ovnfacts.OvnFacts | None:
    """Return what OVN has here; None if there is no OVN, or Open vSwitch is not running."""
    try:
        return ovnfacts.decode(ovsdb.read(ovnfacts.TABLES))
    except ovsdb.NoLocalDatabase:
        return None
