# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the versions of the Identity API share: reading a log-in, what is told of a token.

Pure. Messages name the member that is wrong and never hold anything of the body:
that is passwords and tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple, Union

from ..config import Config
from ..errors import BadRequest

# The role of everybody who is let in; clients look for this name.
ROLE = "admin"

# No option names it: nothing but the catalog mentions compute.
_COMPUTE_ID = "0" * 31 + "3"


@dataclass(frozen=True)
class PasswordLogin:
    """Somebody who shows a password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class TokenLogin:
    """Somebody who shows a token that he has already."""

    token: str = field(repr=False)


Login = Union[PasswordLogin, TokenLogin]


@dataclass(frozen=True)
class Grant:
    """What is told of a token: whose it is, from when and until when; times know their zone."""

    token: str = field(repr=False)
    user: str
    issued_at: datetime
    expires_at: datetime


class Service(NamedTuple):
    """An entry of the catalog; its one endpoint is the same for each interface."""

    kind: str
    name: str
    id: str
    url: str


def services(config: Config) -> tuple[Service, ...]:
    """Return the catalog.

    Without a version in their URLs, as SDK and fog append it themselves; compute is
    never spoken to, but some clients do without a cloud that has none.
    """
    return (
        Service("network", "neutron", config.openstack_neutron_id, config.network_url),
        Service("identity", "keystone", config.openstack_keystone_id, config.identity_url),
        # Its clients look for the version in the path before they ask for it.
        Service("compute", "nova", _COMPUTE_ID, f"{config.compute_url}v2.1/"),
    )


def read_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a body is; raises BadRequest for anything else."""
    try:
        # No number matters here, and making an int of a million digits is slow.
        document = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        raise BadRequest("HTTPBadRequest", "The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BadRequest("HTTPBadRequest", "The body must be a JSON object.")
    return document


def read_member(parent: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    """Return an object that must be in `parent`, which is at `where` ("" or "auth.")."""
    value = parent.get(name)
    if not isinstance(value, dict):
        raise BadRequest("HTTPBadRequest", f"{where}{name} must be an object.")
    return value


def read_text(parent: Mapping[str, Any], name: str, where: str) -> str:
    """Return a string that must be in `parent`, which is at `where`."""
    value = parent.get(name)
    if not isinstance(value, str):
        raise BadRequest("HTTPBadRequest", f"{where}{name} must be a string.")
    return value


def to_iso(moment: datetime) -> str:
    """Return a moment as all clients parse it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def version_document(config: Config, version_id: str, path: str, status: str) -> dict[str, Any]:
    """Return what discovery is told of a version that lives at `path`."""
    links = [{"rel": "self", "href": f"{config.identity_url}{path}/"}]
    return {"id": version_id, "status": status, "links": links}
