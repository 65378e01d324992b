# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that nobody can understand, in whatever state the objects are: refused, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import rule

from daemon.proxy import path_of
from faults.machine import NOWHERE, NUMBERS, Machine

# Each attribute of these takes some values, and none of those below.
ATTRIBUTES: Mapping[str, Sequence[str]] = {
    "network": ("name", "router:external", "admin_state_up", "mtu"),
    "subnet": (
        "gateway_ip",
        "allocation_pools",
        "dns_nameservers",
        "enable_dhcp",
        "ipv6_ra_mode",
        "ipv6_address_mode",
    ),
    "port": ("fixed_ips", "mac_address", "security_groups", "allowed_address_pairs"),
    "router": ("external_gateway_info", "routes", "name"),
    "floatingip": ("port_id", "fixed_ip_address", "floating_ip_address", "subnet_id", "id"),
}
NONSENSE = st.sampled_from(
    [
        -1,
        1.5,
        10**30,
        "\0",
        "\ud800",
        "x" * 256,
        [[]],
        [None],
        ["x"],
        [{"ip_address": "fe80::1%eth0"}],
        [{"subnet_id": 5}],
        [{"destination": "::/0", "nexthop": "::", "x": 1}],
        {"network_id": None},
        {"network_id": NOWHERE, "external_fixed_ips": [{"ip_address": "10.0.0"}]},
        {"network_id": NOWHERE, "enable_snat": "perhaps"},
        {"x": {"y": []}},
    ]
)
BODIES = st.sampled_from([b"", b"{", b"\xff", b"[]", b"null", b"5", b"[" * 50, b'{"x": NaN}'])
# Of a router's interface.
ACTIONS = [{}, {"x": 1}, {"subnet_id": 5}, {"port_id": []}, {"subnet_id": None}]
REQUIRED: Mapping[str, Mapping[str, Any]] = {
    "network": {},
    "subnet": {"network_id": NOWHERE, "cidr": "10.9.0.0/24", "ip_version": 4},
    "port": {"network_id": NOWHERE},
    "router": {},
    "floatingip": {"floating_network_id": NOWHERE},
}
KEYS = (
    "id",
    "port_id",
    "fixed_ip_address",
    "floating_ip_address",
    "router_id",
    "status",
    "fixed_ips",
    "ip_version",
    "gateway_ip",
    "ipv6_ra_mode",
    "enable_dhcp",
    "external_gateway_info",
    "fields",
    "sort_key",
    "sort_dir",
    "limit",
    "marker",
    "page_reverse",
    "tags",
)
VALUES = (
    "",
    "0",
    "-1",
    "1",
    "id",
    "asc",
    "port_id",
    "fixed_ip_address",
    "router_id",
    "None",
    "ip_address=10.0.0.1",
    "ip_address_substr=::",
    "subnet_id=",
    "ACTIVE",
    "true",
    NOWHERE,
    "é\0",
    "[]",
)


class NonsenseMachine(Machine):
    """What is refused, or shows something, and changes nothing."""

    @rule(
        kind=st.sampled_from(sorted(ATTRIBUTES)),
        number=NUMBERS,
        attribute=NUMBERS,
        value=NONSENSE,
        body=BODIES,
        action=st.sampled_from([*ACTIONS, b"", b"[]"]),
        pairs=st.lists(
            st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), min_size=1, max_size=4
        ),
    )
    def talk_nonsense(
        self,
        kind: str,
        number: int,
        attribute: int,
        value: Any,
        body: bytes,
        action: Any,
        pairs: list[tuple[str, str]],
    ) -> None:
        """A value that an attribute cannot have, a body that is none, a query for odd things."""
        name = ATTRIBUTES[kind][attribute % len(ATTRIBUTES[kind])]
        collection = path_of(kind)
        member = f"{collection}/{self.pick(kind, number)}"
        self._refused("POST", collection, {kind: {**REQUIRED[kind], name: value}})
        self._refused("PUT", member, {kind: {name: value}})
        self._refused("POST", collection, body)
        self._refused("PUT", member, body)
        for verb in ("add", "remove"):
            router = self.pick("router", number)
            self._refused("PUT", f"routers/{router}/{verb}_router_interface", action)
        self._list(collection, "&".join(f"{key}={quote(text)}" for key, text in pairs))

    def _list(self, collection: str, query: str) -> None:
        """A query shows some of what is there, or is refused."""
        written = self.written()
        answer = self.api("GET", f"{collection}?{query}")
        assert answer.status in (200, 400, 404), (collection, query, answer)
        assert written == self.written()

    def _refused(self, method: str, path: str, body: Any) -> None:
        written = self.written()
        answer = self.api(method, path, body)
        assert answer.status in (400, 404), (method, path, body, answer)
        assert answer.json["NeutronError"]["message"]
        assert written == self.written(), (method, path, body)
