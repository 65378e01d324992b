# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the JSON forms of all resources share.

Pure. Encoders are total: a row that another hand has damaged is shown with what
is known, never an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from ..config import Config
from ..errors import BadRequest
from ..nb import keys
from ..nb.addresses import Addressing
from ..nb.rows import (
    Acl,
    DhcpOptions,
    PortGroup,
    Router,
    RouterPort,
    Row,
    Switch,
    SwitchPort,
)
from . import readers

_TAGS = readers.list_of(readers.text())
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}")


class Lookup(Protocol):
    """Where encoders find the rows beside their own: a view, or a draft on top of one."""

    def localnet(self, switch: Switch) -> SwitchPort | None:
        """Return the port that joins a network to its physical network."""

    def subnets_of(self, network_id: str) -> list[DhcpOptions]:
        """Return the subnets of a network, oldest first."""

    def addressing(self, port: SwitchPort) -> Addressing:
        """Return the MAC and the addresses of a port."""

    def security_group(self, group_id: str) -> PortGroup | None:
        """Return the port group of a security group."""

    def security_group_named(self, name: str) -> PortGroup | None:
        """Return the port group of a security group by the name of its row."""

    def rules_of(self, group: PortGroup) -> list[Acl]:
        """Return the ACLs that are the rules of a security group."""

    def children(self, row: Row, column: str) -> list[Row]:
        """Return the rows that a row keeps alive by a column."""

    def owner(self, row: Row) -> str | None:
        """Return the uuid of the row that keeps this one alive."""

    def port(self, port_id: str) -> SwitchPort | None:
        """Return the row of a REST port."""

    def router(self, router_id: str) -> Router | None:
        """Return the row of a router."""

    def port_behind(self, router_port: RouterPort) -> SwitchPort | None:
        """Return the REST port that is the switch's side of a router port."""


def standard(external_ids: Mapping[str, str], name: str, config: Config) -> dict[str, Any]:
    """Return the standard attributes; rows that the peer wrote lack most of them."""
    return {
        "name": name,
        "tenant_id": config.openstack_tenant_id,
        "project_id": config.openstack_tenant_id,
        "description": external_ids.get(keys.DESCRIPTION, ""),
        "created_at": _to_second(external_ids.get(keys.CREATED_AT)),
        "updated_at": _to_second(external_ids.get(keys.UPDATED_AT)),
        "revision_number": integer(external_ids.get(keys.REVISION)) or 0,
        "tags": tags(external_ids),
    }


def _to_second(moment: str | None) -> str | None:
    """Return a time as the API has it, None for what is none.

    We keep more of it, to tell what came first.
    """
    return f"{moment[:19]}Z" if moment and _TIME.match(moment) else None


def tags(external_ids: Mapping[str, str]) -> list[str]:
    """Return the tags of a row."""
    stored: list[str] = stored_json(external_ids, keys.TAGS, _TAGS, [])
    return stored


def stored_json(
    external_ids: Mapping[str, str], key: str, read: readers.Reader, default: Any
) -> Any:
    """Return a JSON value that we keep under a key, `default` for none that `read` takes."""
    text = external_ids.get(key)
    if text is None:
        return default
    try:
        return read(key, json.loads(text))
    except (ValueError, RecursionError, BadRequest):
        return default


def integer(text: str | None) -> int | None:
    """Return the number that a row keeps as text, None for anything else."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else None
