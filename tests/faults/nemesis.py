# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong at a site: each nemesis does one kind of harm, and mends it again.

I/O. A nemesis is made for one site; `strike` may be called again and again.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from bench.raw import CheckError, Ovsdb
from daemon.ovsdb import NB_SCHEMA, OvsdbServer
from faults.history import Action, Event, History, Outcome
from faults.sites import Site
from faults.workload import Scene
from ovirt_ovn_proxy.nb import keys, ops
from ovirt_ovn_proxy.nb.schema import PORT, SWITCH

_MANAGER_TIMEOUT_S = 5.0


class Nemesis(Protocol):
    """One kind of harm."""

    def strike(self) -> None:
        """Do the harm, and mend it; returns when it is mended as far as that needs somebody."""


class Nothing:
    """No harm at all: how it is without."""

    def __init__(self, _site: Site, _choose: random.Random) -> None:
        pass

    def strike(self) -> None:
        pass


class KillProxy:
    """kill -9 of one of the proxies, and a new start."""

    def __init__(self, site: Site, choose: random.Random) -> None:
        self._site = site
        self._choose = choose

    def strike(self) -> None:
        proxy = self._choose.choice(self._site.proxies)
        proxy.kill()
        time.sleep(self._choose.uniform(0, 0.3))
        proxy.start()
        proxy.wait_listening()


class KillServer:
    """kill -9 of a server that stands alone; it starts again from its file."""

    def __init__(self, site: Site, choose: random.Random) -> None:
        [self._server] = site.servers
        self._choose = choose

    def strike(self) -> None:
        self._server.kill()
        time.sleep(self._choose.uniform(0, 0.5))
        self._server.start()


class KillLeader:
    """kill -9 of a cluster's leader; it comes back when there is a new one."""

    def __init__(self, site: Site, _choose: random.Random) -> None:
        self._site = site

    def strike(self) -> None:
        old = self._site.leader()
        old.kill()
        self._site.leader()
        old.start()


class _Stall:
    """SIGSTOP for a while, as when a machine swaps or its disk hangs."""

    def __init__(self, site: Site, choose: random.Random) -> None:
        self._site = site
        self._choose = choose

    def _stop(self, servers: Sequence[OvsdbServer], shortest_s: float, longest_s: float) -> None:
        for server in servers:
            server.signal(signal.SIGSTOP)
        time.sleep(self._choose.uniform(shortest_s, longest_s))
        for server in servers:
            server.signal(signal.SIGCONT)


class StallServer(_Stall):
    """The server that answers stands still: alone, or the leader past an election's time."""

    def strike(self) -> None:
        self._stop([self._site.leader()], 0.2, 2.5)


class StallFollowers(_Stall):
    """A leader that cannot reach a majority, for about as long as it takes to notice that.

    After twice the election timer (1 s) it gives its commands up and executes them again
    itself, though the first may be committed yet.
    """

    def strike(self) -> None:
        leader = self._site.leader()
        followers = [server for server in self._site.servers if server is not leader]
        self._stop(followers, 2.0, 2.6)


class CutReplies:
    """The wire to a proxy breaks after some bytes from the server, mostly within a message."""

    def __init__(self, site: Site, choose: random.Random) -> None:
        self._relays = site.relays
        self._choose = choose

    def strike(self) -> None:
        self._choose.choice(self._relays).cut_after(self._choose.randrange(4000))


class FillDisk:
    """The server's file may grow by some bytes, then by none for a while."""

    def __init__(self, site: Site, choose: random.Random) -> None:
        [self._server] = site.servers
        self._choose = choose

    def strike(self) -> None:
        size = self._server.database.stat().st_size + self._choose.randrange(2000)
        _, hard = resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE, (size, hard))
        time.sleep(self._choose.uniform(0.1, 1.0))
        resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE, (hard, hard))


class ConvertSchema:
    """The database gets another schema, with a column more or without it, as in an upgrade."""

    def __init__(self, site: Site, _choose: random.Random) -> None:
        self._site = site
        schema = json.loads(NB_SCHEMA.read_text())
        folder = site.servers[0].folder
        self._schemas = []
        for name, extra in (("newer", {"added": {"type": "string"}}), ("older", {})):
            columns = {**schema["tables"]["Logical_Switch"]["columns"], **extra}
            table = {**schema["tables"]["Logical_Switch"], "columns": columns}
            tables = {**schema["tables"], "Logical_Switch": table}
            file = folder / f"{name}.ovsschema"
            file.write_text(json.dumps({**schema, "tables": tables}))
            self._schemas.append(file)

    def strike(self) -> None:
        self._schemas.reverse()
        server = self._site.leader()
        command = ["ovsdb-client", "convert", server.remote, str(self._schemas[0])]
        with suppress(subprocess.SubprocessError):  # a cluster may be between two leaders
            subprocess.run(command, check=True, capture_output=True, timeout=20)


class OtherManager:
    """Another client of the database, with objects of its own and changes to ours.

    What it changes of shared objects is in the history like what clients do.
    """

    def __init__(self, site: Site, scene: Scene, history: History) -> None:
        self._site = site
        self._ports = [one for one in scene.shared if one.kind == "port"]
        self._history = history
        self._numbers: Iterator[int] = count(1)

    def strike(self) -> None:
        for action in (self._rename, self._touch, self._own):
            with suppress(OSError, CheckError, ValueError):
                action()

    def _transact(self, *operations: Mapping[str, Any]) -> Sequence[Any]:
        with closing(Ovsdb(self._site.leader().socket, _MANAGER_TIMEOUT_S)) as session:
            return session.transact(operations)

    def _rename(self) -> None:
        number = next(self._numbers)
        one = self._ports[number % len(self._ports)]
        text = f"{one.holder}/manager-{number}"
        rename = _on_port(ops.set_key(PORT, one.id, "external_ids", keys.NIC_NAME, text), one.id)
        start = time.monotonic()
        outcome = Outcome.UNKNOWN
        try:
            [result] = self._transact(rename)
            outcome = Outcome.DONE if result["count"] else Outcome.REFUSED
        finally:
            end = time.monotonic()
            event = Event(
                "manager", one.subject, Action.UPDATE, outcome, start, end, one.holder, text
            )
            self._history.add([event])

    def _touch(self) -> None:
        """Change what nobody shows, so that guards on the same row and column fail."""
        for one in self._ports:
            key = ops.set_key(PORT, one.id, "external_ids", "manager", str(next(self._numbers)))
            self._transact(_on_port(key, one.id))

    def _own(self) -> None:
        """Come and go with a switch and a port that are not ours."""
        uuid = str(uuid4())
        name = f"foreign{next(self._numbers)}"
        port = {"op": "insert", "table": PORT, "uuid-name": "p", "row": {"name": name}}
        row = {"name": name, "ports": ["named-uuid", "p"]}
        self._transact(port, {"op": "insert", "table": SWITCH, "uuid": uuid, "row": row})
        self._transact(ops.delete(SWITCH, uuid))


def _on_port(operation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the operation for the port of this name, whatever row that is."""
    return {**operation, "where": [["name", "==", name]]}


Make = Callable[[Site, random.Random], Nemesis]
