# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the table of checks, and its two forms: text of 80 columns, and JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

OK, UNKNOWN, WARNING, ERROR = STATES = ("ok", "unknown", "warning", "error")

_WIDTH = 80
_COLOURS = {OK: 32, UNKNOWN: 36, WARNING: 33, ERROR: 31}
_STATE_COLUMN = 17
_REASON_COLUMN = 26


class Row(NamedTuple):
    """One check: its name (several rows may share it), one of `STATES`, why, and what mends it.

    `mend` is a command where there is one, else what to do; "" if there is nothing to do.
    """

    check: str
    state: str
    reason: str
    mend: str = ""


def exit_code(rows: Sequence[Row]) -> int:
    """Return 2 if there is an error, 1 if there is a warning, else 0."""
    states = {row.state for row in rows}
    return 2 if ERROR in states else 1 if WARNING in states else 0


def as_json(host: str, rows: Sequence[Row]) -> str:
    """Return the table as JSON; its keys are those of docs/hosts.md."""
    table = {
        "host": host,
        "exit_code": exit_code(rows),
        "checks": [row._asdict() for row in rows],
    }
    return json.dumps(table, indent=2, ensure_ascii=False)


def as_text(host: str, rows: Sequence[Row], is_coloured: bool) -> str:
    """Return the table as text of 80 columns; a command that is longer goes on behind a \\."""
    lines = [f"{'CHECK':{_STATE_COLUMN}}{'STATE':{_REASON_COLUMN - _STATE_COLUMN}}REASON"]
    for row in rows:
        lines += _row(row, is_coloured)
    lines.append(f"{host}: {_summary(rows)}")
    return "\n".join(lines)


def _row(row: Row, is_coloured: bool) -> Iterator[str]:
    first, *others = _wrap(row.reason, _WIDTH - _REASON_COLUMN) or [""]
    state = f"{row.state:{_REASON_COLUMN - _STATE_COLUMN}}"
    if is_coloured:
        state = f"\033[{_COLOURS[row.state]}m{state}\033[0m"
    yield f"{row.check:{_STATE_COLUMN}}{state}{first}".rstrip()
    for line in others:
        yield f"{'':{_REASON_COLUMN}}{line}"
    if row.mend:
        mend = _wrap(row.mend, _WIDTH - 9)
        yield "    -> " + " \\\n         ".join(mend)


def _wrap(text: str, width: int) -> list[str]:
    # What was not made here may hold anything, also what a terminal would obey.
    shown = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(shown, width, break_on_hyphens=False, break_long_words=False)


def _summary(rows: Sequence[Row]) -> str:
    words = []
    for state, name in ((ERROR, "error"), (WARNING, "warning")):
        count = sum(row.state == state for row in rows)
        if count:
            words.append(f"{count} {name}" if count == 1 else f"{count} {name}s")
    unknown = sum(row.state == UNKNOWN for row in rows)
    if unknown:
        words.append(f"{unknown} unknown")
    if not words:
        return "all is well"
    return ", ".join(words)
