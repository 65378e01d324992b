# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a request may stand in a log, and what its secrets are.

Pure. Nothing of ours writes a secret into a message; masking is for what others raise, a
site's own plugin above all, whose words are logged because nobody else has them.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from webob import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_HEADERS = ("X-Auth-Token", "X-Subject-Token", "Authorization")

# All that stands below one of these names, however deep, in a body of the Identity API.
_NAMES = {"password", "passcode", "secret", "token"}

_TOKEN_IN_PATH = re.compile("(/tokens/+)[^/]+")

_MASK = "***"

# No client has more; what strangers send must not take long to look for.
_MOST_SECRETS = 100


def request_secrets(request: Request) -> Iterator[str]:
    """Yield the tokens and passwords in a request's headers, and in a body for /tokens."""
    for name in _HEADERS:
        yield from request.headers.get(name, "").split()
    if "/tokens" not in request.environ.get("PATH_INFO", ""):
        return
    try:
        # As in `identity`: to make an int of a million digits is slow.
        body = json.loads(request.body, parse_int=float)
    except (ValueError, RecursionError):
        return  # then nobody has had anything of it
    # No recursion: how deep bodies nest is up to clients.
    pending = [(body, False)]
    while pending:
        value, is_secret = pending.pop()
        if isinstance(value, dict):
            pending += [(member, is_secret or name in _NAMES) for name, member in value.items()]
        elif isinstance(value, list):
            pending += [(member, is_secret) for member in value]
        elif isinstance(value, str) and is_secret:
            yield value


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets, as they are and as Python or JSON quotes them."""
    forms = {""}
    for secret in islice(secrets, _MOST_SECRETS):
        forms |= {secret, *(quoted(secret)[1:-1] for quoted in (repr, ascii, json.dumps))}
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, _MASK)
    return text


def printable_path(environ: WSGIEnvironment) -> str:
    """Return the path for logs: quoted, without the query string and Identity's /tokens/ID."""
    path = quote(environ.get("PATH_INFO", ""), safe="/:@-._~", encoding="latin-1")
    if "/tokens/" in path:
        path = _TOKEN_IN_PATH.sub(rf"\1{_MASK}", path)
    return path[:200]


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error for the message of a log record.

    Instead of `exc_info`: that hands a formatter the frames, and some print their
    variables, which hold passwords and tokens.
    """
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
