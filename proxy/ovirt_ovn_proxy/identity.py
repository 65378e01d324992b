# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Identity API v2.0: tokens, tenants and version documents.

Turns a request into an answer with the help of an auth plugin; knows nothing of
networks or the Northbound. Passwords and tokens are neither logged nor quoted.
Clients differ in what they need of an answer: the engine only the token's id, SDKs
an expiry that is a date and URLs without a version, others exactly one endpoint
for each service and a compute service beside network and identity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from webob import Request, Response

from .auth import AuthPlugin, Token, authorize
from .config import Config
from .errors import BadRequest, MethodNotAllowed, NotFound
from .wsgi import USER

# What clients are told of a token whose end nobody knows: a date they can parse.
_NO_KNOWN_END = timedelta(days=3650)

_ROLE = "admin"


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class IdentityApi:
    """The identity listener's requests. Safe to call from many threads."""

    def __init__(
        self, config: Config, plugin: AuthPlugin, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._config = config
        self._plugin = plugin
        self._now = now
        self._routes: Mapping[tuple[str, ...], tuple[str, Callable[[Request], Any]]] = {
            (): ("GET", self._list_versions),
            ("v2.0",): ("GET", self._show_version),
            ("v2.0", "tokens"): ("POST", self._create_token),
            ("v2.0", "tenants"): ("GET", self._list_tenants),
        }

    def __call__(self, request: Request) -> Response:
        """Answer a request; raises subclasses of ApiError for everything but success."""
        path = request.environ.get("PATH_INFO", "")
        route = self._routes.get(tuple(part for part in path.split("/") if part))
        if route is None:
            raise NotFound("HTTPNotFound", "The resource could not be found.")
        method, handler = route
        if request.method != method:
            reason = f"The method {request.method} is not allowed here."
            raise MethodNotAllowed("HTTPMethodNotAllowed", reason, [method])
        body = json.dumps(handler(request)).encode()
        # A token must not outlive its request in somebody's cache.
        return Response(body, content_type="application/json", cache_control="no-store")

    def _list_versions(self, _request: Request) -> Any:
        return {"versions": [version_document(self._config)]}

    def _show_version(self, _request: Request) -> Any:
        return {"version": version_document(self._config)}

    def _create_token(self, request: Request) -> Any:
        credentials = decode_credentials(request.body)
        if "id" in credentials:
            token_id = credentials["id"]
            user = request.environ[USER] = authorize(self._plugin, token_id).user
            token = Token(token_id, None, user)
        else:
            request.environ[USER] = credentials["username"]
            token = self._plugin.create_token(credentials["username"], credentials["password"])
        return encode_access(self._config, token, self._now())

    def _list_tenants(self, request: Request) -> Any:
        identity = authorize(self._plugin, request.headers.get("X-Auth-Token"))
        request.environ[USER] = identity.user
        return {"tenants": [tenant_document(self._config)], "tenants_links": []}


def decode_credentials(body: bytes) -> Mapping[str, str]:
    """Return {username, password} or {id} (of a token) from the body of POST tokens.

    The tenant is not looked at: there is one, and every name of it is accepted.
    Raises BadRequest; the message never holds anything of the body.
    """
    auth = _member(_decode_object(body), "auth", "")
    by_password = auth.get("passwordCredentials") is not None
    parent = "passwordCredentials" if by_password else "token"
    names = ["username", "password"] if by_password else ["id"]
    values = _member(auth, parent, "auth.")
    for name in names:
        if not isinstance(values.get(name), str):
            raise BadRequest("HTTPBadRequest", f"auth.{parent}.{name} must be a string.")
    return {name: values[name] for name in names}


def encode_access(config: Config, token: Token, now: datetime) -> Mapping[str, Any]:
    """Return the body that hands out a token at `now`, with catalog, user and roles."""
    life = timedelta(seconds=config.auth_token_timeout_s) or _NO_KNOWN_END
    region = config.openstack_region
    neutron_id, keystone_id = config.openstack_neutron_id, config.openstack_keystone_id
    return {
        "access": {
            "token": {
                "id": token.id,
                "expires": _to_iso(token.expires or now + life),
                "issued_at": _to_iso(now),
                "tenant": tenant_document(config),
            },
            "serviceCatalog": [
                _service("network", "neutron", config.network_url, region, neutron_id),
                _service("identity", "keystone", config.identity_url, region, keystone_id),
                # Its clients look for the version in the path before they ask for it.
                _service("compute", "nova", f"{config.compute_url}v2.1/", region, keystone_id),
            ],
            "user": {
                "id": token.user,
                "name": token.user,
                "username": token.user,
                "roles": [{"name": _ROLE}],
                "roles_links": [],
            },
            "metadata": {"is_admin": 1, "roles": [_ROLE]},
        }
    }


def tenant_document(config: Config) -> Mapping[str, Any]:
    """Return the only tenant."""
    return {
        "id": config.openstack_tenant_id,
        "name": config.openstack_tenant_name,
        "description": config.openstack_tenant_description,
        "enabled": True,
    }


def version_document(config: Config) -> Mapping[str, Any]:
    """Return what discovery is told of Identity v2.0."""
    links = [{"rel": "self", "href": f"{config.identity_url}v2.0/"}]
    return {"id": "v2.0", "status": "CURRENT", "links": links}


def _service(kind: str, name: str, url: str, region: str, endpoint_id: str) -> Mapping[str, Any]:
    endpoint = {"id": endpoint_id, "region": region}
    endpoint.update(dict.fromkeys(("publicURL", "internalURL", "adminURL"), url))
    return {"type": kind, "name": name, "endpoints": [endpoint], "endpoints_links": []}


def _decode_object(body: bytes) -> Mapping[str, Any]:
    try:
        # No number matters here, and making an int of a million digits is slow.
        document = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        raise BadRequest("HTTPBadRequest", "The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BadRequest("HTTPBadRequest", "The body must be a JSON object.")
    return document


def _member(parent: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise BadRequest("HTTPBadRequest", f"{where}{name} must be an object.")
    return value


def _to_iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
