# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a TLS client is by its certificate, handed from our HTTP server to applications.

Pure. Applications find it in the environ under `KEY`, where our server alone puts it: what
clients send as headers begins with HTTP_, and what the configuration of another server
can put into an environ is text.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY = "ovirt_ovn_proxy.client_certificate"


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate that has been verified; `fields` are those of `SSLSocket.getpeercert`."""

    fields: Mapping[str, Any]

    @property
    def names(self) -> frozenset[str]:
        """The names and addresses that it is for, in the form of `canonical`.

        Those in subjectAltName; where there is none, the common name (RFC 6125 section
        6.4.4). A wildcard names nobody.
        """
        found = [
            value
            for kind, value in self.fields.get("subjectAltName", ())
            if kind in ("DNS", "IP Address")
        ]
        if not found:
            subject = [pair for part in self.fields.get("subject", ()) for pair in part]
            found = [value for name, value in subject if name == "commonName"][-1:]
        return frozenset(canonical(name) for name in found if name and "*" not in name)


def canonical(name: str) -> str:
    """Return a host's name or address in a form in which equal ones are the same text."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name.lower()
