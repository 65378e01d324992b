# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""INI files: which there are, and the options in one.

I/O, reading only. Knows the notation of the files and no option.
"""

from __future__ import annotations

import configparser
from pathlib import Path

from .credentials import located
from .errors import ConfigError


def exists(path: Path) -> bool:
    """Say whether there is something to read, or to complain about, at a path."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        # Reading it will say why it cannot be looked at.
        return True
    return True


def drop_ins(directory: Path, *, must_exist: bool) -> list[Path]:
    """Return the `*.conf` of a folder in order of name, without hidden ones and folders.

    A folder that need not exist and does not is empty. Raises ConfigError.
    """
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        if not must_exist:
            return []
        raise ConfigError(f"{directory}: no such directory") from None
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be read: {error.strerror}") from error
    files = [path for path in paths if path.name.endswith(".conf") and not path.is_dir()]
    return [path for path in files if not path.name.startswith(".")]


def read(path: Path) -> list[tuple[str, str, str]]:
    """Return (section, key, text) for each option of a file, keys in lower case.

    Raises ConfigError, which never quotes the file.
    """
    # No interpolation: a % in a password is data. The shared section is read as an
    # ordinary one, so that a key is reported once and not in every section.
    parser = configparser.RawConfigParser(default_section="")
    read_into(parser, path)
    return [(name, key, text) for name in parser.sections() for key, text in parser.items(name)]


def read_into(parser: configparser.RawConfigParser, path: Path) -> None:
    """Read a file with a parser; raises ConfigError, which never quotes the file."""
    try:
        with open(located(str(path)), encoding="utf-8-sig") as lines:
            parser.read_file(lines)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except configparser.Error as error:
        # The parser's own message quotes the line, which may hold a secret.
        raise ConfigError(f"{path}: {_describe_syntax_error(error)}") from None


def _describe_syntax_error(error: configparser.Error) -> str:
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: [{error.section}] {error.option} is there twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: section [{error.section}] is there twice"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: stands before the first [SECTION]"
    if isinstance(error, configparser.ParsingError):
        numbers = ", ".join(str(number) for number, _ in error.errors)
        return f"line {numbers}: is neither [SECTION] nor KEY=VALUE"
    return "is no INI file"
