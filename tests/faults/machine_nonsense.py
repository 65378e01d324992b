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
        attribute=NUMBERS,
        value=NONSENSE,
        number=st.one_of(st.none(), NUMBERS),
    )
    def say_nonsense(self, kind: str, attribute: int, value: Any, number: int | None) -> None:
        """One attribute has a value that it cannot have; the rest would do."""
        name = ATTRIBUTES[kind][attribute % len(ATTRIBUTES[kind])]
        if number is None:
            body = {kind: {**REQUIRED[kind], name: value}}
            self._refused("POST", path_of(kind), body)
        else:
            path = f"{path_of(kind)}/{self.pick(kind, number)}"
            self._refused("PUT", path, {kind: {name: value}})

    @rule(kind=st.sampled_from(sorted(ATTRIBUTES)), body=BODIES, number=NUMBERS)
    def say_nothing(self, kind: str, body: bytes, number: int) -> None:
        """The body is none of the kind's."""
        self._refused("POST", path_of(kind), body)
        self._refused("PUT", f"{path_of(kind)}/{self.pick(kind, number)}", body)

    @rule(
        router=NUMBERS,
        is_new=st.booleans(),
        body=st.one_of(BODIES, st.sampled_from([{}, {"x": 1}, {"subnet_id": 5}, {"port_id": []}])),
    )
    def ask_a_router_for_nonsense(self, router: int, is_new: bool, body: Any) -> None:
        verb = "add" if is_new else "remove"
        path = f"routers/{self.pick('router', router)}/{verb}_router_interface"
        self._refused("PUT", path, body)

    @rule(
        kind=st.sampled_from(sorted(ATTRIBUTES)),
        pairs=st.lists(
            st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), min_size=1, max_size=4
        ),
    )
    def list_by_nonsense(self, kind: str, pairs: list[tuple[str, str]]) -> None:
        """A query shows some of what is there, or is refused."""
        query = "&".join(f"{key}={quote(value)}" for key, value in pairs)
        written = self.written()
        answer = self.api("GET", f"{path_of(kind)}?{query}")
        assert answer.status in (200, 400, 404), (kind, query, answer)
        assert written == self.written()

    def _refused(self, method: str, path: str, body: Any) -> None:
        written = self.written()
        answer = self.api(method, path, body)
        assert answer.status in (400, 404), (method, path, body, answer)
        assert answer.json["NeutronError"]["message"]
        assert written == self.written(), (method, path, body)
