# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A module of VDSM's own beside ours: it says NO until it is configured."""

from __future__ import annotations

from pathlib import Path

from . import NO, YES

_DONE = Path("/run/vdsm-passwd-is-configured")


def isconfigured() -> int:
    return YES if _DONE.exists() else NO


def configure() -> None:
    _DONE.touch()


def removeConf() -> None:
    _DONE.unlink(missing_ok=True)
