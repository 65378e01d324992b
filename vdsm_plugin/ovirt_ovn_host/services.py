# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The services that a chassis needs: enabled, and started if they are stopped.

I/O, by systemctl. Nothing is restarted here: Open vSwitch's restart would take VDSM with
it, and everything that is configured takes effect while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import commands
from .errors import HostError

SWITCH = "openvswitch"
CONTROLLER = "ovn-controller"
IPSEC = "openvswitch-ipsec"

_ASK_TIMEOUT_S = 2.0
# Within the ten seconds that vdsmd's start waits for us.
_ACT_TIMEOUT_S = 8.0
_PACKAGES = {
    SWITCH: "openvswitch",
    CONTROLLER: "openvswitch-ovn-host",
    IPSEC: "openvswitch-ipsec",
}


class Step(NamedTuple):
    """One thing to do to a service: "enable", "start", "stop" or "disable"."""

    verb: str
    service: str

    def __str__(self) -> str:
        return f"service {self.service}: {self.verb}"


def missing(services: Sequence[str]) -> list[Step]:
    """Return what has to be done so that services run, now and after the next start.

    Raises HostError if systemd does not answer.
    """
    return [
        Step(verb, service)
        for service in services
        for verb, question in (("enable", "is-enabled"), ("start", "is-active"))
        if not _answers(question, service)
    ]


def exists(service: str) -> bool:
    """Say whether a service is installed."""
    return _answers("cat", service)


def is_active(service: str) -> bool:
    """Say whether a service runs."""
    return _answers("is-active", service)


def _answers(question: str, service: str) -> bool:
    try:
        _systemctl(question, service, _ASK_TIMEOUT_S)
    except commands.CommandTimeout as error:
        raise HostError(f"systemd does not answer: {error}") from error
    except commands.CommandError:
        return False
    return True


def do(step: Step) -> None:
    """Do a step; HostError with systemd's reason if that fails."""
    try:
        _systemctl(step.verb, step.service, _ACT_TIMEOUT_S)
    except commands.CommandError as error:
        raise HostError(
            f"{step}: {' '.join(str(error).split())}: is the package {_PACKAGES[step.service]} "
            f"installed? systemctl status {step.service}"
        ) from error


def _systemctl(verb: str, service: str, timeout_s: float) -> None:
    commands.run(["/usr/bin/systemctl", "--quiet", verb, service], timeout_s)
