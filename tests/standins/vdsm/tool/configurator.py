# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs on configurators: which module is asked what, and what comes of the answers."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import traceback
from types import ModuleType
from typing import Any

from . import configurators, expose, requiresRoot


def _load() -> dict[str, ModuleType]:
    modules = {}
    for found in pkgutil.iter_modules(configurators.__path__[:1]):
        modules[found.name] = importlib.import_module(f"{configurators.__name__}.{found.name}")
    return modules


# Imported with this one, so a module that cannot be takes all verbs below with it.
_MODULES = _load()


def _ask(module: ModuleType, function: str, default: Any) -> Any:
    return getattr(module, function, lambda: default)()


@expose("configure")
@requiresRoot
def configure(*args: str) -> None:
    """configure [-h|...]"""
    names, is_forced = _parse(*args)
    print("\nChecking configuration status...\n")
    chosen = [name for name in names if _should_configure(name, is_forced)]
    for name in chosen:
        assert not getattr(_MODULES[name], "services", ()), "not needed, so not written here"
    print("\nRunning configure...")
    for name in chosen:
        _ask(_MODULES[name], "configure", None)
        print(f"Reconfiguration of {name} is done.")
    print("\nDone configuring modules to VDSM.")


def _should_configure(name: str, is_forced: bool) -> bool:
    state = _ask(_MODULES[name], "isconfigured", configurators.NO)
    if state == configurators.NO or (state == configurators.MAYBE and is_forced):
        _ask(_MODULES[name], "validate", True)
        return True
    if not _ask(_MODULES[name], "validate", True):
        raise configurators.InvalidConfig(f"Configuration of {name} is invalid")
    return False


@expose("is-configured")
@requiresRoot
def isconfigured(*args: str) -> None:
    """is-configured [-h|...]"""
    modules = [_MODULES[name] for name in _parse(*args)[0]]
    answers = [_ask(module, "isconfigured", configurators.NO) for module in modules]
    if configurators.NO in answers:
        raise configurators.InvalidRun("One of the modules is not configured to work with VDSM.")


@expose("validate-config")
@requiresRoot
def validate_config(*args: str) -> None:
    """validate-config [-h|...]"""
    modules = [_MODULES[name] for name in _parse(*args)[0]]
    answers = [_ask(module, "validate", True) for module in modules]
    if not all(answers):
        raise configurators.InvalidConfig("Config is not valid. Check conf files")


@expose("remove-config")
@requiresRoot
def remove_config(*args: str) -> None:
    """remove-config"""
    has_failed = False
    for name in _parse(*args)[0]:
        try:
            _ask(_MODULES[name], "removeConf", None)
        except Exception:
            print(f"can't remove configuration of module {name}", file=sys.stderr)
            traceback.print_exc(file=sys.stderr)
            has_failed = True
    if has_failed:
        raise configurators.InvalidRun("Remove configuration failed")


def _parse(verb: str, *args: str) -> tuple[list[str], bool]:
    parser = argparse.ArgumentParser(f"vdsm-tool {verb}")
    parser.add_argument("--module", dest="modules", default=[], action="append")
    if verb == "configure":
        parser.add_argument("--force", default=False, action="store_true")
    parsed = parser.parse_args(args)
    for name in parsed.modules:
        assert name in _MODULES, f"invalid choice: {name}"
    # VDSM's order is that of a set, so it is nobody's to rely on.
    return sorted(parsed.modules or _MODULES), getattr(parsed, "force", False)
