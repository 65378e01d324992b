# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The composition root: where the parts are made and joined, and the service runs."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from urllib.parse import urlsplit

from .app import NetworkingApi
from .auth import AuthPlugin
from .auth.plugins import load_plugin
from .checks import Finding, check_northbound, check_plugin
from .config import Config
from .errors import ApiError, NotReady, ProxyError
from .execute import Executor
from .identity import IdentityApi
from .memory import give_back_big_blocks
from .nb.connection import Connection
from .nb.replica import Replica
from .nb.view import View
from .plan.draft import TIME_FORMAT, Context
from .routes import match
from .server import Limits, Listener, Server
from .tls import PortContext, northbound_files
from .writing import make_writer
from .wsgi import Application

log = logging.getLogger(__name__)

_STOP_S = 10.0
_RENEW_S = 3.0  # how often the files of the ports' certificate are looked at


def make_connection(config: Config) -> Connection[Replica]:
    """Return the connection to the Northbound that the configuration describes, not started."""
    return Connection(
        config.ovn_remotes,
        Replica,
        tls=northbound_files(config),
        probe_interval_ms=config.ovn_remote_probe_interval_ms,
        write_barrier=config.read_barrier == "write",
    )


def make_applications(
    config: Config, connection: Connection[Replica]
) -> tuple[Application, Application]:
    """Return the WSGI applications: networking and identity."""
    plugin = load_plugin(config)
    networking = NetworkingApi(config, plugin, Executor(connection, config.durable_commits))
    identity = IdentityApi(config, plugin)
    return Application(networking), Application(identity, ApiError.identity_body)


def serve(config: Config) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit status.

    SIGHUP reads the ports' certificate again. Raises ConfigError and ListenError.
    """
    give_back_big_blocks()
    # Unlike an Event, it may be put into from a handler that interrupts its own get().
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: signals.put(number))
    certificate = PortContext(config) if config.https_enabled else None
    tls = certificate.current if certificate else None
    connection = make_connection(config)
    networking, identity = make_applications(config, connection)
    server = Server(
        [
            Listener(config.listen_address, config.neutron_port, networking, tls),
            Listener(config.listen_address, config.keystone_port, identity, tls),
        ],
        Limits(max_connections=config.max_connections),
    )
    server.start()
    connection.start()
    log.info("listening on %s", ", ".join(f"{host} port {port}" for host, port in server.addresses))
    # Ready does not wait for the database: until it is in sync, the answer is 503.
    notify("READY=1")
    while True:
        try:
            received = signals.get(timeout=_RENEW_S)
        except queue.Empty:
            received = 0
        if received in (signal.SIGTERM, signal.SIGINT):
            break
        if certificate is not None:
            certificate.renew(force=received == signal.SIGHUP)
    notify("STOPPING=1")
    log.info("stopping")
    is_quiet = server.stop(_STOP_S)
    connection.stop()
    return 0 if is_quiet else 1


def check_online(config: Config, plugin: AuthPlugin) -> Iterator[Finding]:
    """Try what the plugin asks, and the Northbound; yield what is wrong with them."""
    yield from check_plugin(plugin)
    connection = make_connection(config)
    connection.start()
    try:
        yield from check_northbound(config, connection)
    finally:
        connection.stop()


def explain(config: Config, method: str, path: str, body: str | None) -> str:
    """Return, as text, the operations that a request would become now; nothing is sent.

    Raises ProxyError where the request would be refused, with the reason.
    """
    parts = urlsplit(path)
    route = match(method, parts.path)
    if method == "GET" or route.resource is None:
        return "[]"
    context = Context(
        config=config,
        request_uuid=uuid.uuid4(),
        now=datetime.now(timezone.utc).strftime(TIME_FORMAT),
    )
    writer = make_writer(route, route.resource, (body or "").encode(), context)
    with _connected(config) as replica, replica.lock:
        try:
            plan = writer.make_plan(View(replica))
        except ApiError as error:
            raise ProxyError(f"{error.status} {error.error_type}: {error.message}") from error
    return json.dumps(plan.operations, indent=2)


def notify(state: str) -> None:
    """Tell systemd, if it asked to be told (sd_notify(3)); a failure changes nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(state.encode())
    except OSError as error:
        log.warning("cannot notify %s: %s", address, error)


@contextmanager
def _connected(config: Config) -> Iterator[Replica]:
    connection = make_connection(config)
    connection.start()
    try:
        deadline = time.monotonic() + config.request_timeout_s
        while connection.replica is None:
            if time.monotonic() >= deadline:
                raise NotReady(f"no Northbound database: {connection.status()}")
            time.sleep(0.01)
        yield connection.replica
    finally:
        connection.stop()
