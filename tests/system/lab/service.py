# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxy as a process of its own, beside the central, spoken with over HTTP."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.proxy import Answer, ProxyProcess, Rest, absolute, http

if TYPE_CHECKING:
    from .lab import Lab


class Service(Rest):
    """Requests with a token, each over a connection of its own; any thread may send them.

    `context` says whose certificates are believed, None for everybody's.
    """

    def __init__(self, lab: Lab, process: ProxyProcess, context: ssl.SSLContext | None) -> None:
        self.process = process
        self._namespace = lab.underlay
        self._context = context
        self._token = ""

    def start(self) -> None:
        """Start it, again if it was killed, and wait until lists are answered."""
        with self._namespace.entered():
            self.process.start()
            self.process.wait_ready()
            self._token = self.process.log_in()

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request; OSError if nobody answers."""
        url = f"{self.process.networking_url}{absolute(path)}"
        return self.send(method, url, body, {"X-Auth-Token": self._token, **(headers or {})})

    def send(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request as it is, without a token."""
        with self._namespace.entered():
            return http(method, url, body, headers, self._context)


def tls_settings(key: Path, certificate: Path, authority: Path) -> str:
    """Return the lines that make the proxy speak HTTPS, and trust an authority's Northbound."""
    return (
        f"[SSL]\nhttps-enabled=true\nssl-key-file={key}\nssl-cert-file={certificate}\n"
        f"ssl-cacert-file={authority}\n"
    )


@contextlib.contextmanager
def service(
    lab: Lab,
    *,
    remote: str = "",
    extra: str = "",
    secret: str = "",
    context: ssl.SSLContext | None = None,
) -> Iterator[Service]:
    """Run the proxy of a lab as a process, on Northbound's sockets or on `remote`.

    `extra` and `secret` are those of ProxyProcess; with a `context` it speaks HTTPS.
    """
    scheme = "http" if context is None else "https"
    with lab.underlay.entered():
        process = ProxyProcess(
            lab.folder, remote or lab.nb.remote, extra=extra, secret=secret, scheme=scheme
        )
    running = Service(lab, process, context)
    try:
        running.start()
        yield running
    finally:
        process.stop()
