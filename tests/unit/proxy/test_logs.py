# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""logger.conf is honoured as far as it can be, whatever is wrong with the rest."""

from __future__ import annotations

import io
import logging
import logging.handlers
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ovirt_ovn_proxy import logs
from ovirt_ovn_proxy.errors import ConfigError

SITE = Path(__file__).parents[2] / "data" / "peer-config" / "logger.conf"

BASE = """\
[loggers]
keys=root,proxy
[handlers]
keys=one,two
[formatters]
keys=form
[logger_root]
level=WARNING
handlers=one
[logger_proxy]
level=DEBUG
handlers=two
propagate=0
qualname=ovirt_ovn_proxy
[handler_one]
class=FileHandler
formatter=form
args=('{folder}/one', 'a')
[handler_two]
class=handlers.WatchedFileHandler
level=INFO
args=('{folder}/two',)
[formatter_form]
format=%(levelname)s <%(name)s> %(message)s
"""


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Take the process's log handlers back after each test."""
    root = logging.getLogger()
    names = ("ovirt_ovn_proxy", "auth.plugins.ovirt.sso", "ovsdbapp")
    loggers = [root, *map(logging.getLogger, names)]
    states = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, states):
        for handler in set(logger.handlers) - set(handlers):
            handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def configured(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Set logging up as `BASE` with changes says; return the problems, without the path."""
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "logger.conf"
    path.write_text(text.replace("{folder}", str(folder)))
    problems = logs.configure(path)
    for problem in problems:
        assert problem.startswith(f"{path}: ")
    return [problem[len(f"{path}: ") :] for problem in problems]


def log() -> None:
    """Write some lines of each kind."""
    for name in ("else", "ovirt_ovn_proxy.x"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "%s", f"{name} {level}")


def test_what_fileconfig_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Levels, handlers, formats and propagation are as the file has them."""
    assert configured(tmp_path) == []
    log()

    assert (tmp_path / "one").read_text() == "WARNING <else> else 30\n"
    assert (tmp_path / "two").read_text() == "ovirt_ovn_proxy.x 20\novirt_ovn_proxy.x 30\n"
    assert capsys.readouterr().err == ""


def test_the_file_of_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file of ovirt-provider-ovn works, and on stderr where its log cannot be opened."""
    path = tmp_path / "logger.conf"
    for log_file, problems in ((tmp_path / "log", 0), (tmp_path / "no" / "log", 1)):
        text = SITE.read_text().replace("/var/log/ovirt-provider-ovn.log", str(log_file))
        path.write_text(text)
        assert problems == len(logs.configure(path))
        logging.getLogger("ovirt_ovn_proxy.x").info("a line")

    assert "a line\n" in (tmp_path / "log").read_text()
    assert "a line\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{folder}/two", "/nowhere/two", "/nowhere/two: No such file or directory"),
        ("{folder}/two", "/", "/: Is a directory"),
        ("WatchedFileHandler", "NoHandler", "No module named 'handlers'"),
        ("handlers.WatchedFileHandler", "no.such.Handler", "No module named 'no'"),
        ("handlers.WatchedFileHandler", "NoHandler", "ValueError: there is no class NoHandler"),
        ("handlers.WatchedFileHandler", "", "ValueError: names no class"),
        ("handlers.WatchedFileHandler", "Filter", "its class is none of handlers"),
        ("handlers.WatchedFileHandler", "raiseExceptions", "TypeError: 'bool' object is not"),
        ("args=('{folder}/two',)", "args=('{folder}/two'", "SyntaxError: "),
        ("args=('{folder}/two',)", "args=nothing", "NameError: name 'nothing' is not defined"),
        ("args=('{folder}/two',)", "", "TypeError: "),
        ("args=('{folder}/two',)", "kwargs={{'x': 1}}", "TypeError: "),
        ("[handler_two]", "[handler_three]", "is missing"),
    ],
)
def test_a_handler_that_cannot_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, problem: str
) -> None:
    """It writes to stderr, with the reason told; the other one is not touched."""
    [told] = configured(tmp_path, (old, new))
    log()

    assert told.startswith("[handler_two] ")
    assert problem in told
    output = capsys.readouterr().err
    assert "INFO ovirt_ovn_proxy.x ovirt_ovn_proxy.x 20\n" in output
    assert ("DEBUG" in output) == (problem == "is missing"), "its level holds"
    assert "else" not in output
    assert (tmp_path / "one").read_text() == "WARNING <else> else 30\n"


@pytest.mark.parametrize(
    ("old", "new", "problem", "expected"),
    [
        ("[formatter_form]", "[formatter_other]", "[formatter_form] is missing", " WARNING else "),
        ("%(name)s", "%(nobody)s", "[formatter_form] ", " WARNING else "),
        ("%(name)s", "%(name)", "[formatter_form] ValueError: ", " WARNING else "),
        (
            "[formatter_form]",
            "[formatter_form]\nclass=theirs.Formatter",
            "[formatter_form] ModuleNotFoundError: No module named 'theirs'; ",
            " WARNING else ",
        ),
        (
            "formatter=form",
            "formatter=other",
            "[handler_one] there is no formatter other",
            "else 30",
        ),
        ("level=WARNING", "level=loud", "[logger_root] there is no level LOUD", "else 30"),
        ("level=INFO", "level=9x", "[handler_two] there is no level 9X", "else 30"),
        ("keys=root,proxy", "keys=root,proxy,gone", "[logger_gone] is missing", "else 30"),
        ("qualname=", "name=", "[logger_proxy] has no qualname and is ignored", "else 30"),
    ],
)
def test_other_parts_that_cannot_be_had(
    tmp_path: Path, old: str, new: str, problem: str, expected: str
) -> None:
    """What is wrong is told, and the rest holds."""
    [told] = configured(tmp_path, (old, new), ("handlers=one", "handlers=one,two"))
    log()

    assert told.startswith(problem)
    assert expected in (tmp_path / "one").read_text()


def test_a_logger_without_its_handler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines for a handler that the file does not describe go to stderr."""
    [told] = configured(tmp_path, ("handlers=one", "handlers=one,three"))
    log()

    assert told == "[logger_root] there is no handler three; stderr is used instead"
    assert "WARNING else else 30\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "expected"), [("info", "20"), ("Warning", "30"), ("20", "20"), ("NOTSET", "20")]
)
def test_levels(tmp_path: Path, level: str, expected: str) -> None:
    """Names of levels in any case, and their numbers, are understood."""
    assert configured(tmp_path, ("level=INFO", f"level={level}"), ("DEBUG", "INFO")) == []
    log()

    first = (tmp_path / "two").read_text().splitlines()[0]
    assert first == f"ovirt_ovn_proxy.x {expected}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "there is no root logger in it"),
        (b"garbage", "line 1: stands before the first [SECTION]"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[loggers]\nkeys=root\nsecret\n", "line 3: is neither [SECTION] nor KEY=VALUE"),
        (b"[loggers]\nkeys=root\n", "there is no root logger in it"),
        (b"[loggers]\nkeys=x\n[logger_root]\n", "there is no root logger in it"),
        (b"[loggers]\nkeys=a\nkeys=b\n", "line 3: [loggers] keys is there twice"),
        (None, "cannot be read: Is a directory"),
    ],
)
def test_unusable_files(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A file that says nothing usable is refused, and logging stays as it is."""
    path = tmp_path / "logger.conf"
    path.mkdir() if content is None else path.write_bytes(content)
    before = logging.getLogger().handlers[:]

    with pytest.raises(ConfigError) as error:
        logs.configure(path)

    assert str(error.value) == f"{path}: {problem}"
    assert before == logging.getLogger().handlers


def test_references(tmp_path: Path) -> None:
    """Arguments may hold what other options and `logging` define."""
    changes = (
        ("[loggers]", f"[DEFAULT]\nplace={tmp_path}\n[loggers]"),
        ("args=('{folder}/two',)", "args=('%(place)s/two', *[], *(), )"),
        ("class=FileHandler", "class=StreamHandler"),
        ("args=('{folder}/one', 'a')", "args=(sys.stdout,)"),
    )
    assert configured(tmp_path, *changes) == []
    log()

    assert "20" in (tmp_path / "two").read_text()


def test_memory_handler(tmp_path: Path) -> None:
    """A handler that keeps lines hands them to its target."""
    changes = (
        ("handlers.WatchedFileHandler", "handlers.MemoryHandler\ntarget=one"),
        ("args=('{folder}/two',)", "args=(1000, WARNING)"),
    )
    assert configured(tmp_path, *changes) == []
    logging.getLogger("ovirt_ovn_proxy.x").info("kept")
    assert (tmp_path / "one").read_text() == ""
    logging.getLogger("ovirt_ovn_proxy.x").warning("now")
    assert "kept" in (tmp_path / "one").read_text()


def test_a_log_that_fails_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be opened again after rotation is told, and fails no request."""
    folder = tmp_path / "log"
    folder.mkdir()
    assert configured(tmp_path, ("{folder}/two", f"{folder}/two")) == []
    (folder / "two").unlink()
    folder.rmdir()

    logging.getLogger("ovirt_ovn_proxy.x").info("a line")

    output = capsys.readouterr().err
    assert "No such file or directory" in output
    assert "a line" in output


def test_a_reload_leaves_nothing_behind(tmp_path: Path) -> None:
    """Set up twice, each line is written once."""
    for _ in range(2):
        assert configured(tmp_path) == []
    log()

    assert (tmp_path / "one").read_text() == "WARNING <else> else 30\n"
    assert len((tmp_path / "two").read_text().splitlines()) == 2


class Nosy(logging.Formatter):
    """Writes all that a record holds, and the variables of every frame in reach."""

    def format(self, record: logging.LogRecord) -> str:
        text = io.StringIO()
        print(vars(record), file=text)
        frames: list[Any] = []
        trace = record.exc_info[2] if record.exc_info else None
        while trace is not None:
            frames.append(trace.tb_frame)
            trace = trace.tb_next
        for frame in frames:
            print(frame.f_locals, file=text)
        return text.getvalue()


def test_class_of_formatter(tmp_path: Path) -> None:
    """A site's own class of formatter is used."""
    change = ("[formatter_form]", f"[formatter_form]\nclass={__name__}.Nosy")
    assert configured(tmp_path, change) == []
    log()

    assert "'levelname': 'WARNING'" in (tmp_path / "one").read_text()
