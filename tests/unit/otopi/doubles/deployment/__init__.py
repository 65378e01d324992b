# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands for ovirt-host-deploy, the group of an engine up to 4.3.

It has the keys, the question, the offline packager, and the events around vdsmd that other
plugins of the group have to fit between.
"""

from __future__ import annotations

from collections.abc import Sequence

from otopi import constants, context, packager, plugin


class OfflinePackager(packager.PackagerBase):
    """Does nothing, and knows VDSM only."""

    def install(self, packages: Sequence[str], ignoreErrors: bool = False) -> None:
        pass

    def update(self, packages: Sequence[str], ignoreErrors: bool = False) -> None:
        pass


class Plugin(plugin.PluginBase):
    """A deployment of VDSM."""

    @plugin.event(stage=plugin.Stages.STAGE_INIT, priority=plugin.Stages.PRIORITY_FIRST)
    def _confirm(self) -> None:
        if not self.dialog.confirm("DEPLOY_PROCEED", "Proceed with ovirt-host-deploy"):
            raise context.Abort("Aborted by user")

    @plugin.event(stage=plugin.Stages.STAGE_INIT, after=(constants.Stages.PACKAGERS_DETECTION,))
    def _init(self) -> None:
        self.environment.setdefault("ODEPLOY/forceReboot", False)
        if self.environment.setdefault("ODEPLOY/offlinePackager", False):
            self.context.registerPackager(OfflinePackager())

    @plugin.event(stage=plugin.Stages.STAGE_SETUP)
    def _setup(self) -> None:
        self.command.detect("vdsm-tool")

    @plugin.event(stage=plugin.Stages.STAGE_PACKAGES)
    def _packages(self) -> None:
        self.services.state("vdsmd", False)

    @plugin.event(stage=plugin.Stages.STAGE_CLOSEUP, priority=plugin.Stages.PRIORITY_HIGH)
    def _reconfigure(self) -> None:
        tool = self.command.get("vdsm-tool")
        assert tool is not None
        self.execute((tool, "configure", "--force"))

    @plugin.event(stage=plugin.Stages.STAGE_CLOSEUP)
    def _enable(self) -> None:
        self.services.startup("vdsmd", True)

    @plugin.event(
        name="odeploycons.packages.vdsm.started",
        stage=plugin.Stages.STAGE_CLOSEUP,
        priority=plugin.Stages.PRIORITY_LOW,
        condition=lambda self: not self.environment["ODEPLOY/forceReboot"],
    )
    def _start(self) -> None:
        self.services.state("vdsmd", True)


def createPlugins(context: context.Context) -> None:
    """Register the plugin."""
    Plugin(context=context)
