# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine inside this one: its own /etc, /usr, /var, /run and network, on top of this one's.

All of it is in namespaces that end with the process which holds them, so things are
installed to and run from where they belong, and nothing of this machine is touched. Needs
root. What is on such a machine is its user's: `daemon.host.machine` has hooks and VDSM's
user, `system.host_machine` the tool and a central.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_TIMEOUT_S = 60
# To be entered; what else there is of unshare's options tells how it is made.
_NAMESPACES = ("--mount", "--net", "--uts", "--pid", "--user")

_LAYERS = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
for folder in etc usr var; do
    layer=/run/overlay/$folder
    mkdir -p $layer/upper $layer/work
    mount -t overlay -o lowerdir={image}/$folder,upperdir=$layer/upper,workdir=$layer/work \\
        overlay /$folder
done
ip link set lo up
"""
# Until the other end of its input is closed. Daemons may be its children in the end: who
# ignores them has them forgotten.
_HOLD = """
echo ready
exec /usr/bin/python3 -c '
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
sys.stdin.read()
'
"""


class Machine:
    """One machine, from its start to `stop`.

    `private` are the namespaces that it does not share with its maker, as unshare has them;
    `setup` is shell that is run in them; `image` is a folder with what is to be in /etc,
    /usr and /var beyond what this machine has.
    """

    def __init__(
        self,
        private: Sequence[str] = ("--mount", "--net"),
        setup: str = "",
        image: Path | None = None,
    ) -> None:
        assert os.geteuid() == 0, "Namespaces are needed: run these tests as root."
        # The network is the holder's in any case, whosever that is.
        entered = dict.fromkeys(("--mount", "--net", *private))
        self._namespaces = [it for it in entered if it in _NAMESPACES]
        layers = _LAYERS.format(image=f"{image}/$folder:" if image else "")
        self._holder = subprocess.Popen(
            ["unshare", *private, "sh", "-c", layers + setup + _HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            self._holder.communicate(timeout=10)
            raise AssertionError("the namespaces of the machine could not be set up")
        self.pid = self._holder.pid
        if "--fork" in private:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            self.pid = int(children)

    def stop(self) -> None:
        """End it, and with it all that is mounted there."""
        self._holder.communicate(timeout=10)

    def path(self, inside: str) -> Path:
        """Return where a file of the machine can be seen from outside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def command(self, *command: str, user: int = 0) -> list[str]:
        """Return a command as it is started there."""
        enter = ["nsenter", f"--target={self.pid}", *self._namespaces, "--wdns=/"]
        if user:
            enter += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return [*enter, *command]

    def execute(
        self, *command: str, user: int = 0, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there, whatever comes of it."""
        return subprocess.run(
            self.command(*command, user=user),
            input=text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )

    @contextlib.contextmanager
    def missing(self, inside: str) -> Iterator[None]:
        """Have no file or folder of this name."""
        path, kept = self.path(inside), self.path(f"{inside}.kept")
        path.rename(kept)
        try:
            yield
        finally:
            kept.rename(path)

    @contextlib.contextmanager
    def replaced(self, program: str, body: str) -> Iterator[None]:
        """Have a shell script in the place of a program."""
        with self.missing(program):
            self.put_script(program, body)
            yield

    def put_script(self, inside: str, body: str) -> None:
        """Have a shell script there."""
        path = self.path(inside)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
