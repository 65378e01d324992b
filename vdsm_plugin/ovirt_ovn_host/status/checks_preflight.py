# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of what a host is to be, before anything is configured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .. import services
from .checks_switch import problem
from .checks_tls import RENEW, WARN_DAYS, days
from .checks_tunnels import UDP_PORTS, firewall_row
from .facts import Facts, Problem
from .rows import ERROR, OK, UNKNOWN, WARNING, Row

_INSTALL = "dnf install ovirt-provider-ovn-driver"


def packages(facts: Facts) -> Iterator[Row]:
    """Say which services are not installed."""
    name = "packages"
    missing = [it for it in facts.missing if it != services.IPSEC]
    if missing:
        yield Row(name, ERROR, f"not installed: {', '.join(missing)}", _INSTALL)
    elif facts.missing:
        yield Row(
            name,
            WARNING,
            f"{services.IPSEC} is not installed: the engine would show 'OVN configured: no'",
            "dnf install openvswitch-ipsec",
        )
    else:
        yield Row(name, OK, "Open vSwitch and OVN are installed")


def settings(facts: Facts) -> Iterator[Row]:
    """Say what ovn-config would refuse, whatever it is given."""
    if isinstance(facts.outlook, Problem) and facts.outlook.text:
        yield problem("settings", facts.outlook, "vdsm-tool configure --module ovn")


def central(facts: Facts) -> Iterator[Row]:
    """Say of each remote whether a Southbound answers; one is enough."""
    name = "central"
    if isinstance(facts.southbound, Problem) and not facts.centrals:
        yield problem(name, facts.southbound, "vdsm-tool ovn-status --preflight CENTRAL TUNNEL")
        return
    has_one = any(not it.problem for it in facts.centrals)
    for it in facts.centrals:
        if it.problem:
            yield Row(
                name,
                WARNING if has_one else ERROR,
                f"{it.remote}: {it.problem}",
                "cat /etc/resolv.conf"
                if it.is_unnamed
                else "on the central: ovn-sbctl get-connection; firewall-cmd --list-all",
            )
        elif it.ends_s is not None and days(it.ends_s, facts.now_s) < WARN_DAYS:
            left = days(it.ends_s, facts.now_s)
            yield Row(name, WARNING, f"{it.remote}: its certificate ends in {left} days", RENEW)
        elif it.ends_s is not None:
            left = days(it.ends_s, facts.now_s)
            text = f"{it.remote}: Southbound answers, by TLS of our authority ({left} days left)"
            yield Row(name, OK, text)
        else:
            yield Row(name, OK, f"{it.remote}: Southbound answers, without TLS")


def name(facts: Facts) -> Iterator[Row]:
    """Say what the chassis would be called."""
    if isinstance(facts.chassis_name, Problem):
        mend = "vdsm-tool ovn-config CENTRAL TUNNEL FQDN"
        yield problem("chassis", facts.chassis_name, mend)
    else:
        yield Row("chassis", OK, f"it would be called {facts.chassis_name}")


def tunnel(facts: Facts) -> Iterator[Row]:
    """Say which address the tunnel means."""
    if isinstance(facts.tunnel, Problem):
        yield problem("tunnel", facts.tunnel, "vdsm-tool ovn-status --preflight CENTRAL TUNNEL")
    else:
        end = facts.tunnel
        yield Row("tunnel", OK, f"tunnels would end at {end.ip}: {end.why}")


def firewall(facts: Facts) -> Iterator[Row]:
    """Say whether firewalld would let packets of tunnels in."""
    kind = next((kind for kind, _ in facts.encaps), "geneve")
    port = UDP_PORTS.get(kind, UDP_PORTS["geneve"])
    row = firewall_row("udp-port", facts, port)
    if row is not None:
        yield row
    elif facts.firewall is None or isinstance(facts.firewall, Problem):
        yield Row("udp-port", UNKNOWN, f"firewalld says nothing of {port}/udp")
    else:
        yield Row("udp-port", OK, f"firewalld lets {port}/udp into zone {facts.firewall.zone}")
