# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Much work for minutes: an engine that starts VMs all the time, and one that logs in.

I/O. Both raise where a request is not answered as it has to be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count

from bench.content import make_content
from bench.processes import rss_bytes
from bench.raw import Ovsdb
from bench.targets import running_proxy
from certificates import make_certificate
from daemon.engine_sso import PASSWORD, SECRET, engine_sso
from daemon.ovsdb import northd, ovsdb_server, short_folder
from daemon.proxy import ProxyProcess, http

_NETWORKS = 50


@dataclass(frozen=True)
class Load:
    """Seconds that each request took, over `took_s` seconds; and the proxy's memory."""

    what: str
    each_s: Sequence[float]
    took_s: float
    rss_bytes: Sequence[int]

    def __str__(self) -> str:
        order = sorted(self.each_s)
        percentiles = ", ".join(
            f"p{percent} {1000 * order[min(len(order) - 1, len(order) * percent // 100)]:.0f} ms"
            for percent in (50, 95, 99)
        )
        sizes = [size >> 20 for size in self.rss_bytes]
        return (
            f"{len(order)} {self.what} in {self.took_s:.0f} s, all answered, {percentiles}, "
            f"longest {1000 * order[-1]:.0f} ms; memory {sizes[0]} MB after a tenth of it, "
            f"{sizes[len(sizes) // 2]} MB in the middle, {sizes[-1]} MB at the end, "
            f"{max(sizes)} MB at most"
        )


def plugs(ports: int, clients: int, seconds: float) -> Load:
    """Plug vNICs, and delete their ports again, with so many clients at a time.

    ovn-northd follows meanwhile. Each plug is the engine's four requests.
    """
    with ExitStack() as stack:
        nb = stack.enter_context(northd())["nb"]
        ovsdb = stack.enter_context(closing(Ovsdb(nb.socket)))
        proxy = stack.enter_context(running_proxy(nb, "proxy"))
        content = make_content(proxy.port, ovsdb, ports, _NETWORKS, _NETWORKS)
        content.fill(ovsdb, ports)
        listed = content.ports[0].id
        lock = threading.Lock()

        def plug() -> float:
            with lock:
                port = content.new_port()
            started = time.monotonic()
            port = proxy.plug(port, listed)
            took_s = time.monotonic() - started
            proxy.delete(port)
            return took_s

        proxy.list_ports(listed)
        return _work(
            f"plugs, {clients} at a time, {ports} ports", plug, clients, seconds, proxy.pid
        )


def tokens(rate: float, seconds: float) -> Load:
    """Log in so many times a second, against an SSO that takes 50 ms for each answer."""
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        make_certificate(folder, "ca")
        make_certificate(folder, "engine", "ca")
        sso = stack.enter_context(engine_sso(folder / "engine.pem", folder / "engine.key"))
        sso.delay_s = 0.05
        nb = stack.enter_context(ovsdb_server(folder))
        proxy = ProxyProcess(folder, nb.remote)
        (folder / "conf.d").mkdir()
        (folder / "conf.d" / "sso.conf").write_text(
            "[AUTH]\nauth-plugin=auth.plugins.ovirt:AuthorizationByUserName\n"
            f"[OVIRT]\novirt-host={sso.url}\novirt-ca-file={folder}/ca.pem\n"
            f"ovirt-sso-client-secret={SECRET}\n"
        )
        stack.callback(proxy.stop)
        proxy.start()
        proxy.wait_listening()
        credentials = {"username": "admin@internal", "password": PASSWORD}
        body = {"auth": {"tenantName": "tenant", "passwordCredentials": credentials}}
        clients = max(10, int(rate))
        lock = threading.Lock()
        numbers = count()
        begun = time.monotonic()

        def log_in() -> float:
            """Log in when it is time, and count from then on, however late this is."""
            with lock:
                due = begun + next(numbers) / rate
            time.sleep(max(0.0, due - time.monotonic()))
            answer = http("POST", f"{proxy.identity_url}/v2.0/tokens", body)
            assert answer.status == 200, answer
            return time.monotonic() - due

        return _work(f"log-ins, {rate:.0f} a second", log_in, clients, seconds, proxy.pid)


def _work(what: str, do: Callable[[], float], clients: int, seconds: float, pid: int) -> Load:
    started = time.monotonic()
    end = started + seconds
    stop = threading.Event()
    each_s: list[float] = []
    sizes: list[int] = []

    def work() -> None:
        while time.monotonic() < end and not stop.is_set():
            each_s.append(do())

    def watch() -> None:
        stop.wait(seconds / 10)
        while time.monotonic() < end and not stop.is_set():
            sizes.append(rss_bytes(pid))
            stop.wait(seconds / 100)

    with ThreadPoolExecutor(clients + 1) as pool:
        watching = pool.submit(watch)
        try:
            for working in [pool.submit(work) for _ in range(clients)]:
                working.result()
        finally:
            stop.set()
        watching.result()
    return Load(what, each_s, time.monotonic() - started, [*sizes, rss_bytes(pid)])
