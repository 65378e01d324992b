# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A central of several nodes: Northbound and Southbound as RAFT clusters, ovn-northd on each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.ovsdb import SB_SCHEMA, Daemon, HasRemote, OvsdbServer, leader_of, raft_cluster


@dataclass(frozen=True)
class Database:
    """A database, by its name in OVSDB, and its servers in the order of the nodes."""

    name: str
    servers: Sequence[OvsdbServer]

    @property
    def remote(self) -> str:
        """All servers, as clients are told."""
        return ",".join(server.remote for server in self.servers)

    def leader(self) -> int | None:
        """Return the number of the node that leads, None if none of those that run does."""
        running = [server for server in self.servers if server.running]
        leader = leader_of(running, self.name)
        return None if leader is None else self.servers.index(leader)


class ClusteredCentral:
    """The `central` of a Lab, with nodes that can be killed, stopped and started.

    What is started goes into the namespace of the thread: `with lab.underlay.entered()`.
    One ovn-northd works, the others stand by.
    """

    def __init__(self, size: int = 3) -> None:
        self._size = size
        self.nb = Database("OVN_Northbound", ())
        self.sb = Database("OVN_Southbound", ())
        self._northds: list[Daemon] = []

    @contextlib.contextmanager
    def __call__(self, folder: Path) -> Iterator[Mapping[str, HasRemote]]:
        """Run it in a folder."""
        with contextlib.ExitStack() as stack:
            nb, sb = self.nb.name, self.sb.name
            self.nb = Database(nb, stack.enter_context(raft_cluster(folder, self._size, name="nb")))
            servers = raft_cluster(folder, self._size, schema=SB_SCHEMA, database=sb, name="sb")
            self.sb = Database(sb, stack.enter_context(servers))
            for number in range(self._size):
                control = folder / f"northd{number}.ctl"
                command = [
                    "ovn-northd",
                    f"--ovnnb-db={self.nb.remote}",
                    f"--ovnsb-db={self.sb.remote}",
                    f"--unixctl={control}",
                ]
                northd = Daemon(folder, f"northd{number}", command, control)
                stack.callback(northd.stop)
                northd.start()
                self._northds.append(northd)
            yield {"nb": self.nb, "sb": self.sb}

    def _node(self, number: int) -> Sequence[Daemon]:
        return self.nb.servers[number], self.sb.servers[number], self._northds[number]

    def start(self, *numbers: int) -> None:
        """Start what does not run of some nodes."""
        for number in numbers:
            for daemon in self._node(number):
                if not daemon.running:
                    daemon.start()

    def stop(self, *numbers: int) -> None:
        """Stop some nodes in an orderly way."""
        for number in numbers:
            for daemon in self._node(number):
                daemon.stop()
