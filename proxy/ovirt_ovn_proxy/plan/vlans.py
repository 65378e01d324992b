# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planner that keeps the VLANs of networks which ovirt-provider-ovn has made. Pure.

It put a VLAN into `tag` alone. That column is ovn-northd's (ovn-nb(5), "tag"), who takes
it from `tag_request`: up to OVN 26.03.1 it left a tag without a request alone; since then
it takes the tag away, and the network is the untagged one from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..nb.rows import SwitchPort
from ..nb.view import View
from .draft import Context, Draft, Plan


def find_loose(view: View) -> list[str]:
    """Return the ids of the networks whose VLAN is not asked for."""
    return [switch.uuid for switch in view.networks() for _ in _loose(view, switch.uuid)]


def plan_kept(network_ids: Iterable[str], context: Context, view: View) -> Plan:
    """Plan that the VLANs of networks are asked for as they are; the answer names each."""
    draft = Draft(view, context)
    kept = []
    for network_id in network_ids:
        for localnet in _loose(view, network_id):
            draft.rest_on(localnet, "tag")
            draft.update(localnet.copy(tag_request=localnet.tag))
            kept.append(f"network {network_id}: VLAN {localnet.tag}")
    return draft.finish(kept)


def _loose(view: View, network_id: str) -> Iterator[SwitchPort]:
    switch = view.network(network_id)
    localnet = view.localnet(switch) if switch is not None else None
    if localnet is not None and localnet.tag and localnet.tag_request is None:
        yield localnet
