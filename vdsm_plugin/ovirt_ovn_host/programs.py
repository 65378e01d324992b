# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs, run with a deadline. I/O."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from .errors import HostError

# vdsm-tool has the PATH of whoever calls it.
_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramError(HostError):
    """A program failed, is not there, or took too long; the message says which."""


class ProgramTimeout(ProgramError):
    """A program was not done in time."""


def run(command: Sequence[str], timeout_s: float) -> str:
    """Run a program and return its output; ProgramError if it fails."""
    path = os.pathsep.join(filter(None, [os.environ.get("PATH"), _FOLDERS]))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise ProgramTimeout(f"{' '.join(command)}: not done in {timeout_s:g} seconds") from None
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise ProgramError(f"{' '.join(command)}: {words}")
    return done.stdout
