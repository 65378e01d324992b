# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site to break: a Northbound, alone or as a cluster, and several proxies as processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.northbound import Forwarder
from daemon.ovsdb import (
    OvsdbServer,
    leader_of,
    ovsdb_server,
    raft_cluster,
    short_folder,
    wait_until,
)
from daemon.proxy import ProxyProcess, proxy_process

PROXIES = 3
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Site:
    """One Northbound (`servers` has one, or all of a cluster) and its proxies.

    `relays` are between server and proxies, one each, if there are any.
    """

    servers: Sequence[OvsdbServer]
    proxies: Sequence[ProxyProcess]
    relays: Sequence[Forwarder] = ()

    @property
    def ports(self) -> list[int]:
        """Where the proxies listen."""
        return [proxy.networking_port for proxy in self.proxies]

    @property
    def logs(self) -> list[Path]:
        """What the proxies wrote."""
        return [proxy.log for proxy in self.proxies]

    def leader(self) -> OvsdbServer:
        """Return the server that has the newest state; waits for an election."""
        if len(self.servers) == 1:
            return self.servers[0]
        found: list[OvsdbServer | None] = []

        def is_found() -> bool:
            running = [server for server in self.servers if server.running]
            found.append(leader_of(running))
            return found[-1] is not None

        wait_until(is_found, _PATIENCE_S, "there is a leader")
        leader = found[-1]
        assert leader is not None
        return leader

    def wait_ready(self) -> None:
        """Wait until every proxy answers again."""
        for proxy in self.proxies:
            proxy.wait_ready()


@contextmanager
def site(*, is_cluster: bool = False, is_relayed: bool = False, extra: str = "") -> Iterator[Site]:
    """Run a site with three proxies in a folder of its own.

    `is_relayed`: proxies reach the server (alone) through relays. `extra` are further lines
    of the proxies' files.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        relays: list[Forwarder] = []
        if is_cluster:
            servers = stack.enter_context(raft_cluster(folder))
        else:
            servers = [stack.enter_context(ovsdb_server(folder))]
        remotes = [",".join(server.remote for server in servers)] * PROXIES
        if is_relayed:
            relays = [stack.enter_context(Forwarder(servers[0].socket)) for _ in range(PROXIES)]
            remotes = [relay.remote for relay in relays]
        proxies = [
            stack.enter_context(proxy_process(folder, remote, f"p{number}", extra))
            for number, remote in enumerate(remotes)
        ]
        yield Site(servers, proxies, relays)
