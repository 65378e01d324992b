# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks' settings."""

from __future__ import annotations

import pytest

from ovirt_ovn_host.settings import DEFAULTS, PATH, parse


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        ("bridge=br-ovn\n", {"bridge": "br-ovn"}),
        ("bridge=a\nbridge=b", {"bridge": "b"}),
        ("start=when-ports-installed\nstart-timeout=30\n", None),
        ("vm-stats=yes", {"vm-stats": "yes"}),
        ("tunnel-network=tunnel\n", {"tunnel-network": "tunnel"}),
        ("tunnel-network=tunnel\ntunnel-network=\n", {}),
        ("migration-wait=0\n", {"migration-wait": "0"}),
        ("migration-wait=60\n", {"migration-wait": "60"}),
        ("# a comment\n\nsomething-new=1\nbridge\n=\n", {}),
    ],
)
def test_valid(text: str, changed: dict[str, str] | None) -> None:
    """What is in the file counts, the last line of a key; for the rest the defaults hold."""
    if changed is None:
        changed = dict(line.split("=") for line in text.splitlines())

    settings, complaints = parse(text)

    assert {**DEFAULTS, **changed} == settings
    # Only a key that is known, without a value, is worth a word.
    assert ([f"{PATH}: bridge= is not valid, br-int holds"] if "bridge\n" in text else []) == (
        complaints
    )


@pytest.mark.parametrize(
    "line",
    [
        "bridge=",
        "bridge=a/b",
        "bridge=a b",
        "bridge=0123456789abcdef",
        "start=later",
        "start-timeout=0",
        "start-timeout=31",
        "start-timeout=-1",
        "start-timeout=2.5",
        "start-timeout=five",
        "start-timeout=\u0665",
        "start-timeout=" + "9" * 5000,
        "migration-wait=61",
        "migration-wait=-1",
        "migration-wait=",
        "vm-stats=true",
        "tunnel-network=a/b",
        "tunnel-network=a b",
        "vm-stats=" + "x" * 5000,
    ],
)
def test_not_valid(line: str) -> None:
    """A value that makes no sense is named, shortly, and the default holds."""
    settings, (complaint,) = parse(line)
    key = line.partition("=")[0]

    assert DEFAULTS == settings
    assert complaint.startswith(f"{PATH}: {key}=")
    assert complaint.endswith(f" is not valid, {DEFAULTS[key] or 'none'} holds")
    assert len(complaint) < 200
