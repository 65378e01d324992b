# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The disposable copy of the Northbound tables in memory, with its indexes.

Owns the rows and the lock. One thread at a time changes it (the connection's, or
one that reads in its place), a whole transaction at a time; readers hold `lock`
while they look. Knows rows, no REST objects and no sockets. It is updated in place:
at 100,000 ports, a copy for each update would cost more than everything else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from . import schema
from .indexes import Changes, Indexes
from .rows import ROWS
from .tables import Tables
from .values import patch

# Ports that are counted in less time than a thread takes to start.
_SMALL = 100
_LATER_S = 0.1

# The columns of a table whose rows it keeps alive, with the table of those.
_CHILD_COLUMNS: dict[str, list[tuple[str, str]]] = {}
for (_table, _column), _child in schema.CHILDREN.items():
    _CHILD_COLUMNS.setdefault(_table, []).append((_column, _child))

RowUpdates = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Replica:
    """The rows, and the look-ups that readers need."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tables = Tables()
        self.indexes = Indexes(self.tables)

    # --- filled by the connection -----------------------------------------

    def load(self, table: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Take rows of the initial dump; nothing can be looked up before `loaded`."""
        held, make = self.tables[table], ROWS[table]
        for uuid, change in rows.items():
            held[uuid] = make(uuid, change["initial"])

    def loaded(self) -> None:
        """Build the indexes, after the last row of the dump."""
        with self.lock:
            self.indexes.build()

    def settle(self) -> None:
        """Have what is taken counted on all networks; `usage_of` counts one that is asked for."""
        if len(self.tables.ports) < _SMALL:
            self._count_all()
        else:
            # Later: the first requests come first.
            counting = threading.Timer(_LATER_S, self._count_all)
            counting.daemon = True
            counting.start()

    def apply(self, updates: RowUpdates) -> None:
        """Apply one transaction in <table-updates2> form, all of it or (on a bug) none seen."""
        with self.lock:
            changes = Changes()
            for table, rows in updates.items():
                for uuid, update in rows.items():
                    self._apply_row(table, uuid, update, changes)
            self.indexes.update(changes)

    def _apply_row(
        self, table: str, uuid: str, update: Mapping[str, Any], changes: Changes
    ) -> None:
        rows = self.tables[table]
        if "modify" in update:
            row = rows[uuid]
            for column, difference in update["modify"].items():
                kind = schema.TABLES[table][column]
                before = getattr(row, column)
                child = schema.CHILDREN.get((table, column))
                if child is not None:
                    for moved in patch(schema.Kind.SET, (), difference):
                        # It may have moved in this transaction: the new owner counts.
                        if moved not in before:
                            changes.owners[child][moved] = uuid
                        else:
                            changes.owners[child].setdefault(moved, None)
                setattr(row, column, patch(kind, before, difference))
            changes.changed.setdefault(table, {})[uuid] = row
        elif "delete" in update:
            row = rows.pop(uuid)
            changes.deleted.setdefault(table, {})[uuid] = row
            for column, child in _CHILD_COLUMNS.get(table, ()):
                for orphan in getattr(row, column):
                    changes.owners[child].setdefault(orphan, None)
        else:
            row = ROWS[table](uuid, update.get("insert") or update.get("initial") or {})
            rows[uuid] = row
            changes.changed.setdefault(table, {})[uuid] = row
            for column, child in _CHILD_COLUMNS.get(table, ()):
                changes.owners[child].update(dict.fromkeys(getattr(row, column), uuid))

    def _count_all(self) -> None:
        with self.lock:
            switches = list(self.tables.switches.values())
        for switch in switches:
            with self.lock:
                if self.tables.switches.get(switch.uuid) is switch:
                    self.indexes.usage_of(switch)
