# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands for the plugins where Python is too old for them; loaded by Python 2.7 too."""

import sys

from otopi import plugin, util

from . import keys


@util.export
class Plugin(plugin.PluginBase):
    """Refuse OVN if it is asked for, and do nothing else."""

    @plugin.event(stage=plugin.Stages.STAGE_VALIDATION)
    def _validation(self):  # type: ignore[no-untyped-def]
        if self.environment.get(keys.ENABLE):
            version = ".".join(str(part) for part in sys.version_info[:2])
            raise RuntimeError(
                "OVN needs Python 3.9 or newer, and otopi runs on Python "
                + version
                + " on this host: set "
                + keys.ENABLE
                + " to bool:False"
            )
