# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What packagers are derived from; alone, it stands for a machine without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PackagerBase:
    """Finds nothing and installs nothing."""

    def install(self, packages: Sequence[str], ignoreErrors: bool = False) -> Any:
        raise NotImplementedError("Packager install not implemented")

    def update(self, packages: Sequence[str], ignoreErrors: bool = False) -> Any:
        raise NotImplementedError("Packager update not implemented")

    def installUpdate(self, packages: Sequence[str], ignoreErrors: bool = False) -> Any:
        return self.install(packages, ignoreErrors) or self.update(packages, ignoreErrors)

    def queryPackages(
        self, patterns: Sequence[str] | None = None, listAll: bool = False
    ) -> list[dict[str, str]]:
        return []
