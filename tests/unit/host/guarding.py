# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A table's case for the judgement on setupNetworks requests, and its outcome in short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from ovirt_ovn_host.netchange import Host
from ovirt_ovn_host.netguard import Judgement, judge
from ovirt_ovn_host.networks import decode_request
from ovirt_ovn_host.ovnfacts import OvnFacts

A, B, A6, B6 = "192.0.2.10", "192.0.2.20", "2001:db8::10", "2001:db8::20"

# What a message is about, by words in it.
_REASONS = {
    "would be on no link": "no link",
    "would have no network card below it": "no NIC",
    "no IPv6 with an MTU": "no IPv6",
    "belongs to": "name taken",
    "would be taken from it": "port taken",
    "from ovn-bridge-mappings": "mapping dropped",
    "need 1500": "narrow",
    "need 1520": "narrow",
    "need 9000": "narrow",
}


class Case(NamedTuple):
    """A request on a host, and what shall become of it."""

    title: str
    host: Host
    networks: Mapping[str, Any] = {}
    bonds: Mapping[str, Any] = {}
    expected: str = ""  # "" to pass, "WHO: WHAT" for a refusal, "warning: WHAT"; ", " between
    options: Mapping[str, Any] = {}
    ovn: OvnFacts = OvnFacts(encap_value=A)
    follows: str = ""  # the VDSM network whose address OVN follows


def outcome(case: Case) -> str:
    """Return what becomes of a case's request, in the words of `Case.expected`."""
    request = {"networks": case.networks, "bondings": case.bonds, "options": case.options}
    judgement = judge(case.host, case.ovn, decode_request({"request": request}), case.follows)
    return in_short(judgement)


def in_short(judgement: Judgement) -> str:
    """Return each refusal as "WHO: WHAT" and each warning as "warning: WHAT"."""
    found = [f"{text.partition(':')[0]}: {_reason(text)}" for text in judgement.refusals]
    found += [f"warning: {_reason(text)}" for text in judgement.warnings]
    return ", ".join(found)


def _reason(text: str) -> str:
    return next(short for words, short in _REASONS.items() if words in text)


def params(topic: str, *cases: Case) -> list[Any]:
    """Return the cases as parameters of a test, with readable ids."""
    return [pytest.param(case, id=f"{topic}, {case.title}") for case in cases]
