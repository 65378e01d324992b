# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines in namespaces have in common: files laid over this machine's, and commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Shell: $1 is a folder to be hidden, $2 an image whose etc, usr and var are seen on top.
OVERLAYS = """
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
for folder in etc usr var; do
    mkdir "$1/$folder" "$1/$folder.work"
    mount -t overlay overlay /$folder \\
        -o "lowerdir=$2/$folder:/$folder,upperdir=$1/$folder,workdir=$1/$folder.work"
done
"""


class Inside:
    """Commands inside. `folder` is seen from both sides."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.folder = folder
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--uts", "--pid", "--"]

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return subprocess.run(
            [*self._enter, *command], input=stdin, capture_output=True, text=True, timeout=60
        )

    def do(self, *command: str, stdin: str = "") -> str:
        """Run a command inside that has to succeed, and return what it prints."""
        done = self.run(*command, stdin=stdin)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()
