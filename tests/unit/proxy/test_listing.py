# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rendered list of all ports, whatever it takes to make it."""

from __future__ import annotations

import json

import pytest

from ovirt_ovn_proxy import listing
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.replica import Replica
from ovirt_ovn_proxy.nb.rows import Row
from ovirt_ovn_proxy.nb.schema import PORT
from ovirt_ovn_proxy.resources import NETWORKS, SUBNETS
from ovirt_ovn_proxy.wire.query import read_query
from unit.proxy.plans import a_network, a_port, a_subnet, replica_of, row_id

# So many ports has each of the networks.
COUNTS = (3, 0, 2, 5, 1)


def site() -> list[Row]:
    """Return the rows of networks and their ports."""
    rows: list[Row] = []
    for number, count in enumerate(COUNTS):
        ports = [row_id(1000 * (number + 1) + port) for port in range(count)]
        rows.append(a_network(*ports, uuid=row_id(100 + number)))
        rows += [a_port(uuid=port) for port in ports]
    return rows


def listed(replica: Replica) -> dict[str, str]:
    """Return the names of the ports in the list by their ids; no id comes twice."""
    ports = json.loads(b"".join(listing.render_ports(replica, Config())))["ports"]
    found = {port["id"]: port["name"] for port in ports}
    assert len(found) == len(ports)
    return found


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5, 10, 11, 12, 100])
def test_in_slices(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """The list is whole in whatever slices it is rendered, at first, after changes, and again."""
    monkeypatch.setattr(listing, "_SLICE", at_once)
    replica = replica_of(*site())
    names = dict.fromkeys(replica.tables.ports, "nic")
    assert names == listed(replica)
    for number, uuid in enumerate([*names]):
        names[uuid] = f"nic{number}"
        difference = ["map", [[keys.NIC_NAME, names[uuid]]]]
        replica.apply({PORT: {uuid: {"modify": {"external_ids": difference}}}})
        if number % 4 == 0:
            assert names == listed(replica)
    assert names == listed(replica) == listed(replica)


def test_what_cannot_be_read_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A damaged subnet is in no list, nor in its network; the log names it once for each damage."""
    listing._tell_once.cache_clear()
    whole, damaged = a_subnet(), a_subnet(uuid=row_id(99), cidr="junk")

    def look(replica: Replica) -> None:
        for resource in (SUBNETS, NETWORKS):
            query = read_query("", resource.table)
            (found,) = listing.list_objects(replica, resource, query, Config(), False)
            assert [whole.uuid] == found.get("subnets", [found["id"]])

    for times, row in ((1, damaged), (1, damaged), (2, damaged.copy(cidr="other junk"))):
        look(replica_of(a_network(), whole, row))
        assert times == len(caplog.messages)
        assert caplog.messages[-1].startswith("Subnet is not shown, as its row cannot be read: ")
        assert damaged.uuid in caplog.messages[-1]
