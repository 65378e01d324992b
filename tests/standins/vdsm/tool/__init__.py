# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What modules with verbs import."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable


def expose(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a function as a verb."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function._vdsm_tool = {"name": verb}  # type: ignore[attr-defined]
        return function

    return mark


class UsageError(RuntimeError):
    """Printed in one line; the exit code is 1."""


class NotRootError(UsageError):
    """The verb is root's."""

    def __init__(self) -> None:
        super().__init__("Must run as root")


class ExtraArgsError(UsageError):
    """The number of arguments is wrong: the verb's usage is printed, and nothing else."""

    def __init__(self, n: int = 0) -> None:
        super().__init__(f"Command takes exactly {n} arguments")


def requiresRoot(function: Callable[..., Any]) -> Callable[..., None]:
    """Refuse anybody else; what the function returns is lost."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> None:
        if os.geteuid() != 0:
            raise NotRootError
        function(*args)

    return wrapper
