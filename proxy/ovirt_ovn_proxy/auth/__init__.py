# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may use the API: what a plugin promises, and how the rest asks it.

Pure. The plugins and their loader are in `plugins`; what loads a plugin hands it
to whoever needs it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from ..errors import Unauthorized


class Identity(NamedTuple):
    """Somebody who may do everything that this service offers."""

    user: str


class Token(NamedTuple):
    """What a client shows instead of a password.

    `expires` knows its zone, or is None where the plugin knows no end.
    """

    id: str
    expires: datetime | None
    user: str

    def __repr__(self) -> str:
        return f"Token(id=***, expires={self.expires!r}, user={self.user!r})"


@runtime_checkable
class AuthPlugin(Protocol):
    """What a plugin does. It is made once with the `Config` and used by many threads.

    Both methods raise Forbidden for a known user who may not use this service,
    and Unavailable while they cannot tell. They never log or quote what they
    are given.
    """

    def create_token(self, user: str, password: str, /) -> Token:
        """Return a token for a user; raise Unauthorized if the credentials are bad."""
        ...

    def validate_token(self, token: str, /) -> Identity | None:
        """Return whose token it is, None for a bad one; "" means that none was sent."""
        ...


def authorize(plugin: AuthPlugin, token: str | None) -> Identity:
    """Return who sent a request with this X-Auth-Token; None means without one.

    Raises Unauthorized, and what the plugin raises.
    """
    identity = plugin.validate_token(token or "")
    if identity is None:
        reason = "The token is not valid." if token else "The request carries no token."
        raise Unauthorized("HTTPUnauthorized", reason)
    return identity
