# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine that can be migrated live: for a while it has a tap on two chassis."""

from __future__ import annotations

import threading

from . import frames, links
from .chassis import Chassis
from .machine import LINK
from .vm import Vm

# QEMU's defaults (announce-initial, announce-step, announce-rounds): the first at once,
# and four more, since nobody says whether one was heard.
ANNOUNCEMENT_PAUSES_S = (0.05, 0.15, 0.25, 0.35)


class MovingVm(Vm):
    """One whose link is a bridge, so that what is behind it can be changed under way.

    As with libvirt and QEMU: `prepare_on` is the destination's part before the memory
    is copied, `resume_on` the moment at which the copy runs on and the original no
    longer does, `remove_from` the end of the original, or of a copy that never ran.
    Sockets, addresses and neighbours live through it. `taps` are those that there are
    now, by the chassis' names.
    """

    def _lay_cable(self) -> None:
        # Promiscuous, so that a capture hears what it would on a cable.
        self.namespace.ip(
            f"link add {LINK} address {self.mac} type bridge mcast_snooping 0",
            f"link set {LINK} promisc on",
            f"link set {LINK} up",
        )
        links.send_whole_checksums(self.namespace, LINK)
        self.namespace.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        # A bridge without any port has no carrier, and then the kernel forgets its neighbours.
        self.namespace.ip(
            "link add keeper type veth peer name kept",
            "link set kept arp off up",
            f"link set keeper master {LINK} up",
        )
        self.taps: dict[str, str] = {}
        self._is_settled = threading.Event()
        self._announcer: threading.Thread | None = None
        self._add_tap(self.chassis, self.tap)
        self.namespace.ip(f"link set {self.tap} master {LINK}")

    def _add_tap(self, chassis: Chassis, tap: str) -> None:
        links.connect((chassis.namespace, tap), (self.namespace, tap))
        self.taps[chassis.name] = tap

    def prepare_on(self, chassis: Chassis, iface_id: str | None = None) -> None:
        """Add a tap on another chassis, and plug it; the machine is not behind it yet.

        `iface_id` None means the port's own.
        """
        tap = self.tap[:-1] if self.tap.endswith("b") else f"{self.tap}b"
        self._add_tap(chassis, tap)
        chassis.plug(tap, self.port["id"] if iface_id is None else iface_id, self.mac, self.id)

    def resume_on(self, chassis: Chassis, announce: bool = True) -> None:
        """Let it run on behind its tap on a chassis; `announce` by RARP, as QEMU does."""
        self._end_announcement()
        tap = self.taps[chassis.name]
        self.namespace.ip(f"link set {self.tap} nomaster", f"link set {tap} master {LINK}")
        self.chassis, self.tap = chassis, tap
        if announce:
            self.send(frames.rarp_frame(self.mac))
            self._announcer = threading.Thread(target=self._announce)
            self._announcer.start()

    def _announce(self) -> None:
        for pause_s in ANNOUNCEMENT_PAUSES_S:
            if self._is_settled.wait(pause_s):
                return
            self.send(frames.rarp_frame(self.mac))

    def _end_announcement(self) -> None:
        if self._announcer is not None:
            self._is_settled.set()
            self._announcer.join()
            self._is_settled.clear()
            self._announcer = None

    def remove_from(self, chassis: Chassis) -> None:
        """Unplug and remove its tap on a chassis."""
        tap = self.taps.pop(chassis.name)
        chassis.unplug(tap)
        chassis.namespace.ip(f"link del {tap}")

    def stop(self) -> None:
        """Remove its taps and make an end of it."""
        self._end_announcement()
        for chassis in self._lab.chassis:
            if chassis.name in self.taps:
                self.remove_from(chassis)
        super().stop()
