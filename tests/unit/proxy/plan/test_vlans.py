# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs that OVN would forget are found, and asked for as they are."""

from __future__ import annotations

import uuid

import pytest

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import ops, schema
from ovirt_ovn_proxy.nb.rows import SwitchPort
from ovirt_ovn_proxy.plan.draft import Context
from ovirt_ovn_proxy.plan.vlans import find_loose, plan_kept
from unit.proxy.plans import LOCALNET, NET, a_localnet, a_network, view_of

CONTEXT = Context(Config(), uuid.UUID(int=1), "2026-01-01T00:00:00.000000Z")


def localnet(tag: int | None, tag_request: int | None) -> SwitchPort:
    """Return a localnet port as some hand has left it."""
    return a_localnet().copy(tag=tag, tag_request=tag_request)


def test_a_vlan_in_tag_alone() -> None:
    """It is asked for as it is, unless somebody changes either column meanwhile."""
    view = view_of(a_network(LOCALNET), localnet(5, None))

    assert [NET] == find_loose(view)
    plan = plan_kept([NET], CONTEXT, view)
    assert [f"network {NET}: VLAN 5"] == plan.answer
    assert [
        ops.wait_columns(schema.PORT, LOCALNET, {"tag": 5}),
        ops.wait_columns(schema.PORT, LOCALNET, {"tag_request": None}),
        ops.update(schema.PORT, LOCALNET, {"tag_request": 5}),
    ] == plan.operations


@pytest.mark.parametrize(
    ("tag", "tag_request"),
    [(None, None), (0, None), (None, 5), (5, 5), (5, 6), (5, 0)],
)
def test_nothing_to_keep(tag: int | None, tag_request: int | None) -> None:
    """An untagged network is left alone, and so is whatever is asked for already."""
    view = view_of(a_network(LOCALNET), localnet(tag, tag_request))

    assert [] == find_loose(view)
    plan = plan_kept([NET], CONTEXT, view)
    assert ((), []) == (plan.steps, plan.answer)


def test_networks_without_a_vlan() -> None:
    """Overlays, and networks that are gone meanwhile, are left alone."""
    view = view_of(a_network())

    assert [] == find_loose(view)
    assert () == plan_kept([NET, str(uuid.uuid4())], CONTEXT, view).steps
