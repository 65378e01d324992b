# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Have the packages of OVN on this host."""

from __future__ import annotations

from otopi import plugin, util

from . import keys, settings


@util.export
class Plugin(plugin.PluginBase):
    """Packages: looked for early, queued in PACKAGES, there from MISC on."""

    @plugin.event(
        stage=plugin.Stages.STAGE_VALIDATION,
        after=(keys.VALIDATED,),
        condition=lambda self: self.is_needed,
    )
    def _validation(self) -> None:
        for package in settings.decode(self.environment).packages:
            # One by one: of several, otopi's dnf shows what is installed of the last one only.
            if not self.packager.queryPackages(patterns=(package,)):
                raise RuntimeError(
                    f"Cannot locate package {package}: enable a repository that has it, or "
                    f"install it and set {keys.PACKAGES} without it"
                )

    @plugin.event(stage=plugin.Stages.STAGE_PACKAGES, condition=lambda self: self.is_needed)
    def _packages(self) -> None:
        self.packager.installUpdate(packages=settings.decode(self.environment).packages)

    @property
    def is_needed(self) -> bool:
        """Whether there is something to install."""
        return (
            settings.is_enabled(self.environment)
            and not settings.is_offline(self.environment)
            and bool(settings.decode(self.environment).packages)
        )
