# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What plugins mark their classes with."""

from __future__ import annotations

import sys
from typing import Any


def export(thing: Any) -> Any:
    """Add a class or a function to its module's `__all__`."""
    vars(sys.modules[thing.__module__]).setdefault("__all__", []).append(thing.__name__)
    return thing
