# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The states that configurators answer with, and the errors that they raise."""

from __future__ import annotations

from .. import UsageError

YES, NO, MAYBE = range(3)


class InvalidConfig(UsageError):
    """The configuration is not valid."""


class InvalidRun(UsageError):
    """The verb cannot be run now."""
