# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The loader of auth plugins.

Does no I/O of its own; loading a plugin imports its module.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..config import Config
from ..errors import ConfigError
from . import AuthPlugin

# Short names, and where the plugins are. What a plugin needs is imported with it only.
PLUGINS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("NoAuthPlugin", "MagicTokenPlugin"), "static_token"),
        **dict.fromkeys(
            ("AuthorizationByUserName", "AuthorizationByGroup", "AuthorizationByRole"), "ovirt"
        ),
    }
)


def load_plugin(config: Config) -> AuthPlugin:
    """Make the plugin that `auth-plugin` names.

    A name is a key of `PLUGINS`; the same behind `auth.plugins.` and a module, as
    existing files spell it; or MODULE:CLASS of a site's own, whose class takes the
    `Config` and keeps the promises of `AuthPlugin`. Raises ConfigError.
    """
    spelled = config.auth_plugin
    name = spelled.rpartition(":")[2] if spelled.startswith("auth.plugins.") else spelled
    try:
        if name in PLUGINS:
            name = f"{__package__}.{PLUGINS[name]}:{name}"
        return _import_plugin(name, config)
    except ValueError as error:
        source = config.sources.get("auth_plugin")
        where = f"{source}: [AUTH] auth-plugin" if source else "[AUTH] auth-plugin, by default"
        raise ConfigError(f"{where}: {spelled!r} is not accepted: {error}") from error


def _import_plugin(name: str, config: Config) -> AuthPlugin:
    """Make a site's own plugin; raise ValueError saying what is wrong with its name."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        known = ", ".join(sorted(PLUGINS))
        raise ValueError(f"no such plugin; there are {known}, and MODULE:CLASS of your own")
    module_name, _, class_name = name.partition(":")
    try:
        module: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        raise ValueError(f"the module cannot be imported: {error!r}") from error
    factory = getattr(module, class_name, None)
    if not callable(factory):
        raise ValueError(f"the module has no class {class_name}")
    try:
        plugin = factory(config)
    except Exception as error:
        raise ValueError(f"the class cannot be made: {error!r}") from error
    if not isinstance(plugin, AuthPlugin):
        raise ValueError("the class lacks create_token or validate_token")
    return plugin
