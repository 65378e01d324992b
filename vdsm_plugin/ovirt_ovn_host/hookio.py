# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract between VDSM and a hook: data file, exit status, one line on stderr.

I/O. VDSM's side of it is vdsm/common/hooks.py.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Exit status. VDSM goes on to the next hook after 1 and reports the words of the last one,
# so a refusal is always 2: it stops there, and its words are the ones reported.
FINE = 0
REFUSED = 2


def read_json() -> Any:
    """Return the content of the data file of a point that has JSON.

    Raises KeyError (not started by VDSM), OSError, ValueError or RecursionError.
    """
    from json import load

    path = os.environ["_hook_json"]  # noqa: SIM112 - VDSM's spelling
    with open(path, encoding="utf-8") as data:
        return load(data)


def say(point: str, text: str) -> None:
    """Write one line to stderr, which VDSM logs whatever the exit status is."""
    sys.stderr.write(" ".join(f"ovn {point}: {text}".split()) + "\n")
