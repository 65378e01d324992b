# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of this host's end of tunnels, and of the way to the other ends. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from ..links import path_mtu_bytes
from ..netguard import DEFAULT_VNIC_MTU_BYTES, OVERHEAD_BYTES
from .checks_switch import CONFIGURE, problem
from .facts import Echo, Facts, Firewall, Problem
from .rows import ERROR, OK, UNKNOWN, WARNING, Row

# The ports of RFC 8926 and RFC 7348.
UDP_PORTS = {"geneve": 6081, "vxlan": 4789}
# VXLAN's header is as long as Geneve's, and has no options.
_GENEVE_OPTION_BYTES = 8
_MOST_NAMES = 5


def ips(facts: Facts) -> list[str]:
    """Return the addresses of this host's ends of tunnels."""
    return list(dict.fromkeys(ip for _, ip in facts.encaps))


def link_of(facts: Facts, ip: str) -> str:
    """Return the link with an address, "" if none has it."""
    if isinstance(facts.addresses, Problem):
        return ""
    return next((it.link for it in facts.addresses if str(it.ip) == ip), "")


def needed_bytes(facts: Facts, ip: str) -> int:
    """Return the size of the largest packets of tunnels that end at an address of ours."""
    kinds = {kind for kind, of in facts.encaps if of == ip}
    overhead = OVERHEAD_BYTES[len(ipaddress.ip_address(ip).packed)]
    return largest_vnic_bytes(facts) + overhead - _GENEVE_OPTION_BYTES * (kinds == {"vxlan"})


def largest_vnic_bytes(facts: Facts) -> int:
    """Return the largest MTU of a vNIC on this host, or what OVN's networks have by default."""
    return max(
        (vif.mtu_bytes for vif in facts.vifs if vif.mtu_bytes), default=DEFAULT_VNIC_MTU_BYTES
    )


def room_bytes(facts: Facts, ip: str) -> int:
    """Return the size of the largest packets that can leave from an address; 0 if not known."""
    link = link_of(facts, ip)
    # Where nothing is seen below a bridge, its own MTU is all that is known.
    own = facts.links[link].mtu_bytes if link in facts.links else 0
    return path_mtu_bytes(facts.links, link) or own


def tunnel(facts: Facts) -> Iterator[Row]:
    """Say whether the addresses of tunnels are on a link of this host."""
    name = "tunnel"
    if isinstance(facts.addresses, Problem):
        yield problem(name, facts.addresses)
        return
    if not facts.encaps:
        hidden = Problem("where tunnels end cannot be seen", is_hidden=True)
        if isinstance(facts.switch, Problem):
            yield problem(name, hidden)
        else:
            yield Row(name, ERROR, "this host ends no tunnels: ovn-encap-ip is not set", CONFIGURE)
        return
    for ip in ips(facts):
        found = [it for it in facts.addresses if str(it.ip) == ip]
        if not found:
            has = ", ".join(str(it) for it in facts.addresses if it.is_of_use) or "none"
            yield Row(
                name,
                ERROR,
                f"tunnels end at {ip}, which is no address of this host; it has {has}",
                CONFIGURE,
            )
        elif not found[0].is_of_use:
            yield Row(
                name,
                WARNING,
                f"tunnels end at {found[0]}, which other hosts cannot reach, or not for long",
                CONFIGURE,
            )
        else:
            kinds = ", ".join(kind for kind, of in facts.encaps if of == ip)
            yield Row(name, OK, f"{kinds} at {found[0]}")


def mtu(facts: Facts) -> Iterator[Row]:
    """Say whether vNICs' packets leave in tunnels whole."""
    name = "mtu"
    for ip in filter(_is_address, ips(facts)):
        room, needed = room_bytes(facts, ip), needed_bytes(facts, ip)
        link = link_of(facts, ip)
        if not link:
            continue
        if not room:
            yield Row(name, UNKNOWN, f"the MTU of {link} cannot be seen")
            continue
        vnic = largest_vnic_bytes(facts)
        what = f"{link} and below have {room}, of which {room - needed + vnic} are left for vNICs"
        if room >= needed:
            yield Row(name, OK, what)
        else:
            yield Row(
                name,
                WARNING,
                f"{what}; larger packets of theirs are lost, and they have {vnic}",
                f"in the engine: MTU {needed} for the network of {link}, or "
                f"{room - needed + vnic} for OVN's",
            )


def path_mtu(facts: Facts) -> Iterator[Row]:
    """Say whether large packets reach the other chassis."""
    name = "path-mtu"
    if isinstance(facts.southbound, Problem) or not ips(facts):
        yield Row(name, UNKNOWN, "the other chassis are not known")
        return
    if isinstance(facts.echoes, Problem):
        yield problem(name, facts.echoes)
        return
    if not facts.other_ends:
        yield Row(name, OK, "there is no other chassis")
        return
    tried = facts.echoes
    lost = [it for it in tried if it.has_small and not it.has_large and it.is_sent]
    silent = [it for it in tried if not it.has_small and not it.has_large]
    narrow = [it for it in tried if not it.is_sent and not it.has_large]
    for it in lost:
        yield Row(
            name,
            ERROR,
            f"packets of {it.size_bytes} bytes do not reach {it.chassis} ({it.ip}), small ones "
            "do: the MTU is too small on the way, or too large of OVN's networks",
            f"tracepath -n {it.ip}",
        )
    if narrow and not lost:
        yield Row(name, WARNING, f"{_names(narrow)}: this host's own MTU is in the way, see mtu")
    if silent:
        yield Row(
            name,
            UNKNOWN,
            f"no answer to ping from {_names(silent)}: away, or filtered",
            f"ping -c 3 {silent[0].ip}",
        )
    good = [it for it in tried if it.has_large]
    if good:
        of = f" of {len(facts.other_ends)}" if len(facts.other_ends) > len(tried) else ""
        yield Row(
            name,
            OK,
            f"packets of {good[0].size_bytes} bytes reach {len(good)}{of} other chassis",
        )
    if not tried:
        yield Row(name, UNKNOWN, "no other chassis has an address of this one's family")


def _names(echoes: Sequence[Echo]) -> str:
    names = [f"{it.chassis} ({it.ip})" for it in echoes[:_MOST_NAMES]]
    more = len(echoes) - len(names)
    return ", ".join([*names, f"{more} more"] if more else names)


def udp_port(facts: Facts) -> Iterator[Row]:
    """Say whether packets of tunnels get in, as far as that can be known."""
    name = "udp-port"
    kind = next((kind for kind, _ in facts.encaps), "geneve")
    port = UDP_PORTS.get(kind, UDP_PORTS["geneve"])
    if isinstance(facts.switch, Problem):
        yield Row(name, UNKNOWN, "Open vSwitch cannot be seen")
        return
    tunnels = facts.switch.tunnels
    came = [it for it in tunnels if it.rx_packets]
    closed = firewall_row(name, facts, port)
    broken = [it for it in tunnels if it.error]
    if broken:
        yield Row(
            name,
            ERROR,
            f"no tunnel to {broken[0].chassis}: {broken[0].error}",
            "tail /var/log/openvswitch/ovs-vswitchd.log",
        )
    elif closed is not None:
        yield closed
    elif not tunnels:
        yield Row(name, UNKNOWN, f"{port}/udp is opened with the first tunnel; there is none")
    elif facts.listens is False:
        yield Row(
            name,
            ERROR,
            f"nothing listens on {port}/udp, though there are tunnels",
            "tail /var/log/openvswitch/ovs-vswitchd.log",
        )
    elif came:
        yield Row(
            name,
            OK,
            f"{port}/udp is open: packets came from {len(came)} of {len(tunnels)} chassis",
        )
    else:
        opened = "listens" if facts.listens else "may listen"
        passes = "firewalld lets it in" if isinstance(facts.firewall, Firewall) else ""
        words = ", ".join(filter(None, [f"{port}/udp {opened}", passes]))
        yield Row(name, UNKNOWN, f"{words}, but no packet has come through a tunnel yet")


def firewall_row(name: str, facts: Facts, port: int) -> Row | None:
    """Return the row for a firewalld that keeps packets of tunnels out, else None."""
    if not isinstance(facts.firewall, Firewall) or facts.firewall.is_open:
        return None
    zone = facts.firewall.zone
    return Row(
        name,
        ERROR,
        f"firewalld does not let {port}/udp into zone {zone}, where tunnels end",
        f"firewall-cmd --permanent --zone={zone} --add-port={port}/udp && firewall-cmd --reload",
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
