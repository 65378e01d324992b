# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a plan whose reply was lost, by the view that came after it.

Pure. Its rows' UUIDs are made for the request, and each update of one of our objects
leaves revision and time in the row. So what the plan did is recognised also where others
have changed more since, unless they have written over that mark.
"""

from __future__ import annotations

from enum import Enum

from ..nb import keys
from ..nb.view import View
from ..wire.common import integer
from .draft import Plan
from .steps import Insert, Update

_IDS = "external_ids"


class Fate(Enum):
    """What is known of a plan that was sent."""

    DONE = "it was committed"
    OPEN = "it was not committed, and may be yet: the session that had it may have left it behind"
    VOID = "it was not committed and never will be: its guards fail from now on"
    DOUBTFUL = "others have changed the same so often that it may have been among that"


def fate(plan: Plan, view: View) -> Fate:
    """Return what the view tells of a plan."""
    if plan.is_done(view):
        return Fate.DONE
    # A transaction is done as a whole: one mark is enough.
    if any(isinstance(step, Insert) and step.is_done(view) for step in plan.steps):
        return Fate.DONE
    fates = {_fate_of(step, view) for step in plan.steps if isinstance(step, Update)}
    for decided in (Fate.DONE, Fate.VOID, Fate.DOUBTFUL):
        if decided in fates:
            return decided
    return Fate.OPEN


def _fate_of(step: Update, view: View) -> Fate:
    row = view.row(step.table, step.uuid)
    old, new = step.old.get(_IDS, {}), step.new.get(_IDS, {})
    if row is None or old.get(keys.REVISION) == new.get(keys.REVISION):
        return Fate.OPEN  # gone, or not one that counts its changes
    now = getattr(row, _IDS)
    changes = (integer(now.get(keys.REVISION)) or 0) - (integer(old.get(keys.REVISION)) or 0)
    if changes > 1:
        return Fate.DOUBTFUL
    if changes == 1:
        is_ours = now.get(keys.UPDATED_AT) == new.get(keys.UPDATED_AT)
        return Fate.DONE if is_ours else Fate.VOID
    return Fate.OPEN
