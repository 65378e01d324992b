# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's log as `logger.conf` says, in the notation of logging.config.fileConfig.

I/O: opens what the handlers write to. Sites have such a file already. fileConfig takes
all of it or nothing; here one part that cannot be had leaves the others in force, since
a log that cannot be written must not stop the service, nor cost the rest of the log.
"""

from __future__ import annotations

import configparser
import importlib
import logging
import logging.handlers
from pathlib import Path
from typing import Any

from .config_files import read_into
from .errors import ConfigError

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(path: Path) -> list[str]:
    """Set up logging as a file says; return what could not be done as it says, a line each.

    Handlers that cannot be had write to stderr instead. Raises ConfigError, and changes
    nothing, for a file that cannot be read or names no root logger.
    """
    return _Setup(path).apply()


class _Setup:
    """One reading of one file, and the problems met."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[str] = []
        self._parser = configparser.ConfigParser()
        read_into(self._parser, path)
        if "root" not in self._names("loggers") or not self._parser.has_section("logger_root"):
            raise ConfigError(f"{path}: there is no root logger in it")

    def apply(self) -> list[str]:
        formatters = {name: self._formatter(name) for name in self._names("formatters")}
        handlers = {name: self._handler(name, formatters) for name in self._names("handlers")}
        for name, handler in handlers.items():
            target = self._text(f"handler_{name}", "target")
            if target and isinstance(handler, logging.handlers.MemoryHandler):
                handler.setTarget(handlers.get(target))
        for name in self._names("loggers"):
            section = f"logger_{name}"
            qualified = self._text(section, "qualname")
            if not self._exists(section):
                continue
            if name == "root" or qualified:
                logger = logging.getLogger(None if name == "root" else qualified)
                self._set_up(logger, section, handlers)
            else:
                self._problem(section, "has no qualname and is ignored")
        return self._problems

    def _set_up(
        self, logger: logging.Logger, section: str, handlers: dict[str, logging.Handler]
    ) -> None:
        logger.propagate = self._text(section, "propagate") != "0"
        logger.disabled = False
        self._set_level(section, logger)
        for old in logger.handlers[:]:
            logger.removeHandler(old)
            old.close()
        for wanted in _split(self._text(section, "handlers")):
            if wanted not in handlers:
                self._problem(section, f"there is no handler {wanted}; stderr is used instead")
            logger.addHandler(handlers.get(wanted) or _stderr())

    def _handler(self, name: str, formatters: dict[str, logging.Formatter]) -> logging.Handler:
        section = f"handler_{name}"
        handler = _stderr()
        if self._exists(section):
            try:
                handler = self._make_handler(section)
            except Exception as error:  # classes and arguments are the site's: anything is raised
                self._problem(section, f"{_reason(error)}; stderr is used instead")
            self._set_level(section, handler)
        wanted = self._text(section, "formatter")
        if wanted in formatters:
            handler.setFormatter(formatters[wanted])
        elif wanted:
            self._problem(section, f"there is no formatter {wanted}")
        return handler

    def _make_handler(self, section: str) -> logging.Handler:
        factory = _find(self._text(section, "class"))
        # Arguments are Python, which may name what `logging` does: (sys.stdout,).
        names = vars(logging)
        arguments = eval(self._text(section, "args") or "()", names)
        keywords = eval(self._text(section, "kwargs") or "{}", names)
        handler = factory(*arguments, **keywords)
        if not isinstance(handler, logging.Handler):
            raise TypeError("its class is none of handlers")
        _report_failures(handler)
        return handler

    def _formatter(self, name: str) -> logging.Formatter:
        section = f"formatter_{name}"
        if not self._exists(section):
            return logging.Formatter(FORMAT)
        try:
            factory = _find(self._text(section, "class") or "Formatter")
            formatter: logging.Formatter = factory(
                self._text(section, "format", raw=True) or None,
                self._text(section, "datefmt", raw=True) or None,
                self._text(section, "style", raw=True) or "%",
            )
            # An unknown field shows only when something is formatted.
            formatter.format(logging.LogRecord("", logging.INFO, "", 0, "", (), None))
        except Exception as error:
            self._problem(section, f"{_reason(error)}; {FORMAT} is used instead")
            return logging.Formatter(FORMAT)
        return formatter

    def _set_level(self, section: str, target: logging.Logger | logging.Handler) -> None:
        level = self._text(section, "level").upper()
        try:
            if level:
                target.setLevel(int(level) if level.isdecimal() else level)
        except ValueError:
            self._problem(section, f"there is no level {level}")

    def _names(self, section: str) -> list[str]:
        return _split(self._text(section, "keys"))

    def _text(self, section: str, key: str, raw: bool = False) -> str:
        """Return a value, "" for none."""
        try:
            return self._parser.get(section, key, raw=raw, fallback="")
        except configparser.InterpolationError:
            return self._parser.get(section, key, raw=True, fallback="")

    def _exists(self, section: str) -> bool:
        exists = self._parser.has_section(section)
        if not exists:
            self._problem(section, "is missing")
        return exists

    def _problem(self, section: str, text: str) -> None:
        self._problems.append(f"{self._path}: [{section}] {text}")


def _stderr() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _find(name: str) -> Any:
    """Return a class by its name inside of `logging` or by MODULE.CLASS; raises anything."""
    found: Any = logging
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not None:
        return found
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ValueError(f"there is no class {name}" if name else "names no class")
    return getattr(importlib.import_module(module), attribute)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'it'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def _report_failures(handler: logging.Handler) -> None:
    """Have a handler that fails say so on stderr, and never fail the request that logs.

    Most do so by themselves; those that open their file late, or again, do not.
    """
    emit = handler.emit

    def emit_or_report(record: logging.LogRecord) -> None:
        try:
            emit(record)
        except Exception:
            handler.handleError(record)

    handler.emit = emit_or_report  # type: ignore[method-assign]
