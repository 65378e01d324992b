# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, subnets and ports from creation to deletion, on a real central."""

from __future__ import annotations

from daemon.proxy import Api


def test_a_network_with_a_port_lives_and_dies(api: Api) -> None:
    """Everything can be created, listed, changed and deleted, and nothing is left."""
    network = api.create("network", name="red")
    subnet = api.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = api.create("port", network_id=network["id"], name="nic1")

    assert [{"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}] == port["fixed_ips"]
    assert [port] == api.get("ports")["ports"]
    assert "blue" == api.update("network", network["id"], name="blue")["name"]
    api.delete("port", port["id"])
    api.delete("network", network["id"])
    assert {"ports": []} == api.get("ports")
    assert {"subnets": []} == api.get("subnets")
    assert {"networks": []} == api.get("networks")
