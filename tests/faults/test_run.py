# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make faults` tells of each run what became of it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from daemon.ovsdb import wait_until
from faults.run import main

pytestmark = pytest.mark.daemon

TESTS = Path(__file__).resolve().parents[1]
# Runs that end well, badly, at once, with something left, and never.
PLANTED = """
import sys
from faults.apart import do_apart

SLEEPER = '''
import os, time
print("asleep", os.getpid(), os.environ["TESTS_FOLDER"], flush=True)
time.sleep(600)
'''
START = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"
IGNORE = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
PROGRAMS = {
    "well": "print('well')",
    "fail": "import sys; sys.exit(1)",
    "die": "import os; os.kill(os.getpid(), 9)",
    "leave": f"{START}; time.sleep(1)",
    "stay": f"{IGNORE}; {START}; time.sleep(600)",
}
limit_s, *names = sys.argv[1:]
commands = {name: [sys.executable, "-c", PROGRAMS[name]] for name in names}
sys.exit(do_apart(commands, float(limit_s), clean_up_s=0.5))
"""


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a Python program; whatever becomes of the test, it ends."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent / 'proxy'}:{TESTS}"}
    program = [sys.executable, *command]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()


def lines_of(*command: str) -> tuple[int, list[str]]:
    """Return the exit status of a Python program, and what it prints."""
    with started(*command) as process:
        output, _ = process.communicate(timeout=60)
        return process.returncode, output.splitlines()


def is_running(pid: int) -> bool:
    """Say whether there is a process, other than a dead one that nobody has asked for."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def is_gone(line: str) -> bool:
    """Say whether the process that a line tells of has ended, and its folder with it."""
    word, pid, folder = line.split()
    assert "asleep" == word
    return not is_running(int(pid)) and not Path(folder).exists()


def test_problems() -> None:
    """One that fails, and one that dies, keep the next ones from nothing but a status of 0."""
    status, lines = lines_of("-c", PLANTED, "60", "fail", "die", "well")

    assert 1 == status
    assert ["die: PROBLEM, ended with status -9", "well"] == lines[:2]
    assert lines[2].startswith("2 runs with problems: fail, die [")


def test_standstill() -> None:
    """A run that stands still is ended, with what it has started."""
    status, lines = lines_of("-c", PLANTED, "3", "stay", "well")

    assert 1 == status
    assert ["stay: PROBLEM, stands still", "well"] == lines[1:3]
    assert lines[3].startswith("1 runs with problems: stay [")
    wait_until(lambda: is_gone(lines[0]), what="it has ended")


def test_leftovers() -> None:
    """What a run has started, and forgotten, ends with it, and is no problem."""
    status, lines = lines_of("-c", PLANTED, "60", "leave", "well")

    assert 0 == status
    assert lines[2].startswith("0 runs with problems: none [")
    wait_until(lambda: is_gone(lines[0]), what="it has ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interruption(number: signal.Signals) -> None:
    """Who interrupts it, more than once, and a run that takes no notice, is left no process."""
    with started("-c", PLANTED, "60", "stay", "well") as process:
        assert process.stdout is not None
        sleeper = process.stdout.readline()
        assert not is_gone(sleeper)
        process.send_signal(number)
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().splitlines()

        assert 130 == process.wait(10)
        assert "interrupted in stay" == lines[0]
        assert lines[1].startswith("0 runs with problems: none [")
        assert 2 == len(lines)
        wait_until(lambda: is_gone(sleeper), what="it has ended")


def test_here(capsys: pytest.CaptureFixture[str]) -> None:
    """A run gets the options; one that fails tells why, and the next one comes."""

    def fail(_: object) -> str:
        raise AssertionError("planted")

    runs = {"fail": fail, "well": lambda arguments: f"seed {arguments.seed}"}
    status = main(["--here", "--seed", "7", "fail", "well"], runs)

    assert 1 == status
    lines = capsys.readouterr().out.splitlines()
    assert "fail: PROBLEM" == lines[0]
    assert "AssertionError: planted" in lines
    assert "well: seed 7 [0 s]" == lines[-1]


def test_unknown_run() -> None:
    """A run that does not exist is not left out in silence."""
    with pytest.raises(SystemExit) as info:
        main(["nothing", "nothin"])

    assert 2 == info.value.code


def test_from_the_command_line() -> None:
    """The program hands its options on to each run."""
    program = str(Path(__file__).with_name("run.py"))
    status, lines = lines_of(program, "--seed", "7", "--lies", "1", "lie-drop")

    assert 0 == status
    assert lines[0].endswith("seed 7")
    assert lines[1].startswith("lie-drop: in sync again after each of 1 [")
    assert lines[2].startswith("0 runs with problems: none [")
