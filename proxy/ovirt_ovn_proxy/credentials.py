# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that systemd has read for us (LoadCredential= in systemd.exec(5)).

I/O, reading only. The service is not root, so that systemd hands it copies of files that
only root can read. The copy of /etc/some/file is called etc_some_file: thus systemd itself
names what it finds in a folder.
"""

from __future__ import annotations

import os
from pathlib import Path

# What the unit has systemd write for a file that was not there: one that names nothing to
# write in its place would keep the service from starting.
_MISSING = b"missing"


def located(path: str) -> str:
    """Return where to read a file: in systemd's copy of it, if there is one, else in place.

    `path` "" stays so. Copies are made when the service starts and never change.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not path.startswith("/"):
        return path
    copy = Path(directory, path[1:].replace("/", "_"))
    try:
        with copy.open("rb") as content:
            return path if content.read(len(_MISSING) + 1) == _MISSING else str(copy)
    except OSError:
        return path
