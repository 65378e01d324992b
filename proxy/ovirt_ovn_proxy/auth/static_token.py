# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugins that need no other service. Pure, but for a warning in the log."""

from __future__ import annotations

import hashlib
import hmac
import logging

from ..config import Config
from ..errors import Unauthorized
from . import Identity, Token

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


def _to_bytes(text: str) -> bytes:
    # JSON can carry half a surrogate pair, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
