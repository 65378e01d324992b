# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the proxy listens for the bindings of ports. Pure; imported by hooks.

A listener is (host, port, path in front of the API's), the host without brackets.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Listener = tuple[str, int, str]

PORT = 9697
_SCHEME = "https://"


def find(url: str, ovn_remote: str) -> list[Listener]:
    """Return the listeners by the setting, or else one on each central; ValueError for a bad URL.

    `ovn_remote` has ovn-controller's notation: `ssl:HOST:PORT`, several with commas. A
    Southbound on a unix socket tells of no host.
    """
    if url:
        return [_of_url(url)]
    found = []
    for remote in ovn_remote.split(","):
        method, _, rest = remote.strip().partition(":")
        host = rest.rpartition(":")[0].strip("[]")
        if method in ("ssl", "tcp") and host and (host, PORT, "") not in found:
            found.append((host, PORT, ""))
    return found


def is_address(host: str) -> bool:
    """Whether this is an IP address and no name."""
    return ":" in host or host.replace(".", "").isdigit()


def _of_url(url: str) -> Listener:
    authority, slash, path = url[len(_SCHEME) :].partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(PORT)
    if not url.startswith(_SCHEME) or not host or not (port.isascii() and port.isdigit()):
        raise ValueError(f"bindings-url {url[:80]!a} is not a URL such as {_SCHEME}HOST:{PORT}")
    return host.strip("[]"), int(port), f"{slash}{path}".rstrip("/")
