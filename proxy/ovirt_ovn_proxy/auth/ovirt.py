# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugins that ask the engine's SSO who somebody is, and know who may come in.

Does no I/O but through `Sso`. What the SSO said of a token holds for
`auth-cache-timeout` seconds; that long, at most, a revoked one is still good.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod

from ..config import Config
from ..errors import ApiError, BadGateway, Forbidden
from . import Identity, Token
from .cache import Cache
from .sso import Sso
from .token_info import TokenInfo

_LOG = logging.getLogger(__name__)

# The engine gives up on a request after 30 s. Existing files say 110, the default
# of their time.
_LONGEST_S, _DEFAULT_S = 25.0, 10.0
# The SSO's tokens have 86 characters.
_LONGEST_TOKEN = 4096


class _OvirtPlugin(ABC):
    """What the three have in common: logging in, asking, remembering."""

    def __init__(self, config: Config) -> None:
        self.sso = Sso(config)
        self.timeout_s = config.ovirt_auth_timeout_s
        if self.timeout_s > _LONGEST_S:
            _LOG.warning(
                "[OVIRT] ovirt-auth-timeout %g is longer than the engine waits: using %g",
                self.timeout_s,
                _DEFAULT_S,
            )
            self.timeout_s = _DEFAULT_S
        self._tokens: Cache[Identity] = Cache(config.auth_cache_timeout_s)
        self._users: Cache[Identity] = Cache(config.auth_cache_timeout_s)

    def create_token(self, user: str, password: str) -> Token:
        """Log in at the SSO; raise Unauthorized, or Forbidden for a user who may not come in."""
        deadline = time.monotonic() + self.timeout_s
        login = self.sso.log_in(user, password, deadline)
        identity = self._known(user)
        if identity is None:
            info = self.sso.who_is(login.token, deadline)
            if info is None:
                raise BadGateway("HTTPBadGateway", "The engine's SSO does not know its own token.")
            identity = self._admit(info, login.token, deadline)
            self._users.put(user, identity)
        self._tokens.put(login.token, identity)
        return Token(login.token, login.expires, identity.user)

    def validate_token(self, token: str) -> Identity | None:
        """Return who holds a token; the SSO is not asked about none, or one it just knew."""
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        identity = self._tokens.get(token)
        if identity is None:
            deadline = time.monotonic() + self.timeout_s
            info = self.sso.who_is(token, deadline)
            if info is None:
                return None
            identity = self._admit(info, token, deadline)
            self._tokens.put(token, identity)
        return identity

    def check(self) -> list[str]:
        """Try the engine's SSO, from reaching it to our credentials; return what is wrong."""
        deadline = time.monotonic() + self.timeout_s
        try:
            self.sso.check_status(deadline)
            problem = self.sso.check_client(deadline)
        except ApiError as error:
            return [f"[OVIRT] ovirt-host: {error.message}"]
        return [f"the engine's SSO: {problem}"] if problem else []

    def _known(self, user: str) -> Identity | None:
        """Return who somebody is whose password the SSO has just accepted, if that is known."""
        return self._users.get(user)

    def _admit(self, info: TokenInfo, token: str, deadline: float) -> Identity:
        if not self.may_enter(info, token, deadline):
            raise Forbidden("HTTPForbidden", f"The user {info.user} may not use this service.")
        return Identity(info.user)

    @abstractmethod
    def may_enter(self, info: TokenInfo, token: str, deadline: float) -> bool:
        """Say whether somebody whom the SSO knows may use this service."""


class AuthorizationByUserName(_OvirtPlugin):
    """Lets in the users that `ovirt-admin-user-name` lists."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._names = frozenset(config.ovirt_admin_user_names)

    def may_enter(self, info: TokenInfo, token: str, deadline: float) -> bool:
        """Say whether the user is listed."""
        return info.user in self._names

    def _known(self, user: str) -> Identity | None:
        # The engine logs in for each of its operations, under the very name that is
        # listed: the SSO need not be asked whose token it has just made.
        return Identity(user) if user in self._names else super()._known(user)


class AuthorizationByGroup(_OvirtPlugin):
    """Lets in the users of the groups that `ovirt-admin-group-attribute-value` lists.

    Indirect groups count: the SSO flattens them.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._attribute = config.ovirt_admin_group_attribute_name
        self._values = frozenset(config.ovirt_admin_group_attribute_values)

    def may_enter(self, info: TokenInfo, token: str, deadline: float) -> bool:
        """Say whether one of the user's groups has a listed value."""
        values = (group.get(self._attribute) for group in info.groups)
        return any(isinstance(value, str) and value in self._values for value in values)


class AuthorizationByRole(_OvirtPlugin):
    """Lets in the users who have, on the whole system, a role of `ovirt-admin-role-id`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._roles = frozenset(config.ovirt_admin_role_ids)

    def may_enter(self, info: TokenInfo, token: str, deadline: float) -> bool:
        """Say whether the engine's REST API shows a listed role for the token's user."""
        root = self.sso.get("", token, deadline)
        if root is None:
            return False  # a token without the scope ovirt-app-api
        user = root.get("authenticated_user")
        user_id = user.get("id") if isinstance(user, dict) else None
        if not isinstance(user_id, str) or not user_id.replace("-", "").isalnum():
            raise BadGateway("HTTPBadGateway", "The engine does not say who the user is.")
        roles = (self.sso.get(f"/users/{user_id}/roles", token, deadline) or {}).get("role")
        ids = [role.get("id") for role in roles or () if isinstance(role, dict)]
        return not self._roles.isdisjoint(role for role in ids if isinstance(role, str))
