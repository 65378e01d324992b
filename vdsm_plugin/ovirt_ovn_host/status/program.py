# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verb `ovn-status` does: look, judge, print. I/O."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..outlook import Paths
from . import checks, collect, rows


class Arguments(NamedTuple):
    """What was asked for; `preflight` is a central and a tunnel, or None for the host as it is."""

    as_json: bool = False
    preflight: tuple[str, str] | None = None


def parse(words: Sequence[str]) -> Arguments:
    """Return what the words behind the verb ask for. ValueError if that is nothing known."""
    left = list(words)
    as_json = "--json" in left
    if as_json:
        left.remove("--json")
    if not left:
        return Arguments(as_json)
    if len(left) == 3 and left[0] == "--preflight":
        return Arguments(as_json, (left[1], left[2]))
    raise ValueError(f"unknown arguments {' '.join(left)}")


def run(arguments: Arguments, paths: Paths) -> int:
    """Print the table, and return the exit code that belongs to it."""
    if arguments.preflight is None:
        facts = collect.status(paths)
        table = checks.status(facts)
    else:
        facts = collect.preflight(paths, *arguments.preflight)
        table = checks.preflight(facts)
    host = facts.system_id or facts.host_name
    if arguments.as_json:
        text = rows.as_json(host, table)
    else:
        text = rows.as_text(host, table, sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Who reads has seen enough, and Python must not try it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return rows.exit_code(table)
