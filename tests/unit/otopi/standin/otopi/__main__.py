# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m otopi.__main__ KEY=TYPE:VALUE...`, as otopi's launcher starts it."""

from __future__ import annotations

import logging
import os
import shlex
import sys

from . import common, constants, context, core, order


def main() -> int:
    """Run, and return the exit code."""
    logging.getLogger("otopi").setLevel(logging.DEBUG)
    logging.getLogger("otopi").propagate = False
    logging.getLogger("otopi").addHandler(logging.NullHandler())
    run = context.Context()
    run.environment[constants.BaseEnv.EXECUTION_DIRECTORY] = os.getcwd()
    os.chdir("/")
    try:
        # The launcher joins all arguments.
        for statement in shlex.split(" ".join(sys.argv[1:])):
            _set(run, *statement.split("=", 1))
    except (ValueError, KeyError):
        return 1
    for kind in (core.Log, core.Config, core.Prompt, core.System):
        kind(context=run)
    try:
        run.loadPlugins()
    except Exception as error:
        print(f"***L:ERROR Internal error: {error}")
        return 2
    try:
        run.buildSequence()
    except order.OrderError as error:
        print(error)
        return 1
    codes = run.environment[constants.BaseEnv.EXIT_CODE]
    try:
        run.runSequence()
    except RuntimeError:
        return max(1, _exit_code(codes))
    return _exit_code(codes)


def _set(run: context.Context, key: str, text: str = "") -> None:
    value = common.parseTypedValue(text)
    which, colon, rest = key.partition(":")
    if colon and which in ("APPEND", "PREPEND"):
        old = run.environment.get(rest, "")
        value = f"{old}:{value}" if which == "APPEND" else f"{value}:{old}"
        key = rest
    run.environment[key] = value


def _exit_code(codes: list[dict[str, int]]) -> int:
    return min(codes, key=lambda it: it["priority"])["code"]


if __name__ == "__main__":
    sys.exit(main())
