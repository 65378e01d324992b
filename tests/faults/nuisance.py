# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What good clients notice of hostile ones, and what those leave behind in the proxy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import rss_bytes
from daemon.ovsdb import ovsdb_server, short_folder, wait_until
from daemon.proxy import Answer, ProxyProcess, http, path_of

_PORTS = 300
_SETTLE_S = 60.0
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Noticed:
    """Seconds that requests took, without hostile clients and with them; and the proxy's state.

    `threads` and `descriptors` are before and afterwards, `rss_bytes` before, at the most,
    and afterwards.
    """

    quiet_s: Sequence[float]
    disturbed_s: Sequence[float]
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    rss_bytes: tuple[int, int, int]

    @property
    def ratio(self) -> float:
        """How many times longer a good client waits, by the medians."""
        return statistics.median(self.disturbed_s) / statistics.median(self.quiet_s)

    def __str__(self) -> str:
        quiet, disturbed = (
            f"{1000 * statistics.median(times):.1f} ms"
            for times in (self.quiet_s, self.disturbed_s)
        )
        megabytes = " -> ".join(f"{size >> 20} MB" for size in self.rss_bytes)
        return (
            f"good clients {quiet} -> {disturbed} ({self.ratio:.1f}x), "
            f"longest {1000 * max(self.disturbed_s):.0f} ms of {len(self.disturbed_s)} requests, "
            f"threads {self.threads[0]} -> {self.threads[1]}, "
            f"descriptors {self.descriptors[0]} -> {self.descriptors[1]}, memory {megabytes}"
        )


def disturb(silent: int, requests: int, certificates: Path | None = None) -> Noticed:
    """Have a proxy serve so many good requests in quiet, then with hostile clients.

    `certificates`: a folder with proxy.pem, proxy.key and ca.pem, for HTTPS.
    """
    extra = ""
    if certificates is not None:
        extra = (
            f"[SSL]\nhttps-enabled=true\nssl-key-file={certificates}/proxy.key\n"
            f"ssl-cert-file={certificates}/proxy.pem\nssl-cacert-file={certificates}/ca.pem\n"
        )
    scheme = "https" if certificates is not None else "http"
    with short_folder() as folder, ovsdb_server(folder) as nb:
        proxy = ProxyProcess(folder, nb.remote, extra=extra, scheme=scheme)
        try:
            proxy.start()
            proxy.wait_ready()
            return _disturb(proxy, silent, requests, scheme)
        finally:
            proxy.stop()


def _disturb(proxy: ProxyProcess, silent: int, requests: int, scheme: str) -> Noticed:
    good = _Good(proxy)
    before = _usage(proxy)
    quiet = good.work(requests)
    with _hostile(proxy.networking_port, silent, scheme), _watched(proxy) as most:
        wait_until(lambda: _usage(proxy)[1] > before[1] + min(silent, 200), _PATIENCE_S, "a crowd")
        disturbed = good.work(requests)
    quiet += good.work(requests)
    rss = rss_bytes(proxy.pid)

    def is_settled() -> bool:
        threads, descriptors = _usage(proxy)
        return threads <= before[0] and descriptors <= before[1]

    end = time.monotonic() + _SETTLE_S
    while not is_settled() and time.monotonic() < end:
        time.sleep(0.2)
    after = _usage(proxy)
    return Noticed(
        quiet_s=quiet,
        disturbed_s=disturbed,
        threads=(before[0], after[0]),
        descriptors=(before[1], after[1]),
        rss_bytes=(good.rss_bytes, max(most), rss),
    )


class _Good:
    """A client that behaves: it looks, changes, makes and deletes."""

    def __init__(self, proxy: ProxyProcess) -> None:
        self._url = proxy.networking_url
        self._network_id = self._send("POST", "networks", {"network": {}}).json["network"]["id"]
        port = {"network_id": self._network_id, "name": "x" * 200}
        made = self._send("POST", "ports", {"ports": [port] * _PORTS})
        self._port_id = made.json["ports"][0]["id"]
        self.work(20)
        self.rss_bytes = rss_bytes(proxy.pid)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        answer = http(method, f"{self._url}/v2.0/{path}", body)
        assert answer.status < 300, answer
        return answer

    def work(self, requests: int) -> list[float]:
        """Send so many requests, one after the other; return the seconds that each took."""
        took = []
        made = ""
        for number in range(requests):
            started = time.perf_counter()
            if number % 4 == 0:
                values = {"network_id": self._network_id}
                made = self._send("POST", path_of("port"), {"port": values}).json["port"]["id"]
            elif number % 4 == 1:
                self._send("PUT", f"ports/{self._port_id}", {"port": {"name": str(number)}})
            elif number % 4 == 2:
                self._send("GET", f"ports/{self._port_id}")
            else:
                self._send("DELETE", f"ports/{made}")
            took.append(time.perf_counter() - started)
        return took


def _usage(proxy: ProxyProcess) -> tuple[int, int]:
    """Return the numbers of threads and descriptors of the proxy."""
    threads, descriptors = (
        sum(1 for _ in Path(f"/proc/{proxy.pid}/{kind}").iterdir()) for kind in ("task", "fd")
    )
    return threads, descriptors


@contextmanager
def _watched(proxy: ProxyProcess) -> Iterator[list[int]]:
    """Give the sizes of the proxy's memory, as they come."""
    stop = threading.Event()
    sizes = [rss_bytes(proxy.pid)]

    def watch() -> None:
        while not stop.wait(0.1):
            sizes.append(rss_bytes(proxy.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        stop.set()
        thread.join()


@contextmanager
def _hostile(port: int, silent: int, scheme: str) -> Iterator[None]:
    program = Path(__file__).with_name("hostile.py")
    command = [sys.executable, str(program), str(port), str(silent)]
    if scheme == "https":
        command.append("tls")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield
        assert process.poll() is None, "the hostile clients are still there"
        process.communicate()
