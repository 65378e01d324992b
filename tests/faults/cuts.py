# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions that end after any byte of what the server sends for one request.

I/O: a proxy's application behind a relay, and a second one that nothing happens to.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from daemon.northbound import Forwarder
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, running_api
from ovirt_ovn_proxy.nb.remote import parse_remotes

_ENOUGH = 1_000_000_000
# Where most bytes differ in what they end: the first and the last ones.
_EDGE = 4


class Cuts:
    """A place for the experiment; a context manager."""

    def __init__(self, nb: OvsdbServer) -> None:
        self._nb = nb
        self._stack = ExitStack()
        self._request_ids: list[str] = []
        self._left: list[Mapping[str, Any]] = []

    def __enter__(self) -> Cuts:
        self.other: Api = self._stack.enter_context(running_api(self._nb))
        self.relay = self._stack.enter_context(Forwarder(self._nb.socket))
        remotes = parse_remotes(self.relay.remote)
        self.api: Api = self._stack.enter_context(running_api(self._nb, ovn_remotes=remotes))
        self.network_id = self.other.create("network", name="red")["id"]
        values = {"network_id": self.network_id, "ip_version": 4}
        self.other.create("subnet", cidr="10.0.0.0/16", **values)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def values(self, name: str = "") -> dict[str, Any]:
        """Return the values of a new port."""
        return {"network_id": self.network_id, "name": name, "port_security_enabled": True}

    def arm(self, at: int) -> None:
        """Let the session end after so many bytes, once it has shown all that there is."""
        while self._left:
            self.other.delete("port", self._left.pop()["id"])
        self.api.get("networks")
        self.relay.cut_after(at)

    def send(self, at: int, status: int, *request: Any) -> Answer:
        """Send a request whose session ends after so many bytes from the server."""
        self.arm(at)
        answer = self.api(*request)
        assert status == answer.status, (at, request, answer)
        self._request_ids.append(answer.headers["X-Openstack-Request-Id"])
        return answer

    def leave(self, ports: Sequence[Mapping[str, Any]]) -> None:
        """Have what a case has made deleted before the next one: sessions load all there is."""
        self._left += ports

    def check_log(self) -> None:
        """Assert that each request changed something once."""
        command = ["ovsdb-tool", "show-log", "-m", str(self._nb.database)]
        log = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        for request_id in self._request_ids:
            assert 1 == log.count(request_id.encode()), request_id
        self._request_ids.clear()


def _create(cuts: Cuts, at: int) -> None:
    name = _name(at)
    answer = cuts.send(at, 201, "POST", "ports", {"port": cuts.values(name)})
    there = cuts.other.get(f"ports?name={name}")["ports"]
    assert [answer.json["port"]] == there
    cuts.leave(there)


def _create_several(cuts: Cuts, at: int) -> None:
    name = _name(at)
    answer = cuts.send(at, 201, "POST", "ports", {"ports": [cuts.values(name)] * 3})
    there = cuts.other.get(f"ports?name={name}")["ports"]
    assert _sorted(answer.json["ports"]) == _sorted(there)
    cuts.leave(there)


def _update(cuts: Cuts, at: int) -> None:
    port = cuts.other.create("port", **cuts.values())
    path = f"ports/{port['id']}"
    answer = cuts.send(at, 200, "PUT", path, {"port": {"name": "changed"}})
    assert answer.json == cuts.other.get(path)
    assert port["revision_number"] + 1 == answer.json["port"]["revision_number"]
    cuts.leave([port])


def _delete(cuts: Cuts, at: int) -> None:
    port = cuts.other.create("port", **cuts.values())
    path = f"ports/{port['id']}"
    cuts.send(at, 204, "DELETE", path)
    assert 404 == cuts.other("GET", path).status


def _sync(cuts: Cuts, at: int) -> None:
    cuts.arm(at)
    cuts.relay.end_sessions()
    shown = cuts.api.get("ports")["ports"]
    assert _sorted(cuts.other.get("ports")["ports"]) == _sorted(shown)


def _name(at: int) -> str:
    """Return a name as long as all others, so that all replies are."""
    return f"cut-{at:010}"


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: str(row["id"]))


CASES: Mapping[str, Callable[[Cuts, int], None]] = {
    "create": _create,
    "create several": _create_several,
    "update": _update,
    "delete": _delete,
    "sync": _sync,
}


def cut_everywhere(
    cuts: Cuts,
    name: str,
    most: int | None = None,
    share: tuple[int, int] = (0, 1),
    stop: threading.Event | None = None,
) -> int:
    """Cut after each byte that the server sends in a case; return how many these are.

    `most` bounds the places that are tried; the first and last bytes are among them. With
    a `share` (which, of how many) others try the rest. `stop` ends it before its time.
    """
    case = CASES[name]
    length = 0
    for number in range(2):  # only to see the length; the first one may have more to do
        case(cuts, _ENOUGH + number)
        assert cuts.relay.left is not None
        length = _ENOUGH + number - cuts.relay.left
    places = set(range(length))
    if most is not None:
        edges = {*range(_EDGE), *range(length - _EDGE, length)}
        places = edges | set(range(0, length, max(1, length // (most - len(edges)))))
    which, shares = share
    for at in sorted(places)[which::shares]:
        if stop is not None and stop.is_set():
            break
        case(cuts, at)
        # Later replies can be shorter by a digit or two; earlier than that it was cut.
        assert cuts.relay.left is None or at >= length - _EDGE, (name, at, length)
    cuts.check_log()
    return length
