# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a host. Each message is one line: what it is, and how to mend it."""

from __future__ import annotations


class HostError(Exception):
    """OVN cannot be configured on this host as asked; nothing was changed, unless it says so."""


class ConfigError(HostError):
    """The settings cannot be used: somebody has to edit a file, or the command line."""


class DatabaseError(HostError):
    """An OVSDB server cannot be reached, or has refused."""


class NoDatabase(DatabaseError):
    """There is no server: Open vSwitch is stopped or not installed."""
