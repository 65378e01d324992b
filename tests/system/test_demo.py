# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make demo`, as a person sees it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.proxy import http
from system.demo import main
from system.lab import namespace
from system.leftovers import NOTHING, leftovers

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "tests" / "system" / "demo.py")]
FOLDERS = ("proxy", "vdsm_plugin", "tests")
ENVIRONMENT = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / name) for name in FOLDERS)}


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """The demo, in a process group of its own like what a terminal runs."""
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            namespace.remove_leftovers()


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Return the lines up to the one with a word."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if word in line:
            return lines
    raise AssertionError(f"no {word!r} in {lines}")


def test_it_shows_what_it_says(demo: subprocess.Popen[str]) -> None:
    """It shows hosts, requests, machines and pings, and the commands that it prints work."""
    lines = read_until(demo, "Ctrl-C removes it all")
    output = "\n".join(lines)

    for number, name in enumerate(("alice", "bob"), 1):
        assert f"hv{number}: done: chassis hv{number}, tunnels at 198.18.0.{number}" in output
        assert f"{name} starts on hv{number}: our hook has its vNIC on br-int" in output
    assert 3 == output.count(" time=")
    assert "no answer" not in output
    for command, word in (
        ("  ovn-nbctl ", "(ovirt-blue-"),
        ("  ovn-sbctl ", "Chassis hv2"),
        ("  ip netns exec ", "inet 10.0.0.2/24"),
    ):
        line = next(it for it in lines if it.startswith(command))
        done = subprocess.run(line.split(), capture_output=True, text=True, check=True)
        assert word in done.stdout
    [(there, url)] = re.findall(r"^  ip netns exec (\S+) curl (\S+)$", output, re.M)
    with namespace.Namespace(there).entered():
        ports = http("GET", url).json["ports"]
    assert {"alice", "bob"} == {port["name"] for port in ports}


@pytest.mark.parametrize("word", ["Starting", "POST", "Ctrl-C removes"])
def test_ctrl_c_removes_it_all(demo: subprocess.Popen[str], word: str) -> None:
    """Ctrl-C, which every process of it gets, leaves nothing, whenever and how often it comes."""
    read_until(demo, word)
    while demo.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGINT)
        time.sleep(0.05)

    output, _ = demo.communicate(timeout=30)
    assert 0 == demo.returncode, output
    assert output.endswith("All of it is gone.\n")
    assert NOTHING == leftovers(f"ovnlab-{demo.pid}-")


def test_who_is_not_root_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An ordinary user gets one sentence."""
    with monkeypatch.context() as changed:
        changed.setattr(os, "geteuid", lambda: 1000)
        assert 1 == main()

    said = capsys.readouterr()
    assert "" == said.out
    assert "run this as root" in said.err
