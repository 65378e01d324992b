# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin's modules that need no otopi, loaded without its `__init__`, which does."""

from __future__ import annotations

import importlib
import sys
import types

from unit.otopi.runs import PLUGIN

_PACKAGE = "ovirt_ovn_otopi_plugin"

if _PACKAGE not in sys.modules:
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [str(PLUGIN)]
    sys.modules[_PACKAGE] = package

engine_file = importlib.import_module(f"{_PACKAGE}.engine_file")
keys = importlib.import_module(f"{_PACKAGE}.keys")
settings = importlib.import_module(f"{_PACKAGE}.settings")
values = importlib.import_module(f"{_PACKAGE}.values")
