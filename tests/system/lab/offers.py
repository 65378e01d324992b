# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What gets through a filter between two machines of one network, as frames.

What is lost costs no time: another frame, which no filter stops, follows what is sent.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping
from typing import TypeVar

from . import frames
from .vm import Vm

ARRIVAL_TIMEOUT_S = 10.0
ATTEMPTS = 4

Name = TypeVar("Name")
_numbers = itertools.count(20000)


def delivered(sent: Mapping[Name, bytes], sender: Vm, receiver: Vm) -> set[Name]:
    """Put frames on the wire; return the names of those that the other machine gets as they are.

    Those that do not come are sent some times: a switch whose flows are just being changed
    loses what a filter would let through. AssertionError if nothing at all gets through;
    `sender` needs an IPv4 address.
    """
    arrived: set[Name] = set()
    for _ in range(ATTEMPTS):
        missing = {name: frame for name, frame in sent.items() if name not in arrived}
        if missing:
            arrived |= _delivered_at_once(missing, sender, receiver)
    return arrived


def _delivered_at_once(sent: Mapping[Name, bytes], sender: Vm, receiver: Vm) -> set[Name]:
    last = _mark(sender, receiver)
    with receiver.capture() as heard:
        for frame in (*sent.values(), last):
            sender.send(frame)
        mark = frames.parse(last)
        has_passed = heard.wait_for(lambda it: it == mark, ARRIVAL_TIMEOUT_S) is not None
        assert has_passed, f"{sender} has no way to {receiver}"
        arrived = heard.frames()
    return {name for name, frame in sent.items() if frames.parse(frame) in arrived}


def _mark(sender: Vm, receiver: Vm) -> bytes:
    """Return a frame like no other: no IP, but an ARP reply that nobody has asked for."""
    target = str(ipaddress.IPv4Address(next(_numbers)))
    packet = frames.arp(sender.mac, sender.ip, target, receiver.mac, frames.ARP_REPLY)
    return frames.ethernet(sender.mac, receiver.mac, frames.ARP, packet)


def reached(sender: Vm, receiver: Vm, *offers: str) -> set[str]:
    """Return which offers of another machine a machine gets through to, by new connections.

    An offer is a protocol and a port ("tcp 80", "udp 53"), or "ping"; over IPv6 the
    protocol ends in 6 ("tcp6 80", "ping6"). Only the first packets are sent.
    """
    return delivered(
        {offer: _first_frame(sender, receiver, offer) for offer in offers}, sender, receiver
    )


def _first_frame(sender: Vm, receiver: Vm, offer: str) -> bytes:
    name, _, port = offer.partition(" ")
    protocol = name.rstrip("6")
    source, destination = sender.ip, receiver.ip
    if protocol != name:
        source, destination = sender.ip6, receiver.ip6
    number = next(_numbers) & 0xFFFF
    if protocol == "ping":
        packet = frames.echo_request(source, destination, number)
    elif protocol == "tcp":
        packet = frames.tcp_syn(source, destination, (number, int(port)))
    else:
        packet = frames.udp(source, destination, (number, int(port)), offer.encode())
    return frames.ip_frame(sender.mac, receiver.mac, packet)
