# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin that stands for the machine: a packager and services that write down each call.

Calls are lines of the file that CALLS names. PACKAGES has the names of packages that can be
had, with spaces; without it, the machine has no package manager.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from otopi import constants, context, packager, plugin, services


def record(*words: str) -> None:
    """Write a call down."""
    with open(os.environ["CALLS"], "a", encoding="utf-8") as calls:
        calls.write(" ".join(words) + "\n")


class Packager(packager.PackagerBase):
    """Has packages of one version; installs nothing."""

    def queryPackages(
        self, patterns: Sequence[str] | None = None, listAll: bool = False
    ) -> list[dict[str, str]]:
        names = [it for it in patterns or () if it in os.environ["PACKAGES"].split()]
        return [
            {
                "operation": "available",
                "display_name": f"{name}-2.0.0-1.noarch",
                "name": name,
                "version": "2.0.0",
                "release": "1",
                "epoch": "0",
                "arch": "noarch",
            }
            for name in names
        ]

    def installUpdate(self, packages: Sequence[str], ignoreErrors: bool = False) -> bool:
        record("packager installUpdate", *packages)
        return True


class Services(services.ServicesBase):
    """Has all services."""

    def exists(self, name: str) -> bool:
        return True

    def startup(self, name: str, state: bool) -> None:
        record("services startup", name, str(state))

    def state(self, name: str, state: bool) -> None:
        record("services state", name, str(state))


class Plugin(plugin.PluginBase):
    """Puts the recorders in the places of the real ones."""

    @plugin.event(
        stage=plugin.Stages.STAGE_INIT,
        after=(constants.Stages.PACKAGERS_DETECTION,),
        priority=plugin.Stages.PRIORITY_HIGH,
        condition=lambda self: "PACKAGES" in os.environ,
    )
    def _packager(self) -> None:
        self.context.registerPackager(Packager())

    @plugin.event(stage=plugin.Stages.STAGE_PROGRAMS, priority=plugin.Stages.PRIORITY_LOW)
    def _services(self) -> None:
        self.context.registerServices(Services())


def createPlugins(context: context.Context) -> None:
    """Register the plugin."""
    Plugin(context=context)
