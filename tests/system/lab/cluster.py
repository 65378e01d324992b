# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A central of several nodes: Northbound and Southbound as RAFT clusters, ovn-northd on each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.ovsdb import (
    NB_SCHEMA,
    SB_SCHEMA,
    Daemon,
    HasRemote,
    OvsdbServer,
    leader_of,
    raft_cluster,
)

# OVN's own; the nodes' are ten apart.
NB_PORT, SB_PORT = 6641, 6642


@dataclass(frozen=True)
class Database:
    """A database, by its name in OVSDB, and its servers in the order of the nodes.

    `public_remote` is where other machines reach all of them.
    """

    name: str
    servers: Sequence[OvsdbServer]
    public_remote: str

    @property
    def remote(self) -> str:
        """Where ovn-northd and tools reach all servers."""
        return ",".join(server.remote for server in self.servers)

    def leader(self) -> int | None:
        """Return the number of the node that leads, None if none of those that run does."""
        running = [server for server in self.servers if server.running]
        leader = leader_of(running, self.name)
        return None if leader is None else self.servers.index(leader)


class ClusteredCentral:
    """The `central` of a Lab, with nodes that can be killed, stopped and started.

    With key, certificate and authority as `files` everything but local sockets speaks
    TLS. What is started goes into the namespace of the thread: `with
    lab.underlay.entered()`. One ovn-northd works, the others stand by.
    """

    def __init__(self, address: str, files: Sequence[Path] = (), size: int = 3) -> None:
        self._size = size
        self._address = address
        self._method = "ssl" if files else "tcp"
        options = ("private-key", "certificate", "ca-cert")
        self._options = [f"--{option}={file}" for option, file in zip(options, files)]
        self.nb = Database("OVN_Northbound", (), self._public_remote(NB_PORT))
        self.sb = Database("OVN_Southbound", (), self._public_remote(SB_PORT))
        self._northds: list[Daemon] = []

    def _ports(self, first: int) -> Sequence[int]:
        """Return the port of each node: they are on one machine here."""
        return range(first, first + 10 * self._size, 10)

    def _public_remote(self, first: int) -> str:
        return ",".join(f"{self._method}:{self._address}:{port}" for port in self._ports(first))

    @contextlib.contextmanager
    def __call__(self, folder: Path) -> Iterator[Mapping[str, HasRemote]]:
        """Run it in a folder."""
        with contextlib.ExitStack() as stack:
            self.nb = self._start(stack, self.nb, NB_PORT, folder, "nb", NB_SCHEMA)
            self.sb = self._start(stack, self.sb, SB_PORT, folder, "sb", SB_SCHEMA)
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

    def _start(
        self,
        stack: contextlib.ExitStack,
        database: Database,
        first_port: int,
        folder: Path,
        name: str,
        schema: Path,
    ) -> Database:
        cluster = raft_cluster(
            folder,
            self._size,
            schema=schema,
            database=database.name,
            name=name,
            method=self._method,
            remotes=[f"p{self._method}:{port}:{self._address}" for port in self._ports(first_port)],
            options=self._options,
        )
        return replace(database, servers=stack.enter_context(cluster))

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
