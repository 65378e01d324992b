# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planner for the tags of any resource (extension standard-attr-tag). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nb import keys
from ..wire import readers
from .common import put, updated
from .draft import Draft

MOST_TAGS = 50


def replace_tags(draft: Draft, row: Any, tags: Sequence[str]) -> dict[str, Any]:
    """Plan a row with exactly these tags, each once; returns the answer's JSON form."""
    wanted = list(dict.fromkeys(tags))
    readers.check_count("tags", wanted, MOST_TAGS)
    external_ids = dict(row.external_ids)
    put(external_ids, keys.TAGS, wanted, [])
    if external_ids != row.external_ids:
        external_ids = updated(external_ids, draft.context)
    draft.update(row.copy(external_ids=external_ids))
    return {"tags": wanted}
