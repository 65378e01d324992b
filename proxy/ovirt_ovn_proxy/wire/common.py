# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the JSON forms of all resources share.

Pure. Encoders are total: a row that another hand has damaged is shown with what
is known, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from ..config import Config
from ..nb import keys
from ..nb.addresses import Addressing
from ..nb.rows import DhcpOptions, Switch, SwitchPort


class Lookup(Protocol):
    """Where encoders find the rows beside their own: a view, or a draft on top of one."""

    def localnet(self, switch: Switch) -> SwitchPort | None:
        """Return the port that joins a network to its physical network."""

    def subnets_of(self, network_id: str) -> list[DhcpOptions]:
        """Return the subnets of a network, oldest first."""

    def addressing(self, port: SwitchPort) -> Addressing:
        """Return the MAC and the addresses of a port."""


def standard(external_ids: Mapping[str, str], name: str, config: Config) -> dict[str, Any]:
    """Return the standard attributes; rows that the peer wrote lack most of them."""
    revision = external_ids.get(keys.REVISION, "")
    return {
        "name": name,
        "tenant_id": config.openstack_tenant_id,
        "project_id": config.openstack_tenant_id,
        "description": external_ids.get(keys.DESCRIPTION, ""),
        "created_at": external_ids.get(keys.CREATED_AT),
        "updated_at": external_ids.get(keys.UPDATED_AT),
        "revision_number": int(revision) if revision.isdecimal() else 0,
        "tags": tags(external_ids),
    }


def tags(external_ids: Mapping[str, str]) -> list[str]:
    """Return the tags of a row."""
    value = stored_json(external_ids, keys.TAGS, [])
    return [tag for tag in value if isinstance(tag, str)]


def stored_json(external_ids: Mapping[str, str], key: str, default: Any) -> Any:
    """Return a JSON value that we keep under a key; `default` also gives the type."""
    text = external_ids.get(key)
    if text is None:
        return default
    try:
        value = json.loads(text)
    except ValueError:
        return default
    return value if isinstance(value, type(default)) else default


def integer(text: str | None) -> int | None:
    """Return the number that a row keeps as text, None for anything else."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else None
