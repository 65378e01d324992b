# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces of rows that were deleted, which outlive them for a while.

Pure. A row that is gone does not tell who deleted it, nor that it was ever there. So each
plan leaves traces of the rows that it deletes among the external_ids of NB_Global, and
`fate` looks for them after a lost reply. ovn-northd takes no notice of them (as of the
counters, `steps.Advance`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..nb import keys, ops, schema
from ..nb.ops import Operation
from ..nb.rows import NbGlobal
from ..nb.view import View

# Longer than any request takes, and than the clocks of proxies are apart.
_KEPT_FOR = timedelta(minutes=10)
# Beyond that the older half goes, but for those that a request under way may ask for.
_MOST = 500
_AT_LEAST_FOR = timedelta(minutes=1)
# To look at all traces takes longer than the rest of a deletion: so one in sixteen does it,
# where the uuid of the (first) row starts with this digit.
_LOOKS = "0"


@dataclass(frozen=True)
class Trace:
    """Leave a trace of the `deleted` rows for `request`, and take those of `forgotten` rows away.

    `uuid` is that of the NB_Global row. There is no guard: whatever others leave or take
    away meanwhile is another row's.
    """

    uuid: str
    time: str
    request: str
    deleted: Sequence[str]
    forgotten: Sequence[str]

    def guards(self) -> Sequence[Operation]:
        return ()

    def operations(self) -> Sequence[Operation]:
        gone = [keys.DELETED + row for row in self.forgotten]
        new = {keys.DELETED + row: f"{self.time} {self.request}" for row in self.deleted}
        return (ops.change_keys(schema.NB_GLOBAL, self.uuid, "external_ids", gone, new),)

    def is_done(self, view: View) -> bool:
        # It tells of the rows; those are what is looked at.
        return True


@dataclass(frozen=True)
class NeverDeleted:
    """Hold the plan to there being no trace of any of these rows; `uuid` as in `Trace`."""

    uuid: str
    rows: Sequence[str]

    def guards(self) -> Sequence[Operation]:
        names = [keys.DELETED + row for row in self.rows]
        return ops.wait_no_keys(schema.NB_GLOBAL, self.uuid, "external_ids", names)

    def operations(self) -> Sequence[Operation]:
        return ()

    def is_done(self, view: View) -> bool:
        return True


def leave_trace(nb_global: NbGlobal, deleted: Sequence[str], request: str, now: str) -> Trace:
    """Return the step that leaves traces of rows, for a request and its time (`Context`)."""
    ids = nb_global.external_ids
    # A row that was there again leaves its trace anew.
    forgotten = {row: None for row in deleted if keys.DELETED + row in ids}
    if deleted[0].startswith(_LOOKS):
        forgotten.update(dict.fromkeys(_too_many(ids, len(deleted), now)))
    return Trace(nb_global.uuid, now, request, tuple(deleted), tuple(forgotten))


def _too_many(ids: Mapping[str, str], more: int, now: str) -> Iterable[str]:
    """Return the rows whose traces are to go, where so many more come."""
    time = datetime.fromisoformat(now.rstrip("Z"))
    # A clock that was wrong may have left some that would never be old.
    first, last, settled = (
        moment.isoformat(timespec="microseconds")
        for moment in (time - _KEPT_FOR, time + _KEPT_FOR, time - _AT_LEAST_FOR)
    )
    found = sorted((value, key) for key, value in ids.items() if key.startswith(keys.DELETED))
    kept = [(value, key) for value, key in found if first <= value < last]
    gone = [key for value, key in found if not first <= value < last]
    if len(kept) + more > _MOST:
        gone += [key for value, key in kept[: -_MOST // 2] if value < settled]
    return (key[len(keys.DELETED) :] for key in gone)


def deleter(view: View, row_uuid: str) -> str | None:
    """Return the uuid of the request that deleted a row lately, None where nothing is known."""
    row = view.nb_global
    trace = row.external_ids.get(keys.DELETED + row_uuid) if row is not None else None
    return trace.rpartition(" ")[2] if trace is not None else None
