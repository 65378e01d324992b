# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""otopi's own plugins: log, dialog, configuration files, commands, transactions."""

from __future__ import annotations

import configparser
import glob
import logging
import os
import shlex
import tempfile
from typing import TextIO

from . import common, constants, dialog, order, plugin, transaction
from .plugin import Stages


class Log(plugin.PluginBase):
    """The log file, and the dialog once there is one."""

    @plugin.event(name=constants.Stages.CORE_LOG_INIT, stage=Stages.STAGE_BOOT)
    def _init(self) -> None:
        folder = os.environ.get("OTOPI_LOGDIR") or self.environment.setdefault(
            constants.CoreEnv.LOG_DIR, tempfile.gettempdir()
        )
        prefix = self.environment.setdefault(constants.CoreEnv.LOG_FILE_NAME_PREFIX, "otopi")
        fd, self._name = tempfile.mkstemp(".log", f"{prefix}-", folder)
        self._file: TextIO = os.fdopen(fd, "a", buffering=1)
        handler = logging.StreamHandler(self._file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logging.getLogger("otopi").addHandler(handler)
        self.context.is_logging = True
        self.environment.setdefault(constants.CoreEnv.LOG_FILTER_KEYS, [])

    @plugin.event(
        name=constants.Stages.DIALOG_BOOT_DONE,
        stage=Stages.STAGE_BOOT,
        after=(constants.Stages.CORE_LOG_INIT,),
    )
    def _dialog(self) -> None:
        streams = dialog.take_standard_streams(self._file)
        handler = logging.StreamHandler(streams[1])
        handler.setLevel(logging.INFO)
        if self.environment.setdefault(constants.DialogEnv.DIALECT, "human") == "machine":
            machine = dialog.Machine(self.environment, *streams)
            self.context.registerDialog(machine)
            handler.setFormatter(logging.Formatter("***L:%(levelname)s %(message)s"))
        else:
            self.environment.setdefault(constants.DialogEnv.AUTO_ACCEPT_DEFAULT, False)
            self.context.registerDialog(dialog.Human(self.environment, *streams))
            handler.setFormatter(logging.Formatter("[ %(levelname)-5s ] %(message)s"))
        logging.getLogger("otopi").addHandler(handler)

    @plugin.event(stage=Stages.STAGE_INIT, priority=Stages.PRIORITY_FIRST - 1)
    def _watch(self) -> None:
        machine = self.dialog
        if isinstance(machine, dialog.Machine):
            self.context.watchers.append(
                lambda which, stage, row: machine.event(
                    which, Stages.DESCRIPTIONS[stage][1], order.method_name(row), row["name"]
                )
            )

    @plugin.event(stage=Stages.STAGE_SETUP, priority=Stages.PRIORITY_HIGH)
    def _setup(self) -> None:
        self.dialog.note(f"Log file: {self._name}")

    @plugin.event(stage=Stages.STAGE_VALIDATION, priority=Stages.PRIORITY_FIRST)
    def _validation(self) -> None:
        self.context.dumpEnvironment()

    @plugin.event(stage=Stages.STAGE_TERMINATE, priority=Stages.PRIORITY_LAST + 10)
    def _terminate(self) -> None:
        self.dialog.terminate()


class Config(plugin.PluginBase):
    """Files with values of the environment, and the file with answers."""

    @plugin.event(
        name=constants.Stages.CORE_CONFIG_INIT,
        stage=Stages.STAGE_INIT,
        priority=Stages.PRIORITY_HIGH - 10,
    )
    def _init(self) -> None:
        self._parser = configparser.RawConfigParser()
        self._parser.optionxform = str  # type: ignore[assignment,method-assign]
        self.environment.setdefault(
            constants.CoreEnv.CONFIG_FILE_NAME, os.environ.get("OTOPI_CONFIG", "/etc/otopi.conf")
        )
        self.environment.setdefault(constants.CoreEnv.CONFIG_FILE_APPEND, None)
        self.environment.setdefault(constants.DialogEnv.ANSWER_FILE, None)
        for key in (constants.CoreEnv.CONFIG_FILE_NAME, constants.CoreEnv.CONFIG_FILE_APPEND):
            for name in filter(None, (self.environment[key] or "").split(":")):
                path = self.resolveFile(name)
                self._parser.read([path, *sorted(glob.glob(f"{path}.d/*.conf"))], "utf-8")
        self._take("environment:default", is_override=False)
        self._take("environment:init", is_override=True)

    @plugin.event(stage=Stages.STAGE_CUSTOMIZATION, priority=Stages.PRIORITY_HIGH)
    def _override(self) -> None:
        self._take("environment:override", is_override=True)

    @plugin.event(stage=Stages.STAGE_CUSTOMIZATION, priority=Stages.PRIORITY_LOW)
    def _enforce(self) -> None:
        self._take("environment:enforce", is_override=True)

    def _take(self, section: str, *, is_override: bool) -> None:
        for key, text in self._parser.items(section) if self._parser.has_section(section) else ():
            if is_override or key not in self.environment:
                self.environment[key] = common.parseTypedValue(text)

    @plugin.event(stage=Stages.STAGE_CLEANUP)
    def _write_answers(self) -> None:
        if self.environment.get(constants.DialogEnv.ANSWER_FILE):
            lines = [
                f"{key}={common.typeName(value)}:{value}\n"
                for key, value in self.environment.items()
                if key.startswith(constants.CoreEnv.QUESTION_PREFIX)
            ]
            name = self.resolveFile(self.environment[constants.DialogEnv.ANSWER_FILE])
            with open(name, "w", encoding="utf-8") as file:
                file.write("".join(["[environment:default]\n", *sorted(lines)]))


class Prompt(plugin.PluginBase):
    """The prompts at which a manager sets keys, and lets go on."""

    @plugin.event(stage=Stages.STAGE_INIT)
    def _init(self) -> None:
        self.environment.setdefault(constants.DialogEnv.CUSTOMIZATION, False)

    @plugin.event(
        name=constants.Stages.DIALOG_CLI_CUSTOMIZATION,
        stage=Stages.STAGE_CUSTOMIZATION,
        condition=lambda self: self.environment[constants.DialogEnv.CUSTOMIZATION],
    )
    def _customization(self) -> None:
        while self._command("CUSTOMIZATION_COMMAND") != "install":
            pass

    @plugin.event(
        stage=Stages.STAGE_PRE_TERMINATE,
        condition=lambda self: self.environment[constants.DialogEnv.CUSTOMIZATION],
    )
    def _pre_terminate(self) -> None:
        while self._command("TERMINATION_COMMAND") != "quit":
            pass

    def _command(self, question: str) -> str:
        words = shlex.split(self.dialog.queryString(question, "COMMAND> ", prompt=True))
        if words[:2] == ["env-set", "-k"] and words[3::2] == ["-t", "-v"]:
            self.environment[words[2]] = common.parseTypedValue(f"{words[4]}:{words[6]}")
        elif words not in (["install"], ["quit"]):
            self.logger.error("Syntax error")
        return words[0]


class System(plugin.PluginBase):
    """Commands, packagers and transactions."""

    @plugin.event(stage=Stages.STAGE_INIT, priority=Stages.PRIORITY_HIGH)
    def _init_commands(self) -> None:
        self.environment.setdefault(constants.SysEnv.COMMAND_PATH, os.environ["PATH"])

    @plugin.event(name=constants.Stages.SYSTEM_COMMAND_DETECTION, stage=Stages.STAGE_PROGRAMS)
    def _programs(self) -> None:
        self.command.search()

    @plugin.event(
        name=constants.Stages.SYSTEM_COMMAND_REDETECTION,
        stage=Stages.STAGE_MISC,
        priority=Stages.PRIORITY_HIGH,
    )
    def _misc(self) -> None:
        self.command.search()

    @plugin.event(
        name=constants.Stages.PACKAGERS_DETECTION,
        stage=Stages.STAGE_INIT,
        priority=Stages.PRIORITY_HIGH,
    )
    def _packagers(self) -> None:
        """Stand here for others to come after."""

    @plugin.event(name=constants.Stages.TRANSACTIONS_INIT, stage=Stages.STAGE_INIT)
    def _init_transactions(self) -> None:
        self._main = transaction.Transaction()
        self.environment[constants.CoreEnv.MAIN_TRANSACTION] = self._main
        self.environment[constants.CoreEnv.MODIFIED_FILES] = []
        self.context.on_error.append(self._main.abort)

    @plugin.event(stage=Stages.STAGE_TRANSACTION_BEGIN)
    def _prepare(self) -> None:
        self._main.prepare()

    @plugin.event(stage=Stages.STAGE_TRANSACTION_END)
    def _commit(self) -> None:
        self._main.commit()
