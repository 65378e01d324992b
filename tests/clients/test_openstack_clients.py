# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The clients that people and scripts use: openstacksdk and the `openstack` command.

They come with the `test` extra; where they are missing these tests fail. They speak
to the whole service on a real central, and what they made is looked at in OVN.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from clients.command import REGION, USER, Command
from daemon.ovsdb import OvsdbServer
from daemon.proxy import ProxyProcess

pytestmark = [
    pytest.mark.daemon,
    # What the clients warn of is not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]


def nbctl(central: Mapping[str, OvsdbServer], *command: str) -> str:
    """Run ovn-nbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-nbctl", f"--db={central['nb'].remote}", *command],
        check=True,
        capture_output=True,
        timeout=10,
    )
    return done.stdout.decode().strip()


# --- openstacksdk -------------------------------------------------------------


@pytest.fixture(params=["v2password", "password"])
def network_api(process: ProxyProcess, sdk: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The SDK's network proxy, logged in by Identity v2.0, named as such or discovered."""
    connection = sdk.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type=request.param,
        auth={"auth_url": f"{process.identity_url}/v2.0", "tenant_name": "tenant", **USER},
        region_name=REGION,
    )
    try:
        yield connection.network
    finally:
        connection.close()


def test_sdk_networks(network_api: Any, central: Mapping[str, OvsdbServer]) -> None:
    """The SDK creates, finds, lists, changes, tags and deletes networks."""
    made = network_api.create_network(
        name="sdk",
        description="text",
        mtu=1400,
        is_port_security_enabled=True,
        provider_network_type="vlan",
        provider_physical_network="physnet",
        provider_segmentation_id=7,
    )
    other = network_api.create_network(name="sdk-other")

    assert made.id == network_api.find_network("sdk").id == network_api.find_network(made.id).id
    assert network_api.find_network("nothing") is None
    assert {made.id, other.id} == {found.id for found in network_api.networks()}
    assert [made.id] == [found.id for found in network_api.networks(provider_segmentation_id=7)]
    shown = network_api.get_network(made.id)
    assert made.to_dict(computed=False) == shown.to_dict(computed=False)
    assert ("sdk", "text", 1400, True, "vlan", "physnet", 7) == (
        shown.name,
        shown.description,
        shown.mtu,
        shown.is_port_security_enabled,
        shown.provider_network_type,
        shown.provider_physical_network,
        shown.provider_segmentation_id,
    )
    changed = network_api.update_network(made, name="renamed", mtu=1300)
    assert ("renamed", 1300) == (changed.name, changed.mtu)
    assert ["a", "b"] == network_api.set_tags(changed, ["a", "b"]).tags
    assert [made.id] == [found.id for found in network_api.networks(tags="a,b")]
    assert made.id in nbctl(central, "show")
    for network in (made, other):
        network_api.delete_network(network, ignore_missing=False)
    assert [] == list(network_api.networks())


def test_sdk_subnets_and_ports(
    sdk: Any, network_api: Any, central: Mapping[str, OvsdbServer]
) -> None:
    """The SDK creates, finds, lists, changes, tags and deletes subnets and ports."""
    network = network_api.create_network(name="sdk")
    v4 = network_api.create_subnet(
        network_id=network.id,
        name="v4",
        ip_version=4,
        cidr="10.0.0.0/24",
        gateway_ip="10.0.0.254",
        allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.20"}],
        dns_nameservers=["192.0.2.1"],
        host_routes=[{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}],
    )
    v6 = network_api.create_subnet(
        network_id=network.id,
        name="v6",
        ip_version=6,
        cidr="fd05::/64",
        ipv6_address_mode="slaac",
        ipv6_ra_mode="slaac",
    )
    port = network_api.create_port(
        network_id=network.id, name="p", mac_address="56:6f:1a:2b:00:01", device_owner="compute:x"
    )

    assert v4.id == network_api.find_subnet("v4").id
    assert v6.id == network_api.find_subnet("v6", network_id=network.id).id
    assert {v4.id, v6.id} == {found.id for found in network_api.subnets(network_id=network.id)}
    shown = network_api.get_subnet(v4.id)
    assert v4.to_dict(computed=False) == shown.to_dict(computed=False)
    changed = network_api.update_subnet(
        v4, dns_nameservers=["192.0.2.2", "192.0.2.3"], host_routes=[], is_dhcp_enabled=False
    )
    assert (["192.0.2.2", "192.0.2.3"], [], False) == (
        changed.dns_nameservers,
        changed.host_routes,
        changed.is_dhcp_enabled,
    )

    assert port.id == network_api.find_port("p").id
    assert [port.id] == [found.id for found in network_api.ports(network_id=network.id)]
    assert ["10.0.0.10", "fd05::546f:1aff:fe2b:1"] == [
        entry["ip_address"] for entry in port.fixed_ips
    ]
    moved = network_api.update_port(
        port,
        fixed_ips=[{"subnet_id": v4.id, "ip_address": "10.0.0.77"}],
        binding_host_id="host1",
        is_port_security_enabled=True,
    )
    assert "10.0.0.77" == moved.fixed_ips[0]["ip_address"]
    assert ("host1", True) == (moved.binding_host_id, moved.is_port_security_enabled)
    assert ["x"] == network_api.set_tags(moved, ["x"]).tags
    assert f"port {port.id}" in nbctl(central, "show")
    assert "10.0.0.77" in nbctl(central, "lsp-get-addresses", port.id)

    with pytest.raises(sdk.exceptions.ConflictException, match="in use on the network"):
        network_api.delete_network(network)
    network_api.delete_port(port, ignore_missing=False)
    network_api.delete_subnet(v6, ignore_missing=False)
    network_api.delete_network(network, ignore_missing=False)
    assert [] == list(network_api.subnets())


def test_sdk_port_bindings(network_api: Any, central: Mapping[str, OvsdbServer]) -> None:
    """The SDK announces a migration and ends it, in either way."""
    network = network_api.create_network(name="sdk")
    port = network_api.create_port(network_id=network.id, binding_host_id="hv1")
    announced = network_api.create_port_binding(port, host="hv2")
    network_api.create_port_binding(port, host="hv3")

    assert ("hv2", "INACTIVE", "ovs") == (announced.host, announced.status, announced.vif_type)
    options = ("get", "Logical_Switch_Port", port.id, "options")
    assert 'requested-chassis="hv1,hv2,hv3"' in nbctl(central, *options)
    (third,) = network_api.port_bindings(port, host="hv3")
    third.delete_port_binding(network_api, "hv3")
    assert ["hv1", "hv2"] == [found.host for found in network_api.port_bindings(port)]
    activated = network_api.activate_port_binding(port, "hv2")
    assert ("hv2", "ACTIVE") == (activated.host, activated.status)
    assert ["hv2"] == [found.host for found in network_api.port_bindings(port)]
    assert "hv2" == network_api.get_port(port).binding_host_id
    assert "{}" == nbctl(central, *options)
    network_api.delete_port(port)
    network_api.delete_network(network)


def test_sdk_pages(network_api: Any) -> None:
    """The SDK reads a long list page by page and finds everything once."""
    network = network_api.create_network(name="sdk")
    network_api.create_ports([{"network_id": network.id} for _ in range(7)])

    found = [port.id for port in network_api.ports(limit=3)]

    assert 7 == len(found) == len(set(found))
    for port_id in found:
        network_api.delete_port(port_id)
    network_api.delete_network(network)


def test_sdk_looks_around(network_api: Any) -> None:
    """The SDK reads extensions, zones and quotas, and discovers the endpoint's version."""
    extensions = {extension.alias for extension in network_api.extensions()}
    assert {"provider", "port-security", "net-mtu", "standard-attr-tag"} <= extensions
    assert network_api.find_extension("nothing") is None
    assert [] == list(network_api.availability_zones())
    assert -1 == network_api.get_quota("0" * 31 + "1").networks
    assert (2, 0) == network_api.get_endpoint_data().api_version


# --- the `openstack` command --------------------------------------------------


def _picked(shown: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return {key: shown[key] for key in expected}


def test_command_networks(command: Command, central: Mapping[str, OvsdbServer]) -> None:
    """`openstack network`: create, show by name, set, unset, list, delete."""
    made = command.json(
        *("network", "create", "cli", "--mtu=1400", "--description=text", "--tag=a", "--tag=b"),
        *("--provider-network-type=vlan", "--provider-physical-network=physnet"),
        *("--provider-segment=42", "--enable-port-security"),
    )
    expected = {
        "name": "cli",
        "mtu": 1400,
        "description": "text",
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet",
        "provider:segmentation_id": 42,
        "port_security_enabled": True,
        "admin_state_up": True,
        "status": "ACTIVE",
        "subnets": [],
    }
    assert expected == _picked(made, expected)
    assert made["id"] in nbctl(central, "show")

    command("network", "set", "cli", "--name=renamed", "--mtu=1300", "--disable", "--tag=c")
    command("network", "unset", "renamed", "--tag=a")
    shown = command.json("network", "show", "renamed")
    assert ("renamed", 1300, False) == (shown["name"], shown["mtu"], shown["admin_state_up"])
    assert ["b", "c"] == sorted(shown["tags"])
    assert 42 == shown["provider:segmentation_id"]
    listed = command.json("network", "list", "--long", "--name=renamed")
    assert [(made["id"], "vlan")] == [(row["ID"], row["Network Type"]) for row in listed]
    command("network", "delete", "renamed")
    assert made["id"] not in nbctl(central, "show")


def test_command_subnets_and_ports(command: Command, central: Mapping[str, OvsdbServer]) -> None:
    """`openstack subnet` and `openstack port`: create, show, set, unset, list, delete."""
    network_id = command.json("network", "create", "cli")["id"]
    v4 = command.json(
        *("subnet", "create", "v4", "--network=cli", "--subnet-range=10.0.0.0/24"),
        *("--gateway=10.0.0.254", "--allocation-pool=start=10.0.0.10,end=10.0.0.20"),
        *("--dns-nameserver=192.0.2.1", "--dns-nameserver=192.0.2.2"),
        "--host-route=destination=192.0.2.0/24,gateway=10.0.0.9",
    )
    expected: dict[str, Any] = {
        "network_id": network_id,
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.254",
        "allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}],
        "dns_nameservers": ["192.0.2.1", "192.0.2.2"],
        "host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}],
        "enable_dhcp": True,
    }
    assert expected == _picked(v4, expected)
    v6 = command.json(
        *("subnet", "create", "v6", "--network=cli", "--ip-version=6"),
        *("--subnet-range=fd05::/64", "--ipv6-address-mode=slaac", "--ipv6-ra-mode=slaac"),
    )
    assert ("slaac", "slaac") == (v6["ipv6_address_mode"], v6["ipv6_ra_mode"])
    command(
        *("subnet", "set", "v4", "--no-allocation-pool", "--description=text", "--tag=a"),
        *("--allocation-pool=start=10.0.0.30,end=10.0.0.40", "--dns-nameserver=192.0.2.3"),
    )
    command(
        *("subnet", "unset", "v4", "--dns-nameserver=192.0.2.1", "--tag=a"),
        "--host-route=destination=192.0.2.0/24,gateway=10.0.0.9",
    )
    expected = {
        "allocation_pools": [{"start": "10.0.0.30", "end": "10.0.0.40"}],
        "host_routes": [],
        "description": "text",
        "tags": [],
    }
    shown = command.json("subnet", "show", "v4")
    assert expected == _picked(shown, expected)
    assert ["192.0.2.2", "192.0.2.3"] == sorted(shown["dns_nameservers"])
    listed = command.json("subnet", "list", "--network=cli")
    assert {("v4", "10.0.0.0/24"), ("v6", "fd05::/64")} == {
        (row["Name"], row["Subnet"]) for row in listed
    }

    _command_ports(command, central, v4, v6)
    command("subnet", "delete", "v6")
    assert ["v4"] == [row["Name"] for row in command.json("subnet", "list", "--network=cli")]
    command("network", "delete", "cli")
    assert "" == nbctl(central, "list", "DHCP_Options")


def _command_ports(command: Command, central: Mapping[str, OvsdbServer], v4: Any, v6: Any) -> None:
    mac = "56:6f:1a:2b:00:01"
    automatic = {"subnet_id": v6["id"], "ip_address": "fd05::546f:1aff:fe2b:1"}
    port = command.json(
        *("port", "create", "p", "--network=cli", f"--mac-address={mac}", "--device=vm1"),
        *("--fixed-ip=subnet=v4,ip-address=10.0.0.9", "--host=host1", "--tag=a"),
        *("--enable-port-security", "--allowed-address=ip-address=10.0.0.99"),
        "--extra-dhcp-option=name=mtu,value=1400",
    )
    assert [{"subnet_id": v4["id"], "ip_address": "10.0.0.9"}, automatic] == port["fixed_ips"]
    expected = {"mac_address": mac, "device_id": "vm1", "binding_host_id": "host1", "tags": ["a"]}
    assert expected == _picked(port, expected)
    command(
        *("port", "set", "p", "--fixed-ip=subnet=v4", "--name=q", "--disable", "--tag=b"),
        "--no-allowed-address",
    )
    shown = command.json("port", "show", "q")
    ips = [entry["ip_address"] for entry in shown["fixed_ips"]]
    assert {"10.0.0.9", automatic["ip_address"]} < set(ips)
    assert 3 == len(ips)
    assert (False, ["a", "b"], []) == (
        shown["admin_state_up"],
        sorted(shown["tags"]),
        shown["allowed_address_pairs"],
    )
    command("port", "unset", "q", "--fixed-ip=subnet=v4,ip-address=10.0.0.9", "--tag=a")
    (listed,) = command.json("port", "list", "--network=cli", "--long", "--tags=b")
    assert (port["id"], "q", mac) == (listed["ID"], listed["Name"], listed["MAC Address"])
    assert "10.0.0.9" not in [entry["ip_address"] for entry in listed["Fixed IP Addresses"]]
    assert f"port {port['id']}" in nbctl(central, "show")
    command("port", "delete", "q")
    assert port["id"] not in nbctl(central, "show")


def test_command_tells_why(command: Command) -> None:
    """What the service refuses, the command explains in the service's words."""
    with pytest.raises(AssertionError, match=r"provider:physical_network is required"):
        command("network", "create", "bad", "--provider-network-type=flat")
