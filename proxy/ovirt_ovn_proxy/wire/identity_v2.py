# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON forms of Identity v2.0, which oVirt's engine speaks.

Pure. The tenant that a log-in names is not looked at: there is one, and every name
of it is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import Config
from .identity import (
    ROLE,
    Grant,
    Login,
    PasswordLogin,
    Service,
    TokenLogin,
    read_member,
    read_object,
    read_text,
    services,
    to_iso,
    version_document,
)


def decode_login(body: bytes) -> Login:
    """Return who logs in by the body of POST tokens; raises BadRequest."""
    auth = read_member(read_object(body), "auth", "")
    if auth.get("passwordCredentials") is None:
        where = "auth.token."
        return TokenLogin(read_text(read_member(auth, "token", "auth."), "id", where))
    where = "auth.passwordCredentials."
    values = read_member(auth, "passwordCredentials", "auth.")
    return PasswordLogin(read_text(values, "username", where), read_text(values, "password", where))


def encode_access(config: Config, grant: Grant) -> Mapping[str, Any]:
    """Return the body that hands out a token, with catalog, user and roles."""
    return {
        "access": {
            "token": {
                "id": grant.token,
                "expires": to_iso(grant.expires_at),
                "issued_at": to_iso(grant.issued_at),
                "tenant": tenant(config),
            },
            "serviceCatalog": [
                _catalog_entry(service, config.openstack_region) for service in services(config)
            ],
            "user": {
                "id": grant.user,
                "name": grant.user,
                "username": grant.user,
                "roles": [{"name": ROLE}],
                "roles_links": [],
            },
            "metadata": {"is_admin": 1, "roles": [ROLE]},
        }
    }


def tenant(config: Config) -> Mapping[str, Any]:
    """Return the only tenant."""
    return {
        "id": config.openstack_tenant_id,
        "name": config.openstack_tenant_name,
        "description": config.openstack_tenant_description,
        "enabled": True,
    }


def version(config: Config) -> Mapping[str, Any]:
    """Return what discovery is told of this version."""
    return version_document(config, "v2.0", "v2.0", "CURRENT")


def _catalog_entry(service: Service, region: str) -> Mapping[str, Any]:
    endpoint = {"id": service.id, "region": region}
    endpoint.update(dict.fromkeys(("publicURL", "internalURL", "adminURL"), service.url))
    return {
        "type": service.kind,
        "name": service.name,
        "endpoints": [endpoint],
        "endpoints_links": [],
    }
