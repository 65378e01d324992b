# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a site, tried out: `check-config --online`.

I/O: talks to the engine and to the Northbound, and changes nothing. Each finding
names the part that fails, so that nobody has to guess which of them it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .config import Config
from .errors import ProxyError
from .nb.connection import Connection

# The authority of engine-setup, which signs the certificates of the hypervisors too.
_ENGINE_CA = "/etc/pki/ovirt-engine/ca.pem"
_LOOPBACK = ("127.", "[::1]")


class Finding(NamedTuple):
    """Something to mend: an error keeps the service from working, else it is a warning.

    `is_note`: nothing is to be mended, but good to know.
    """

    is_error: bool
    text: str
    is_note: bool = False

    def __str__(self) -> str:
        return self.text if self.is_error or self.is_note else f"warning: {self.text}"


@runtime_checkable
class Checkable(Protocol):
    """What a plugin may offer beside the promises of `AuthPlugin`."""

    def check(self) -> Iterable[str]:
        """Try the service that the plugin asks; return what is wrong, for people to read."""
        ...


def check_plugin(plugin: object) -> Iterator[Finding]:
    """Try what the auth plugin asks, if it offers that."""
    if isinstance(plugin, Checkable):
        for problem in plugin.check():
            yield Finding(True, problem)


def check_northbound(config: Config, connection: Connection[Any]) -> Iterator[Finding]:
    """Try the Northbound by a connection that was started, and look at who can reach it."""
    deadline = time.monotonic() + config.request_timeout_s
    selects = [
        {"op": "select", "table": table, "where": [], "columns": columns}
        for table, columns in (("Connection", ["target"]), ("SSL", ["ca_cert"]))
    ]
    try:
        # Longer than requests have patience for: nobody else waits.
        while True:
            try:
                connection.wait_ready(deadline)
                break
            except ProxyError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
        listeners, tls = (found["rows"] for found in connection.transact(selects, deadline))
    except ProxyError as error:
        yield Finding(True, f"[OVN REMOTE] ovn-remote: {error}")
        return
    authorities = {row["ca_cert"] for row in tls}
    for target in sorted(row["target"] for row in listeners):
        yield from _check_listener(target, authorities, config)


def _check_listener(target: str, authorities: set[str], config: Config) -> Iterator[Finding]:
    method, _, place = target.partition(":")
    address = place.partition(":")[2]
    if method not in ("ptcp", "pssl") or address.startswith(_LOOPBACK):
        return
    mend = (
        "let it listen on this machine only, for example by "
        f"ovn-nbctl set-connection {method}:{place.partition(':')[0] or '6641'}:127.0.0.1"
    )
    if method == "ptcp":
        yield Finding(
            False,
            f"Northbound listens on {target} without TLS: whoever reaches it owns all "
            f"networks; {mend}",
        )
    elif authorities & {_ENGINE_CA, config.ssl_cacert_file}:
        yield Finding(
            False,
            f"Northbound listens on {target} and trusts the authority that signs the "
            f"certificates of hypervisors: each of them owns all networks; {mend}",
        )
