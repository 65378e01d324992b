# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration as text for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .config import OPTIONS, Config, Option


class Setting(NamedTuple):
    """One option as text, ready to print; a secret is masked.

    `source` is the file that set it, or None when no file did.
    """

    option: Option
    text: str
    default_text: str
    source: Path | None


def describe(config: Config) -> Iterator[Setting]:
    """Yield every option in the order of the table."""
    for option in OPTIONS:
        value = getattr(config, option.field)
        text = "********" if option.secret and value else to_text(value, option.separator)
        default = to_text(option.default, option.separator)
        yield Setting(option, text, default, config.sources.get(option.field))


def to_text(value: Any, separator: str = ",") -> str:
    """Return a value as a file would spell it; the inverse of an option's parser."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return separator.join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
