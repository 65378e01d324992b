# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What providers of services are derived from; alone, it silently does nothing."""

from __future__ import annotations


class ServicesBase:
    """Knows no service."""

    @property
    def supportsDependency(self) -> bool:
        return False

    def exists(self, name: str) -> bool:
        return False

    def status(self, name: str) -> bool:
        return False

    def startup(self, name: str, state: bool) -> None:
        pass

    def state(self, name: str, state: bool) -> None:
        pass

    def restart(self, name: str) -> None:
        if self.exists(name):
            self.state(name, False)
            self.state(name, True)
