# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""State, host and the other attributes of ports, on a real central."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from daemon.objects import LONG, MAC, NOWHERE, make_network, make_port, nbctl, of_port, refusal
from daemon.ovsdb import OvsdbServer, wait_until
from daemon.proxy import ENGINE, Api, running_api

pytestmark = pytest.mark.daemon


def test_admin_state_of_a_port(api: Api, nb: OvsdbServer) -> None:
    """A port that is switched off is off in OVN."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, admin_state_up="off")
    assert (False, "false") == (port["admin_state_up"], of_port(nb, port, "enabled"))

    assert api.update("port", port["id"], admin_state_up=True)["admin_state_up"]
    assert "true" == of_port(nb, port, "enabled")


def test_admin_state_of_a_network(api: Api, nb: OvsdbServer) -> None:
    """A network that is switched off has no port on; each remembers what was asked for it."""
    network_id, _ = make_network(api)
    ports = [make_port(api, network_id, admin_state_up=state) for state in (True, False)]

    assert not api.update("network", network_id, admin_state_up=False)["admin_state_up"]
    ports += [make_port(api, network_id, admin_state_up=state) for state in (True, False)]
    assert ["false"] * 4 == [of_port(nb, port, "enabled") for port in ports]
    shown = [api.get(f"ports/{port['id']}")["port"]["admin_state_up"] for port in ports]
    assert [True, False, True, False] == shown
    assert not api.update("port", ports[0]["id"], admin_state_up=False)["admin_state_up"]

    api.update("network", network_id, admin_state_up=True)
    enabled = [of_port(nb, port, "enabled") for port in ports]
    assert ["false", "false", "true", "false"] == enabled


def test_the_host_of_a_port_pins_nothing(api: Api, nb: OvsdbServer) -> None:
    """binding:host_id is shown as announced, and OVN hears nothing of it."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, **{"binding:host_id": "host1"})
    assert ("host1", "ovs") == (port["binding:host_id"], port["binding:vif_type"])
    assert "{}" == of_port(nb, port, "options")

    changed = api.update("port", port["id"], **{"binding:host_id": "host2"})
    assert "host2" == changed["binding:host_id"]
    assert "{}" == of_port(nb, port, "options")
    gone = api.update("port", port["id"], **{"binding:host_id": None})
    assert ("", "unbound") == (gone["binding:host_id"], gone["binding:vif_type"])


def test_a_site_can_have_hosts_pinned(nb: OvsdbServer) -> None:
    """With ovs-version-2.9 the host becomes OVN's requested-chassis, and goes with it."""
    with running_api(nb, ovs_version_2_9=True) as api:
        network_id, _ = make_network(api)
        port = make_port(api, network_id, **{"binding:host_id": "host1"})
        assert "host1" == of_port(nb, port, "options:requested-chassis")
        api.update("port", port["id"], **{"binding:host_id": "host2"})
        assert "host2" == of_port(nb, port, "options:requested-chassis")
        api.update("port", port["id"], **{"binding:host_id": ""})
        assert "{}" == of_port(nb, port, "options")


@pytest.mark.parametrize("host", ["host1", "host3", "", None])
def test_a_put_of_the_host_clears_leftovers(api: Api, nb: OvsdbServer, host: str | None) -> None:
    """What pinned a port once is gone after any announcement of its host; other options stay."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, **{"binding:host_id": "host1"})
    left = ["requested-chassis=host1,host2", "activation-strategy=rarp", "hairpin=true"]
    nbctl(nb, "lsp-set-options", port["id"], *left)

    api.update("port", port["id"], **{"binding:host_id": host})

    assert '{hairpin="true"}' == of_port(nb, port, "options")


def test_a_port_that_is_up(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """A port is ACTIVE once a chassis has it: what it is plugged with is fixed, its host listed."""
    network_id, _ = make_network(api)
    owner = {"device_owner": "oVirt", "binding:host_id": "host1"}
    port = make_port(api, network_id, **owner)
    path = f"ports?network_id={network_id}"
    assert "DOWN" == port["status"]
    assert [""] == [found["binding:host_id"] for found in api.get(path)["ports"]]
    _bind(central["sb"], port["id"])
    wait_until(lambda: "ACTIVE" == api.get(f"ports/{port['id']}")["port"]["status"])

    assert ["host1"] == [found["binding:host_id"] for found in api.get(path)["ports"]]
    assert "ACTIVE" == api.get(f"{path}&status=ACTIVE")["ports"][0]["status"]
    values = {"port": {"binding:vnic_type": "direct"}}
    assert (409, "PortBound") == refusal(api("PUT", f"ports/{port['id']}", values))
    assert (
        "normal"
        == api.update("port", port["id"], **{"binding:vnic_type": "normal"})["binding:vnic_type"]
    )
    values = {"port": {"mac_address": MAC}}
    assert (409, "PortBound") == refusal(api("PUT", f"ports/{port['id']}", values))
    assert 200 == api("PUT", f"ports/{port['id']}", values, ENGINE).status


def _bind(sb: OvsdbServer, port_id: str) -> None:
    """Claim a port like a chassis does."""
    command = ["ovn-sbctl", f"--db={sb.remote}"]
    wait = ["wait-until", "Port_Binding", port_id, f"logical_port={port_id}"]
    subprocess.run([*command, *wait], check=True, timeout=10)
    chassis = ["--may-exist", "chassis-add", "chassis", "geneve", "127.0.0.1"]
    bind = ["--may-exist", "lsp-bind", port_id, "chassis"]
    up = ["set", "Port_Binding", port_id, "up=true"]
    subprocess.run([*command, *chassis, "--", *bind, "--", *up], check=True, timeout=10)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "description": "b", "device_id": "c", "device_owner": "compute:d"},
        {"binding:vnic_type": "direct", "binding:profile": {"a": "b", "n": 1, "t": True}},
        {"security_groups": []},
        {"name": "ünïcödé 网络", "device_id": "=,{}\"'\\"},
    ],
)
def test_what_a_port_keeps_as_it_is(api: Api, values: Any) -> None:
    """Attributes that are data are given back as they came, from POST and from PUT."""
    network_id, _ = make_network(api)
    made = make_port(api, network_id, **values)
    changed = api.update("port", make_port(api, network_id)["id"], **values)

    assert values == {name: made[name] for name in values}
    assert values == {name: changed[name] for name in values}
    assert made == api.get(f"ports/{made['id']}")["port"]
    assert changed == api.get(f"ports/{changed['id']}")["port"]


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        ({"network_id": NOWHERE}, 404, "NetworkNotFound"),
        ({"network_id": None}, 400, "HTTPBadRequest"),
        ({"status": "ACTIVE"}, 400, "HTTPBadRequest"),
        ({"binding:vif_type": "ovs"}, 400, "HTTPBadRequest"),
        ({"binding:vnic_type": "strange"}, 400, "HTTPBadRequest"),
        ({"binding:profile": {"a": {}}}, 400, "HTTPBadRequest"),
        ({"device_id": LONG}, 400, "HTTPBadRequest"),
        ({"device_id": "a\0"}, 400, "HTTPBadRequest"),
        ({"admin_state_up": 2}, 400, "HTTPBadRequest"),
        ({"unknown": None}, 400, "HTTPBadRequest"),
    ],
)
def test_a_port_that_cannot_be(api: Api, values: Any, status: int, error_type: str) -> None:
    """A port that breaks a rule is refused with the type of that rule."""
    network_id, _ = make_network(api)

    answer = api("POST", "ports", {"port": {"network_id": network_id, **values}})

    assert (status, error_type) == refusal(answer)
