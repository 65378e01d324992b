# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugins that need no other service, and the loader of all plugins.

Does no I/O of its own; loading a site's plugin imports its module.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Callable

from ..config import Config
from ..errors import ConfigError, Unauthorized
from . import AuthPlugin, Identity, Token

_LOG = logging.getLogger(__name__)

# Clients of existing test sites have this token written down.
WELL_KNOWN_TOKEN = "00000000000000000000000000000001"

# Who holds a token that says nothing about its owner.
_ANYBODY = Identity("admin")


class NoAuthPlugin:
    """Lets everybody in, with any credentials, any token, or none."""

    def __init__(self, _config: Config) -> None:
        _LOG.warning("NoAuthPlugin: whoever reaches this service may do everything")

    def create_token(self, user: str, _password: str) -> Token:
        """Return the well-known token."""
        return Token(WELL_KNOWN_TOKEN, None, user)

    def validate_token(self, _token: str) -> Identity | None:
        """Accept everything."""
        return _ANYBODY


class MagicTokenPlugin:
    """Lets in whoever shows one fixed token.

    Without `magic-token` that is the well-known token, given to anybody: for tests
    only. With it, the token is derived from that secret, so that all proxies of a
    site agree on it without sharing state, and the secret is the password.
    """

    def __init__(self, config: Config) -> None:
        self._secret = _to_bytes(config.magic_token)
        if self._secret:
            self._token = hmac.new(
                self._secret, b"ovirt-provider-ovn token", hashlib.sha256
            ).hexdigest()
        else:
            self._token = WELL_KNOWN_TOKEN
            _LOG.warning("MagicTokenPlugin: [AUTH] magic-token is not set, anybody gets a token")

    def create_token(self, user: str, password: str) -> Token:
        """Return the token; raise Unauthorized for a password that is not the secret."""
        if self._secret and not hmac.compare_digest(_to_bytes(password), self._secret):
            raise Unauthorized("HTTPUnauthorized", "The user name or the password is wrong.")
        return Token(self._token, None, user)

    def validate_token(self, token: str) -> Identity | None:
        """Accept the token and nothing else."""
        known = hmac.compare_digest(_to_bytes(token), _to_bytes(self._token))
        return _ANYBODY if known else None


PLUGINS: Mapping[str, Callable[[Config], AuthPlugin]] = MappingProxyType(
    {
        "NoAuthPlugin": NoAuthPlugin,
        "MagicTokenPlugin": MagicTokenPlugin,
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
            return PLUGINS[name](config)
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
    factory = getattr(module, class_name, None)
    if not callable(factory):
        raise ValueError(f"the module has no class {class_name}")
    plugin = factory(config)
    if not isinstance(plugin, AuthPlugin):
        raise ValueError("the class lacks create_token or validate_token")
    return plugin


def _to_bytes(text: str) -> bytes:
    # JSON can carry half a surrogate pair, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
