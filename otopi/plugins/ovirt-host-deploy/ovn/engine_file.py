# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of the host's settings that `vdsm-tool ovn-config` and otopi share.

Pure: its text and options -> its new text. The verb keeps the options that it was not
given, so what has no argument there is put into the file before the verb runs.
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Mapping

NAME = "conf.d/10-engine.conf"

_HEADER = """\
# Written by "vdsm-tool ovn-config" and by otopi; edits are lost when they run again.
# Settings of your own belong into ../ovn.conf, which goes before this file.

"""


def merge(text: str, options: Mapping[tuple[str, str], str]) -> str | None:
    """Return the text with options set, by section and key, or None if they are set already.

    Raises ValueError if the text is not what the file should be.
    """
    # As the host's tool reads it: no interpolation, no section of defaults, capitals kept.
    parser = configparser.RawConfigParser(default_section="", delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"line {_line(error)} is no setting") from None
    if all(parser.get(*key, fallback=None) == value for key, value in options.items()):
        return None
    for (section, key), value in options.items():
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, value)
    merged = io.StringIO()
    parser.write(merged)
    return _HEADER + merged.getvalue().strip() + "\n"


def _line(error: configparser.Error) -> object:
    """Return the number of the first line that cannot be read."""
    errors = getattr(error, "errors", None)
    return errors[0][0] if errors else getattr(error, "lineno", "?")
