# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A file's new content as part of a transaction."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile

from .transaction import TransactionElement


class FileTransaction(TransactionElement):
    """Replace a file in one step, and keep what it was beside it, if the content differs.

    The new content is seen when it is committed, with `visibleButUnsafe` as soon as it is
    prepared.
    """

    def __init__(
        self,
        name: str,
        content: str,
        mode: int = 0o644,
        dmode: int = 0o755,
        enforcePermissions: bool = False,
        visibleButUnsafe: bool = False,
        modifiedList: list[str] | None = None,
    ) -> None:
        self._name = name
        self._content = (content if content.endswith("\n") else content + "\n").encode()
        self._mode = mode
        self._dmode = dmode
        self._is_enforced = enforcePermissions
        self._is_visible = visibleButUnsafe
        self._modified = modifiedList
        self._was_missing = not os.path.exists(name)
        self._temporary: str | None = None
        self._backup: str | None = None

    def prepare(self) -> None:
        if self._was_missing:
            folder = os.path.dirname(self._name)
            os.makedirs(folder, mode=self._dmode, exist_ok=True)
        else:
            with open(self._name, "rb") as file:
                if file.read() == self._content:
                    return
            if not self._is_enforced:
                self._mode = os.stat(self._name).st_mode & 0o7777
            now = datetime.datetime.now().strftime("%Y%m%d%H%M%S")  # noqa: DTZ005 (as otopi)
            self._backup = f"{self._name}.{now}"
            shutil.copy2(self._name, self._backup)
        folder, base = os.path.split(self._name)
        fd, self._temporary = tempfile.mkstemp(".tmp", f"{base}.", folder)
        with open(fd, "wb") as file:
            os.fchmod(fd, self._mode)
            file.write(self._content)
        if self._is_visible:
            os.rename(self._temporary, self._name)

    def commit(self) -> None:
        if self._temporary is None:
            return
        if not self._is_visible:
            os.rename(self._temporary, self._name)
        if self._modified is not None:
            self._modified.append(self._name)

    def abort(self) -> None:
        if not self._is_visible:
            if self._temporary is not None and os.path.exists(self._temporary):
                os.unlink(self._temporary)
        elif self._was_missing:
            if os.path.exists(self._name):
                os.unlink(self._name)
        elif self._backup is not None and os.path.exists(self._backup):
            os.rename(self._backup, self._name)
