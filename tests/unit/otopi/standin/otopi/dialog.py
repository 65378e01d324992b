# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialog with who runs otopi: a human, or a program that speaks lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TextIO

from . import constants


class Dialog:
    """What plugins have as `self.dialog`; nobody is there."""

    def note(self, text: str | Sequence[str] | None = None, prompt: bool = False) -> None:
        pass

    def queryString(
        self,
        name: str,
        note: str | None = None,
        validValues: Sequence[str] | None = None,
        caseSensitive: bool = True,
        hidden: bool = False,
        prompt: bool = False,
        default: str | None = None,
    ) -> str:
        raise NotImplementedError("Dialog queryString not implemented")

    def confirm(
        self, name: str, description: str, note: str | None = None, prompt: bool = False
    ) -> bool:
        return False

    def terminate(self) -> None:
        pass


class _Channel(Dialog):
    """A dialog by lines, and the answers of earlier ones."""

    def __init__(self, environment: dict[str, Any], incoming: TextIO, outgoing: TextIO) -> None:
        self._environment = environment
        self._in = incoming
        self._out = outgoing
        self._asked: dict[str, int] = {}

    def _write(self, text: str) -> None:
        if not self._out.closed:
            self._out.write(text)
            self._out.flush()

    def _read(self) -> str:
        line = self._in.readline()
        if not line:
            raise OSError("End of file")
        return line.rstrip("\n")

    def _answer_key(self, name: str) -> str:
        self._asked[name] = self._asked.get(name, 0) + 1
        return f"{constants.CoreEnv.QUESTION_PREFIX}{self._asked[name]}/{name}"

    def _was_answered(self, key: str, note: str) -> bool:
        if key not in self._environment:
            return False
        self.note(note)
        self.note(f"provided answer: {self._environment[key]}")
        return True


def _words(name: str, note: str | None, valid: Sequence[str] | None, default: str | None) -> str:
    if note is None:
        note = f"Please specify '{name}'"
    if valid is not None:
        note = note.replace("@VALUES@", ", ".join(valid))
    return note if default is None else note.replace("@DEFAULT@", default)


def _is_valid(value: str, valid: Sequence[str] | None, caseSensitive: bool) -> bool:
    if valid is None:
        return bool(value)
    return value in (valid if caseSensitive else [it.lower() for it in valid])


class Human(_Channel):
    """Asks again until the answer is one that can be given."""

    def note(self, text: str | Sequence[str] | None = None, prompt: bool = False) -> None:
        lines = [text or ""] if text is None or isinstance(text, str) else list(text)
        indented = [f"{'':10}{line.rstrip()}" for it in lines for line in it.splitlines()]
        self._write("\n".join(indented) + ("" if prompt else "\n"))

    def queryString(
        self,
        name: str,
        note: str | None = None,
        validValues: Sequence[str] | None = None,
        caseSensitive: bool = True,
        hidden: bool = False,
        prompt: bool = False,
        default: str | None = None,
    ) -> str:
        words = _words(name, note, validValues, default)
        key = self._answer_key(name)
        if self._was_answered(key, words):
            return str(self._environment[key])
        while True:
            self.note(words, prompt)
            if self._environment[constants.DialogEnv.AUTO_ACCEPT_DEFAULT] and default is not None:
                value = default
            else:
                value = self._read() or default or ""
            value = value if caseSensitive else value.lower()
            if _is_valid(value, validValues, caseSensitive):
                self._environment[key] = value
                return value
            self.note("[ ERROR ] Invalid value" if value else "[ ERROR ] Please specify value")

    def confirm(
        self, name: str, description: str, note: str | None = None, prompt: bool = False
    ) -> bool:
        note = note or f"Please confirm {description} [yes/no]: "
        return self.queryString(f"DIALOG_CONFIRM/{name}", note, prompt=prompt) in ("yes", "y", "Y")


class Machine(_Channel):
    """Each request is a line; the first bad answer is an error."""

    def note(self, text: str | Sequence[str] | None = None, prompt: bool = False) -> None:
        lines = [text or ""] if text is None or isinstance(text, str) else list(text)
        for it in lines:
            for line in it.splitlines():
                self._write(f"### {line}".rstrip(" ") + "\n")

    def event(self, which: str, stage_id: str, method: str, name: str | None) -> None:
        """Tell that an event starts or ends."""
        self._write(f"**%Event{which.title()} STAGE {stage_id} METHOD {method} ({name})\n")

    def queryString(
        self,
        name: str,
        note: str | None = None,
        validValues: Sequence[str] | None = None,
        caseSensitive: bool = True,
        hidden: bool = False,
        prompt: bool = False,
        default: str | None = None,
    ) -> str:
        words = _words(name, note, validValues, default)
        key = self._answer_key(name)
        if self._was_answered(key, words):
            return str(self._environment[key])
        self._write(f"**%QStart: {name}\n")
        self.note(words)
        if default:
            self._write(f"**%QDefault: {default}\n")
        if validValues:
            self._write(f"**%QValidValues: {'|'.join(validValues)}\n")
        self._write(f"**%QHidden: {'TRUE' if hidden else 'FALSE'}\n")
        self._write(f"***Q:STRING {name}\n**%QEnd: {name}\n")
        value = self._read() or default or ""
        value = value if caseSensitive else value.lower()
        if not _is_valid(value, validValues, caseSensitive):
            raise RuntimeError(f"Invalid value provided to '{name}'")
        self._environment[key] = value
        return value

    def confirm(
        self, name: str, description: str, note: str | None = None, prompt: bool = False
    ) -> bool:
        from .context import Abort

        self._write(f"***CONFIRM {name} {description}\n")
        self.note(note or f"Please confirm '{name}' {description}")
        self.note(f"Response is CONFIRM {name}=yes|no or ABORT {name}")
        code, _, variable = self._read().partition(" ")
        answered, _, value = variable.partition("=")
        if answered != name:
            raise RuntimeError(f"Expected response for {name}, received '{answered}'")
        if code == "ABORT":
            raise Abort("Aborted by dialog")
        if code != "CONFIRM":
            raise RuntimeError(f"Invalid response opcode '{code}'")
        return value in ("yes", "YES", "y", "Y")

    def terminate(self) -> None:
        self._write("***TERMINATE\n")
        self._out.close()


def take_standard_streams(log: TextIO) -> tuple[TextIO, TextIO]:
    """Return the caller's streams; what else is read and printed goes to null and the log."""
    incoming, outgoing = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for fd in (1, 2):
        os.dup2(log.fileno(), fd)
    return incoming, outgoing
