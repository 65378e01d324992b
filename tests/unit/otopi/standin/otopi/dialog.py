# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialog with who runs otopi: a human, or a program that speaks lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

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

    def _read(self, default: str | None = None) -> str:
        line = self._in.readline()
        if not line:
            raise OSError("End of file")
        return line.rstrip("\n") or default or ""

    def queryString(
        self,
        name: str,
        note: str | None = None,
        validValues: Sequence[str] | None = None,
        caseSensitive: bool = True,
        prompt: bool = False,
        default: str | None = None,
    ) -> str:
        words = note or f"Please specify '{name}'"
        words = words.replace("@VALUES@", ", ".join(validValues or ()))
        words = words.replace("@DEFAULT@", default or "@DEFAULT@")
        self._asked[name] = self._asked.get(name, 0) + 1
        key = f"{constants.CoreEnv.QUESTION_PREFIX}{self._asked[name]}/{name}"
        if key in self._environment:
            self.note(words)
            self.note(f"provided answer: {self._environment[key]}")
        else:
            question = _Question(name, words, validValues, caseSensitive, prompt, default)
            self._environment[key] = self._ask(question)
        return str(self._environment[key])

    def _ask(self, question: _Question) -> str:
        raise NotImplementedError


class _Question(NamedTuple):
    name: str
    words: str
    valid: Sequence[str] | None
    is_case_sensitive: bool
    is_prompt: bool
    default: str | None

    def accept(self, answer: str) -> str | None:
        """Return an answer as it counts, None if it does not."""
        if not self.is_case_sensitive:
            answer = answer.lower()
        if self.valid is None:
            return answer or None
        valid = self.valid if self.is_case_sensitive else [it.lower() for it in self.valid]
        return answer if answer in valid else None


class Human(_Channel):
    """Asks again until the answer is one that can be given."""

    def note(self, text: str | Sequence[str] | None = None, prompt: bool = False) -> None:
        lines = [text or ""] if text is None or isinstance(text, str) else list(text)
        indented = [f"{'':10}{line.rstrip()}" for it in lines for line in it.splitlines()]
        self._write("\n".join(indented) + ("" if prompt else "\n"))

    def _ask(self, question: _Question) -> str:
        takes_default = self._environment[constants.DialogEnv.AUTO_ACCEPT_DEFAULT]
        while True:
            self.note(question.words, question.is_prompt)
            if takes_default and question.default is not None:
                answer = question.default
            else:
                answer = self._read(question.default)
            accepted = question.accept(answer)
            if accepted is not None:
                return accepted
            self.note("[ ERROR ] Invalid value" if answer else "[ ERROR ] Please specify value")

    def confirm(
        self, name: str, description: str, note: str | None = None, prompt: bool = False
    ) -> bool:
        note = note or f"Please confirm {description} [yes/no]: "
        return self.queryString(f"DIALOG_CONFIRM/{name}", note, prompt=prompt) in ("yes", "y", "Y")


class Machine(_Channel):
    """Each request is a line; the first bad answer is an error."""

    def note(self, text: str | Sequence[str] | None = None, prompt: bool = False) -> None:
        lines = [text or ""] if text is None or isinstance(text, str) else list(text)
        for line in "\n".join(lines).splitlines():
            self._write(f"### {line}".rstrip(" ") + "\n")

    def event(self, which: str, stage_id: str, method: str, name: str | None) -> None:
        """Tell that an event starts or ends."""
        self._write(f"**%Event{which.title()} STAGE {stage_id} METHOD {method} ({name})\n")

    def _ask(self, question: _Question) -> str:
        self._write(f"**%QStart: {question.name}\n")
        self.note(question.words)
        if question.default:
            self._write(f"**%QDefault: {question.default}\n")
        if question.valid:
            self._write(f"**%QValidValues: {'|'.join(question.valid)}\n")
        self._write(f"**%QHidden: FALSE\n***Q:STRING {question.name}\n**%QEnd: {question.name}\n")
        accepted = question.accept(self._read(question.default))
        if accepted is None:
            raise RuntimeError(f"Invalid value provided to '{question.name}'")
        return accepted

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
