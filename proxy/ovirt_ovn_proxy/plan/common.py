# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the planners of all resources share. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import NotFound
from ..nb import keys
from ..nb.rows import Switch
from ..wire.common import integer
from .draft import Context, Draft


def network(draft: Draft, network_id: str) -> Switch:
    """Return the switch of a network; raises NotFound for an unknown one."""
    switch = draft.network(network_id)
    if switch is None:
        raise NotFound("NetworkNotFound", f"Network {network_id} could not be found.")
    return switch


def created(values: Mapping[str, Any], context: Context) -> dict[str, str]:
    """Return the external_ids that every new object has."""
    external_ids = {
        keys.CREATED_AT: context.now,
        keys.UPDATED_AT: context.now,
        keys.REVISION: "1",
    }
    if values.get("description"):
        external_ids[keys.DESCRIPTION] = values["description"]
    return external_ids


def updated(external_ids: Mapping[str, str], context: Context) -> dict[str, str]:
    """Return the external_ids with a later revision."""
    revision = integer(external_ids.get(keys.REVISION)) or 0
    return {
        **external_ids,
        keys.UPDATED_AT: context.now,
        keys.REVISION: str(revision + 1),
    }


def put(external_ids: dict[str, str], key: str, value: Any, default: Any = None) -> None:
    """Keep a value under a key, as text; a value equal to `default` is kept by no key.

    Lists and objects are kept as JSON.
    """
    if value == default:
        external_ids.pop(key, None)
    else:
        is_text = isinstance(value, (str, bool, int))
        external_ids[key] = str(value) if is_text else json.dumps(value, sort_keys=True)
