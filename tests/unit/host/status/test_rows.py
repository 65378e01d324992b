# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two forms of the table, and its exit code."""

from __future__ import annotations

import json
import re

import pytest

from ovirt_ovn_host.status.rows import ERROR, OK, UNKNOWN, WARNING, Row, as_json, as_text, exit_code

LONG = "no Southbound of OVN answers (ssl:203.0.113.1:6642: Connection refused): is central right?"
COMMAND = (
    "firewall-cmd --permanent --zone=public --add-port=6081/udp && firewall-cmd --reload && true"
)
ROWS = [
    Row("open-vswitch", OK, "Open vSwitch 3.1.0 runs"),
    Row("southbound", ERROR, LONG, COMMAND),
    Row("clock", UNKNOWN, "it cannot be seen"),
    Row("mtu", WARNING, "small"),
]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), 0),
        ((OK, OK), 0),
        ((OK, UNKNOWN), 0),
        ((OK, WARNING, UNKNOWN), 1),
        ((WARNING, ERROR, OK), 2),
    ],
)
def test_exit_code(states: tuple[str, ...], code: int) -> None:
    """The worst state counts, and what is not known is no fault."""
    assert code == exit_code([Row("x", state, "") for state in states])


def test_text() -> None:
    """Three columns, and below what is wrong what mends it, ready to be copied."""
    assert """\
CHECK            STATE    REASON
open-vswitch     ok       Open vSwitch 3.1.0 runs
southbound       error    no Southbound of OVN answers (ssl:203.0.113.1:6642:
                          Connection refused): is central right?
    -> firewall-cmd --permanent --zone=public --add-port=6081/udp && \\
         firewall-cmd --reload && true
clock            unknown  it cannot be seen
mtu              warning  small
hv1: 1 error, 1 warning, 1 unknown""" == as_text("hv1", ROWS, is_coloured=False)


def test_text_of_a_healthy_host() -> None:
    """It ends with good news."""
    assert as_text("hv1", ROWS[:1], is_coloured=False).endswith("\nhv1: all is well")


def test_colours_change_nothing_but_colours() -> None:
    """On a terminal the states have colours, and the same text."""
    plain, coloured = (as_text("hv1", ROWS, is_coloured=it) for it in (False, True))
    assert plain == re.sub("\033\\[[0-9]*m", "", coloured)
    assert "\033[31merror    \033[0mno Southbound" in coloured


def test_what_others_have_written_does_not_command_the_terminal() -> None:
    """A name out of a database is shown without what a terminal would obey."""
    text = as_text("hv1", [Row("ports", ERROR, "\033[2Jport\n\x07")], is_coloured=False)
    assert "[2Jport" in text
    assert "\033" not in text
    assert "\x07" not in text


def test_json() -> None:
    """The same rows, by name."""
    table = json.loads(as_json("hv1", ROWS))
    assert ["host", "exit_code", "checks"] == list(table)
    assert ("hv1", 2) == (table["host"], table["exit_code"])
    assert {"check": "southbound", "state": "error", "reason": LONG, "mend": COMMAND} == table[
        "checks"
    ][1]
