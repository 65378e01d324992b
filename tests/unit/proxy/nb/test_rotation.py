# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which server is tried, and when, by a clock that the tests turn."""

from __future__ import annotations

import pytest

from ovirt_ovn_proxy.nb import rotation
from ovirt_ovn_proxy.nb.remote import Remote
from ovirt_ovn_proxy.nb.rotation import CONNECT, DISCONNECT, PROBE, Rotation

A, B, C = (Remote("tcp", "192.0.2.1", port) for port in (1, 2, 3))


class Clock:
    """What `rotation` takes for the time, in ms."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rotation, "_now_ms", clock)
    return clock


def wait(servers: Rotation, clock: Clock) -> tuple[str | None, int]:
    """Turn the clock until something is due; return that, and how long it took in ms."""
    began = clock.ms
    while (action := servers.due()) is None:
        pause = servers.timeout_ms()
        assert pause is not None
        assert pause > 0
        clock.ms += pause
        servers.listened()
    return action, clock.ms - began


def refused(servers: Rotation, clock: Clock, away_s: float = 0.0, answered: bool = False) -> int:
    """Have the next server refuse; return how long it took until it was tried, in ms."""
    action, waited = wait(servers, clock)
    assert action == CONNECT
    servers.take_turn()
    servers.blame("refused")
    servers.end_turn(answered=answered, away_s=away_s)
    return waited


def test_turns(clock: Clock) -> None:
    """All servers are tried without a pause, then there is a short one."""
    servers = Rotation([A, B, C], 5000)
    servers.start()
    tried, pauses = [], []
    for _ in range(7):
        pauses.append(refused(servers, clock))
        tried.append(servers.remote)

    assert [A, B, C, A, B, C, A] == tried
    assert pauses == [0, 0, 0, 100, 0, 0, 100]
    assert {A: "refused", B: "refused", C: "refused"} == servers.problems


def test_longer_pauses_when_away_for_long(clock: Clock) -> None:
    """Nobody hammers servers that are down for more than ten seconds."""
    servers = Rotation([A, B], 5000)
    servers.start()
    pauses = [refused(servers, clock, away_s=away_s) for away_s in (9.0, 9.0, 11.0, 11.0, 11.0)]

    assert pauses == [0, 0, 100, 0, 1000]


@pytest.mark.parametrize(
    ("answered", "expected"), [(True, [0, 100, 0, 100]), (False, [0, 1000, 2000, 2000])]
)
def test_nonsense_slows_down(clock: Clock, answered: bool, expected: list[int]) -> None:
    """Pauses are long after nonsense, unless a server answers that works."""
    servers = Rotation([A, B], 5000)
    servers.start()
    refused(servers, clock)
    servers.slow_down()

    assert expected == [refused(servers, clock, answered=answered) for _ in expected]


@pytest.mark.parametrize(("remotes", "patience"), [([A], 5000), ([A, B], 1000)])
def test_a_silent_server(clock: Clock, remotes: list[Remote], patience: int) -> None:
    """It is asked once, then left: soon if there are others, and later once it has spoken."""
    servers = Rotation(remotes, 5000)
    servers.start()
    wait(servers, clock)
    servers.take_turn()
    servers.connected()
    servers.listened()
    assert wait(servers, clock) == (PROBE, patience)
    servers.listened()
    assert wait(servers, clock) == (DISCONNECT, patience)

    servers.end_turn(answered=False, away_s=0.0)
    wait(servers, clock)
    servers.take_turn()
    servers.connected()
    servers.heard()
    servers.greeted()
    servers.listened()
    assert wait(servers, clock) == (PROBE, 5000)


def test_news() -> None:
    """The same trouble with the same server is no news; all is new after all was well."""
    servers = Rotation([A], 5000)
    assert servers.blame("refused")
    assert not servers.blame("refused")
    assert servers.blame("no route")

    servers.all_is_well()

    assert servers.problems == {}
    assert servers.blame("no route")


def test_last_words(clock: Clock) -> None:
    """A server that said something right before it was lost is not taken for connected."""
    servers = Rotation([A, B], 5000)
    servers.start()
    wait(servers, clock)
    servers.take_turn()
    servers.connected()
    servers.heard()
    servers.end_turn(answered=False, away_s=0.0)

    assert wait(servers, clock) == (CONNECT, 0)
    assert servers.take_turn() == B


def test_a_server_that_others_listen_to(clock: Clock) -> None:
    """What is heard between two looks counts from when it was heard."""
    servers = Rotation([A], 5000)
    servers.start()
    wait(servers, clock)
    servers.take_turn()
    servers.connected()
    servers.listened()
    clock.ms += 4000
    servers.heard()
    clock.ms += 2000
    servers.listened()

    assert wait(servers, clock) == (PROBE, 3000)
