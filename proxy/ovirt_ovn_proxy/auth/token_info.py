# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine's SSO says of a token, as values.

Pure. The SSO writes JSON with the Java classes of lists and nested maps in it
(["java.util.ArrayList", [...]], Jackson's default typing); groups are maps whose
keys are "NAME;java type;uuid" (engine: `OAuthTokenInfoServlet`, `Authz.GroupRecord`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_JAVA_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_$][\w$]*)+")

# Groups nest no deeper than this: lists and maps of values.
_DEEPEST = 16


class TokenInfo(NamedTuple):
    """Who holds a token: `user` as USER@PROFILE, and the attributes of the user's groups."""

    user: str
    groups: tuple[Mapping[str, Any], ...]


def read_token_info(document: Mapping[str, Any]) -> TokenInfo | None:
    """Return what a token-info answer says, None for a token that is not active.

    Raises ValueError for an answer that is none, without quoting it.
    """
    active, user = document.get("active"), document.get("user_id")
    if active is False:
        return None
    if active is not True or not isinstance(user, str) or not user:
        raise ValueError("token-info without active and user_id")
    ovirt = untyped(document.get("ovirt"))
    groups = ovirt.get("group_ids") if isinstance(ovirt, dict) else None
    if not isinstance(groups, list):
        groups = []
    return TokenInfo(user, tuple(group for group in groups if isinstance(group, dict)))


def read_expiry(document: Mapping[str, Any]) -> datetime | None:
    """Return when a token ends by `exp`, milliseconds as text; None where no end is known."""
    try:
        return _EPOCH + timedelta(milliseconds=int(str(document.get("exp"))))
    except (ValueError, OverflowError):
        return None  # the largest long, by which the SSO says never


def untyped(value: Any, levels: int = _DEEPEST) -> Any:
    """Return a JSON value without the names of Java classes."""
    if levels == 0:
        return None
    if isinstance(value, dict):
        return {key: untyped(item, levels - 1) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) == 2 and isinstance(value[0], str) and _JAVA_CLASS.fullmatch(value[0]):
        value = value[1]  # the elements of a list are typed each for itself
        if not isinstance(value, list):
            return untyped(value, levels - 1)
    return [untyped(item, levels - 1) for item in value]
