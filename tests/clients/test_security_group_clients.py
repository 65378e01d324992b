# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security groups and rules by openstacksdk and the `openstack` command."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from clients.command import Command
from daemon.ovsdb import OvsdbServer

pytestmark = [
    pytest.mark.daemon,
    # What the clients warn of is not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]


def acls_of(central: Mapping[str, OvsdbServer], group_id: str) -> list[str]:
    """Return what OVN lets through for a group, in order."""
    name = f"ovirt_{group_id.replace('-', '_')}"
    done = subprocess.run(
        ["ovn-nbctl", f"--db={central['nb'].remote}", "acl-list", name],
        check=True,
        capture_output=True,
        timeout=10,
    )
    return sorted(line.replace(name, "G").strip() for line in done.stdout.decode().splitlines())


# --- openstacksdk -------------------------------------------------------------


def test_sdk(network_api: Any, central: Mapping[str, OvsdbServer]) -> None:
    """The SDK creates, finds, lists, changes, tags and deletes groups and rules."""
    made = network_api.create_security_group(name="sdk", description="text")
    assert made.id == network_api.find_security_group("sdk").id
    assert network_api.find_security_group("nothing") is None
    assert {"Default", "sdk"} == {group.name for group in network_api.security_groups()}
    assert [made.id] == [group.id for group in network_api.security_groups(name="sdk")]
    assert (True, False) == (made.stateful, made.is_shared)
    assert ["egress", "egress"] == [rule["direction"] for rule in made.security_group_rules]

    rule = network_api.create_security_group_rule(
        security_group_id=made.id,
        direction="ingress",
        protocol="tcp",
        port_range_min=80,
        port_range_max=443,
        remote_ip_prefix="10.0.0.5/8",
    )
    assert ("tcp", 80, 443, "10.0.0.5/8", "10.0.0.0/8") == (
        rule.protocol,
        rule.port_range_min,
        rule.port_range_max,
        rule.remote_ip_prefix,
        rule.normalized_cidr,
    )
    shown = network_api.get_security_group_rule(rule.id)
    assert rule.to_dict(computed=False) == shown.to_dict(computed=False)
    wanted = [
        {"security_group_id": made.id, "direction": "ingress", "protocol": protocol}
        for protocol in ("icmp", "udp")
    ]
    several = list(network_api.create_security_group_rules(wanted))
    assert ["icmp", "udp"] == [one.protocol for one in several]
    listed = list(network_api.security_group_rules(security_group_id=made.id, direction="ingress"))
    assert {rule.id, *(one.id for one in several)} == {one.id for one in listed}
    assert 5 == len(acls_of(central, made.id))

    changed = network_api.update_security_group(made, name="renamed", description="")
    assert ("renamed", "") == (changed.name, changed.description)
    assert ["a"] == network_api.set_tags(changed, ["a"]).tags
    assert [made.id] == [group.id for group in network_api.security_groups(tags="a")]
    network_api.delete_security_group_rule(rule, ignore_missing=False)
    assert 4 == len(acls_of(central, made.id))
    network_api.delete_security_group(made, ignore_missing=False)
    assert ["Default"] == [group.name for group in network_api.security_groups()]


def test_sdk_ports(network_api: Any) -> None:
    """The SDK puts ports into groups, finds them by group, and takes them out."""
    network = network_api.create_network(name="sdk", is_port_security_enabled=True)
    group = network_api.create_security_group(name="sdk")
    default = network_api.find_security_group("Default")
    port = network_api.create_port(network_id=network.id, security_group_ids=[group.id])
    other = network_api.create_port(network_id=network.id)

    assert ([group.id], [default.id]) == (port.security_group_ids, other.security_group_ids)
    found = network_api.ports(security_group_ids=[group.id])
    assert [port.id] == [one.id for one in found]
    changed = network_api.update_port(port, security_group_ids=[])
    assert [] == changed.security_group_ids
    for one in (port, other):
        network_api.delete_port(one, ignore_missing=False)
    network_api.delete_security_group(group, ignore_missing=False)
    network_api.delete_network(network, ignore_missing=False)


# --- the openstack command ----------------------------------------------------


def test_command(command: Command, central: Mapping[str, OvsdbServer]) -> None:
    """`openstack security group`: create, show, set, unset, list, delete, and rules."""
    made = command.json("security", "group", "create", "cli", "--description=text", "--tag=a")
    assert ("cli", "text", True, ["a"]) == (
        made["name"],
        made["description"],
        made["stateful"],
        made["tags"],
    )
    web = command.json(
        *("security", "group", "rule", "create", "cli", "--ingress", "--protocol=tcp"),
        *("--dst-port=80:443", "--remote-ip=10.0.0.0/8", "--description=web"),
    )
    expected = {
        "direction": "ingress",
        "ether_type": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 443,
        "remote_ip_prefix": "10.0.0.0/8",
        "description": "web",
    }
    assert expected == {key: web[key] for key in expected}
    create = ("security", "group", "rule", "create", "cli")
    command(*create, "--egress", "--ethertype=IPv6", "--protocol=ipv6-icmp", "--icmp-type=128")
    command(*create, "--protocol=udp", "--remote-group=cli")
    command(*create, "--protocol=any")
    anywhere4, anywhere6 = "ip4.src == 0.0.0.0/0", "ip6.dst == ::/0"
    web_ports = "tcp && tcp.dst >= 80 && tcp.dst <= 443"
    assert sorted(
        f"{match} allow-related"
        for match in (
            "from-lport  1001 (inport == @G && ip4)",
            "from-lport  1001 (inport == @G && ip6)",
            f"from-lport  1001 (inport == @G && ip6 && {anywhere6} && icmp6 && icmp6.type == 128)",
            "to-lport  1001 (outport == @G && ip4 && ip4.src == $G_ip4 && udp)",
            f"to-lport  1001 (outport == @G && ip4 && {anywhere4})",
            f"to-lport  1001 (outport == @G && ip4 && ip4.src == 10.0.0.0/8 && {web_ports})",
        )
    ) == acls_of(central, made["id"])
    with pytest.raises(AssertionError, match="Rule id is"):
        command(*create, "--protocol=17", "--remote-group=cli")

    listed = command.json("security", "group", "rule", "list", "cli", "--ingress")
    assert {"80:443", "", "type=128"} >= {row["Port Range"] for row in listed}
    assert 3 == len(listed)
    assert web["id"] == command.json("security", "group", "rule", "show", web["id"])["id"]
    command("security", "group", "rule", "delete", web["id"])
    command("security", "group", "set", "cli", "--name=renamed", "--tag=b", "--stateless")
    command("security", "group", "unset", "renamed", "--tag=a")
    shown = command.json("security", "group", "show", "renamed")
    assert ("renamed", ["b"], False) == (shown["name"], shown["tags"], shown["stateful"])
    assert 5 == len(shown["rules"])
    names = {row["Name"] for row in command.json("security", "group", "list")}
    assert {"Default", "renamed"} == names
    assert [made["id"]] == [
        row["ID"] for row in command.json("security", "group", "list", "--tags=b")
    ]
    command("security", "group", "delete", "renamed")


def test_command_ports(command: Command) -> None:
    """`openstack port`: with groups, without, by group."""
    command("network", "create", "cli", "--enable-port-security")
    ids = {name: command.json("security", "group", "create", name)["id"] for name in ("one", "two")}

    def groups() -> set[str]:
        found: list[str] = command.json("port", "show", "p")["security_group_ids"]
        return set(found)

    command("port", "create", "p", "--network=cli", "--security-group=one")
    assert {ids["one"]} == groups()
    command("port", "set", "p", "--security-group=two")
    assert set(ids.values()) == groups()
    (listed,) = command.json("port", "list", f"--security-group={ids['two']}")
    assert "p" == listed["Name"]
    command("port", "unset", "p", "--security-group=one")
    assert {ids["two"]} == groups()
    with pytest.raises(AssertionError, match="in use"):
        command("security", "group", "delete", "two")
    command("port", "set", "p", "--no-security-group", "--disable-port-security")
    assert set() == groups()
    command("port", "create", "q", "--network=cli", "--no-security-group")
    assert [] == command.json("port", "show", "q")["security_group_ids"]
    command("port", "delete", "p", "q")
    command("security", "group", "delete", "one", "two")
    command("network", "delete", "cli")
