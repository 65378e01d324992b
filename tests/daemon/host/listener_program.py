# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `listener` runs on a machine. A program.

Reads what it is to be as a line of JSON, prints "ready", and then each request as a line of
JSON: method, path, body, and the names in the client's certificate. Another line ends it, and
it prints "end". Each is a process of its own, a fork of this one.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

SUCCESS = {
    "GET": (200, '{"bindings": []}'),
    "POST": (201, "{}"),
    "PUT": (200, "{}"),
    "DELETE": (204, ""),
}


class Handler(BaseHTTPRequestHandler):
    """Answers as it was told on the command line."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Else the body waits until the client has acknowledged the head, 40 ms.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        if self.server.asked["manner"] == "silent":
            time.sleep(60)
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        names = [value for _, value in self.request.getpeercert()["subjectAltName"]]
        seen = {"method": self.command, "path": self.path, "body": body, "names": names}
        print(json.dumps(seen), flush=True)
        manner = self.server.asked["manner"]
        if manner == "hang":
            time.sleep(60)
        if manner == "nonsense":
            self.wfile.write(b"220 mail.example.com\r\n")
        if manner == "answer":
            answers = {**SUCCESS, **self.server.asked["answers"]}
            key = f"{self.command} {self.path}"
            usual = answers.get(key, answers[self.command])
            status, content = self.server.asked["at_first"].pop(key, usual)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        pass


class Server(socketserver.ThreadingTCPServer):
    """Listens on all addresses."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(f"{asked['certificate']}.pem", f"{asked['certificate']}.key")
        self.tls.load_verify_locations(asked["authority"])
        self.tls.verify_mode = ssl.CERT_REQUIRED
        super().__init__(("", asked["port"]), Handler)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that give up are what tests are about."""


def serve(asked: dict[str, Any]) -> None:
    """Be what was asked for, until the process ends."""
    with Server(asked) as server:
        print("ready", flush=True)
        server.serve_forever()


def main() -> None:
    """Have one listener after the other."""
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            serve(json.loads(line))
        sys.stdin.readline()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print("end", flush=True)


if __name__ == "__main__":
    main()
