# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Small text files that everybody may read, each with its whole content at once. I/O."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from .errors import HostError


class FileChange(NamedTuple):
    """A file that has to get other content; "" removes nothing, but leaves an empty file."""

    path: Path
    content: str

    def __str__(self) -> str:
        return f"{self.path}: {' '.join(self.content.split()) or 'empty'}"


def difference(path: Path, content: str) -> list[FileChange]:
    """Return what has to be done so that a file has this content; one that is not there has "".

    A file that cannot be read is taken for empty: writing it will say why.
    """
    try:
        has = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        has = ""
    return [] if has == content else [FileChange(path, content)]


def write(path: Path, content: str) -> None:
    """Give a file its new content in one step, or leave it as it is. Raises HostError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _make_folder(path.parent)
        with new.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise HostError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        # Only where it has not become the file; also if a time-out has ended us.
        with contextlib.suppress(OSError):
            new.unlink()


def _make_folder(path: Path) -> None:
    """Make a folder, and those above it, that everybody may look into, whatever the umask is."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
