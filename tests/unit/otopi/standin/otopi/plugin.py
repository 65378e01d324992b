# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stages, events, and what plugins are derived from."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from .command import Commands
    from .context import Context
    from .dialog import Dialog
    from .packager import PackagerBase
    from .services import ServicesBase


class Stages:
    """The stages in their order, and the priorities in one: the lower goes first."""

    (
        STAGE_BOOT,
        STAGE_INIT,
        STAGE_SETUP,
        STAGE_INTERNAL_PACKAGES,
        STAGE_PROGRAMS,
        STAGE_LATE_SETUP,
        STAGE_CUSTOMIZATION,
        STAGE_VALIDATION,
        STAGE_TRANSACTION_BEGIN,
        STAGE_EARLY_MISC,
        STAGE_PACKAGES,
        STAGE_MISC,
        STAGE_TRANSACTION_END,
        STAGE_CLOSEUP,
        STAGE_CLEANUP,
        STAGE_PRE_TERMINATE,
        STAGE_TERMINATE,
        STAGE_REBOOT,
    ) = range(18)

    PRIORITY_FIRST = 1000
    PRIORITY_HIGH = 2000
    PRIORITY_MEDIUM = 3000
    PRIORITY_DEFAULT = 5000
    PRIORITY_POST = 7000
    PRIORITY_LOW = 9000
    PRIORITY_LAST = 90000

    # What the caller reads of a stage, and what a program reads.
    DESCRIPTIONS = (
        ("Booting", "boot"),
        ("Initializing", "init"),
        ("Environment setup", "setup"),
        ("Environment packages setup", "internal_packages"),
        ("Programs detection", "programs"),
        ("Environment setup (late)", "late_setup"),
        ("Environment customization", "customization"),
        ("Setup validation", "validation"),
        ("Transaction setup", "transaction-prepare"),
        ("Misc configuration (early)", "early_misc"),
        ("Package installation", "packages"),
        ("Misc configuration", "misc"),
        ("Transaction commit", "cleanup"),
        ("Closing up", "closeup"),
        ("Clean up", "cleanup"),
        ("Pre-termination", "pre-terminate"),
        ("Termination", "terminate"),
        ("Reboot", "reboot"),
    )
    # Entered after an error too.
    ALWAYS = frozenset({STAGE_INIT, STAGE_CLEANUP, STAGE_PRE_TERMINATE, STAGE_TERMINATE})


def event(
    name: str | None = None,
    stage: int | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    priority: int = Stages.PRIORITY_DEFAULT,
    condition: Callable[[Any], bool] | None = None,
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a method an event; `before` and `after` are tuples of events' names."""

    def decorate(method: Callable[[Any], None]) -> Callable[[Any], None]:
        method.decoration_event = {  # type: ignore[attr-defined]
            "method": method,
            "name": name,
            "stage": stage,
            "before": before,
            "after": after,
            "priority": priority,
            "condition": condition or (lambda self: True),
        }
        return method

    return decorate


class PluginBase:
    """What a plugin can use."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.logger = logging.getLogger(
            type(self).__module__
            if type(self).__module__.startswith("otopi.")
            else f"otopi.{type(self).__module__}"
        )
        context.plugins.append(self)

    @property
    def environment(self) -> dict[str, Any]:
        return self.context.environment

    @property
    def dialog(self) -> Dialog:
        return self.context.dialog

    @property
    def packager(self) -> PackagerBase:
        return self.context.packager

    @property
    def services(self) -> ServicesBase:
        return self.context.services

    @property
    def command(self) -> Commands:
        return self.context.command

    def resolveFile(self, file: str) -> str:
        """Return a path, relative to where otopi was started."""
        return os.path.join(self.environment["BASE/executionDirectory"], file)

    def execute(
        self,
        args: Sequence[str],
        raiseOnError: bool = True,
        logStreams: bool = True,
        stdin: Sequence[str] | None = None,
        envAppend: Mapping[str, str] | None = None,
    ) -> tuple[int, list[str], list[str]]:
        """Run a command; returns its exit code and the lines of stdout and stderr."""
        if not all(isinstance(arg, str) for arg in args):
            raise RuntimeError(f"Bad argument when trying to execute {args}")
        done = subprocess.run(
            args,
            input=None if stdin is None else "\n".join(stdin).encode(),
            capture_output=True,
            env={**os.environ, **envAppend} if envAppend else None,
        )
        streams = [it.decode("utf-8", "replace").splitlines() for it in (done.stdout, done.stderr)]
        if logStreams:
            self.logger.debug("execute: %s, rc=%s, %s", args, done.returncode, streams)
        if done.returncode != 0 and raiseOnError:
            raise RuntimeError(f"Command '{args[0]}' failed to execute")
        return done.returncode, streams[0], streams[1]
