# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What security groups let through, by OVN's own word: ovn-northd's flows, traced by ovn-trace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer, northd, short_folder
from daemon.proxy import Api, running_api

pytestmark = pytest.mark.daemon

LINK_LOCAL, ALL_NODES, ALL_ROUTERS = "fe80::", "ff02::1", "ff02::2"


class Traced(NamedTuple):
    """What one trace says: the ports that get the packet, and complaints about flows."""

    outputs: set[str]
    complaints: str


class Site:
    """A network with ports in all kinds of groups, by name."""

    def __init__(self, api: Api, nb: OvsdbServer, sb: OvsdbServer) -> None:
        self.api = api
        self._nb, self._sb = nb, sb
        network = api.create("network", name="red", port_security_enabled=True)
        self.network_id = network["id"]
        for version, cidr in ((4, "10.0.0.0/24"), (6, "fd00::/64")):
            api.create("subnet", network_id=self.network_id, ip_version=version, cidr=cidr)
        self.groups = {name: self._group(name) for name in ("web", "db")}
        self.groups["closed"] = self._closed("closed")
        self.groups["stateless"] = self._closed("stateless", stateful=False)
        self.rule("web", protocol="tcp", port_range_min=80, port_range_max=81)
        self.rule("web", protocol="icmp", port_range_min=8, remote_ip_prefix="10.0.0.128/25")
        of_web = {"remote_group_id": self.groups["web"]}
        self.rule("db", protocol="tcp", port_range_min=5432, port_range_max=5432, **of_web)
        self.rule("db", ethertype="IPv6", **of_web)
        self.rule("stateless", protocol="tcp", port_range_min=80, port_range_max=80)
        self.ports = {name: self.port(security_groups=[self.groups[name]]) for name in self.groups}
        self.ports["both"] = self.port(security_groups=[self.groups["web"], self.groups["db"]])
        self.ports["default"], self.ports["default2"] = self.port(), self.port()
        self.ports["none"] = self.port(security_groups=[])
        self.ports["open"] = self.port(port_security_enabled=False)
        self.sync()

    def _group(self, name: str, **values: Any) -> str:
        return str(self.api.create("security_group", name=name, **values)["id"])

    def _closed(self, name: str, **values: Any) -> str:
        """Return a group without any rule."""
        group_id = self._group(name, **values)
        for rule in self.api.get(f"security-groups/{group_id}")["security_group"][
            "security_group_rules"
        ]:
            self.api.delete("security_group_rule", rule["id"])
        return group_id

    def rule(self, group: str, **values: Any) -> Any:
        """Create a rule, for ingress unless it says otherwise."""
        values = {"direction": "ingress", **values}
        return self.api.create(
            "security_group_rule", security_group_id=self.groups[group], **values
        )

    def port(self, **values: Any) -> Any:
        """Create a port."""
        return self.api.create("port", network_id=self.network_id, **values)

    def nbctl(self, *command: str) -> str:
        """Run ovn-nbctl; returns what it prints."""
        done = subprocess.run(
            ["ovn-nbctl", f"--db={self._nb.remote}", *command],
            check=True,
            capture_output=True,
            timeout=10,
        )
        return done.stdout.decode().strip().strip('"')

    def sync(self) -> None:
        """Wait until ovn-northd has seen everything."""
        self.nbctl("--wait=sb", "--timeout=10", "sync")

    def ip(self, name: str, version: int) -> str:
        """Return an address of a port."""
        ips = [entry["ip_address"] for entry in self.ports[name]["fixed_ips"]]
        return str(ips[version == 6])

    def trace(self, name: str, flow: str, *states: str) -> Traced:
        """Trace a packet that a port sends; `states` are those of its connection."""
        port = self.ports[name]
        packet = f'inport == "{port["id"]}" && eth.src == {port["mac_address"]} && {flow}'
        switch = self.nbctl("get", "Logical_Switch", self.network_id, "name")
        done = subprocess.run(
            [
                *("ovn-trace", f"--db={self._sb.remote}", "--minimal", "--no-friendly-names"),
                *(f"--ct={state}" for state in states),
                *(switch, packet),
            ],
            check=True,
            capture_output=True,
            timeout=10,
        )
        lines = done.stdout.decode().splitlines()
        outputs = {line.split('"')[1] for line in lines if line.strip().startswith("output(")}
        return Traced(outputs, done.stderr.decode())

    def passes(self, source: str, target: str, flow: str, *states: str) -> bool:
        """Say whether a packet from one port comes out at another."""
        address = f"eth.dst == {self.ports[target]['mac_address']} && ip.ttl == 64"
        traced = self.trace(source, f"{address} && {flow}", *states)
        assert "" == traced.complaints
        assert traced.outputs <= {self.ports[target]["id"]}
        return bool(traced.outputs)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The site, for tests that only look."""
    with short_folder() as folder, northd(folder) as servers, running_api(servers["nb"]) as api:
        yield Site(api, servers["nb"], servers["sb"])


NEW, REPLY = ("new", "new"), ("est,rpl", "est,rpl")


@pytest.mark.parametrize(
    ("source", "target", "what", "is_let_through"),
    [
        # a rule for everybody
        ("open", "web", "tcp.dst == 80", True),
        ("open", "web", "tcp.dst == 81", True),
        ("open", "web", "tcp.dst == 82", False),
        ("open", "web", "udp.dst == 80", False),
        ("closed", "web", "tcp.dst == 80", False),
        # for a prefix: the port's address is not in it
        ("open", "web", "icmp4.type == 8 && icmp4.code == 0", False),
        # for a group
        ("web", "db", "tcp.dst == 5432", True),
        ("both", "db", "tcp.dst == 5432", True),
        ("web", "both", "tcp.dst == 5432", True),
        ("default", "db", "tcp.dst == 5432", False),
        ("web", "db", "tcp.dst == 5433", False),
        ("open", "db", "tcp.dst == 5432", False),
        # the default group is for its own members
        ("default", "default2", "udp.dst == 9", True),
        ("web", "default", "udp.dst == 9", False),
        ("default", "open", "udp.dst == 9", True),
        # port security without groups, or with one without rules, is silence
        ("open", "none", "tcp.dst == 80", False),
        ("none", "open", "tcp.dst == 80", False),
        ("none", "default", "udp.dst == 9", False),
        ("closed", "open", "udp.dst == 9", False),
        # without port security nothing is filtered
        ("web", "open", "udp.dst == 9", True),
    ],
)
def test_new_connections(
    site: Site, source: str, target: str, what: str, is_let_through: bool
) -> None:
    """A connection is let through where the groups of both ends have a rule for it."""
    addresses = f"ip4.src == {site.ip(source, 4)} && ip4.dst == {site.ip(target, 4)}"

    assert is_let_through == site.passes(source, target, f"{addresses} && {what}", *NEW)


@pytest.mark.parametrize(
    ("source", "target", "is_let_through"),
    [("web", "db", True), ("default", "db", False), ("default", "default2", True)],
)
def test_ipv6(site: Site, source: str, target: str, is_let_through: bool) -> None:
    """Rules of each IP version are for that version."""
    addresses = f"ip6.src == {site.ip(source, 6)} && ip6.dst == {site.ip(target, 6)}"

    assert is_let_through == site.passes(source, target, f"{addresses} && udp.dst == 9", *NEW)


def test_replies(site: Site) -> None:
    """Replies come back to who may send, with no rule of their own; of a stateless group not."""

    def packet(source: str, target: str, ports: str) -> str:
        return f"ip4.src == {site.ip(source, 4)} && ip4.dst == {site.ip(target, 4)} && {ports}"

    out = packet("web", "open", "tcp.dst == 9")
    back = packet("open", "web", "tcp.src == 9 && tcp.dst == 5000")
    assert site.passes("web", "open", out, *NEW)
    assert site.passes("open", "web", back, *REPLY)
    assert not site.passes("open", "web", back, *NEW)

    there = packet("open", "stateless", "tcp.dst == 80")
    back = packet("stateless", "open", "tcp.src == 80 && tcp.dst == 5000")
    assert site.passes("open", "stateless", there, *NEW)
    assert not site.passes("stateless", "open", back, *NEW)


@pytest.mark.parametrize("name", ["none", "closed", "stateless", "default"])
@pytest.mark.parametrize("version", [4, 6])
def test_dhcp(site: Site, name: str, version: int) -> None:
    """A guest is answered by OVN's DHCP server whatever its groups say."""
    port = site.ports[name]
    if version == 4:
        addresses = "ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255"
        flow = f"eth.dst == ff:ff:ff:ff:ff:ff && {addresses} && udp.src == 68 && udp.dst == 67"
    else:
        own = _link_local(port["mac_address"])
        addresses = f"ip6.src == {own} && ip6.dst == ff02::1:2"
        flow = f"eth.dst == 33:33:00:01:00:02 && {addresses} && udp.src == 546 && udp.dst == 547"

    traced = site.trace(name, f"{flow} && ip.ttl == 64")

    # The answer goes back to who asked, and nobody else hears the question.
    assert Traced({port["id"]}, "") == traced


def test_dhcp_of_other_servers(site: Site) -> None:
    """Answers of a DHCP server on the network reach every guest."""
    four = f"ip4.src == {site.ip('open', 4)} && ip4.dst == {site.ip('none', 4)}"
    six = f"ip6.src == {site.ip('open', 6)} && ip6.dst == {site.ip('none', 6)}"
    assert site.passes("open", "none", f"{four} && udp.src == 67 && udp.dst == 68", *NEW)
    assert site.passes("open", "none", f"{six} && udp.src == 547 && udp.dst == 546", *NEW)
    assert not site.passes("open", "none", f"{six} && udp.src == 546 && udp.dst == 547", *NEW)


def _link_local(mac: str) -> str:
    octets = mac.split(":")
    octets[0] = f"{int(octets[0], 16) ^ 2:02x}"
    return f"{LINK_LOCAL}{octets[0]}{octets[1]}:{octets[2]}ff:fe{octets[3]}:{octets[4]}{octets[5]}"


@pytest.mark.parametrize("name", ["none", "closed", "stateless", "web"])
@pytest.mark.parametrize(
    ("what", "hops", "is_heard"),
    [
        ("icmp6.type == 133 && icmp6.code == 0", 255, True),
        ("icmp6.type == 135 && icmp6.code == 0 && nd.target == fd00::99", 255, True),
        ("icmp6.type == 143", 1, True),
        ("icmp6.type == 131", 1, True),
        ("icmp6.type == 128 && icmp6.code == 0", 64, False),
    ],
    ids=["RS", "NS", "MLDv2", "MLD", "echo"],
)
def test_neighbours(site: Site, name: str, what: str, hops: int, is_heard: bool) -> None:
    """IPv6's own messages go out, and come in, whatever groups say; a ping does not come in."""
    own = _link_local(site.ports[name]["mac_address"])
    group = "ff02::16" if "143" in what else ALL_ROUTERS
    mac = f"33:33:00:00:00:{group[-2:].replace(':', '0')}"
    flow = f"eth.dst == {mac} && ip6.src == {own} && ip6.dst == {group} && ip.ttl == {hops}"

    traced = site.trace(name, f"{flow} && {what}", *NEW)

    assert "" == traced.complaints
    # Those without filters hear of anything that goes out.
    heard = {port for port, one in site.ports.items() if one["id"] in traced.outputs}
    others = set(site.ports) - {name}
    if is_heard:
        # A router's solicitation is for routers; neighbours and members hear the others.
        assert {"open"} if "133" in what else others <= heard
    else:
        assert heard <= {"open"}


def test_router_advertisements(site: Site) -> None:
    """What a router says reaches guests that nothing else reaches."""
    own = _link_local(site.ports["open"]["mac_address"])
    flow = f"eth.dst == 33:33:00:00:00:01 && ip6.src == {own} && ip6.dst == {ALL_NODES}"
    traced = site.trace("open", f"{flow} && icmp6.type == 134 && icmp6.code == 0 && ip.ttl == 255")

    others = {port["id"] for name, port in site.ports.items() if name != "open"}
    assert Traced(others, "") == traced


# --- everything that a rule can say -------------------------------------------


def _rules_of_all_kinds(remote: str) -> Iterator[dict[str, Any]]:
    """Yield rules without direction and group, no two of them the same."""
    for version, refused, prefixes in (
        (4, {41, 43, 44, 58, 59, 60}, ("10.0.0.5", "10.0.0.5/8", "255.255.255.255/32")),
        # Number 1 is IPv4's ICMP, and stands for that of IPv6 here.
        (6, {1}, ("fd00::5", "fd00::5/8", "::ffff:10.0.0.5", "64:ff9b::10.0.0.5/96")),
    ):
        ethertype = {"ethertype": f"IPv{version}"}
        for number in set(range(256)) - refused:
            yield {**ethertype, "protocol": number}
        for prefix in prefixes:
            yield {**ethertype, "remote_ip_prefix": prefix}
        everything = "0.0.0.0/0" if version == 4 else "::/0"
        yield {**ethertype, "remote_ip_prefix": everything}
        yield {**ethertype, "remote_group_id": remote}
        for kind, code in ((0, None), (255, 0), (3, 255)):
            ports = {"port_range_min": kind, "port_range_max": code}
            yield {**ethertype, "protocol": "icmp", **ports}
        for protocol in ("tcp", "udp", "sctp"):
            for low, high in ((1, 1), (1, 2), (65534, 65535)):
                ports = {"port_range_min": low, "port_range_max": high}
                yield {**ethertype, "protocol": protocol, **ports}


def test_ovn_understands_every_rule(site: Site) -> None:
    """Of rules of all kinds none has a match that OVN cannot read; of a broken one it complains."""
    group = site.api.create("security_group", name="all")
    for rule in group["security_group_rules"]:
        site.api.delete("security_group_rule", rule["id"])
    rules = list(_rules_of_all_kinds(site.groups["web"]))
    for direction in ("ingress", "egress"):
        own = {"security_group_id": group["id"], "direction": direction}
        body = {"security_group_rules": [{**own, **rule} for rule in rules]}
        assert 201 == site.api("POST", "security-group-rules", body).status
    site.ports["all"] = site.port(security_groups=[group["id"]])
    site.sync()
    addresses = f"ip4.src == {site.ip('all', 4)} && ip4.dst == {site.ip('open', 4)}"
    assert site.passes("all", "open", f"{addresses} && tcp.dst == 9", *NEW)

    name = site.nbctl("get", "Port_Group", group["id"], "name")
    site.nbctl("acl-add", name, "to-lport", "7", "tcp.dst == nonsense", "allow")
    site.sync()
    with pytest.raises(AssertionError, match="nonsense"):
        site.passes("all", "open", f"{addresses} && tcp.dst == 9", *NEW)
