# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The applications are plain WSGI: what docs/wsgi.md shows works under any server."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import pytest

from daemon.ovsdb import OvsdbServer, wait_until
from daemon.proxy import http
from ovirt_ovn_proxy import config

pytestmark = pytest.mark.daemon

PAGE = Path(__file__).parents[2] / "docs/wsgi.md"


class Quiet(WSGIRequestHandler):
    """A handler without a log."""

    def log_message(self, *_args: Any) -> None:
        pass


@contextlib.contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve an application by the standard library's server; give the URL.

    Between them is what complains of either that breaks a rule of PEP 3333.
    """
    with make_server("127.0.0.1", 0, validator(application), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_documented_file(
    nb: OvsdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives both applications, which answer each kind of request."""
    main_file = tmp_path / "main.conf"
    main_file.write_text(
        f"[OVN REMOTE]\novn-remote={nb.remote}\n[AUTH]\nauth-plugin=NoAuthPlugin\n"
    )
    monkeypatch.setattr(config, "DEFAULT_CONFIG_FILE", main_file)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    found: dict[str, Any] = {}
    exec(code, found)

    with (
        contextlib.ExitStack() as stack,
        served(found["networking"]) as networking,
        served(found["identity"]) as identity,
    ):
        stack.callback(found["connection"].stop)
        wait_until(lambda: found["connection"].ready, what="in sync")
        networks = f"{networking}/v2.0/networks"
        made = http("POST", networks, {"network": {"name": "red"}})
        assert 201 == made.status
        own = f"{networks}/{made.json['network']['id']}"
        assert [made.json["network"]] == http("GET", networks).json["networks"]
        assert 200 == http("GET", f"{networking}/v2.0/ports").status
        assert "blue" == http("PUT", own, {"network": {"name": "blue"}}).json["network"]["name"]
        assert 201 == http("PUT", f"{own}/tags/a%20b").status
        assert 400 == http("PUT", own, b"{").status
        assert 405 == http("HEAD", networks).status
        assert 204 == http("DELETE", own).status
        assert 404 == http("GET", own).status
        credentials = {"username": "a", "password": "b"}
        body = {"auth": {"passwordCredentials": credentials}}
        assert 200 == http("POST", f"{identity}/v2.0/tokens", body).status
