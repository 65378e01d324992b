# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bindings listener's application: hosts announce the ports of VMs that move to them.

A host is known by its certificate, so it needs no token, and may change nothing but its
own bindings. Everything else is `app`'s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from webob import Request, Response

from .client_certificate import KEY, ClientCertificate, canonical
from .errors import Forbidden
from .routes import Route, match_bindings
from .wire.binding import BINDING
from .wsgi import USER

_NUMBER = re.compile("[0-9]{1,6}")
_READING = ("list_bindings", "show_binding")
# What becomes the port's own with the binding: not for a host to say.
_OF_THE_PORT = {"profile", "vnic_type"}
_OF_ONE_HOST = ("activate_binding", "confirm_binding", "delete_binding")
# How long hooks wait for a change at the least, where they do not say how long.
_TIMEOUT_S = 1.5
# From here to the hook.
_WAY_S = 0.05


class BindingsApi:
    """The bindings listener's requests, a function from request to response.

    `answer` does what a host may have done, within so many seconds: what is done when the
    hook that asked has given up could undo what another one has done since. A confirmation
    above all, by which a migration begins, takes away whom it finds announced.
    """

    def __init__(self, answer: Callable[[Request, Route, float], Response]) -> None:
        self._answer = answer

    def __call__(self, request: Request) -> Response:
        """Answer a request; raises subclasses of ApiError for everything but success."""
        certificate = request.environ.get(KEY)
        # Of this very class: whatever else another server puts there proves nothing.
        if not isinstance(certificate, ClientCertificate):
            raise Forbidden("Forbidden", "Bindings are for hosts that show their certificate.")
        names = certificate.names
        request.environ[USER] = ",".join(sorted(names))
        route = match_bindings(request.method, request.environ.get("PATH_INFO", ""))
        if route.action not in _READING:
            _check_own(names, route, request.body)
        return self._answer(request, route, _timeout_s(request, route))


def _timeout_s(request: Request, route: Route) -> float:
    """Return for how long whoever sent a request waits, in seconds."""
    given = request.environ.get("HTTP_OVIRT_TIMEOUT_MS", "")
    if _NUMBER.fullmatch(given):
        return max(0.0, int(given) / 1000 - _WAY_S)
    return math.inf if route.action in _READING else _TIMEOUT_S


def _check_own(names: frozenset[str], route: Route, body: bytes) -> None:
    """Raise Forbidden for a change of anything but a host's own binding."""
    if route.action == "create_binding":
        created = BINDING.read_post(body)[0]
        if any(_OF_THE_PORT & set(values) for values in created):
            raise Forbidden("Forbidden", "A host says of its binding nothing but its name.")
        hosts = [values["host"] for values in created]
    elif route.action in _OF_ONE_HOST:
        hosts = [route.ids[1]]
    else:
        raise Forbidden(
            "Forbidden", "Hosts add, activate, confirm and delete bindings, and nothing else."
        )
    for host in hosts:
        if canonical(host) not in names:
            shown = ", ".join(sorted(names)) or "nobody"
            raise Forbidden(
                "Forbidden", f"The certificate is for {shown}, and not for host {host}."
            )
