# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Columns of a Logical_Switch_Port from what a port is to be. Pure.

Source: ovn-nb(5), "Logical_Switch_Port".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..nb import keys
from ..nb.rows import SwitchPort
from ..wire.port import asked_admin_state


def with_admin_state(port: SwitchPort, was_up: bool, is_up: bool) -> SwitchPort:
    """Return the port after its network's admin state changed.

    While the network is down, `enabled` is off and what was asked for the port
    stands beside it.
    """
    asked = asked_admin_state(port) if was_up or keys.ADMIN_STATE in port.external_ids else True
    return with_asked_state(port, asked, is_up)


def with_asked_state(port: SwitchPort, asked: bool, network_is_up: bool) -> SwitchPort:
    """Return the port with the admin state that was asked for it."""
    external_ids = dict(port.external_ids)
    external_ids.pop(keys.ADMIN_STATE, None)
    if not network_is_up:
        external_ids[keys.ADMIN_STATE] = str(asked)
    return port.copy(enabled=asked and network_is_up, external_ids=external_ids)


def with_addresses(
    port: SwitchPort,
    mac: str,
    ips: Sequence[str],
    is_secured: bool,
    pairs: Iterable[Mapping[str, str]],
) -> SwitchPort:
    """Return the port with these addresses; `is_secured` lets it send from them only.

    With no address at all only the MAC is checked: the guest may then configure
    what it likes. Pairs (allowed_address_pairs) add to what it may send from, and
    their MACs to what the switch delivers to it.
    """
    own = " ".join([mac, *ips])
    allowed: dict[str, list[str]] = {mac: list(ips)}
    for pair in pairs:
        if ips or pair["mac_address"] != mac:
            allowed.setdefault(pair["mac_address"], []).append(pair["ip_address"])
    security = [" ".join([sender, *addresses]) for sender, addresses in allowed.items()]
    # In the order that the database gives to sets.
    return port.copy(
        addresses=tuple(sorted([own, *(allowed.keys() - {mac})])),
        port_security=tuple(sorted(security)) if is_secured else (),
    )
