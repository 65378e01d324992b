# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The mark in a VM's launch flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovirt_ovn_host import start

VM = "bbbbbbbb-0000-4000-8000-000000000001"


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the launch flags of the VM are, or would be."""
    monkeypatch.setattr(start, "LAUNCH_FLAGS", str(tmp_path / "{vm_id}" / "launchflags"))
    path = tmp_path / VM / "launchflags"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("0", "1\novn\n", id="starts"),
        pytest.param("8", "9\novn\n", id="other-flags-stay"),
        pytest.param("0\n", "1\novn\n", id="line-end"),
        pytest.param("1", "1", id="paused-by-its-user"),
        pytest.param("9", "9", id="paused-by-its-user-other-flags"),
        pytest.param("1\novn\n", "1\novn\n", id="paused-for-another-vnic"),
    ],
)
def test_pause(flags: Path, before: str, after: str) -> None:
    """A VM that is to run is paused and marked; one that is paused anyway is left alone."""
    flags.write_text(before)
    start.pause(VM)

    assert after == flags.read_text()
    # As VDSM reads it.
    with flags.open() as file:
        assert int(before.split("\n")[0]) | 1 == int(file.readline())


def test_a_vm_from_memory(flags: Path) -> None:
    """A VM that is resumed has no launch flags, and gets none."""
    start.pause(VM)

    assert [] == list(flags.parent.iterdir())


def test_flags_that_are_none(flags: Path) -> None:
    """Launch flags that are no number stay as they are."""
    flags.write_text("paused")
    with pytest.raises(ValueError, match="invalid literal"):
        start.pause(VM)

    assert "paused" == flags.read_text()


def test_no_ports_no_wait() -> None:
    """A VM without ports waits for nothing and asks nobody."""
    assert "" == start.wait_for_ports(set(), 5)
