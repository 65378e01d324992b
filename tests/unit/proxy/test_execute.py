# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The queues of those who contend for the same; what is sent is tested on a real server."""

from __future__ import annotations

import threading
import time

import pytest

from ovirt_ovn_proxy.execute import Queues


def within(seconds: float) -> float:
    """Return the deadline so many seconds from now."""
    return time.monotonic() + seconds


def test_nobody_waits_in_a_circle() -> None:
    """Who has to wait for one name holds none that comes behind it in the order of all."""
    queues = Queues()
    results: list[bool] = []

    def both() -> None:
        with queues.entered(["b", "a"], within(9)) as is_entered:
            results.append(is_entered)

    with queues.entered(["a"], within(9)):
        waiting = threading.Thread(target=both)
        waiting.start()
        end = within(9)
        while queues._entries["a"][1] < 2:
            assert time.monotonic() < end
            time.sleep(0.001)
        with queues.entered(["b"], within(0)) as is_entered:
            assert is_entered
    waiting.join(9)

    assert [True] == results
    assert {} == queues._entries


@pytest.mark.parametrize("is_failing", [False, True])
def test_what_was_entered_is_left(is_failing: bool) -> None:
    """Who waited in vain, and whose work fails, leaves all names to the others."""
    queues = Queues()
    with queues.entered(["b"], within(9)):
        try:
            with queues.entered(["a", "b", "a"], within(0.01)) as is_entered:
                assert not is_entered
                if is_failing:
                    raise LookupError
        except LookupError:
            assert is_failing
        assert ["b"] == list(queues._entries)
        with queues.entered(["a"], within(0)) as is_entered:
            assert is_entered

    assert {} == queues._entries
