# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON forms of Identity v3, which SDKs, the `openstack` command and Ansible speak.

Pure. There is one project, one domain ("Default") and one role, so the scope that a
log-in asks for is not looked at: every token is for that project. oVirt's users are
called `user@profile`, here as everywhere, and are all shown in the one domain.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ..config import Config
from ..errors import BadRequest, Unauthorized
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

_DOMAIN = {"id": "default", "name": "Default"}
_ROLE = {"id": ROLE, "name": ROLE}
_INTERFACES = ("public", "internal", "admin")

# What travels in X-Subject-Token.
_TOKEN = re.compile(r"[\x21-\x7e]{0,8192}")

Document = Mapping[str, Any]


# --- log-in -------------------------------------------------------------------


def decode_login(body: bytes) -> Login:
    """Return who logs in by the body of POST auth/tokens.

    Raises BadRequest, and Unauthorized for a way to log in that is not offered (TOTP,
    application credentials, several at once): such credentials are no good here,
    which is what clients read from 401, as from keystone's.
    """
    auth = read_member(read_object(body), "auth", "")
    identity = read_member(auth, "identity", "auth.")
    methods = identity.get("methods")
    if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
        raise BadRequest("HTTPBadRequest", "auth.identity.methods must be a list of strings.")
    if set(methods) == {"password"}:
        return _read_password(read_member(identity, "password", "auth.identity."))
    if set(methods) == {"token"}:
        return _read_token(read_member(identity, "token", "auth.identity."))
    reason = 'The methods are "password" and "token", one of them at a time.'
    raise Unauthorized("HTTPUnauthorized", reason)


def _read_password(method: Document) -> Login:
    user = read_member(method, "user", "auth.identity.password.")
    where = "auth.identity.password.user."
    name = _full_name(user, where) if user.get("id") is None else read_text(user, "id", where)
    return PasswordLogin(name, read_text(user, "password", where))


def _full_name(user: Document, where: str) -> str:
    """Return `name@domain`, or the name as it is where that has an "@" or names no profile.

    oVirt's engine and people split `admin@internal` into a name and a domain; clients
    that know nothing of it name the domain "Default".
    """
    name = read_text(user, "name", where)
    if user.get("domain") is None:
        return name
    domain = read_member(user, "domain", where)
    if domain.get("name") is None:
        return name
    profile = read_text(domain, "name", f"{where}domain.")
    is_whole = "@" in name or profile.lower() in ("", "default")
    return name if is_whole else f"{name}@{profile}"


def _read_token(method: Document) -> Login:
    token = read_text(method, "id", "auth.identity.token.")
    if not _TOKEN.fullmatch(token):
        reason = "auth.identity.token.id must be at most 8192 visible ASCII characters."
        raise BadRequest("HTTPBadRequest", reason)
    return TokenLogin(token)


# --- token --------------------------------------------------------------------


def encode_token(
    config: Config, grant: Grant, method: str, *, with_catalog: bool = True
) -> Document:
    """Return what is told of a token that was got by `method`."""
    token: dict[str, Any] = {
        "methods": [method],
        "user": {
            "id": grant.user,
            "name": grant.user,
            "domain": _DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": [_audit_id(grant.token)],
        "issued_at": to_iso(grant.issued_at),
        "expires_at": to_iso(grant.expires_at),
        "project": {
            "id": config.openstack_tenant_id,
            "name": config.openstack_tenant_name,
            "domain": _DOMAIN,
        },
        "is_domain": False,
        "roles": [_ROLE],
    }
    if with_catalog:
        token["catalog"] = encode_catalog(config)
    return {"token": token}


def _audit_id(token: str) -> str:
    """Return a name for a token that does not give it away, always the same."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def encode_catalog(config: Config) -> list[Document]:
    """Return the catalog: for each service one endpoint an interface."""
    return [
        {
            "id": service.id,
            "type": service.kind,
            "name": service.name,
            "endpoints": _endpoints(service, config.openstack_region),
        }
        for service in services(config)
    ]


def _endpoints(service: Service, region: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{service.id}-{interface}",
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": service.url,
        }
        for interface in _INTERFACES
    ]


# --- what there is to look at -------------------------------------------------


def _projects(config: Config) -> list[Document]:
    return [
        {
            "id": config.openstack_tenant_id,
            "name": config.openstack_tenant_name,
            "description": config.openstack_tenant_description,
            "enabled": True,
            "domain_id": _DOMAIN["id"],
            "parent_id": _DOMAIN["id"],
            "is_domain": False,
            "tags": [],
            "options": {},
        }
    ]


def _domains(_config: Config) -> list[Document]:
    return [
        {**_DOMAIN, "description": "The only domain", "enabled": True, "tags": [], "options": {}}
    ]


def _roles(_config: Config) -> list[Document]:
    return [{**_ROLE, "description": "May do everything", "domain_id": None, "options": {}}]


def _services(config: Config) -> list[Document]:
    return [
        {"id": service.id, "type": service.kind, "name": service.name, "enabled": True}
        for service in services(config)
    ]


def _all_endpoints(config: Config) -> list[Document]:
    return [
        {**endpoint, "service_id": service.id, "enabled": True}
        for service in services(config)
        for endpoint in _endpoints(service, config.openstack_region)
    ]


def _regions(config: Config) -> list[Document]:
    return [{"id": config.openstack_region, "description": "", "parent_region_id": None}]


# Collection -> the name of one, and all of them.
COLLECTIONS: Mapping[str, tuple[str, Callable[[Config], list[Document]]]] = {
    "projects": ("project", _projects),
    "domains": ("domain", _domains),
    "roles": ("role", _roles),
    "services": ("service", _services),
    "endpoints": ("endpoint", _all_endpoints),
    "regions": ("region", _regions),
}


def encode_list(config: Config, collection: str, filters: Mapping[str, str], url: str) -> Document:
    """Return one of the `COLLECTIONS`, as a list that was asked for at `url`.

    A filter with the name of an attribute is compared with it. A marker is the last that
    the client has seen already; without it, one that asks for pages would never come to
    an end. Others (whose projects, how many on a page) are not looked at.
    """
    found = [document for document in _documents(config, collection) if _passes(document, filters)]
    ids = [document["id"] for document in found]
    if filters.get("marker") in ids:
        found = found[ids.index(filters["marker"]) + 1 :]
    return {collection: found, "links": {"self": url, "previous": None, "next": None}}


def encode_member(config: Config, collection: str, document_id: str) -> Document | None:
    """Return one document of one of the `COLLECTIONS`, None where it does not exist."""
    for document in _documents(config, collection):
        if document["id"] == document_id:
            return {COLLECTIONS[collection][0]: document}
    return None


def _documents(config: Config, collection: str) -> list[Document]:
    url = f"{config.identity_url}v3/{collection}/"
    return [
        {**document, "links": {"self": f"{url}{quote(document['id'], safe='')}"}}
        for document in COLLECTIONS[collection][1](config)
    ]


def _passes(document: Document, filters: Mapping[str, str]) -> bool:
    for name, wanted in filters.items():
        value = document.get(name)
        if isinstance(value, bool):
            # Clients spell it "true", "True" and "1".
            if value != (wanted.lower() in ("true", "1")):
                return False
        elif isinstance(value, str) and value != wanted:
            return False
    return True


def version(config: Config) -> Document:
    """Return what discovery is told of this version."""
    # The first that has everything clients use; later ones added nothing that is offered.
    return version_document(config, "v3.14", "v3", "stable")
