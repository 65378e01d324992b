# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading plugins, and running their events."""

from __future__ import annotations

import glob
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Callable

from . import command, common, constants, dialog, order, packager, plugin, services


class Abort(Exception):
    """The one on the other side of the dialog does not want to go on."""


class Context:
    """One run."""

    def __init__(self) -> None:
        self.environment: dict[str, Any] = {
            constants.BaseEnv.ERROR: False,
            constants.BaseEnv.EXIT_CODE: [{"priority": 90001, "code": 0}],
            constants.BaseEnv.PLUGIN_PATH: "/usr/share/otopi/plugins",
            constants.BaseEnv.PLUGIN_GROUPS: "otopi",
        }
        self.plugins: list[plugin.PluginBase] = []
        self.dialog: dialog.Dialog = dialog.Dialog()
        self.packager: packager.PackagerBase = packager.PackagerBase()
        self.services: services.ServicesBase = services.ServicesBase()
        self.command = command.Commands(self.environment)
        self.logger = logging.getLogger("otopi.context")
        self.is_logging = False
        # Called with "start" or "end", the stage and the event.
        self.watchers: list[Callable[[str, int, dict[str, Any]], None]] = []
        # Called once an event has failed.
        self.on_error: list[Callable[[], None]] = []
        self._sequence: list[dict[str, Any]] = []

    def registerDialog(self, dialog: dialog.Dialog) -> None:
        self.dialog = dialog

    def registerPackager(self, packager: packager.PackagerBase) -> None:
        self.packager = packager

    def registerServices(self, services: services.ServicesBase) -> None:
        self.services = services

    def loadPlugins(self) -> None:
        """Load the wanted groups, wherever in the path a part of one is."""
        groups = set(filter(None, self.environment[constants.BaseEnv.PLUGIN_GROUPS].split(":")))
        groups.discard("otopi")
        found = set()
        for folder in filter(None, self.environment[constants.BaseEnv.PLUGIN_PATH].split(":")):
            for path in glob.glob(os.path.join(folder, "*")):
                if os.path.isdir(path) and os.path.basename(path) in groups:
                    found.add(os.path.basename(path))
                    self._load(path, path, os.path.basename(path))
        if found != groups:
            raise RuntimeError(f"Internal error, plugins {groups} are missing")

    def _load(self, base: str, path: str, group: str) -> None:
        if not os.path.isdir(path) or os.path.basename(path)[0] in "_.":
            return
        if not os.path.exists(os.path.join(path, "__init__.py")):
            for below in glob.glob(os.path.join(path, "*")):
                self._load(base, below, group)
            return
        folders = os.path.relpath(os.path.dirname(path), base).split("/")
        parents = [re.sub(r"\W", "_", it) for it in [group, *folders] if it not in (".", "..")]
        name = ".".join(["otopi.plugins", *parents, os.path.basename(path)])
        spec = importlib.util.spec_from_file_location(name, os.path.join(path, "__init__.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        module.createPlugins(self)

    def buildSequence(self) -> None:
        """Put the events in order; OrderError if that cannot be."""
        events = []
        for it in self.plugins:
            # Only what a class defines itself: events of its parents do not run.
            for method in vars(type(it)).values():
                row = getattr(method, "decoration_event", None)
                if row is not None:
                    bound = {key: row[key].__get__(it) for key in ("method", "condition")}
                    events.append({**row, **bound})
        for row in events:
            for which in ("before", "after"):
                if isinstance(row[which], str):
                    raise order.OrderError(f'"{which}" of {order.method_name(row)} is a string')
        self._sequence = order.sort(events)

    def runSequence(self) -> None:
        """Run the events; RuntimeError once all is over if one has failed."""
        error: Exception | None = None
        stage = -1
        for row in self._sequence:
            has_failed = self.environment[constants.BaseEnv.ERROR]
            if has_failed and row["stage"] not in plugin.Stages.ALWAYS:
                continue
            if row["stage"] != stage:
                stage = row["stage"]
                self.logger.info("Stage: %s", plugin.Stages.DESCRIPTIONS[stage][0])
            failed = self._run(stage, row)
            error = error or failed
        if error is not None:
            raise RuntimeError("Error during sequence") from error

    def _run(self, stage: int, row: dict[str, Any]) -> Exception | None:
        before = {key: _typed(value) for key, value in self.environment.items()}
        failed: Exception | None = None
        self._watch("start", stage, row)
        try:
            if row["condition"]():
                row["method"]()
        except Exception as error:
            failed = error
            self.environment[constants.BaseEnv.ERROR] = True
            self.logger.debug("method exception", exc_info=True)
            if isinstance(error, Abort):
                self.logger.warning("Aborted")
            else:
                words = plugin.Stages.DESCRIPTIONS[stage][0]
                self.logger.error("Failed to execute stage '%s': %s", words, error)
            for callback in self.on_error:
                callback()
        self._watch("end", stage, row)
        if self.is_logging:
            self.dumpEnvironment(before)
        return failed

    def dumpEnvironment(self, old: Mapping[str, str] = MappingProxyType({})) -> None:
        """Log the environment, as far as it differs from an old one."""
        for key, value in sorted(self.environment.items()):
            if old.get(key) != _typed(value):
                self.logger.debug("ENV %s=%s:'%s'", key, type(value).__name__, value)

    def _watch(self, which: str, stage: int, row: dict[str, Any]) -> None:
        for watcher in self.watchers:
            watcher(which, stage, row)


def _typed(value: object) -> str:
    return f"{common.typeName(value)}:{value}"
