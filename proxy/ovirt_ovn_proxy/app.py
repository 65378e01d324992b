# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The networking application: authorise, route, decode, run, encode.

The only module that sees all parts. It is plain WSGI (by WebOb) and callable from
many threads; what it keeps between requests is the connection's replica alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

from webob import Request, Response

from .auth import AuthPlugin, authorize
from .config import Config
from .errors import BadRequest, NotFound
from .execute import Executor
from .json_text import json_bytes
from .listing import is_port_list, list_objects, render_ports
from .masking import printable_path
from .nb.view import View
from .plan.binding import find_binding
from .plan.draft import Context, Plan, time_text
from .resources import RESOURCES, JsonObject, Resource
from .routes import Route, match
from .wire import service
from .wire.binding import BINDING, bindings_of, encode_binding, encode_bindings
from .wire.common import tags as tags_of
from .wire.query import page_links, read_query
from .writing import check_tag, find, find_bindable, make_writer
from .wsgi import OPERATIONS, USER, request_id_of

T = TypeVar("T")

# The engine's HTTP library, and nobody else's among the clients we know.
_ENGINE_AGENT = "Apache-HttpClient/"
_ANONYMOUS = {"show_versions", "show_collections"}


@dataclass(frozen=True)
class Call:
    """One request on its way: what it asks for, until when, and as whom it is logged."""

    request: Request
    route: Route
    context: Context
    comment: str
    deadline: float

    @property
    def resource(self) -> Resource:
        """The resource that the path names."""
        if self.route.resource is None:
            raise LookupError(f"{self.route.action} has no resource")
        return self.route.resource


class NetworkingApi:
    """The networking listener's requests, a function from request to response."""

    def __init__(
        self,
        config: Config,
        plugin: AuthPlugin,
        executor: Executor,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._config = config
        self._plugin = plugin
        self._executor = executor
        self._now = now
        self._answers: Mapping[str, Callable[[Call], Response]] = {
            "list": self._list,
            "show": self._show,
            "create": self._create,
            "update": self._update,
            "delete": self._change,
            "act": self._update,
            "list_tags": self._list_tags,
            "check_tag": self._check_tag,
            "replace_tags": self._update,
            "add_tag": self._add_tag,
            "remove_tag": self._change,
            "clear_tags": self._change,
            "list_bindings": self._list_bindings,
            "show_binding": self._show_binding,
            "create_binding": self._create,
            "update_binding": self._update,
            "activate_binding": self._update,
            "confirm_binding": self._update,
            "delete_binding": self._change,
            "show_versions": self._show_versions,
            "show_collections": self._show_collections,
            "list_extensions": self._list_extensions,
            "show_extension": self._show_extension,
            "list_availability_zones": self._list_availability_zones,
            "list_quotas": self._list_quotas,
            "show_quotas": self._show_quotas,
            "show_quota_details": self._show_quota_details,
        }

    def __call__(self, request: Request) -> Response:
        """Answer a request; raises subclasses of ApiError for everything but success."""
        route = match(request.method, request.environ.get("PATH_INFO", ""))
        token = request.environ.get("HTTP_X_AUTH_TOKEN")
        if token is not None or route.action not in _ANONYMOUS:
            request.environ[USER] = authorize(self._plugin, token).user
        return self.answer(request, route, self._config.request_timeout_s)

    def answer(self, request: Request, route: Route, timeout_s: float) -> Response:
        """Answer a request of somebody who may send it; raises as `__call__` does.

        `timeout_s`: how long it may wait for the database; the site may have set less.
        """
        request_id = request_id_of(request)
        context = Context(
            config=self._config,
            request_uuid=uuid.UUID(request_id[len("req-") :]),
            now=time_text(self._now()),
            is_engine=is_engine(request),
        )
        call = Call(
            request=request,
            route=route,
            context=context,
            comment=f"{request_id} {request.method} {printable_path(request.environ)}",
            deadline=time.monotonic() + min(timeout_s, self._config.request_timeout_s),
        )
        return self._answers[route.action](call)

    # --- reading ----------------------------------------------------------

    def _list(self, call: Call) -> Response:
        resource = call.resource
        query = read_query(call.request.query_string, resource.table)
        replica = self._executor.read(call.deadline)
        if is_port_list(resource, query):
            return _pieces(render_ports(replica, self._config))
        elements = list_objects(replica, resource, query, self._config, call.context.is_engine)
        body: JsonObject = {resource.table.collection: [query.projected(one) for one in elements]}
        if query.limit:
            url, text = call.request.path_url, call.request.query_string
            body[f"{resource.table.collection}_links"] = page_links(query, url, text, elements)
        return _json(body)

    def _show(self, call: Call) -> Response:
        resource, object_id = call.resource, call.route.ids[0]
        query = read_query(call.request.query_string, resource.table)

        def look(view: View) -> JsonObject:
            row = find(view, resource, object_id)
            encoded = resource.encode(row, view, self._config, call.context.is_engine, False)
            if encoded is None:
                raise NotFound(resource.not_found, f"{resource.title} {object_id} is damaged.")
            return encoded

        return _json({resource.table.name: query.projected(self._read(call, look))})

    def _list_tags(self, call: Call) -> Response:
        return _json({"tags": self._tags(call)})

    def _check_tag(self, call: Call) -> Response:
        check_tag(call.route.ids[1], self._tags(call))
        return _nothing()

    def _tags(self, call: Call) -> list[str]:
        def look(view: View) -> list[str]:
            return tags_of(find(view, call.resource, call.route.ids[0]).external_ids)

        return self._read(call, look)

    def _list_bindings(self, call: Call) -> Response:
        # No pages: a port has a handful at most.
        query = read_query(call.request.query_string, BINDING)

        def look(view: View) -> list[JsonObject]:
            return encode_bindings(find_bindable(view, call.resource, call.route.ids[0]))

        found = [one for one in self._read(call, look) if query.matches(one)]
        return _json({BINDING.collection: [query.projected(one) for one in found]})

    def _show_binding(self, call: Call) -> Response:
        query = read_query(call.request.query_string, BINDING)
        port_id, host = call.route.ids

        def look(view: View) -> JsonObject:
            port = find_bindable(view, call.resource, port_id)
            return encode_binding(find_binding(port, host), bindings_of(port)[0])

        return _json({BINDING.name: query.projected(self._read(call, look))})

    def _read(self, call: Call, look: Callable[[View], T]) -> T:
        replica = self._executor.read(call.deadline)
        with replica.lock:
            return look(View(replica))

    # --- writing ----------------------------------------------------------

    def _create(self, call: Call) -> Response:
        return _answer(self._write(call).body, 201)

    def _update(self, call: Call) -> Response:
        return _answer(self._write(call).body)

    def _add_tag(self, call: Call) -> Response:
        self._write(call)
        return Response(status=201, content_type="application/json", charset="UTF-8")

    def _change(self, call: Call) -> Response:
        self._write(call)
        return _nothing()

    def _write(self, call: Call) -> Plan:
        if "HTTP_IF_MATCH" in call.request.environ:
            raise BadRequest(
                "HTTPBadRequest",
                "The header If-Match is of the extension revision-if-match, which is not offered.",
            )
        writer = make_writer(call.route, call.resource, call.request.body, call.context)
        plan = self._executor.write(writer.make_plan, writer.queues, call.comment, call.deadline)
        call.request.environ[OPERATIONS] = len(plan.operations)
        return plan

    # --- what the service says of itself ----------------------------------

    def _show_versions(self, _call: Call) -> Response:
        return _json(service.versions(self._config.network_url))

    def _show_collections(self, _call: Call) -> Response:
        names = {path: resource.table.name for path, resource in RESOURCES.items()}
        return _json(service.collections(self._config.network_url, names))

    def _list_extensions(self, _call: Call) -> Response:
        return _json({"extensions": service.extensions()})

    def _show_extension(self, call: Call) -> Response:
        alias = call.route.ids[0]
        found = service.extension(alias)
        if found is None:
            raise NotFound("ExtensionNotFound", f"Extension with alias {alias} does not exist.")
        return _json({"extension": found})

    def _list_availability_zones(self, _call: Call) -> Response:
        return _json({"availability_zones": []})

    def _list_quotas(self, _call: Call) -> Response:
        return _json({"quotas": []})

    def _show_quotas(self, call: Call) -> Response:
        return _json({"quota": service.quotas(call.route.ids[0])})

    def _show_quota_details(self, call: Call) -> Response:
        def count(view: View) -> dict[str, int]:
            return {
                resource.table.name: sum(1 for _ in resource.candidates(view, {}))
                for resource in RESOURCES.values()
            }

        return _json({"quota": service.quotas(call.route.ids[0], self._read(call, count))})


def is_engine(request: Request) -> bool:
    """Say whether oVirt's engine sent a request."""
    agent: str = request.environ.get("HTTP_USER_AGENT", "")
    return agent.startswith(_ENGINE_AGENT)


def _json(value: Any) -> Response:
    return _answer(json_bytes(value))


def _answer(body: bytes, status: int = 200) -> Response:
    return Response(status=status, body=body, content_type="application/json", charset="UTF-8")


def _pieces(pieces: list[bytes]) -> Response:
    """Return an answer whose body is never joined: it may be a hundred megabytes."""
    return Response(
        app_iter=pieces,
        content_length=sum(map(len, pieces)),
        content_type="application/json",
        charset="UTF-8",
    )


def _nothing() -> Response:
    return Response(status=204)
