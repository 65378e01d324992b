# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a plan whose reply was lost, by the view that came after it.

Pure. Its rows' UUIDs are made for the request, each update of one of our objects leaves
revision and time in the row, and each deletion a trace that tells whose it was. So what the
plan did is recognised also where others have changed or deleted more since, unless they
have written over that mark.
"""

from __future__ import annotations

from enum import Enum

from ..nb import keys
from ..nb.view import View
from ..wire.common import integer
from .draft import Plan
from .steps import Delete, Detach, Insert, Update
from .traces import NeverDeleted, Trace, deleter

_IDS = "external_ids"


class Fate(Enum):
    """What is known of a plan that was sent."""

    DONE = "it was committed"
    OPEN = "it was not committed, and may be yet: the session that had it may have left it behind"
    VOID = "it was not committed and never will be: its guards fail from now on"
    DOUBTFUL = "others have changed the same so often that it may have been among that"


def fate(plan: Plan, view: View) -> Fate:
    """Return what the view tells of a plan."""
    deleters = _deleters(plan, view)
    own = next((step.request for step in plan.steps if isinstance(step, Trace)), None)
    if deleters - {own}:
        # Of two deletions only one succeeds, and all of a plan does or nothing.
        return Fate.VOID
    if deleters or plan.is_done(view):
        return Fate.DONE
    # A transaction is done as a whole: one mark is enough.
    inserts = [step for step in plan.steps if isinstance(step, Insert)]
    if any(step.is_done(view) or deleter(view, step.uuid) is not None for step in inserts):
        return Fate.DONE
    fates = {_fate_of(step, view) for step in plan.steps if isinstance(step, Update)}
    if Fate.DONE not in fates and Fate.VOID not in fates and _is_undone(plan, view):
        return Fate.OPEN
    for decided in (Fate.DONE, Fate.VOID, Fate.DOUBTFUL):
        if decided in fates:
            return decided
    return Fate.OPEN


def only_once(plan: Plan, view: View) -> Plan:
    """Return a plan that fails where its new rows were there before.

    For another attempt, while an earlier one may be committed yet: as long as its rows are
    there the server refuses their UUIDs, but somebody might delete them in between.
    """
    new = tuple(step.uuid for step in plan.steps if isinstance(step, Insert))
    row = view.nb_global
    if not new or row is None:
        return plan
    return Plan((NeverDeleted(row.uuid, new), *plan.steps), plan.answer)


def _is_undone(plan: Plan, view: View) -> bool:
    """Say whether a row is still there that the plan was to delete."""
    rows = (step.gone for step in plan.steps if isinstance(step, (Delete, Detach)))
    return any(row is not None and view.row(*row) is not None for row in rows)


def _deleters(plan: Plan, view: View) -> set[str]:
    """Return who deleted rows that the plan was to delete, as far as there are traces."""
    found = set()
    for step in plan.steps:
        gone = step.gone if isinstance(step, (Delete, Detach)) else None
        if gone is not None and view.row(*gone) is None:
            found.add(deleter(view, gone[1]))
    return {request for request in found if request is not None}


def _fate_of(step: Update, view: View) -> Fate:
    row = view.row(step.table, step.uuid)
    old, new = step.old.get(_IDS, {}), step.new.get(_IDS, {})
    if old.get(keys.REVISION) == new.get(keys.REVISION):
        return Fate.OPEN  # not one that counts its changes
    if row is None:
        # Before somebody deleted it, there may have been time for the change.
        return Fate.OPEN if deleter(view, step.uuid) is None else Fate.DOUBTFUL
    now = getattr(row, _IDS)
    changes = (integer(now.get(keys.REVISION)) or 0) - (integer(old.get(keys.REVISION)) or 0)
    if changes > 1:
        return Fate.DOUBTFUL
    if changes == 1:
        is_ours = now.get(keys.UPDATED_AT) == new.get(keys.UPDATED_AT)
        return Fate.DONE if is_ours else Fate.VOID
    return Fate.OPEN
