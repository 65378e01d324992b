# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured in a process of its own: loads of the database, and the bare server.

Run as a program: `replica SOCKET`, `raw-monitor SOCKET REQUEST` or `bare-server FILE`.
Nothing is asked of the database before the measurement: both loads find the server as it
is after some rest, which makes it slower by a fifth and more than in the middle of work.
"""

from __future__ import annotations

import gc
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import Remote
from ovirt_ovn_proxy.nb.replica import Replica

_RECEIVE_BYTES = 256 * 1024
_SEND_BYTES = 64 * 1024
_PATIENCE_S = 300.0


def replica(path: Path) -> dict[str, float]:
    """Load the proxy's replica, from no connection to ready."""
    connection = Connection((Remote("unix", str(path)),), Replica, patience_s=_PATIENCE_S)
    started, cpu_started = time.perf_counter(), time.process_time()
    connection.start()
    connection.wait_ready(time.monotonic() + _PATIENCE_S)
    said = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu_started,
        "ports": len(connection.replica.tables.ports) if connection.replica else 0,
    }
    connection.stop()  # a thread that works while the interpreter ends can take it down
    return said


def raw_monitor(path: Path, monitor: str) -> dict[str, float]:
    """Read the same columns, decode them in one call, and do nothing with them."""
    # Its reply comes behind the dump and so marks the end of that.
    echo = {"method": "echo", "params": [], "id": "end-of-dump"}
    gc.disable()
    started, cpu_started = time.perf_counter(), time.process_time()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(monitor.encode() + json.dumps(echo).encode())
        pieces: list[bytes] = []
        end = b""
        while b"end-of-dump" not in end or not end.endswith(b"}"):
            pieces.append(sock.recv(_RECEIVE_BYTES))
            end = (end + pieces[-1][-200:])[-200:]
    text = bytearray().join(pieces)
    del text[text.rindex(b"}{") + 1 :]
    reply = json.loads(text)
    return {
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu_started,
        "ports": len(reply["result"][2].get("Logical_Switch_Port", {})),
        "bytes": len(text),
    }


def bare_server(file: Path) -> None:
    """Answer every request with the same bytes until killed; prints the port."""
    body = file.read_bytes()
    # Cheaper than all of it in one call, for whatever reason the kernel has.
    starts = range(0, len(body), _SEND_BYTES)
    pieces = [body[start : start + _SEND_BYTES] for start in starts]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            with sock:
                while not sock.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                sock.sendall(head)
                for piece in pieces:
                    sock.sendall(piece)


def main(kind: str, path: str, *arguments: str) -> None:
    """Do one of the three."""
    measures: dict[str, Any] = {"replica": replica, "raw-monitor": raw_monitor}
    if kind == "bare-server":
        bare_server(Path(path))
    else:
        print(json.dumps(measures[kind](Path(path), *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
