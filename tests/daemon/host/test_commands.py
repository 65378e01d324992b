# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs, run with a deadline."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ovirt_ovn_host.commands import CommandError, CommandTimeout, run, watch

pytestmark = pytest.mark.daemon


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_output() -> None:
    """All output comes back, also what is more than a pipe holds, and nothing else."""
    assert b"a\n" * 200_000 == run(sh("echo warning >&2; yes a | head -n 200000"), 30)
    assert b"" == run(["/bin/true"], 30)


def test_nothing_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program gets no input, none of our variables, and neither of our outputs."""
    monkeypatch.setenv("OVS_RUNDIR", "/tmp")
    lines = run(sh("cat; env; readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2"), 30).decode()
    *variables, stdin, stdout, stderr = lines.splitlines()

    names = {line.partition("=")[0] for line in variables}
    # The last ones are the shell's own.
    assert {"PATH", "LC_ALL"} == names - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert "/dev/null" == stdin
    assert {stdout, stderr}.isdisjoint(os.readlink(f"/proc/self/fd/{number}") for number in (1, 2))


def test_a_program_whose_output_nobody_reads() -> None:
    """It dies of that, though Python does not: one of sudo's cannot be ended otherwise."""
    status = dict(
        line.split(":\t", 1)
        for line in run(["/bin/cat", "/proc/self/status"], 30).decode().splitlines()
    )

    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    assert not int(status["SigIgn"], 16) >> (signal.SIGPIPE - 1) & 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (sh("echo first; echo no such table >&2; exit 1"), "no such table"),
        (sh("exit 7"), "/bin/sh: status 7"),
        (sh("kill -9 $$"), "/bin/sh: status -9"),
        (["/nonexistent/program"], "/nonexistent/program: No such file or directory"),
    ],
)
def test_failures(command: list[str], reason: str) -> None:
    """A program that fails is an error with its own words, or its status."""
    before = open_files()
    with pytest.raises(CommandError) as caught:
        run(command, 30)

    assert reason == str(caught.value)
    assert not isinstance(caught.value, CommandTimeout)
    assert before == open_files()


@pytest.mark.parametrize("script", ["exec sleep 60", "trap '' TERM; sleep 60 & sleep 60"])
def test_time_out(tmp_path: Path, script: str) -> None:
    """A program that takes too long is ended, and nobody waits for what it has started."""
    before = open_files()
    started = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"/bin/sh: no answer within 0\.3 seconds"):
        run(sh(f"echo $$ >{tmp_path}/pid; {script}"), 0.3)

    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{int((tmp_path / 'pid').read_text())}").exists()
    assert before == open_files()


def test_the_alarm_of_open_vswitch() -> None:
    """A program that its own time-out has ended took too long."""
    with pytest.raises(CommandTimeout, match="/bin/sh: no answer in time"):
        run(sh("kill -14 $$"), 30)


def test_watch() -> None:
    """Output is there as it comes, and the program ends with the interest in it."""
    blocks = watch(sh("echo $$; sleep 0.2; echo more; exec sleep 60"), 30)
    pid = int(next(blocks))

    assert Path(f"/proc/{pid}").exists()
    assert b"more\n" == next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert not Path(f"/proc/{pid}").exists()
