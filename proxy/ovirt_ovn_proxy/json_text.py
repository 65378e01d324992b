# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON as our answers have it: ASCII, and without the spaces, which are a 15th of a long list.

Pure. May not import anything of this package.
"""

from __future__ import annotations

import json
from typing import Any

# What is answered is a tree, so no look out for circles.
_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


def json_bytes(value: Any) -> bytes:
    """Return a value made of dicts, lists, texts, numbers, booleans and None as JSON."""
    return _encode(value).encode()
