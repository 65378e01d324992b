# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring this host into OVN, by its own `vdsm-tool`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from otopi import constants, filetransaction, plugin, transaction, util

from . import engine_file, keys, settings

_TOOL = "vdsm-tool"
_VERB = "ovn-config"


@util.export
class Plugin(plugin.PluginBase):
    """`vdsm-tool ovn-config`, the same that an engine of today calls.

    So a host does not care who configured it, and what the verb leaves alone (a list of
    central servers, the administrator's own settings) is left alone here too.
    """

    @plugin.event(stage=plugin.Stages.STAGE_SETUP)
    def _setup(self) -> None:
        self.command.detect(_TOOL)

    @plugin.event(
        stage=plugin.Stages.STAGE_CLOSEUP,
        # In a host deployment "vdsm-tool configure --force" has run before (HIGH), vdsmd is
        # enabled (DEFAULT) and not started yet (LOW).
        priority=plugin.Stages.PRIORITY_POST,
        before=(keys.VDSM_STARTED,),
        condition=lambda self: settings.is_enabled(self.environment),
    )
    def _closeup(self) -> None:
        wanted = settings.decode(self.environment)
        # A transaction of our own, as the main one is over: if the verb fails, the file is
        # again what it was.
        with transaction.Transaction(self._file_changes(wanted.options)):
            self._configure(wanted.arguments)

    def _file_changes(
        self, options: Mapping[tuple[str, str], str]
    ) -> Sequence[filetransaction.FileTransaction]:
        """Return what sets options in the shared file, nothing if they are set."""
        name = os.path.join(self.environment[keys.SETTINGS_FOLDER], engine_file.NAME)
        text = ""
        try:
            if options and os.path.exists(name):
                with open(name, encoding="utf-8") as file:
                    text = file.read()
            content = engine_file.merge(text, options)
        except ValueError as error:
            raise RuntimeError(f"{name}: {error}: remove the file, it is made again") from None
        if content is None:
            return ()
        return (
            filetransaction.FileTransaction(
                name=name,
                content=content,
                mode=0o644,
                # The verb has to see it before it is final.
                visibleButUnsafe=True,
                modifiedList=self.environment[constants.CoreEnv.MODIFIED_FILES],
            ),
        )

    def _configure(self, arguments: Sequence[str]) -> None:
        tool = self.command.get(_TOOL, optional=True)
        if tool is None:
            raise RuntimeError(f"There is no {_TOOL} on this host: install vdsm first")
        code, output, errors = self.execute((tool, _VERB, *arguments), raiseOnError=False)
        if code != 0:
            raise RuntimeError(
                f"OVN is not configured: {_TOOL} {_VERB} {' '.join(arguments)}: "
                f"{_reason(output, errors)} (exit code {code})"
            )
        for line in filter(str.strip, output):
            self.logger.info("%s", line.strip())


def _reason(output: Sequence[str], errors: Sequence[str]) -> str:
    """Return the line in which vdsm-tool says what is wrong."""
    lines = [line.strip() for line in errors if line.strip()]
    if lines:
        # Below logged errors, or a traceback.
        return lines[-1].removeprefix("Error:").strip().removeprefix("OVN:").strip()
    if output and output[0].startswith("Usage:"):
        return "it does not know this verb: install ovirt-provider-ovn-driver"
    return "it does not say why"
