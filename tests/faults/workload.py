# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that work on several proxies at once, and write down all that they see.

I/O. What they do follows from a seed; what comes of it, and when, does not. They make,
change, delete and list objects of their own, write one after the other into the same
objects, contend for the same addresses, and delete what others have made, also before
those know that they have.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any, NamedTuple

from daemon.proxy import path_of
from faults.history import Action, Event, History, Outcome

KINDS = ("port", "network", "security_group", "router")
SHARED = ("port", "port", "port", "network", "security_group", "router")
SLOTS = 12
_CIDR = "10.0.0.0/16"
# Above the pool, so that nobody is given them.
_POOL = {"start": "10.0.1.1", "end": "10.0.250.250"}
_TIMEOUT_S = 30.0
_PAUSE_S = 0.05
_MOST_OWN = 12
_SEEN_IN_LISTS = 4
_FOREIGN = "foreign"
_SHARED = "shared"


class Known(NamedTuple):
    """An object that clients know by its id; `subject` and `holder` as in an event."""

    kind: str
    id: str
    subject: str
    holder: str


class Reply(NamedTuple):
    """What came back, and when; status 0: nothing, -1: it was certainly not sent."""

    status: int
    body: Any
    start: float
    end: float
    request_id: str

    @property
    def outcome(self) -> Outcome:
        """What a client may conclude."""
        if self.status in (0, 503, 504):
            return Outcome.UNKNOWN
        return Outcome.DONE if self.status < 300 else Outcome.REFUSED


def send(port: int, method: str, path: str, body: Any = None) -> Reply:
    """Send a request to a proxy, over a connection of its own."""
    start = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/v2.0/{path}", text)
        response = connection.getresponse()
        content = response.read()
        request_id = response.headers.get("X-Openstack-Request-Id", "")
        answer = json.loads(content) if content else None
        return Reply(response.status, answer, start, time.monotonic(), request_id)
    except ConnectionRefusedError:
        return Reply(-1, None, start, time.monotonic(), "")
    except (OSError, HTTPException):
        return Reply(0, None, start, time.monotonic(), "")
    finally:
        connection.close()


def address_of(slot: int) -> str:
    """Return the address that is contended for."""
    return f"10.0.0.{slot + 10}"


def subject_of(kind: str, holder: str, addresses: Sequence[str] = ()) -> str:
    """Return the place that an object takes in a history."""
    slots = [f"address {ip}" for ip in addresses if ip.startswith("10.0.0.")]
    return slots[0] if slots else f"{kind} {holder}"


@dataclass(frozen=True)
class Scene:
    """What is there before the first client: a network with room, and the shared objects."""

    network_id: str
    shared: Sequence[Known]


def prepare(port: int, history: History) -> Scene:
    """Make the scene through a proxy that nothing happens to."""

    def create(kind: str, **values: Any) -> tuple[Any, Reply]:
        reply = send(port, "POST", path_of(kind), {kind: values})
        assert 201 == reply.status, reply
        return reply.body[kind], reply

    network_id = create("network", name="scene")[0]["id"]
    pools = {"allocation_pools": [_POOL], "gateway_ip": None}
    create("subnet", network_id=network_id, cidr=_CIDR, ip_version=4, **pools)
    shared = []
    for number, kind in enumerate(SHARED):
        holder = f"{_SHARED}{number}"
        text = f"{holder}/0"
        made, reply = create(kind, **values_of(kind, network_id, text))
        one = Known(kind, made["id"], subject_of(kind, holder), holder)
        shared.append(one)
        event = Event("scene", one.subject, Action.CREATE, Outcome.DONE, *reply[2:4], holder, text)
        history.add([event])
    return Scene(network_id, shared)


def values_of(kind: str, network_id: str, name: str) -> dict[str, Any]:
    """Return the values of a new object; ports have port security, so they join groups."""
    if kind == "port":
        return {"network_id": network_id, "name": name, "port_security_enabled": True}
    return {"name": name}


def _is_for_all(name: str) -> bool:
    """Say whether any client may delete the object of this name."""
    holder, slash, _ = name.partition("/")
    return bool(slash) and not holder.startswith(_SHARED)


class Board:
    """The objects that all clients may look at, newest last."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}

    def show(self, one: Known) -> None:
        """Let others look at an object; what is deleted stays here for a while."""
        with self._lock:
            self._known[one.id] = one
            while len(self._known) > 200:
                del self._known[next(iter(self._known))]

    def known(self) -> list[Known]:
        """Return the objects that may be looked at."""
        with self._lock:
            return [*self.scene.shared, *self._known.values()]


class Client:
    """One client with a name of its own; `run` it in a thread.

    `ports` are the proxies, of which each request takes one at random.
    """

    def __init__(
        self, name: str, seed: int, ports: Sequence[int], board: Board, history: History
    ) -> None:
        self.name = name
        self._choose = random.Random(f"{seed} {name}")
        self._ports = ports
        self._board = board
        self._history = history
        self._own: list[Known] = []
        self._slots: list[Known] = []
        self._numbers: Iterator[int] = count(1)
        self.latencies_s: list[float] = []

    def run(self, steps: int, enough: threading.Event, until: float) -> None:
        """Do so many things, and more until `enough`; a time (monotonic) ends it anyhow."""
        actions: Sequence[tuple[int, Callable[[], None]]] = (
            (14, self._create_one),
            (4, self._create_several),
            (10, self._update_own),
            (12, self._delete_own),
            (16, self._read),
            (16, self._update_shared),
            (8, self._list),
            (10, self._take_slot),
            (8, self._give_slot),
            (6, self._delete_others),
        )
        weights = [weight for weight, _ in actions]
        for step in count():
            if (step >= steps and enough.is_set()) or time.monotonic() >= until:
                break
            self._choose.choices(actions, weights)[0][1]()

    # --- what a client does ----------------------------------------------------

    def _create_one(self) -> None:
        kind = self._choose.choices(KINDS, (6, 1, 1, 1))[0]
        if len(self._own) >= _MOST_OWN:
            self._delete_own()
        else:
            self._create(kind, [self._new_holder()])

    def _create_several(self) -> None:
        kind = self._choose.choices(KINDS, (6, 1, 1, 1))[0]
        self._create(kind, [self._new_holder() for _ in range(3)])

    def _create(self, kind: str, holders: Sequence[str]) -> None:
        network_id = self._board.scene.network_id
        names = [f"{holder}/0" for holder in holders]
        values = [values_of(kind, network_id, name) for name in names]
        body: Mapping[str, Any] = {kind: values[0]} if len(values) == 1 else {f"{kind}s": values}
        reply = self._send("POST", path_of(kind), body)
        subjects = [subject_of(kind, holder) for holder in holders]
        for subject, holder, name in zip(subjects, holders, names):
            self._note(reply, Action.CREATE, subject, holder, name)
        if reply.status == 201:
            made = [reply.body[kind]] if len(values) == 1 else reply.body[f"{kind}s"]
            for one, subject, holder in zip(made, subjects, holders):
                known = Known(kind, one["id"], subject, holder)
                self._own.append(known)
                self._board.show(known)
        elif reply.outcome is Outcome.UNKNOWN:
            self._history.add_bulk(subjects)

    def _update_own(self) -> None:
        if self._own:
            self._update(self._choose.choice(self._own))

    def _update_shared(self) -> None:
        self._update(self._choose.choice(self._board.scene.shared))

    def _update(self, one: Known) -> None:
        text = f"{one.holder}/{self.name}-{next(self._numbers)}"
        path = f"{path_of(one.kind)}/{one.id}"
        reply = self._send("PUT", path, {one.kind: {"name": text}})
        if reply.status == 200 and reply.body[one.kind]["name"] != text:
            self._history.object_to(f"PUT {path} {text}: {reply.body}")
        self._note(reply, Action.UPDATE, one.subject, one.holder, text)

    def _delete_own(self) -> None:
        if self._own:
            self._delete(self._own.pop(self._choose.randrange(len(self._own))))

    def _delete(self, one: Known) -> None:
        reply = self._send("DELETE", f"{path_of(one.kind)}/{one.id}")
        self._note(reply, Action.DELETE, one.subject, one.holder)

    def _read(self) -> None:
        one = self._choose.choice(self._board.known())
        reply = self._send("GET", f"{path_of(one.kind)}/{one.id}")
        text = reply.body[one.kind]["name"] if reply.status == 200 else ""
        self._note(reply, Action.READ, one.subject, one.holder, text)

    def _list(self) -> None:
        kind = self._choose.choices(KINDS, (6, 1, 1, 1))[0]
        known = [one for one in self._board.known() if one.kind == kind]
        reply = self._send("GET", path_of(kind))
        if reply.status != 200:
            return
        names = {one["id"]: one["name"] for one in reply.body[f"{kind}s"]}
        foreign = [name for name in names.values() if name.startswith(_FOREIGN)]
        if foreign:
            self._history.object_to(f"a list shows what is not ours: {foreign}")
        for one in [*known[: len(SHARED)], *known[-_SEEN_IN_LISTS:]]:
            text = names.get(one.id, "")
            status = reply._replace(status=200 if text else 404)
            self._note(status, Action.READ, one.subject, one.holder, text)

    def _take_slot(self) -> None:
        slot = self._choose.randrange(SLOTS)
        holder = self._new_holder()
        values = values_of("port", self._board.scene.network_id, f"{holder}/0")
        values["fixed_ips"] = [{"ip_address": address_of(slot)}]
        reply = self._send("POST", "ports", {"port": values})
        subject = subject_of("port", holder, [address_of(slot)])
        self._note(reply, Action.CREATE, subject, holder, values["name"])
        if reply.status == 201:
            one = Known("port", reply.body["port"]["id"], subject, holder)
            self._slots.append(one)
            self._board.show(one)

    def _give_slot(self) -> None:
        if self._slots:
            self._delete(self._slots.pop(0))

    def _delete_others(self) -> None:
        """Delete what a list shows; best something of which its creator has not heard yet."""
        kind = self._choose.choices(KINDS, (6, 1, 1, 1))[0]
        reply = self._send("GET", path_of(kind))
        if reply.status != 200:
            return
        known = {one.id for one in self._board.known()}
        found = [row for row in reply.body[f"{kind}s"] if _is_for_all(row["name"])]
        new = [row for row in found if row["id"] not in known]
        if found:
            row = self._choose.choice(new or found)
            holder = row["name"].partition("/")[0]
            addresses = [entry["ip_address"] for entry in row.get("fixed_ips", ())]
            one = Known(kind, row["id"], subject_of(kind, holder, addresses), holder)
            self._note(reply, Action.READ, one.subject, holder, row["name"])
            self._delete(one)

    # --- how -------------------------------------------------------------------

    def _new_holder(self) -> str:
        return f"{self.name}n{next(self._numbers)}"

    def _send(self, method: str, path: str, body: Any = None) -> Reply:
        reply = send(self._choose.choice(self._ports), method, path, body)
        if reply.status == -1:
            time.sleep(_PAUSE_S)  # that proxy is just being started
        elif reply.outcome is not Outcome.UNKNOWN:
            self.latencies_s.append(reply.end - reply.start)
            if reply.status not in (200, 201, 204, 404, 409):
                self._history.object_to(f"{method} {path}: {reply}")
        return reply

    def _note(
        self, reply: Reply, action: Action, subject: str, holder: str, text: str = ""
    ) -> None:
        if reply.status == -1:
            return
        event = Event(
            client=self.name,
            subject=subject,
            action=action,
            outcome=reply.outcome,
            start=reply.start,
            end=reply.end,
            holder=holder,
            text=text,
            request_id=reply.request_id,
        )
        self._history.add([event])
