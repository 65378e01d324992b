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
# Beyond that the older half goes, so that it is not looked for at each deletion.
_MOST = 500


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


def leave_trace(nb_global: NbGlobal, deleted: Iterable[str], request: str, now: str) -> Trace:
    """Return the step that leaves traces of rows, for a request and its time (`Context`).

    No trace is older than one that was there before, whatever this machine's clock says:
    the oldest are the first to go.
    """
    rows = tuple(deleted)
    start = len(keys.DELETED)
    found = {
        key[start:]: value
        for key, value in nb_global.external_ids.items()
        if key.startswith(keys.DELETED)
    }
    newest = max(found.values(), default="").partition(" ")[0]
    # A row that was there again leaves its own.
    forgotten = dict.fromkeys((*_forgotten(found, len(rows), now), *(found.keys() & rows)))
    return Trace(nb_global.uuid, max(now, newest), request, rows, tuple(forgotten))


def _forgotten(found: Mapping[str, str], more: int, now: str) -> Sequence[str]:
    """Return the rows of traces that are to go, where so many more come."""
    oldest = datetime.fromisoformat(now.rstrip("Z")) - _KEPT_FOR
    limit = oldest.isoformat(timespec="microseconds")
    old = [row for row, value in found.items() if value < limit]
    if len(found) - len(old) + more <= _MOST:
        return old
    return sorted(found, key=found.__getitem__)[: max(len(old), len(found) - _MOST // 2)]


def deleter(view: View, row_uuid: str) -> str | None:
    """Return the uuid of the request that deleted a row lately, None where nothing is known."""
    row = view.nb_global
    trace = row.external_ids.get(keys.DELETED + row_uuid) if row is not None else None
    return trace.rpartition(" ")[2] if trace is not None else None
