# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The composition root: where the parts are made and joined, and the service runs."""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from . import maintenance
from .app import NetworkingApi
from .auth import AuthPlugin
from .auth.plugins import load_plugin
from .bindings import BindingsApi
from .checks import Finding, check_northbound, check_plugin
from .config import Config
from .errors import ApiError, ConfigError, NotReady, ProxyError
from .execute import Executor
from .identity import IdentityApi
from .maintenance import Chores, new_context
from .memory import give_back_big_blocks
from .nb.connection import Connection
from .nb.replica import Replica
from .nb.view import View
from .routes import match
from .server import Limits, Listener, Server
from .tls import BindingsContext, PortContext, northbound_files
from .writing import make_writer
from .wsgi import Application

log = logging.getLogger(__name__)

# With the second that the server adds, within the 10 s after which systemd kills.
_STOP_S, _DISCONNECT_S = 7.0, 1.0
# How often is looked for new certificates, and for a database that was loaded anew.
_LOOK_S = 1.0


def make_connection(config: Config) -> Connection[Replica]:
    """Return the connection to the Northbound that the configuration describes, not started."""
    return Connection(
        config.ovn_remotes,
        Replica,
        tls=northbound_files(config),
        probe_interval_ms=config.ovn_remote_probe_interval_ms,
        write_barrier=config.read_barrier == "write",
    )


class Applications(NamedTuple):
    """The WSGI applications, one for each listener."""

    networking: Application
    identity: Application
    bindings: Application


def make_applications(config: Config, connection: Connection[Replica]) -> Applications:
    """Return the WSGI applications on a connection."""
    plugin = load_plugin(config)
    networking = NetworkingApi(config, plugin, Executor(connection, config.durable_commits))
    identity = IdentityApi(config, plugin)
    return Applications(
        Application(networking),
        Application(identity, ApiError.identity_body),
        Application(BindingsApi(networking.answer)),
    )


def _make_bindings_context(config: Config) -> BindingsContext | None:
    """Return what the bindings listener is to use, None where there is to be none."""
    if not (config.https_enabled and config.bindings_port):
        return None
    try:
        return BindingsContext(config)
    except ConfigError as error:
        log.warning("%s; the service runs without a bindings port", error)
        return None


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
    bindings = _make_bindings_context(config)
    tls = certificate.current if certificate else None
    connection = make_connection(config)
    applications = make_applications(config, connection)

    def listener(
        port: int,
        application: Application,
        tls: Callable[[], ssl.SSLContext] | None,
        is_optional: bool = False,
    ) -> Listener:
        encode_error = application.encode_error
        return Listener(config.listen_address, port, application, tls, is_optional, encode_error)

    listeners = [
        listener(config.neutron_port, applications.networking, tls),
        listener(config.keystone_port, applications.identity, tls),
    ]
    if bindings is not None:
        port = config.bindings_port
        listeners.append(listener(port, applications.bindings, bindings.current, is_optional=True))
    server = Server(listeners, Limits(max_connections=config.max_connections))
    server.start()
    connection.start()
    log.info("listening on %s", ", ".join(f"{host} port {port}" for host, port in server.addresses))
    # Ready does not wait for the database: until it is in sync, the answer is 503.
    notify("READY=1")
    chores = Chores(config, connection)
    told = ""
    while True:
        if told != (status := _status(connection)):
            told = status
            notify(f"STATUS={status}")
        try:
            received = signals.get(timeout=_LOOK_S)
        except queue.Empty:
            received = 0
        if received in (signal.SIGTERM, signal.SIGINT):
            break
        for renewed in filter(None, (certificate, bindings)):
            renewed.renew(force=received == signal.SIGHUP)
        chores.run()
    notify("STOPPING=1")
    log.info("stopping")
    is_quiet = server.stop(_STOP_S)
    connection.stop(_DISCONNECT_S)
    return 0 if is_quiet else 1


def _status(connection: Connection[Replica]) -> str:
    """Return a line for `systemctl status`."""
    text = " ".join(connection.status().split())
    return text if connection.ready else f"answering 503: {text}"


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
    try:
        route = match(method, _path_info(path))
        if method == "GET" or route.resource is None:
            return "[]"
        content = os.fsencode(body or "")
        writer = make_writer(route, route.resource, content, new_context(config))
        with _connected(config) as (_, replica), replica.lock:
            plan = writer.make_plan(View(replica))
    except ApiError as error:
        raise ProxyError(f"{error.status} {error.error_type}: {error.message}") from error
    return json.dumps(plan.operations, indent=2)


def _path_info(target: str) -> str:
    """Return the path in a URL, or in one without scheme and host, as WSGI has it (PEP 3333)."""
    path = re.split("[?#]", re.sub("^https?://[^/?#]*", "", target), maxsplit=1)[0]
    return unquote_to_bytes(os.fsencode(path)).decode("latin-1")


def release_bindings(config: Config) -> Iterator[str]:
    """Have every port in the database as it is without a migration; yield what was done.

    Raises ProxyError; what was told before that is done.
    """
    with _connected(config) as (connection, replica):
        executor = Executor(connection, config.durable_commits)
        yield from maintenance.release_bindings(executor, replica, config)


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
def _connected(config: Config) -> Iterator[tuple[Connection[Replica], Replica]]:
    """Give a connection of its own, in sync, and its replica."""
    connection = make_connection(config)
    connection.start()
    try:
        deadline = time.monotonic() + config.request_timeout_s
        while connection.replica is None:
            if time.monotonic() >= deadline:
                raise NotReady(f"no Northbound database: {connection.status()}")
            time.sleep(0.01)
        yield connection, connection.replica
    finally:
        connection.stop()
