# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of REST writes, and what may be in Northbound after it.

Ports are created, renamed and deleted by several threads. Of each is kept what it can be:
what was acknowledged is certain, and after a request without a good answer both the state
before and the one after it are possible; the port is then left alone.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPException

from daemon.ovsdb import wait_until
from daemon.proxy import Rest
from system.lab import Lab

# What a request may be answered with while the central is not well.
EXCUSES = {503, 504}
PACE_S = 0.02
NEW, RENAMED = "new", "renamed"


class WriteStream:
    """Writes to one network from several threads; a context manager.

    `wrong` are the answers that no fault excuses, `acknowledged` counts the good ones.
    """

    def __init__(self, rest: Rest, network_id: str, threads: int = 3) -> None:
        self._rest = rest
        self._network_id = network_id
        # By device id; None: no port.
        self.possible: dict[str, set[str | None]] = {}
        self.wrong: list[str] = []
        self.acknowledged = 0
        self._last_begin = 0.0
        self._lock = threading.Lock()
        self._is_ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(threads)
        ]

    def __enter__(self) -> WriteStream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        for thread in self._threads:
            thread.join()

    def wait_acknowledged(self, since: float, timeout_s: float) -> float:
        """Wait until a write that was sent after `since` is acknowledged; return how long."""
        wait_until(lambda: self._last_begin > since, timeout_s, "a write is acknowledged")
        return time.monotonic() - since

    def _write(self, thread: int) -> None:
        for number in itertools.count():
            if self._is_ending.is_set():
                return
            self._live(f"stream-{thread}-{number}", number % 2 == 0)

    def _live(self, device_id: str, is_deleted: bool) -> None:
        """Lead a port through its life, or up to the first request without a good answer."""
        self.possible[device_id] = {None}
        values = {"network_id": self._network_id, "name": NEW, "device_id": device_id}
        port = self._send(201, device_id, NEW, "POST", "ports", values)
        if port is None:
            return
        path = f"ports/{port['id']}"
        if self._send(200, device_id, RENAMED, "PUT", path, {"name": RENAMED}) is None:
            return
        if is_deleted:
            self._send(204, device_id, None, "DELETE", path, None)

    def _send(
        self,
        good: int,
        device_id: str,
        state: str | None,
        method: str,
        path: str,
        values: Mapping[str, str] | None,
    ) -> Mapping[str, str] | None:
        """Send a request that leads to a state; return the port, None without a good answer."""
        time.sleep(PACE_S)
        begin = time.monotonic()
        self.possible[device_id].add(state)
        try:
            answer = self._rest(method, path, None if values is None else {"port": values})
        except (OSError, HTTPException):
            return None
        if answer.status == good:
            self.possible[device_id] = {state}
            with self._lock:
                self.acknowledged += 1
                self._last_begin = max(self._last_begin, begin)
            return dict(answer.json["port"]) if answer.json else {}
        if answer.status not in EXCUSES:
            self.wrong.append(f"{method} {path}: {answer}")
        return None

    def check(self, lab: Lab) -> None:
        """Compare Northbound with what is possible; AssertionError for what is lost or doubled."""
        assert not self.wrong, self.wrong
        columns = "--columns=external_ids,addresses"
        listed = lab.nbctl("--format=json", columns, "list", "Logical_Switch_Port")
        rows = [(dict(keys[1]), str(addresses)) for keys, addresses in json.loads(listed)["data"]]
        ids = [keys.get("ovirt_device_id", "") for keys, _ in rows]
        for what, values in (("port", ids), ("address", [addresses for _, addresses in rows])):
            doubled = [it for it, count in Counter(values).items() if it and count > 1]
            assert not doubled, f"{what} twice: {doubled}"
        names = {
            device_id: keys["ovirt_nic_name"]
            for device_id, (keys, _) in zip(ids, rows)
            if device_id.startswith("stream-")
        }
        wrong = {
            device_id: (names.get(device_id), self.possible.get(device_id))
            for device_id in names.keys() | self.possible.keys()
            if names.get(device_id) not in self.possible.get(device_id, set())
        }
        assert not wrong, f"ports as they are and as they can be: {wrong}"
