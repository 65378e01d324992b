# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""openstacksdk and the `openstack` command with routers, gateways and floating IPs.

They speak to the whole service on a real central, and what they made is looked at in OVN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from clients.command import Command
from daemon.ovsdb import OvsdbServer
from daemon.routing import nbctl

pytestmark = [
    pytest.mark.daemon,
    # What the clients warn of is not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def settings() -> str:
    """Chassis for gateways."""
    return "[NETWORK]\ngateway-chassis=hv1, hv2\n"


# --- openstacksdk -------------------------------------------------------------


def _sdk_network(network_api: Any, name: str, cidr: str, **values: Any) -> tuple[Any, Any]:
    network = network_api.create_network(name=name, **values)
    version = 6 if ":" in cidr else 4
    subnet = network_api.create_subnet(
        network_id=network.id, name=name, cidr=cidr, ip_version=version
    )
    return network, subnet


def test_sdk_routers(sdk: Any, network_api: Any, central: Mapping[str, OvsdbServer]) -> None:
    """The SDK creates, finds, lists, changes, tags and deletes routers, interfaces and routes."""
    nb = central["nb"]
    outside, _ = _sdk_network(network_api, "out", "203.0.113.0/24", is_router_external=True)
    inside, subnet = _sdk_network(network_api, "in", "10.0.0.0/24")
    router = network_api.create_router(
        name="sdk", description="text", external_gateway_info={"network_id": outside.id}
    )

    assert [outside.id] == [found.id for found in network_api.networks(is_router_external=True)]
    assert router.id == network_api.find_router("sdk").id == network_api.find_router(router.id).id
    assert network_api.find_router("nothing") is None
    shown = network_api.get_router(router.id)
    assert router.to_dict(computed=False) == shown.to_dict(computed=False)
    assert ("text", True, "ACTIVE", []) == (
        shown.description,
        shown.is_admin_state_up,
        shown.status,
        shown.routes,
    )
    assert shown.external_gateway_info["enable_snat"] is True
    assert ["a"] == network_api.set_tags(router, ["a"]).tags
    assert [router.id] == [found.id for found in network_api.routers(tags="a")]

    added = network_api.add_interface_to_router(router, subnet_id=subnet.id)
    assert (router.id, subnet.id, inside.id) == (
        added["id"],
        added["subnet_id"],
        added["network_id"],
    )
    assert "10.0.0.0/24" in nbctl(nb, "lr-nat-list", router.id)
    port = network_api.get_port(added["port_id"])
    assert ("ACTIVE", router.id) == (port.status, port.device_id)
    hop = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
    body = {"router": {"routes": [hop]}}
    assert [hop] == network_api.add_extra_routes_to_router(router, body).routes
    with pytest.raises(sdk.exceptions.ConflictException, match="required by one or more routes"):
        network_api.remove_interface_from_router(router, subnet_id=subnet.id)
    assert [] == network_api.remove_extra_routes_from_router(router, body).routes
    changed = network_api.update_router(router, name="renamed", routes=[hop])
    assert ("renamed", [hop]) == (changed.name, changed.routes)
    network_api.update_router(router, routes=[], is_admin_state_up=False)
    with pytest.raises(sdk.exceptions.ConflictException, match="still in use"):
        network_api.delete_router(router)
    own = network_api.create_port(network_id=inside.id)
    with pytest.raises(sdk.exceptions.BadRequestException, match="already has a port"):
        network_api.add_interface_to_router(router, port_id=own.id)
    network_api.delete_port(own)
    removed = network_api.remove_interface_from_router(router, subnet_id=subnet.id)
    assert added["port_id"] == removed["port_id"]
    assert network_api.find_port(added["port_id"]) is None
    cleared = network_api.update_router(router, external_gateway_info={})
    assert cleared.external_gateway_info is None
    network_api.delete_router(router, ignore_missing=False)
    assert router.id not in nbctl(nb, "show")
    for network in (outside, inside):
        network_api.delete_network(network, ignore_missing=False)


def test_sdk_floating_ips(sdk: Any, network_api: Any, central: Mapping[str, OvsdbServer]) -> None:
    """The SDK allocates, associates, moves, frees and deletes floating IPs."""
    nb = central["nb"]
    outside, _ = _sdk_network(network_api, "out", "203.0.113.0/24", is_router_external=True)
    inside, subnet = _sdk_network(network_api, "in", "10.0.0.0/24")
    router = network_api.create_router(external_gateway_info={"network_id": outside.id})
    network_api.add_interface_to_router(router, subnet_id=subnet.id)
    first, second = (network_api.create_port(network_id=inside.id) for _ in range(2))
    made = network_api.create_ip(floating_network_id=outside.id, description="text")

    assert ("DOWN", None, "text") == (made.status, made.port_id, made.description)
    assert made.id == network_api.find_ip(made.floating_ip_address).id
    assert [made.id] == [found.id for found in network_api.ips(status="DOWN")]
    assert made.id == network_api.find_available_ip().id
    used = network_api.update_ip(made, port_id=first.id)
    assert ("ACTIVE", first.id, router.id, "10.0.0.2") == (
        used.status,
        used.port_id,
        used.router_id,
        used.fixed_ip_address,
    )
    assert first.mac_address == used.port_details["mac_address"]
    assert network_api.find_available_ip() is None
    moved = network_api.update_ip(made, port_id=second.id, description="other")
    assert ("10.0.0.3", "other") == (moved.fixed_ip_address, moved.description)
    assert "10.0.0.3" in nbctl(nb, "lr-nat-list", router.id)
    other = network_api.create_ip(floating_network_id=outside.id)
    with pytest.raises(sdk.exceptions.ConflictException, match="already has a floating IP"):
        network_api.update_ip(other, port_id=second.id)
    network_api.delete_port(second)
    assert ("DOWN", None) == tuple(
        getattr(network_api.get_ip(made.id), name) for name in ("status", "port_id")
    )
    for one in (made, other):
        network_api.delete_ip(one, ignore_missing=False)
    network_api.delete_port(first)
    network_api.remove_interface_from_router(router, subnet_id=subnet.id)
    network_api.delete_router(router, ignore_missing=False)
    for network in (outside, inside):
        network_api.delete_network(network, ignore_missing=False)
    assert [] == list(network_api.ports())


def test_sdk_pages(network_api: Any) -> None:
    """The SDK reads long lists page by page and finds everything once."""
    outside, _ = _sdk_network(network_api, "out", "203.0.113.0/24", is_router_external=True)
    routers = [network_api.create_router(name=f"r{number}") for number in range(5)]
    ips = [network_api.create_ip(floating_network_id=outside.id) for _ in range(5)]

    found = [one.id for one in network_api.routers(limit=2)]
    assert sorted(one.id for one in routers) == sorted(found)
    found = [one.id for one in network_api.ips(limit=2)]
    assert sorted(one.id for one in ips) == sorted(found)

    for one in routers:
        network_api.delete_router(one)
    for one in ips:
        network_api.delete_ip(one)
    network_api.delete_network(outside)


# --- the `openstack` command --------------------------------------------------


def _picked(shown: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return {key: shown[key] for key in expected}


@pytest.fixture(scope="module")
def networks(command: Command) -> Iterator[dict[str, str]]:
    """An external network "out", and "in" with an IPv4 subnet; ids by name."""
    ids = {}
    for name, cidr, *options in (
        ("out", "203.0.113.0/24", "--external"),
        ("in", "10.0.0.0/24"),
    ):
        ids[name] = command.json("network", "create", name, *options)["id"]
        command("subnet", "create", name, f"--network={name}", f"--subnet-range={cidr}")
    yield ids
    command("network", "delete", *ids)


def test_command_routers(
    command: Command, networks: Mapping[str, str], central: Mapping[str, OvsdbServer]
) -> None:
    """`openstack router`: create, add, set, unset, remove, show, list, delete."""
    made = command.json("router", "create", "cli", "--description=text", "--tag=a")
    expected = {
        "name": "cli",
        "description": "text",
        "admin_state_up": True,
        "status": "ACTIVE",
        "external_gateway_info": None,
        "routes": [],
        "tags": ["a"],
    }
    assert expected == _picked(made, expected)

    command("router", "add", "subnet", "cli", "in")
    command(
        *("router", "set", "cli", "--external-gateway=out", "--fixed-ip=ip-address=203.0.113.77"),
        "--route=destination=10.9.0.0/16,gateway=10.0.0.9",
    )
    shown = command.json("router", "show", "cli")
    info = shown["external_gateway_info"]
    assert (networks["out"], True, "203.0.113.77") == (
        info["network_id"],
        info["enable_snat"],
        info["external_fixed_ips"][0]["ip_address"],
    )
    assert [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}] == shown["routes"]
    assert ["10.0.0.1"] == [one["ip_address"] for one in shown["interfaces_info"]]
    rules = nbctl(central["nb"], "lr-nat-list", made["id"])
    assert "203.0.113.77" in rules
    command("router", "set", "cli", "--external-gateway=out", "--disable-snat", "--disable")
    assert "" == nbctl(central["nb"], "lr-nat-list", made["id"])
    command("router", "add", "route", "cli", "--route=destination=10.8.0.0/16,gateway=10.0.0.8")
    command("router", "remove", "route", "cli", "--route=destination=10.9.0.0/16,gateway=10.0.0.9")
    command("router", "unset", "cli", "--external-gateway", "--tag=a")
    shown = command.json("router", "show", "cli")
    expected = {
        "external_gateway_info": None,
        "admin_state_up": False,
        "routes": [{"destination": "10.8.0.0/16", "nexthop": "10.0.0.8"}],
        "tags": [],
    }
    assert expected == _picked(shown, expected)
    (listed,) = command.json("router", "list", "--long", "--name=cli")
    assert (made["id"], "ACTIVE") == (listed["ID"], listed["Status"])
    command("router", "unset", "cli", "--route=destination=10.8.0.0/16,gateway=10.0.0.8")
    command("router", "remove", "subnet", "cli", "in")
    port = command.json("port", "create", "p", "--network=in", "--fixed-ip=ip-address=10.0.0.99")
    command("router", "add", "port", "cli", "p")
    assert "10.0.0.99/24" in nbctl(central["nb"], "show", made["id"])
    command("port", "set", "p", "--no-fixed-ip", "--fixed-ip=subnet=in,ip-address=10.0.0.98")
    assert "10.0.0.98/24" in nbctl(central["nb"], "show", made["id"])
    command("router", "remove", "port", "cli", port["id"])
    command("router", "delete", "cli")
    assert made["id"] not in nbctl(central["nb"], "show")


def test_command_floating_ips(
    command: Command, networks: Mapping[str, str], central: Mapping[str, OvsdbServer]
) -> None:
    """`openstack floating ip`: create, set, unset, show, list, delete."""
    router = command.json("router", "create", "cli", "--external-gateway=out")["id"]
    command("router", "add", "subnet", "cli", "in")
    port = command.json("port", "create", "p", "--network=in")["id"]
    made = command.json(
        *("floating", "ip", "create", "out", "--description=text", "--tag=a"),
        "--floating-ip-address=203.0.113.88",
    )
    expected: dict[str, Any] = {
        "floating_ip_address": "203.0.113.88",
        "floating_network_id": networks["out"],
        "status": "DOWN",
        "port_id": None,
        "router_id": None,
        "description": "text",
    }
    assert expected == _picked(made, expected)

    command("floating", "ip", "set", "203.0.113.88", "--port=p")
    shown = command.json("floating", "ip", "show", "203.0.113.88")
    expected = {
        "status": "ACTIVE",
        "port_id": port,
        "router_id": router,
        "fixed_ip_address": "10.0.0.2",
        "tags": ["a"],
    }
    assert expected == _picked(shown, expected)
    assert "203.0.113.88" in nbctl(central["nb"], "lr-nat-list", router)
    command("floating", "ip", "set", "203.0.113.88", "--description=other")
    (listed,) = command.json("floating", "ip", "list", "--port=p", "--long")
    assert ("203.0.113.88", "10.0.0.2", "ACTIVE", "other") == tuple(
        listed[name]
        for name in ("Floating IP Address", "Fixed IP Address", "Status", "Description")
    )
    with pytest.raises(AssertionError, match="required by one or more floating IPs"):
        command("router", "remove", "subnet", "cli", "in")
    command("floating", "ip", "unset", "203.0.113.88", "--port")
    assert "203.0.113.88" not in nbctl(central["nb"], "lr-nat-list", router)
    again = command.json(
        "floating", "ip", "create", "out", "--port=p", "--fixed-ip-address=10.0.0.2"
    )
    assert ("ACTIVE", port) == (again["status"], again["port_id"])
    command("port", "delete", "p")
    command("floating", "ip", "delete", "203.0.113.88", again["id"])
    assert [] == command.json("floating", "ip", "list")
    command("router", "remove", "subnet", "cli", "in")
    command("router", "delete", "cli")


def test_command_tells_why(command: Command, networks: Mapping[str, str]) -> None:
    """What the service refuses, the command explains in the service's words."""
    assert networks
    command("router", "create", "why")
    with pytest.raises(AssertionError, match="is not an external network"):
        command("router", "set", "why", "--external-gateway=in")
    with pytest.raises(AssertionError, match="not connected with router"):
        command("router", "add", "route", "why", "--route=destination=10.8.0.0/16,gateway=10.0.0.8")
    with pytest.raises(AssertionError, match="is not a valid external network"):
        command("floating", "ip", "create", "in")
    command("router", "delete", "why")
