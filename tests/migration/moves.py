# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole migrations, and what the network had of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from migration.site import SOURCE_ENDS_S, Guest, Migration, Site
from system.lab import Machine, Vm
from system.lab.probe import Silence

# How long memory is copied: as long as both hosts have the VM's ports.
COPY_S = 0.4


@dataclass
class Silences:
    """What pings at 10 ms have seen: to and from each vNIC, and to a VM that stayed.

    Filled at the end of `watching`.
    """

    towards: list[Silence] = field(default_factory=list)
    back: list[Silence] = field(default_factory=list)
    undisturbed: Silence | None = None

    @property
    def noise(self) -> Silence:
        """What the VM has had that stayed."""
        assert self.undisturbed is not None
        return self.undisturbed

    @property
    def lost(self) -> int:
        """Pings that were lost, beyond those of the VM that stayed, in the worst direction."""
        return max(silence.lost for silence in (*self.towards, *self.back)) - self.noise.lost

    def __str__(self) -> str:
        def words(silence: Silence) -> str:
            return f"{silence.longest_gap_ms:.0f} ms, {silence.lost} of {silence.sent} lost"

        pairs = zip(self.towards, self.back)
        moved = [f"to the VM {words(to)}; from it {words(back)}" for to, back in pairs]
        return "; ".join([*moved, f"undisturbed {words(self.noise)}"])


@contextlib.contextmanager
def watching(peer: Machine, still: Vm, *guests: Guest) -> Iterator[Silences]:
    """Ping all the while between a peer and VMs, and between it and a VM that stays."""
    silences = Silences()
    with contextlib.ExitStack() as stack:
        vnics = [vnic for guest in guests for vnic in guest.vnics]
        towards = [stack.enter_context(peer.probe(vnic.ip)) for vnic in vnics]
        back = [stack.enter_context(vnic.probe(peer_address(peer))) for vnic in vnics]
        noise = stack.enter_context(peer.probe(still.ip))
        yield silences
        silences.towards = [probe.stop() for probe in towards]
        silences.back = [probe.stop() for probe in back]
        silences.undisturbed = noise.stop()
    print(silences)


def peer_address(peer: Machine) -> str:
    """Return the address of the VM that pings."""
    return peer.addresses()[0].partition("/")[0]


def migrate(
    site: Site, guest: Guest, meanwhile: Callable[[], None] = lambda: None, copy_s: float = COPY_S
) -> str:
    """Take a VM to the other host; return what the hook there says at the end.

    `meanwhile` is done when the original is gone, and the new host has not acted yet.
    """
    migration = Migration(site, guest)
    try:
        migration.prepare()
        migration.wait_prepared()
        time.sleep(copy_s)
        came = migration.resume()
        time.sleep(SOURCE_ENDS_S)
        migration.end_source()
        meanwhile()
        outcome = came.result()
    finally:
        migration.close()
    return outcome.ours.stderr
