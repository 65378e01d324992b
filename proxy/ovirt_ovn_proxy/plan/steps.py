# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps: the changes that a plan is made of, as values.

Pure. Each step knows the guards that protect what it rests on, its operations,
and how to see in a later view that it has been done; the last is what answers
"did my transaction commit?" after a lost reply. Steps hold values, never rows of
the replica, which change under them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..nb import keys, ops, schema
from ..nb.ops import Operation
from ..nb.view import View

Columns = Mapping[str, Any]

# Every change moves these on.
_COUNTED = {keys.REVISION, keys.UPDATED_AT}


class Step(Protocol):
    """One change, or one condition, of a plan."""

    def guards(self) -> Sequence[Operation]:
        """Return the `wait` operations without which the step must not happen."""

    def operations(self) -> Sequence[Operation]:
        """Return the operations that change something."""

    def is_done(self, view: View) -> bool:
        """Say whether the view shows the step done; True where it changes nothing."""


@dataclass(frozen=True)
class Insert:
    """Insert a row under a UUID of ours; no guard: the server refuses a second one."""

    table: str
    uuid: str
    columns: Columns

    def guards(self) -> Sequence[Operation]:
        return ()

    def operations(self) -> Sequence[Operation]:
        return (ops.insert(self.table, self.uuid, self.columns),)

    def is_done(self, view: View) -> bool:
        return view.row(self.table, self.uuid) is not None


@dataclass(frozen=True)
class Update:
    """Replace columns of a row, if they still hold what the plan saw."""

    table: str
    uuid: str
    old: Columns
    new: Columns

    def guards(self) -> Sequence[Operation]:
        return (ops.wait_columns(self.table, self.uuid, self.old),)

    def operations(self) -> Sequence[Operation]:
        return (ops.update(self.table, self.uuid, self.new),)

    def is_done(self, view: View) -> bool:
        row = view.row(self.table, self.uuid)
        return row is not None and all(
            _is_reached(getattr(row, column), self.old.get(column, {}), value)
            for column, value in self.new.items()
        )


def _is_reached(now: Any, old: Any, new: Any) -> bool:
    """Say whether a column holds what a change wanted, whoever changed other keys since."""
    if not isinstance(new, Mapping):
        return bool(now == new)
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return all(now.get(key) == new.get(key) for key in changed - _COUNTED)


@dataclass(frozen=True)
class Delete:
    """Delete a row of a root table; of two deletes only one succeeds."""

    table: str
    uuid: str

    @property
    def gone(self) -> tuple[str, str]:
        """The row that is deleted: table and uuid."""
        return self.table, self.uuid

    def guards(self) -> Sequence[Operation]:
        return (ops.wait_exists(self.table, self.uuid),)

    def operations(self) -> Sequence[Operation]:
        return (ops.delete(self.table, self.uuid),)

    def is_done(self, view: View) -> bool:
        return view.row(self.table, self.uuid) is None


@dataclass(frozen=True)
class Attach:
    """Put a row into a set of another one, which must exist: a mutation of no row succeeds.

    `is_new`: the same plan inserts the row that has the set.
    """

    table: str
    uuid: str
    column: str
    member: str
    is_new: bool = False

    @property
    def target(self) -> tuple[str, str, str]:
        """The set: table, uuid and column."""
        return self.table, self.uuid, self.column

    def guards(self) -> Sequence[Operation]:
        return () if self.is_new else (ops.wait_exists(self.table, self.uuid),)

    def operations(self) -> Sequence[Operation]:
        return (ops.add_to_set(self.table, self.uuid, self.column, [self.member]),)

    def is_done(self, view: View) -> bool:
        row = view.row(self.table, self.uuid)
        return row is not None and self.member in getattr(row, self.column)


@dataclass(frozen=True)
class Detach:
    """Take a row out of a set of another one.

    A row that nothing else refers to (`schema.CHILDREN`) is deleted by that, and of
    two deletions only one succeeds; of any other, only the reference goes.
    """

    table: str
    uuid: str
    column: str
    member: str

    @property
    def gone(self) -> tuple[str, str] | None:
        """The row that is deleted by it: table and uuid; None where only the reference goes."""
        table = schema.CHILDREN.get((self.table, self.column))
        return (table, self.member) if table is not None else None

    def guards(self) -> Sequence[Operation]:
        return (ops.wait_exists(*self.gone),) if self.gone is not None else ()

    def operations(self) -> Sequence[Operation]:
        return (ops.remove_from_set(self.table, self.uuid, self.column, [self.member]),)

    def is_done(self, view: View) -> bool:
        if self.gone is not None:
            return view.row(*self.gone) is None
        row = view.row(self.table, self.uuid)
        return row is None or self.member not in getattr(row, self.column)


@dataclass(frozen=True)
class Guard:
    """Hold the plan to column values that it rests on but does not change."""

    table: str
    uuid: str
    columns: Columns

    def guards(self) -> Sequence[Operation]:
        return (ops.wait_columns(self.table, self.uuid, self.columns),)

    def operations(self) -> Sequence[Operation]:
        return ()

    def is_done(self, view: View) -> bool:
        return True


@dataclass(frozen=True)
class Advance:
    """Advance the counter `name`: whoever planned from its old value plans again.

    This is what makes addresses, MACs and VLANs unique across proxies: all that
    take one on a network advance that network's counter. It lives among the
    external_ids of NB_Global: ovn-northd runs once for a transaction, with a counter
    in it or without, and newer versions leave that column out.

    `uuid` is that of the NB_Global row, `seen` its external_ids. `is_first`: nobody
    else can know the name yet (its network, or the row itself, is new); `is_last`: it
    is never used again (its network goes).
    """

    name: str
    uuid: str
    seen: Mapping[str, str]
    is_first: bool = False
    is_last: bool = False

    @property
    def _key(self) -> str:
        return keys.SEQUENCE + self.name

    def guards(self) -> Sequence[Operation]:
        if self.is_first:
            return ()
        counter = self.seen.get(self._key)
        if counter is None:
            return ops.wait_no_keys(schema.NB_GLOBAL, self.uuid, "external_ids", [self._key])
        return (ops.wait_key(schema.NB_GLOBAL, self.uuid, "external_ids", self._key, counter),)

    def operations(self) -> Sequence[Operation]:
        counter = self.seen.get(self._key, "0")
        following = str(int(counter) + 1 if counter.isdecimal() and len(counter) < 19 else 1)
        value = None if self.is_last else following
        return (ops.set_key(schema.NB_GLOBAL, self.uuid, "external_ids", self._key, value),)

    def is_done(self, view: View) -> bool:
        # Counters move on; the steps that change something answer.
        return True
