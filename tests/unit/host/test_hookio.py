# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract between VDSM and a hook, as far as it needs no VDSM."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from ovirt_ovn_host import hookio
from ovirt_ovn_host.hookio import HookError, Refusal


def fails(error: Exception) -> Callable[[], str]:
    def program() -> str:
        raise error

    return program


LINE = fails.__code__.co_firstlineno + 2


@pytest.mark.parametrize(
    ("program", "status", "line"),
    [
        (lambda: "", 0, ""),
        (lambda: "port a on b", 0, "ovn point: port a on b\n"),
        (fails(HookError("no bridge")), 2, "ovn point: no bridge\n"),
        (
            fails(KeyError("x")),
            2,
            f"ovn point: unexpected KeyError: 'x' (test_hookio.py:{LINE})\n",
        ),
    ],
)
def test_run(
    program: Callable[[], str], status: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program's note, refusal or accident is one line, and the exit status is known."""
    assert status == hookio.run("point", program, hookio.REFUSED)
    assert ("", line) == capfd.readouterr()


def test_a_failure_may_be_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """Points that must not fail say what is wrong and succeed, but for a refusal."""
    assert 0 == hookio.run("point", fails(HookError("x")), hookio.FINE)
    assert "ovn point: x\n" == capfd.readouterr().err
    assert 0 == hookio.run("point", fails(KeyError("x")), hookio.FINE)
    assert "ovn point: unexpected KeyError: 'x'" in capfd.readouterr().err
    assert 2 == hookio.run("point", fails(Refusal("x")), hookio.FINE)
    assert "ovn point: refused: x\n" == capfd.readouterr().err


@pytest.mark.parametrize(
    ("vnic_id", "text", "line"),
    [
        ("a-b", "text", "ovn point: vNIC 'a-b': text\n"),
        ("x\n" * 99, "t", "ovn point: vNIC '" + "x\\n" * 20 + "': t\n"),
        ("", "two\nlines\n", "ovn point: two lines\n"),
        ("", "é\x1b[1m", "ovn point: \\xe9\\x1b[1m\n"),
    ],
)
def test_say(
    vnic_id: str,
    text: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What is said is one line of ASCII, with the vNIC that it is about."""
    monkeypatch.setenv("vnic_id", vnic_id)
    hookio.say("point", text)

    assert line == capfd.readouterr().err


@pytest.mark.parametrize("character", ["x", "é", "\0"])
def test_say_is_short(capfd: pytest.CaptureFixture[str], character: str) -> None:
    """What others have caused cannot flood the log: it is no more than a pipe takes at once."""
    hookio.say("point", character * 100_000)

    assert len(capfd.readouterr().err) <= select.PIPE_BUF


def test_what_vdsm_drops_is_in_the_systems_log(
    mocker: MockerFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who runs the hooks before vdsmd starts has no log, so their line is written to syslog."""
    log = mocker.patch("syslog.syslog")
    hookio.say("before_device_create", "text")
    hookio.say("before_vdsm_start", "")
    log.assert_not_called()

    hookio.say("before_vdsm_start", "two\nlines")
    log.assert_called_once_with(mocker.ANY, "ovn before_vdsm_start: two lines")
    assert capfd.readouterr().err.endswith("\novn before_vdsm_start: two lines\n")


def test_replace_file(tmp_path: Path) -> None:
    """The name gets new content in one step, its mode stays, and nothing is left beside it."""
    path = tmp_path / "data"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with path.open("rb") as old:
        hookio.replace_file(str(path), b"new")

        assert b"old" == old.read()
    assert b"new" == path.read_bytes()
    assert 0o640 == path.stat().st_mode & 0o7777
    assert [path] == list(tmp_path.iterdir())


def test_replace_file_on_a_full_disk(tmp_path: Path, mocker: MockerFixture) -> None:
    """If the new content cannot be written, the old one stays and nothing is left."""
    path = tmp_path / "data"
    path.write_bytes(b"old")
    mocker.patch.object(os, "fchmod", side_effect=OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        hookio.replace_file(str(path), b"new")

    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_replace_file_does_not_create(tmp_path: Path) -> None:
    """A file that is not there stays away."""
    with pytest.raises(FileNotFoundError):
        hookio.replace_file(str(tmp_path / "data"), b"new")

    assert [] == list(tmp_path.iterdir())


def test_put_file_creates(tmp_path: Path) -> None:
    """A file is written, be it there or not, with the mode that it is to have."""
    path = tmp_path / "data"
    for content, mode in ((b"new", 0o644), (b"newer", 0o600)):
        hookio.put_file(str(path), content, mode)

        assert (content, mode) == (path.read_bytes(), path.stat().st_mode & 0o7777)
        assert [path] == list(tmp_path.iterdir())


def test_data_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is read and written where VDSM says."""
    path = tmp_path / "data"
    path.write_text('{"a": 1}')
    monkeypatch.setenv("_hook_json", str(path))
    hookio.write_json({**hookio.read_json(), "b": "é"})

    assert '{"a": 1, "b": "\\u00e9"}' == path.read_text()


def test_data_file_that_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing, absent or broken data file is a plain sentence."""
    monkeypatch.delenv("_hook_json", raising=False)
    with pytest.raises(HookError, match="_hook_json is not set: hooks are started by VDSM"):
        hookio.read_json()
    monkeypatch.setenv("_hook_json", str(tmp_path / "absent"))
    with pytest.raises(HookError, match=r"the data file cannot be read: .*No such file"):
        hookio.read_json()
    with pytest.raises(HookError, match=r"the data file cannot be written: .*No such file"):
        hookio.write_json({})
    (tmp_path / "absent").write_text('{"a": ')
    with pytest.raises(HookError, match="the data file is no JSON"):
        hookio.read_json()
