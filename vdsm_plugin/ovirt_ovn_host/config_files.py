# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that settings are in: reading all of them, and writing the engine's.

I/O. `vdsm-tool ovn-config` and otopi write `ENGINE_FILE` and no other one. It counts
least: what the administrator says anywhere else goes before what the engine says.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from .config import Said
from .errors import ConfigError
from .files import write

FOLDER = Path("/etc/ovirt-provider-ovn-driver")
ENGINE_FILE = "conf.d/10-engine.conf"
_MAIN_FILE = "ovn.conf"

_HEADER = """\
# Written by "vdsm-tool ovn-config" and by otopi; edits are lost when they run again.
# Settings of your own belong into ../ovn.conf, which goes before this file.
"""


def read(folder: Path) -> list[Said]:
    """Return what all files say, in the order in which they count: the last one wins.

    Files need not exist. Raises ConfigError.
    """
    return [*read_engine(folder), *read_administrator(folder)]


def read_engine(folder: Path) -> list[Said]:
    """Return what the engine's file says. Raises ConfigError."""
    return _read(folder / ENGINE_FILE)


def read_administrator(folder: Path) -> list[Said]:
    """Return what the other files say: `ovn.conf`, then those of `conf.d` by name."""
    engine = folder / ENGINE_FILE
    try:
        names = sorted(os.listdir(engine.parent))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise ConfigError(f"{engine.parent}: cannot be read: {error.strerror}") from error
    names = [name for name in names if name.endswith(".conf") and name[0] != "."]
    paths = [engine.parent / name for name in names if name != engine.name]
    return [entry for path in [folder / _MAIN_FILE, *paths] for entry in _read(path)]


def _read(path: Path) -> list[Said]:
    # No interpolation: a % is a %. The names of networks may have capital letters.
    parser = configparser.RawConfigParser(default_section="", delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        with path.open(encoding="utf-8-sig") as lines:
            parser.read_file(lines)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except configparser.Error as error:
        raise ConfigError(f"{path}: {_describe(error)}") from None
    return [
        Said(str(path), section, key, text)
        for section in parser.sections()
        for key, text in parser.items(section)
    ]


def _describe(error: configparser.Error) -> str:
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: [{error.section}] {error.option} is there twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: section [{error.section}] is there twice"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: stands before the first [section]"
    if isinstance(error, configparser.ParsingError):
        numbers = ", ".join(str(number) for number, _ in error.errors)
        return f"line {numbers}: is neither [section] nor key = value"
    return "is not an INI file"


def write_engine(folder: Path, values: Mapping[tuple[str, str], str]) -> None:
    """Replace the engine's file by one with these values, by section and key, in one step.

    Without values there is no file afterwards. Raises HostError; then the old one stays.
    """
    path = folder / ENGINE_FILE
    if not values:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be removed: {error.strerror}") from error
        return
    lines = [_HEADER]
    for section in dict.fromkeys(section for section, _ in values):
        lines.append(f"[{section}]\n")
        lines += [_option(key, text) for (of, key), text in values.items() if of == section]
    write(path, "".join(lines))


def _option(key: str, text: str) -> str:
    """Return an option as it stands in a file: all lines of its value but the first indented."""
    return f"{key} = " + "\n    ".join(text.splitlines()) + "\n"
