# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the system's commands are: keys of the environment, filled by a search."""

from __future__ import annotations

import os
from typing import Any

from . import constants


class Commands:
    """What plugins have as `self.command`."""

    def __init__(self, environment: dict[str, Any]) -> None:
        self._environment = environment

    def detect(self, command: str) -> None:
        """Have a command looked for, at PROGRAMS and again at MISC."""
        self._environment.setdefault(constants.BaseEnv.COMMAND_PREFIX + command, None)

    def get(self, command: str, optional: bool = False) -> str | None:
        """Return where a command was found; if it has to be there, look for it again."""
        self.detect(command)
        key = constants.BaseEnv.COMMAND_PREFIX + command
        if self._environment[key] is None and not optional:
            self.search()
            if self._environment[key] is None:
                raise RuntimeError(f"Command '{command}' is required but missing")
        path: str | None = self._environment[key]
        return path

    def search(self) -> None:
        """Look for all commands that are asked for and not found yet."""
        prefix = constants.BaseEnv.COMMAND_PREFIX
        folders = self._environment[constants.SysEnv.COMMAND_PATH].split(":")
        for key in [key for key, path in self._environment.items() if key.startswith(prefix)]:
            if self._environment[key] is None:
                paths = [os.path.join(folder, key[len(prefix) :]) for folder in folders]
                self._environment[key] = next(filter(os.path.exists, paths), None)
