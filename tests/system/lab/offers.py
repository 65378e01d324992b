# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What gets through a filter between two machines of one network, as frames.

What is lost costs no time: another frame, which no filter stops, follows what is sent.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Mapping
from typing import TypeVar

from . import frames
from .capture import Capture
from .vm import Vm

# How often a frame is sent that does not come, and for how long the way is tried.
TRIES = 3
MARK_TIMEOUT_S = 1.0
MARKS = 10

Name = TypeVar("Name")
_numbers = itertools.count(20000)


def delivered(sent: Mapping[Name, bytes], sender: Vm, receiver: Vm) -> set[Name]:
    """Put frames on the wire; return the names of those that the other machine gets as they are.

    Those that do not come are sent some times: a switch whose flows are just being changed
    loses what a filter would let through. AssertionError if nothing at all gets through;
    `sender` needs an IPv4 address.
    """
    return _delivered(lambda: sent, sender, receiver)


def _delivered(
    make_frames: Callable[[], Mapping[Name, bytes]], sender: Vm, receiver: Vm
) -> set[Name]:
    sent: list[tuple[Name, frames.Frame]] = []
    arrived: set[Name] = set()
    with receiver.capture() as heard:
        for _ in range(TRIES):
            made = make_frames()
            for name, frame in made.items():
                if name not in arrived:
                    sender.send(frame)
                    sent.append((name, frames.parse(frame)))
            _wait_for_mark(sender, receiver, heard)
            seen = heard.frames()
            arrived = {name for name, frame in sent if frame in seen}
            if len(arrived) == len(made):
                break
    return arrived


def _wait_for_mark(sender: Vm, receiver: Vm, heard: Capture) -> None:
    frame = _mark(sender, receiver)
    mark = frames.parse(frame)
    for _ in range(MARKS):
        sender.send(frame)
        if heard.wait_for(lambda it: it == mark, MARK_TIMEOUT_S) is not None:
            return
    raise AssertionError(f"{sender} has no way to {receiver}")


def _mark(sender: Vm, receiver: Vm) -> bytes:
    """Return a frame like no other: no IP, but an ARP reply that nobody has asked for."""
    target = str(ipaddress.IPv4Address(next(_numbers)))
    packet = frames.arp(sender.mac, sender.ip, target, receiver.mac, frames.ARP_REPLY)
    return frames.ethernet(sender.mac, receiver.mac, frames.ARP, packet)


def reached(sender: Vm, receiver: Vm, *offers: str) -> set[str]:
    """Return which offers of another machine a machine gets through to, by new connections.

    An offer is a protocol and a port ("tcp 80", "udp 53"), or "ping"; over IPv6 the
    protocol ends in 6 ("tcp6 80", "ping6"). Only the first packets are sent, by a
    connection of its own each time: what seems lost may be late, and be refused by then,
    and ovs-vswitchd 3.1 aborts (conn_update_state) when its userspace connection tracker
    sees a connection asked for again that has been refused.
    """
    return _delivered(
        lambda: {offer: _first_frame(sender, receiver, offer) for offer in offers},
        sender,
        receiver,
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
