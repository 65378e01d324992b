# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of Southbound, and of what it says of this chassis and of others. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from .bindings import Chassis, Southbound
from .checks_switch import CONFIGURE, problem
from .checks_tls import RENEW, WARN_DAYS, days
from .facts import Facts, Problem
from .rows import ERROR, OK, UNKNOWN, WARNING, Row

_CLOCK_S = 5.0


def southbound(facts: Facts) -> Iterator[Row]:
    """Say whether Southbound answers this host."""
    name = "southbound"
    if not facts.remotes:
        if isinstance(facts.switch, Problem):
            yield Row(name, UNKNOWN, "where it is cannot be seen")
        else:
            yield Row(name, ERROR, "nothing says where it is: ovn-remote is not set", CONFIGURE)
        return
    if isinstance(facts.southbound, Problem):
        yield problem(name, facts.southbound, "on the central: ovn-sbctl get-connection; ss -tln")
        return
    found = facts.southbound
    if found.ends_s is not None and days(found.ends_s, facts.now_s) < WARN_DAYS:
        yield Row(
            name,
            WARNING,
            f"the certificate of {found.remote} ends in {days(found.ends_s, facts.now_s)} days",
            RENEW,
        )
    else:
        yield Row(name, OK, f"{found.remote} answers, with {len(found.chassis)} chassis")


def chassis(facts: Facts) -> Iterator[Row]:
    """Say whether Southbound knows this host as it is."""
    name = "chassis"
    if not facts.system_id and not isinstance(facts.switch, Problem):
        yield Row(name, ERROR, "this host has no name in OVN: system-id is not set", CONFIGURE)
        return
    if isinstance(facts.southbound, Problem):
        yield Row(name, UNKNOWN, "Southbound is not seen")
        return
    ours = _ours(facts, facts.southbound)
    if ours is None:
        yield Row(
            name,
            ERROR,
            f"Southbound has no chassis {facts.system_id}",
            "tail /var/log/ovn/ovn-controller.log",
        )
        return
    wrong = [it for it in facts.encaps if it not in ours.encaps]
    if wrong:
        has = ", ".join(f"{kind} at {ip}" for kind, ip in ours.encaps) or "no tunnels"
        yield Row(
            name,
            ERROR,
            f"Southbound has {facts.system_id} with {has}, not with {wrong[0][0]} at {wrong[0][1]}",
            "tail /var/log/ovn/ovn-controller.log",
        )
    else:
        ends = ", ".join(f"{kind} at {ip}" for kind, ip in ours.encaps)
        yield Row(name, OK, f"{facts.system_id} is registered, with {ends or 'no tunnels'}")


def other_chassis(facts: Facts) -> Iterator[Row]:
    """Say whether another chassis has this host's name or address, or is this host's old self."""
    name = "other-chassis"
    if isinstance(facts.southbound, Problem):
        yield Row(name, UNKNOWN, "Southbound is not seen")
        return
    host = facts.host_name.lower()
    rows = []
    for it in facts.southbound.chassis:
        is_same_host = _is_same(it.hostname.lower(), host)
        if it.name == facts.system_id:
            if it.hostname and not is_same_host:
                rows.append(
                    Row(
                        name,
                        ERROR,
                        f"a host called {it.hostname} uses the name {it.name} too, in turns "
                        f"with this one, which is called {facts.host_name}",
                        f"on {it.hostname}: vdsm-tool ovn-config CENTRAL TUNNEL "
                        f"{shlex.quote(it.hostname)}",
                    )
                )
            continue
        remove = f"on the central, if that is gone: ovn-sbctl chassis-del {shlex.quote(it.name)}"
        same = [end for end in it.encaps if end in facts.encaps]
        if same:
            rows.append(
                Row(
                    name,
                    ERROR,
                    f"chassis {it.name} ({it.hostname or 'host unknown'}) has {same[0][0]} at "
                    f"{same[0][1]} too, so this host cannot be registered with it",
                    remove,
                )
            )
        elif is_same_host:
            text = f"chassis {it.name} is of a host called {it.hostname} too: an old name of this?"
            rows.append(Row(name, WARNING, text, remove))
    yield from rows
    if not rows:
        yield Row(name, OK, "none has this host's name or address")


def clock(facts: Facts) -> Iterator[Row]:
    """Say what is known of this host's clock: by that of another chassis, or by the kernel.

    Each chassis writes by its own clock when it has done what NB_Global.nb_cfg stands for. If
    that is nearly the same time, both clocks are right, or wrong together. If not, one may
    simply have come later: it has joined since, or had been away.
    """
    name = "clock"
    nearest = None if isinstance(facts.southbound, Problem) else _nearest(facts, facts.southbound)
    mend = "chronyc tracking; timedatectl"
    if nearest is not None and abs(nearest) <= _CLOCK_S:
        yield Row(name, OK, f"within {abs(nearest):.1f} s of another chassis'")
    elif facts.is_clock_steered:
        yield Row(name, OK, "something keeps it right, the kernel says")
    elif facts.is_clock_steered is None:
        yield Row(name, UNKNOWN, "what keeps it right cannot be seen", mend)
    elif nearest is None:
        text = "nothing keeps it right, the kernel says, and there is no other to compare with"
        yield Row(name, UNKNOWN, text, mend)
    else:
        direction = "behind" if nearest < 0 else "ahead of"
        yield Row(
            name,
            WARNING,
            f"nothing keeps it right, the kernel says, and it may be {abs(nearest):.0f} s "
            f"{direction} the nearest other chassis'",
            mend,
        )


def _is_same(host: str, other: str) -> bool:
    """Say whether two names may be one host's; one of them may be short."""
    if "." in host and "." in other:
        return host == other
    return bool(host) and host.partition(".")[0] == other.partition(".")[0]


def _ours(facts: Facts, found: Southbound) -> Chassis | None:
    return next((it for it in found.chassis if it.name == facts.system_id), None)


def _nearest(facts: Facts, found: Southbound) -> float | None:
    """Return how many seconds we are ahead of the chassis whose clock is nearest to ours."""
    ours = _ours(facts, found)
    if ours is None or not ours.nb_cfg or not ours.done_ms:
        return None
    ahead = [
        (ours.done_ms - it.done_ms) / 1000
        for it in found.chassis
        if it.name != ours.name and it.nb_cfg == ours.nb_cfg and it.done_ms
    ]
    return min(ahead, key=abs, default=None)
