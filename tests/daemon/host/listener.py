# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the proxy's bindings listener, on a machine: it says what a test wants.

What the real one says is tested with it (tests/migration). This one can also be silent,
hang, or talk nonsense, which the real one does not on demand.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from certificates import make_certificate
from daemon.host.machine import Machine, Program

PROGRAM = Path(__file__).with_name("listener_program.py").read_text()
PKI = "/etc/pki/vdsm"
CHASSIS = "hv1.example.com"
CENTRAL = "central.example.com"
FILES = "/run/listener"


def make_certificates(folder: Path) -> None:
    """Make those of a site's authority, its central and a host; and a stranger's central."""
    make_certificate(folder, "ca")
    make_certificate(folder, "other")
    make_certificate(folder, "central", "ca", names=f"DNS:{CENTRAL}")
    make_certificate(folder, "stranger", "other", names=f"DNS:{CENTRAL}")
    make_certificate(folder, "host", "ca", names=f"DNS:{CHASSIS}")


def enroll(machine: Machine, folder: Path) -> None:
    """Put certificates where the engine puts them on a host; the key is for VDSM's user."""
    for source, target, owner, mode in (
        ("host.pem", f"{PKI}/certs/vdsmcert.pem", "root", "644"),
        ("ca.pem", f"{PKI}/certs/cacert.pem", "root", "644"),
        ("host.key", f"{PKI}/keys/vdsmkey.pem", "vdsm", "440"),
    ):
        content = (folder / source).read_text()
        machine.run(*("install", "-D", "-o", owner, "-m", mode, "/dev/stdin", target), text=content)
    for name in ("ca", "other", "central", "stranger"):
        machine.path(FILES).mkdir(exist_ok=True)
        for suffix in ("pem", "key"):
            machine.path(f"{FILES}/{name}.{suffix}").write_text(
                (folder / f"{name}.{suffix}").read_text()
            )


class Listener:
    """A running one."""

    def __init__(self, program: Program, asked: Mapping[str, Any]) -> None:
        self._program = program
        self._requests: list[dict[str, Any]] | None = None
        assert program.ask(json.dumps(asked)) == "ready"

    def stop(self) -> list[dict[str, Any]]:
        """End it and return the requests that it has had, in order."""
        if self._requests is None:
            self._program.say("end")
            lines = iter(self._program.hear, "end")
            self._requests = [json.loads(line) for line in lines]
        return self._requests


@contextlib.contextmanager
def listening(
    machine: Machine,
    answers: Mapping[str, tuple[int, str]] | None = None,
    *,
    at_first: Mapping[str, tuple[int, str]] | None = None,
    manner: str = "answer",
    certificate: str = "central",
    port: int = 9697,
) -> Iterator[Listener]:
    """Run one on every address of the machine.

    `answers` are status and body by "METHOD path" or "METHOD", where they are not those of
    success; `at_first`, by "METHOD path", what is answered the first time. `manner` is answer,
    silent (no handshake), hang (no answer), close, or nonsense.
    """
    asked = {
        "port": port,
        "manner": manner,
        "answers": dict(answers or {}),
        "at_first": dict(at_first or {}),
        "certificate": f"{FILES}/{certificate}",
        "authority": f"{FILES}/ca.pem",
    }
    with machine.program(PROGRAM) as program:
        listener = Listener(program, asked)
        try:
            yield listener
        finally:
            listener.stop()
