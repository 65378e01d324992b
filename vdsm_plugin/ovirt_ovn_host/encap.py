# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""OVN's tunnel address where the tunnel was given by a VDSM network's name. Pure."""

from __future__ import annotations

from .links import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .links import Link
    from .networks import Network
    from .ovnfacts import OvnFacts


def outdated(encap: Sequence[bytes], network: Network, links: Mapping[str, Link]) -> list[bytes]:
    """Return the tunnel addresses of which one was the network's; empty if one still is.

    Of several addresses those that are on no link any more come into question first.
    """
    own = links[network.top].addresses if network.top in links else ()
    if any(address in own for address in encap):
        return []
    lost = [
        address for address in encap if not any(address in it.addresses for it in links.values())
    ]
    return lost or list(encap)


def successor(old: bytes, network: Network, links: Mapping[str, Link]) -> bytes | None:
    """Return the network's address of the same family, the first of several; None if it has none.

    Static addresses go first, those of the link alone do not count.
    """
    own = links[network.top].addresses if network.top in links else ()
    same_family = [it for it in own if len(it) == len(old) and not _is_link_local(it)]
    static = [address for address in same_family if address in network.addresses]
    return next(iter(static + same_family), None)


def _is_link_local(address: bytes) -> bool:
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


def plan_change(ovn: OvnFacts, old: bytes, new: bytes) -> list[dict[str, Any]]:
    """Return the operations that put `new` in the place of the tunnel address `old`.

    The pair is deleted only while it is the one that was seen, and a key that is
    there is not inserted again (RFC 7047 section 5.1): what somebody else wrote
    meanwhile stays.
    """
    value = ",".join(unpack(new if address == old else address) for address in ovn.encap)
    return [
        {
            "op": "mutate",
            "table": "Open_vSwitch",
            "where": [],
            "mutations": [
                ["external_ids", "delete", ["map", [[ovn.encap_key, ovn.encap_value]]]],
                ["external_ids", "insert", ["map", [[ovn.encap_key, value]]]],
            ],
        },
        {"op": "comment", "comment": "ovirt-ovn: the address of the tunnel's network has changed"},
    ]
