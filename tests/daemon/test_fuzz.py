# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever clients send, answers are those of the API, and the service lives on."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from daemon.ovsdb import ovsdb_server
from daemon.proxy import Api, path_of, running_api
from daemon.routing import assert_consistent, attach, external_network, network
from daemon.wire_tap import WireTap
from ovirt_ovn_proxy.auth.static_token import WELL_KNOWN_TOKEN
from ovirt_ovn_proxy.client_certificate import KEY as CERTIFICATE
from ovirt_ovn_proxy.compose import make_applications
from ovirt_ovn_proxy.nb.addresses import ip_number
from ovirt_ovn_proxy.nb.rows import DhcpOptions
from ovirt_ovn_proxy.resources import RESOURCES
from ovirt_ovn_proxy.server import Limits, Listener, Server
from ovirt_ovn_proxy.wire.binding import is_chassis_name
from ovirt_ovn_proxy.wire.identity_v3 import COLLECTIONS
from ovirt_ovn_proxy.wire.security_group_rule import PROTOCOLS, rule_key
from ovirt_ovn_proxy.wire.subnet import Range, range_of

pytestmark = pytest.mark.daemon

BINDINGS = 2  # by the order of listeners
STATUSES = {200, 201, 204, 400, 401, 403, 404, 405, 409, 411, 413}


def bounded(examples: int) -> settings:
    """Return settings for so many examples, or a quarter of them (see tests/conftest.py)."""
    return settings(
        max_examples=examples // 4 if os.environ.get("TESTS_DEPTH") == "shallow" else examples,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- the service ---------------------------------------------------------------


class Reply(NamedTuple):
    """What came back: status and body."""

    status: int
    body: bytes


class Service:
    """All listeners in this process, with some objects, behind a tap."""

    def __init__(self, api: Api, tap: WireTap, server: Server) -> None:
        self.api = api
        self.tap = tap
        self._ports = [port for _, port in server.addresses]
        self.network = api.create("network", name="red")["id"]
        self.subnet = api.create(
            "subnet", network_id=self.network, cidr="10.0.0.0/24", ip_version=4
        )["id"]
        self.port = api.create("port", network_id=self.network)["id"]
        self.group = api.create("security_group")["id"]
        of_group = {"security_group_id": self.group, "direction": "ingress"}
        self.rule = api.create("security_group_rule", **of_group)["id"]
        answer = api("POST", "networks", {"network": {"router:external": True}})
        self.external = answer.json["network"]["id"]
        api.create("subnet", network_id=self.external, cidr="203.0.113.0/24", ip_version=4)
        self.router = api.create("router", external_gateway_info={"network_id": self.external})[
            "id"
        ]
        interface = {"subnet_id": self.subnet}
        assert 200 == api("PUT", f"routers/{self.router}/add_router_interface", interface).status
        self.floating_ip = api.create("floatingip", floating_network_id=self.external)["id"]
        self.own = {
            "networks": self.network,
            "subnets": self.subnet,
            "ports": self.port,
            "security-groups": self.group,
            "security-group-rules": self.rule,
            "routers": self.router,
            "floatingips": self.floating_ip,
        }

    @property
    def ids(self) -> list[str]:
        """The ids of the objects that were there first."""
        return [*self.own.values(), self.external]

    def send(self, request: bytes, listener: int = 0) -> Reply:
        """Send the bytes of a request; return what comes back until the end."""
        with socket.create_connection(("127.0.0.1", self._ports[listener]), timeout=10) as end:
            with contextlib.suppress(OSError):  # it may have heard enough
                end.sendall(request)
                end.shutdown(socket.SHUT_WR)
            received = b""
            while data := end.recv(65536):
                received += data
        head, _, body = received.partition(b"\r\n\r\n")
        return Reply(int(head.split(b" ", 2)[1]), body)

    def check(self, request: bytes, is_identity: bool = False) -> Reply:
        """Send a request; its answer must be one that the API has, and a refusal is just that."""
        self.tap.take()
        reply = self.send(request, is_identity)
        assert reply.status in STATUSES, reply
        if reply.status >= 400:
            assert not [sent for sent in self.tap.take() if sent.operations], reply
        if reply.status == 204 or (request.startswith(b"HEAD ") and reply.status != 400):
            assert b"" == reply.body
        elif reply.status >= 400:
            self._check_error(reply, is_identity)
        elif reply.body:
            json.loads(reply.body)
        return reply

    @staticmethod
    def _check_error(reply: Reply, is_identity: bool) -> None:
        root = json.loads(reply.body)
        (name,) = root
        if is_identity:
            assert "error" == name, reply
            assert root[name]["code"] == reply.status
            assert isinstance(root[name]["message"], str)
        else:
            assert "NeutronError" == name
            assert {"type", "message", "detail"} == set(root[name])
            assert all(isinstance(text, str) for text in root[name].values())

    def check_alive(self) -> None:
        """The lists are answered, the objects are there, and the session was never broken."""
        for collection in RESOURCES:
            assert _listed(self.api, collection) is not None
        assert self.network in {row["id"] for row in self.api.get("networks")["networks"]}
        assert 1 == self.tap.sessions


def _listed(api: Api, path: str) -> list[Any]:
    """Return all objects of a collection, in the order of ids."""
    rows = api.get(path)[RESOURCES[path].table.collection]
    return sorted(rows, key=lambda row: str(row["id"]))


@contextlib.contextmanager
def running_service(auth_plugin: str) -> Iterator[Service]:
    """Give the service on a Northbound server of its own."""
    settings = {"gateway_chassis": ("hv1",)}
    with ovsdb_server() as nb, WireTap(nb) as tap, running_api(tap.server, **settings) as api:
        config = replace(api.config, auth_plugin=auth_plugin)
        applications = make_applications(config, api.connection)
        listeners = [
            Listener("127.0.0.1", 0, each, encode_error=each.encode_error) for each in applications
        ]
        server = Server(listeners, Limits())
        server.start()
        try:
            yield Service(api, tap, server)
        finally:
            server.stop()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for all examples: whatever one of them breaks, the next ones show."""
    with running_service("NoAuthPlugin") as running:
        yield running


# --- what clients send ---------------------------------------------------------


def _mostly(usual: SearchStrategy[Any], rare: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return a choice that `one_of`, which gives each of its leaves the same weight, is not."""
    return st.integers(0, 4).flatmap(lambda number: usual if number else rare)


_WILD_TEXT = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "Zs", "Lo", "So"]), max_size=5),
    st.sampled_from(
        [
            "",
            " ",
            "\0",
            "a\0b",
            "\ud800",
            "\udfff\ud800",
            "\ufffe",
            "é" * 255,
            "x" * 256,
            "x" * 70_000,
            "\\u0000",
            '"}{"',
            "0x10",
            "1e5",
            "٣",
            "-1",
            "None",
            "../../etc",
            "%00",
            "a\r\nX: y",
        ]
    ),
)
_WILD_NUMBER = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([0.0, -0.0, 4.0, 4.5, 1e308, float("inf"), float("nan")]),
    st.sampled_from([2**31, 2**63, 10**25, 10**700]),
    st.integers(),
)
_WILD: SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), _WILD_NUMBER, _WILD_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_WILD_TEXT, inner, max_size=3)
    ),
    max_leaves=5,
)
_ADDRESS = st.sampled_from(
    [
        "10.0.0.5",
        "10.0.0.0",
        "10.0.0.255",
        "10.0.0.1",
        "10.0.0.2",
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "127.0.0.1",
        "010.0.0.1",
        "::",
        "::1",
        "fd00::5",
        "fd00::ffff:ffff:ffff:ffff",
        "ff02::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.5",
        "10.0.0.5/32",
        "10.0.0.٣",
        "",
    ]
)
_CIDR = st.one_of(
    st.builds("{}/{}".format, _ADDRESS, st.integers(-1, 130)),
    st.sampled_from(["10.1.0.0/24", "fd00::/64", "10.0.0.0/255.0.0.0", "fd01::/56", "0.0.0.0/0"]),
)
_MAC = st.sampled_from(
    [
        "02:00:00:00:00:01",
        "02-00-00-00-00-02",
        "0200.0000.0003",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "02:00:00:00:00",
        "٠٢:00:00:00:00:01",
    ]
)


def _plausible(service: Service) -> dict[str, SearchStrategy[Any]]:
    """Return, by attribute, values that are right or nearly so."""
    some_id = st.sampled_from([*service.ids, service.network.upper(), "0" * 36])
    pool = st.fixed_dictionaries({}, optional={"start": _ADDRESS, "end": _ADDRESS})
    route = st.fixed_dictionaries({"destination": _CIDR, "nexthop": _ADDRESS})
    fixed_ip = st.fixed_dictionaries({}, optional={"subnet_id": some_id, "ip_address": _ADDRESS})
    gateway = st.fixed_dictionaries(
        {"network_id": st.one_of(some_id, st.just(service.external))},
        optional={
            "enable_snat": st.sampled_from([True, False, "no"]),
            "external_fixed_ips": st.lists(fixed_ip, max_size=2),
        },
    )
    pair = st.fixed_dictionaries(
        {}, optional={"ip_address": st.one_of(_ADDRESS, _CIDR), "mac_address": _MAC}
    )
    option = st.fixed_dictionaries(
        {"opt_name": st.sampled_from(["mtu", "6", "domain-name", "nonsense", "bootfile-name"])},
        optional={
            "opt_value": st.one_of(
                _WILD_TEXT, st.sampled_from(['a"b', "1500", "10.0.0.1,10.0.0.2"])
            ),
            "ip_version": st.sampled_from([4, 6, "4", 5]),
        },
    )
    mode = st.sampled_from(["slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
    return {
        "network_id": some_id,
        "name": st.text(max_size=5),
        "cidr": _CIDR,
        "ip_version": st.sampled_from([4, 6, "4", 5, 4.0]),
        "gateway_ip": _ADDRESS,
        "allocation_pools": st.lists(pool, max_size=3),
        "dns_nameservers": st.lists(_ADDRESS, max_size=6),
        "host_routes": st.lists(route, max_size=2),
        "routes": st.lists(route, max_size=3),
        "external_gateway_info": st.one_of(st.none(), gateway),
        "ipv6_address_mode": mode,
        "ipv6_ra_mode": mode,
        "floating_network_id": st.one_of(some_id, st.just(service.external)),
        "floating_ip_address": st.one_of(_ADDRESS, st.just("203.0.113.9")),
        "fixed_ip_address": _ADDRESS,
        "port_id": st.one_of(st.none(), some_id),
        "subnet_id": some_id,
        "mac_address": _MAC,
        "fixed_ips": st.lists(fixed_ip, max_size=3),
        "allowed_address_pairs": st.lists(pair, max_size=3),
        "extra_dhcp_opts": st.lists(option, max_size=3),
        "binding:profile": st.dictionaries(_WILD_TEXT, _WILD, max_size=2),
        "binding:vnic_type": st.sampled_from(["normal", "direct"]),
        "mtu": st.sampled_from([0, 60, 1500, 9000, 65536, "1500"]),
        "provider:network_type": st.sampled_from(["vlan", "flat", "geneve", "vxlan"]),
        "provider:physical_network": st.sampled_from(["physnet", "other", ""]),
        "provider:segmentation_id": st.sampled_from([0, 1, 4094, 4095, "7"]),
        "security_groups": st.lists(some_id, max_size=3),
        "security_group_id": some_id,
        "remote_group_id": some_id,
        "direction": st.sampled_from(["ingress", "egress"]),
        "ethertype": st.sampled_from(["IPv4", "ipv6", "IPv5"]),
        "protocol": st.sampled_from([*PROTOCOLS, "any", "ICMP", 0, 6, "17", 255, 256, "1 || ip"]),
        "port_range_min": st.sampled_from([0, 1, 8, 80, "443", 65535, 65536, "80 || 1"]),
        "port_range_max": st.sampled_from([0, 1, 8, 80, "443", 65535, 65536]),
        "remote_ip_prefix": st.one_of(_ADDRESS, _CIDR),
        "stateful": st.booleans(),
    }


def _objects(service: Service, resource: str, is_put: bool) -> SearchStrategy[dict[str, Any]]:
    """Return objects of a resource with a few attributes, most of them plausible."""
    plausible = _plausible(service)
    attributes = RESOURCES[resource].table.by_name
    usual = [name for name, attribute in attributes.items() if is_put <= attribute.put]
    flags = st.sampled_from([True, False, "yes", 1, None])
    pairs = _mostly(
        # Of a rule nothing can change.
        st.sampled_from([name for name in usual if attributes[name].post] or ["description"]),
        st.sampled_from([*attributes, "nonsense"]),
    ).flatmap(lambda name: st.tuples(st.just(name), _mostly(plausible.get(name, flags), _WILD)))
    required: dict[str, SearchStrategy[Any]] = {}
    if resource in ("subnets", "ports") and not is_put:
        required["network_id"] = st.just(service.network)
    if resource == "security-group-rules" and not is_put:
        required["security_group_id"] = st.just(service.group)
        required["direction"] = st.sampled_from(["ingress", "egress"])
    if resource == "floatingips" and not is_put:
        required["floating_network_id"] = st.just(service.external)
    if resource == "subnets" and not is_put:
        numbers = st.integers(0, 255)
        required["ip_version"] = st.just(4)
        required["cidr"] = st.builds("10.{}.{}.0/24".format, numbers, numbers)
    return st.builds(
        lambda base, extra: {**base, **dict(extra)},
        _mostly(st.fixed_dictionaries(required), st.just({})),
        st.lists(pairs, max_size=3),
    )


def _twice(pair: tuple[Any, Any]) -> bytes:
    first, second = pair
    return f'{{"network": {json.dumps(first)}, "network": {json.dumps(second)}}}'.encode()


def _bodies(service: Service, resource: str, is_put: bool) -> SearchStrategy[bytes]:
    singular, plural = RESOURCES[resource].table.name, RESOURCES[resource].table.collection
    one = _objects(service, resource, is_put)
    several = st.lists(one, max_size=3)
    usual = one.map(lambda value: {singular: value})
    if not is_put:
        usual = _mostly(usual, several.map(lambda value: {plural: value}))
    values = _mostly(
        usual,
        st.one_of(
            _WILD,
            _WILD.map(lambda value: {singular: value}),
            _WILD.map(lambda value: {plural: value}),
            st.lists(_WILD_TEXT, max_size=3).map(lambda value: {"tags": value}),
        ),
    )
    broken = st.one_of(
        values.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="replace")),
        values.map(lambda value: json.dumps(value).encode("utf-16")),
        values.map(lambda value: json.dumps(value).encode()[:-1]),
        st.tuples(one, one).map(_twice),
        st.binary(max_size=20),
        st.sampled_from(
            [
                b"",
                b'{"network": {"name": "\xff"}}',
                b"[" * 100_000,
                b'{"network":' * 5_000,
                b'{"network": {"mtu": ' + b"9" * 5_000 + b"}}",
                b'{"tags": ["a", "a", "\\ud800"]}',
                b'{"tags": ["a", 1]}',
            ]
        ),
    )
    return _mostly(values.map(lambda value: json.dumps(value).encode()), broken)


_METHODS = st.sampled_from(
    ["GET", "GET", "POST", "POST", "PUT", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", "X"]
)


def _ids(service: Service) -> SearchStrategy[str]:
    """Return percent-encoded segments of paths."""
    return st.one_of(
        st.sampled_from(service.ids),
        st.text(max_size=5).map(lambda text: quote(text, safe="")),
        st.binary(max_size=5).map(quote_from_bytes),
        st.sampled_from(
            ["%2F", "%00", "%", "%zz", "..", "x" * 5000, "%FF", "a.json", ".json", "*"]
        ),
    )


def _paths(service: Service) -> SearchStrategy[str]:
    ids = _ids(service)
    collection = st.sampled_from(list(RESOURCES))
    return st.one_of(
        collection.map(lambda name: f"/v2.0/{name}"),
        st.builds("/v2.0/{}/{}".format, collection, ids),
        st.builds("/v2.0/{}/{}".format, collection, ids),
        st.builds("/v2.0/{}/{}/tags".format, collection, ids),
        st.builds("/v2.0/{}/{}/tags/{}".format, collection, ids, ids),
        st.builds("/v2.0/{}/{}/bindings".format, collection, ids),
        st.builds("/v2.0/ports/{}/bindings/{}".format, ids, ids),
        st.builds("/v2.0/ports/{}/bindings/{}/activate".format, ids, ids),
        st.builds("/v2.0/{}.json".format, collection),
        st.builds("//v2.0//{}//{}//".format, collection, ids),
        st.builds("/v2.0/quotas/{}".format, ids),
        st.builds("/v2.0/quotas/{}/details".format, ids),
        st.builds("/v2.0/extensions/{}".format, ids),
        st.sampled_from(["/", "/v2.0", "/v2.0/", "/v2.0/extensions", "/v2.0/availability_zones"]),
        st.lists(ids, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    )


_RESERVED = ["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"]
_ZONES = [None, *(timezone(timedelta(hours=hours)) for hours in (-12, 0, 14))]
_TAG_KEYS = ["tags", "tags-any", "not-tags", "not-tags-any", "changed_since"]


def _queries(service: Service) -> SearchStrategy[str]:
    names = sorted({name for one in RESOURCES.values() for name in one.table.by_name})
    key = st.one_of(
        st.sampled_from([*_RESERVED, *_TAG_KEYS]),
        st.sampled_from(names),
        _WILD_TEXT.map(lambda text: quote(text, errors="surrogatepass")),
    )
    value = st.one_of(
        st.sampled_from(
            [
                "",
                "asc",
                "desc",
                "id",
                "name",
                "mtu",
                "0",
                "1",
                "-1",
                "true",
                "ip_address=10.0.0.2",
                "subnet_id=x",
                "ip_address_substr=.0.",
                "%C3%A9",
                "%FF",
                "2020-01-01T00:00:00Z",
                "0001-01-01T00:00:00%2B14:00",
                *names,
                *service.ids,
            ]
        ),
        _WILD_TEXT.map(lambda text: quote(text, errors="surrogatepass")[:5000]),
    )
    pair = st.builds("{}={}".format, key, value)
    time = st.datetimes(timezones=st.sampled_from(_ZONES)).map(datetime.isoformat).map(quote)
    return st.one_of(
        st.lists(st.one_of(pair, key, time.map("changed_since={}".format)), max_size=4).map(
            "&".join
        ),
        st.sampled_from(
            ["&" * 3000, "a=1&" * 3000, "id=&" * 900, "limit=1&limit=2", "?", "=", "%"]
        ),
    )


_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("X-Auth-Token", "X-Subject-Token", "Host", "User-Agent"),
            *("Content-Type", "Accept", "Cookie", "Expect"),
        ]
    ),
    st.one_of(
        st.binary(max_size=10),
        st.sampled_from(
            [
                b"",
                b"Apache-HttpClient/4.5",
                b"a:b:c",
                b"[::1]:80",
                b"\xff\xfe",
                b"x" * 4000,
                b"text/xml; charset=nonsense",
                b"multipart/form-data",
                b"100-continue",
                b"admin@internal",
            ]
        ),
    ).filter(lambda value: not set(value) & set(b"\r\n\0")),
    max_size=3,
)


def _request(
    method: str, target: str, body: bytes, headers: dict[str, bytes], is_chunked: bool = False
) -> bytes:
    """Return the bytes of a request."""
    fields = {"Host": b"localhost", **headers, "Content-Length": str(len(body)).encode()}
    if is_chunked:
        fields["Transfer-Encoding"] = b"chunked"
    lines = [name.encode() + b": " + value for name, value in fields.items()]
    # What a path must not hold would end the request line early.
    head = f"{method} {target} HTTP/1.1".encode("latin-1", errors="replace")
    return b"\r\n".join([head, *lines, b"", body])


# --- promises ------------------------------------------------------------------


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_bodies(service: Service, resource: str) -> None:
    """A body of any kind on any write of a resource gets an answer of the API."""
    own = service.own[resource]
    posts = _bodies(service, resource, is_put=False)
    puts = _bodies(service, resource, is_put=True)

    @bounded(400)
    @given(
        st.one_of(
            st.tuples(st.just("POST"), st.just(""), posts),
            st.tuples(st.just("PUT"), st.sampled_from([f"/{own}", f"/{own}/tags"]), puts),
        ),
        st.booleans(),
    )
    def run(request: tuple[str, str, bytes], is_engine: bool) -> None:
        headers = {"User-Agent": b"Apache-HttpClient/4"} if is_engine else {}
        method, below, body = request
        service.check(_request(method, f"/v2.0/{resource}{below}", body, headers))

    run()
    service.check_alive()


@pytest.mark.parametrize("name", list(RESOURCES["routers"].actions))
def test_router_actions(service: Service, name: str) -> None:
    """A body of any kind on an action of a router gets an answer of the API."""
    some_id = st.sampled_from([*service.ids, "0" * 36])
    interfaces = st.fixed_dictionaries(
        {}, optional={"subnet_id": _mostly(some_id, _WILD), "port_id": _mostly(some_id, _WILD)}
    )
    routes = _objects(service, "routers", is_put=True).map(lambda value: {"router": value})
    bodies = _mostly(st.one_of(interfaces, routes), _WILD).map(lambda one: json.dumps(one).encode())

    @bounded(200)
    @given(_mostly(bodies, st.binary(max_size=20)))
    def run(body: bytes) -> None:
        path = f"/v2.0/routers/{service.router}/{name}"
        service.check(_request("PUT", path, body, {}))

    run()
    service.check_alive()


def test_bindings(service: Service) -> None:
    """Any request for a port's bindings gets an answer of the API; OVN's list stays a list."""
    host = st.sampled_from(["hv1", "hv2", "hv3", "10.0.0.9", "::1", "é", "a,b", "a b", "", "*"])
    some = st.one_of(host, _WILD_TEXT)
    values = st.fixed_dictionaries(
        {"host": _mostly(some, _WILD)},
        optional={
            "profile": st.one_of(st.dictionaries(_WILD_TEXT, _WILD, max_size=2), _WILD),
            "vnic_type": st.sampled_from(["normal", "direct", "fast"]),
            "project_id": _WILD,
        },
    )
    bodies = st.one_of(values.map(lambda one: {"binding": one}), _WILD).map(
        lambda one: json.dumps(one).encode()
    )
    below = some.map(lambda text: quote(text, safe="", errors="surrogatepass"))
    requests = st.one_of(
        st.tuples(st.just("POST"), st.just("/bindings"), bodies),
        st.tuples(st.just("PUT"), below.map("/bindings/{}/activate".format), bodies),
        st.tuples(st.just("PUT"), below.map("/bindings/{}".format), bodies),
        st.tuples(st.just("DELETE"), below.map("/bindings/{}".format), st.just(b"")),
        st.tuples(st.just("GET"), below.map("/bindings?host={}&fields=host".format), st.just(b"")),
        st.tuples(
            st.just("PUT"),
            st.just(""),
            some.map(lambda text: json.dumps({"port": {"binding:host_id": text}}).encode()),
        ),
    )
    replica = service.api.connection.replica
    assert replica is not None

    @bounded(400)
    @given(st.lists(requests, min_size=1, max_size=4))
    def run(sequence: list[tuple[str, str, bytes]]) -> None:
        for method, path, body in sequence:
            service.check(_request(method, f"/v2.0/ports/{service.port}{path}", body, {}))
            told = replica.indexes.ports_by_name[service.port].options
            chassis = told.get("requested-chassis", "").split(",")
            assert len(chassis) == len(set(chassis)) != 1 or chassis == [""]
            assert all(is_chassis_name(name) for name in chassis) or chassis == [""]
            assert ("activation-strategy" in told) == (len(chassis) > 1)

    run()
    service.check_alive()


@given(
    _METHODS,
    st.binary(max_size=20),
    st.sampled_from(["", "/hv1", "/hv1/activate", "/hv1/confirm"]),
)
@bounded(100)
def test_hosts_without_a_certificate(
    service: Service, method: str, body: bytes, below: str
) -> None:
    """Without a certificate no request for bindings is let through, whatever else it has."""
    path = f"/v2.0/ports/{service.port}/bindings{below}"
    headers = {"X-Auth-Token": b"any", CERTIFICATE: b"hv1"}
    with_underscores = {CERTIFICATE.upper().replace(".", "_"): b"hv1", **headers}
    for sent in (headers, with_underscores):
        assert service.send(_request(method, path, body, sent), BINDINGS).status == 403


def test_paths(service: Service) -> None:
    """Any verb on any path, with any headers, gets an answer of the API."""
    protected = set(service.ids)

    @bounded(400)
    @given(_METHODS, _paths(service), _HEADERS, st.booleans())
    def run(method: str, path: str, headers: dict[str, bytes], is_chunked: bool) -> None:
        if method == "DELETE" and path.strip("/").split("/")[-1] in protected:
            method = "GET"
        service.check(_request(method, path, b"", headers, is_chunked and method == "POST"))

    run()
    service.check_alive()


def test_queries(service: Service) -> None:
    """Any query string on whatever can be read gets an answer of the API."""
    objects = [f"{collection}/{own}" for collection, own in service.own.items()]
    others = ["extensions", "extensions/router", "availability_zones", "quotas", "quotas/x/details"]
    others += [f"{objects[0]}/tags", f"ports/{service.port}/bindings"]

    @bounded(400)
    @given(
        _mostly(
            st.sampled_from([*RESOURCES, *RESOURCES, *objects]), st.sampled_from(["", *others])
        ),
        _queries(service),
    )
    def run(path: str, query: str) -> None:
        service.check(_request("GET", f"/v2.0/{path}?{query}", b"", {}))

    run()
    service.check_alive()


def test_identity(service: Service) -> None:
    """Any request to the identity port gets an answer of its API."""
    credentials = st.fixed_dictionaries({}, optional={"username": _WILD, "password": _WILD})
    user = dict.fromkeys(("name", "id", "password", "domain"), _WILD)
    identity = st.fixed_dictionaries(
        {"methods": st.one_of(st.sampled_from([["password"], ["token"]]), _WILD)},
        optional={
            "password": st.fixed_dictionaries({"user": st.fixed_dictionaries({}, optional=user)}),
            "token": st.fixed_dictionaries({"id": _WILD}),
        },
    )
    auth = st.fixed_dictionaries(
        {},
        optional={
            "passwordCredentials": st.one_of(credentials, _WILD),
            "token": st.one_of(st.fixed_dictionaries({"id": _WILD}), _WILD),
            "tenantName": _WILD,
            "identity": st.one_of(identity, _WILD),
        },
    )
    body = st.one_of(
        auth.map(lambda value: json.dumps({"auth": value}).encode()),
        _WILD.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=20),
    )
    collections = [f"/v3/{name}" for name in COLLECTIONS]
    ids = _ids(service)
    paths = st.one_of(
        st.sampled_from(["/v2.0/tokens", "/v3/auth/tokens", "/v3/tokens"]),
        st.sampled_from(["/", "/v2.0", "/v2.0/tenants", "/v3"]),
        st.sampled_from([f"/v3/auth/{name}" for name in ("catalog", "projects", "domains")]),
        st.sampled_from(collections),
        st.builds("{}/{}".format, st.sampled_from(collections), ids),
        st.builds("/v3/users/{}/projects".format, ids),
    )

    @bounded(400)
    @given(_METHODS, paths, _queries(service), body, _HEADERS)
    def run(method: str, path: str, query: str, body: bytes, headers: dict[str, bytes]) -> None:
        service.check(_request(method, f"{path}?{query}", body, headers), is_identity=True)

    run()
    service.check_alive()


def test_tokens() -> None:
    """Whatever token is not the right one gets 401, in whatever form it comes."""
    with running_service("MagicTokenPlugin") as service:

        @bounded(100)
        @given(
            _METHODS,
            st.sampled_from(["/v2.0/networks", f"/v2.0/ports/{service.port}", "/v2.0/extensions"]),
            _HEADERS,
            st.binary(max_size=10).filter(lambda token: not set(token) & set(b"\r\n\0")),
        )
        def run(method: str, path: str, headers: dict[str, bytes], token: bytes) -> None:
            headers = {**headers, "X-Auth-Token": token}
            assert service.check(_request(method, path, b"", headers)).status in (400, 401, 405)

        run()
        for headers, status in (({}, 401), ({"X-Auth-Token": WELL_KNOWN_TOKEN.encode()}, 200)):
            reply = service.check(_request("GET", "/v2.0/networks", b"", headers))
            assert status == reply.status
        service.check_alive()


def test_size_of_bodies(service: Service) -> None:
    """A body beyond the limit gets 413, one just below it is read."""
    name = b"x" * 1_100_000
    reply = service.check(_request("POST", "/v2.0/networks", name, {}))
    assert 413 == reply.status
    many = {"ports": [{"network_id": service.network, "name": "x" * 255}] * 200}
    reply = service.check(_request("POST", "/v2.0/ports", json.dumps(many).encode(), {}))
    assert 201 == reply.status
    service.check_alive()


# --- sequences -----------------------------------------------------------------

_NUMBER = st.integers(0, 1_000)
_OPERATION = st.tuples(
    st.sampled_from(
        [
            "create network",
            "create subnet",
            "create subnet",
            "create port",
            "create port",
            "create port",
            "create ports",
            "update network",
            "update subnet",
            "update port",
            "update port",
            "delete network",
            "delete subnet",
            "delete port",
            "create security_group",
            "create security_group_rule",
            "create security_group_rule",
            "update security_group",
            "delete security_group",
            "delete security_group_rule",
            "tag",
            "create router",
            "update router",
            "update router",
            "delete router",
            "attach",
            "attach",
            "attach",
            "detach",
            "create floatingip",
            "create floatingip",
            "update floatingip",
            "update floatingip",
            "delete floatingip",
        ]
    ),
    _NUMBER,
    _NUMBER,
    _NUMBER,
)
_CIDRS = [
    ("10.0.0.0/29", 4, {}),
    ("10.1.0.0/24", 4, {}),
    ("10.0.0.0/24", 4, {}),
    ("fd00::/64", 6, {}),
    ("fd01::/64", 6, {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}),
    ("fd02::/120", 6, {}),
]
_MACS = [f"02:00:00:00:00:{number:02x}" for number in range(6)]


class Visitor:
    """Interprets operations: numbers choose among what is there."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def _pick(self, collection: str, number: int) -> Any:
        rows = sorted(_listed(self._api, collection), key=lambda row: row["created_at"])
        return rows[number % len(rows)] if rows else None

    def _any_id(self, collection: str, number: int) -> str:
        row = self._pick(collection, number)
        return row["id"] if row else "00000000-0000-4000-8000-000000000000"

    def run(self, operation: tuple[str, int, int, int]) -> None:
        """Do one operation; it may be refused, never more than that."""
        action, first, second, third = operation
        verb, _, kind = action.partition(" ")
        if action == "tag":
            path = f"ports/{self._any_id('ports', first)}/tags/t{second % 3}"
            answer = self._api(["PUT", "DELETE"][third % 2], path)
        elif verb in ("attach", "detach"):
            where = {"attach": "add_router_interface", "detach": "remove_router_interface"}
            kind = ["subnet", "port"][third % 4 == 0]
            body = {f"{kind}_id": self._any_id(f"{kind}s", second)}
            answer = self._api(
                "PUT", f"routers/{self._any_id('routers', first)}/{where[verb]}", body
            )
        elif verb == "delete":
            answer = self._api("DELETE", f"{path_of(kind)}/{self._any_id(path_of(kind), first)}")
        elif action == "create ports":
            network_id = self._any_id("networks", first)
            elements = [self._port(network_id, second + index, third) for index in range(3)]
            answer = self._api("POST", "ports", {"ports": elements})
        elif verb == "create":
            make, parent = {
                "network": (self._network, "networks"),
                "subnet": (self._subnet, "networks"),
                "port": (self._port, "networks"),
                "security_group": (self._group, "networks"),
                "security_group_rule": (self._rule, "security-groups"),
                "router": (self._router, "networks"),
                "floatingip": (self._floating_ip, "networks"),
            }[kind]
            values = make(self._any_id(parent, first), second, third)
            answer = self._api("POST", path_of(kind), {kind: values})
        else:
            own = f"{path_of(kind)}/{self._any_id(path_of(kind), first)}"
            answer = self._api("PUT", own, {kind: self._change(kind, second, third)})
        assert answer.status in (200, 201, 204, 400, 404, 409), (operation, answer)

    @staticmethod
    def _network(_network_id: str, number: int, other: int) -> dict[str, Any]:
        values: dict[str, Any] = {"name": f"n{number % 5}", "port_security_enabled": other % 2 == 0}
        values["router:external"] = number % 3 == 0
        if number % 4 == 0:
            values["provider:physical_network"] = f"physnet{other % 2}"
            values["provider:segmentation_id"] = 1 + number % 3
        return values

    @staticmethod
    def _subnet(network_id: str, number: int, other: int) -> dict[str, Any]:
        cidr, version, modes = _CIDRS[number % len(_CIDRS)]
        values = {"network_id": network_id, "cidr": cidr, "ip_version": version, **modes}
        if other % 3 == 0:
            values["gateway_ip"] = None
        return values

    def _port(self, network_id: str, number: int, other: int) -> dict[str, Any]:
        values: dict[str, Any] = {"network_id": network_id, "name": f"p{number % 5}"}
        values.update(self._change("port", number, other))
        return values

    @staticmethod
    def _group(_network_id: str, number: int, other: int) -> dict[str, Any]:
        return {"name": f"g{number % 5}", "stateful": other % 4 > 0}

    def _rule(self, group_id: str, number: int, other: int) -> dict[str, Any]:
        values: dict[str, Any] = {"security_group_id": group_id}
        values["direction"] = ("ingress", "egress")[other % 2]
        if number % 2:
            values["remote_group_id"] = self._any_id("security-groups", other)
        if number % 3:
            values["protocol"] = (6, 17, 1)[other % 3]
        return values

    def _router(self, _network_id: str, number: int, other: int) -> dict[str, Any]:
        return {"name": f"r{number % 5}", **self._change("router", number, other)}

    def _floating_ip(self, _network_id: str, number: int, other: int) -> dict[str, Any]:
        values = {"floating_network_id": self._external_id(number)}
        return {**values, **self._change("floatingip", other, number)}

    def _external_id(self, number: int) -> str:
        external = self._api.get("networks?router:external=True")["networks"]
        return external[number % len(external)]["id"] if external else "0" * 36

    def _change(self, kind: str, number: int, other: int) -> dict[str, Any]:
        """Return a few attributes to set."""
        gateway = {"network_id": self._external_id(other)}
        choices: dict[str, list[dict[str, Any]]] = {
            "network": [
                {"name": f"n{other % 5}"},
                {"admin_state_up": other % 2 == 0},
                {"mtu": 1400 + other % 3},
                {"provider:segmentation_id": 1 + other % 4},
                {"provider:network_type": "geneve"},
                {"router:external": other % 2 == 0},
            ],
            "router": [
                {"name": f"r{other % 5}"},
                {"external_gateway_info": gateway},
                {"external_gateway_info": {**gateway, "enable_snat": other % 2 == 0}},
                {"external_gateway_info": None},
                {"routes": []},
                {"routes": [{"destination": "10.99.0.0/16", "nexthop": f"10.0.0.{other % 6}"}]},
                {"routes": [{"destination": "0.0.0.0/0", "nexthop": f"10.1.0.{other % 6}"}]},
            ],
            "floatingip": [
                {"description": f"d{other % 5}"},
                {"port_id": None},
                {"port_id": self._any_id("ports", other)},
                {"port_id": self._any_id("ports", other + 1)},
            ],
            "subnet": [
                {"name": f"s{other % 5}"},
                {"gateway_ip": None},
                {"gateway_ip": f"10.0.0.{1 + other % 6}", "allocation_pools": []},
                {"enable_dhcp": other % 2 == 0},
                {"dns_nameservers": ["192.0.2.53"][: other % 2]},
                {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.6"}][: other % 4]},
            ],
            "security_group": [
                {"name": f"g{other % 5}"},
                {"stateful": other % 2 == 0},
            ],
            "port": [
                {},
                {"security_groups": [self._any_id("security-groups", other)]},
                {
                    "port_security_enabled": other % 3 > 0,
                    "security_groups": [self._any_id("security-groups", other)][: other % 2],
                },
                {"mac_address": _MACS[other % len(_MACS)]},
                {"fixed_ips": []},
                {"fixed_ips": [{"ip_address": f"10.0.0.{2 + other % 5}"}]},
                {"fixed_ips": [{"subnet_id": self._any_id("subnets", other)}]},
                {"port_security_enabled": other % 2 == 0},
                {"admin_state_up": other % 2 == 0},
                {"binding:host_id": f"host{other % 2}", "device_owner": "oVirt"},
                {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": str(1000 + other)}]},
                {"device_id": f"vm{other % 3}"},
                {
                    "port_security_enabled": True,
                    "allowed_address_pairs": [{"ip_address": "10.9.9.9"}],
                },
            ],
        }
        of_kind = choices[kind]
        return of_kind[number % len(of_kind)]


def _ranges(subnets: Sequence[Any]) -> dict[str, list[Range]]:
    """Return the address range of each subnet by network, from the API's own answer."""
    ranges: dict[str, list[Range]] = {}
    for subnet in subnets:
        found = range_of(DhcpOptions.new(subnet["id"], cidr=subnet["cidr"]))
        assert found is not None
        ranges.setdefault(subnet["network_id"], []).append(found)
    return ranges


def _everything(api: Api) -> dict[str, list[Any]]:
    """Return all objects, each list in order of ids."""
    return {path: _listed(api, path) for path in RESOURCES}


def _check_invariants(api: Api) -> None:
    """No MAC or address twice on a network, every address in its subnet, every group there."""
    found = _everything(api)
    ranges = _ranges(found["subnets"])
    macs = [(port["network_id"], port["mac_address"]) for port in found["ports"]]
    assert len(macs) == len(set(macs))
    addresses = [
        (port["network_id"], entry["ip_address"])
        for port in found["ports"]
        for entry in port["fixed_ips"]
    ]
    assert len(addresses) == len(set(addresses))
    for port in found["ports"]:
        own = {span.subnet_id: span for span in ranges.get(port["network_id"], [])}
        for entry in port["fixed_ips"]:
            number = ip_number(entry["ip_address"])
            assert number is not None
            assert own[entry["subnet_id"]].holds(number)
    _check_groups(found)


def _check_groups(found: dict[str, list[Any]]) -> None:
    """Ports and rules name groups that are there, and no group has a rule twice."""
    groups = {group["id"]: group for group in found["security-groups"]}
    rules = {rule["id"]: rule for rule in found["security-group-rules"]}
    for port in found["ports"]:
        assert set(port["security_groups"]) <= set(groups)
        assert port["port_security_enabled"] or not port["security_groups"]
    keys = [(rule["security_group_id"], rule_key(rule)) for rule in rules.values()]
    assert len(keys) == len(set(keys))
    for rule in rules.values():
        assert {rule["security_group_id"], rule["remote_group_id"]} <= {*groups, None}
    shown = [rule for group in groups.values() for rule in group["security_group_rules"]]
    assert rules == {rule["id"]: rule for rule in shown}


def _check_members(api: Api) -> None:
    """What a list shows of an object is what its own address shows."""
    for name, rows in _everything(api).items():
        for row in rows:
            shown = api.get(f"{name}/{row['id']}")[RESOURCES[name].table.name]
            if row.get("device_owner") == "oVirt":
                # Lists show no host of the engine's ports that are not up.
                assert ("", "unbound") == (row["binding:host_id"], row["binding:vif_type"])
                row = {
                    **row,
                    **{key: shown[key] for key in ("binding:host_id", "binding:vif_type")},
                }
            assert shown == row


def _prepare(api: Api) -> None:
    """Create a VM's port behind a router with a gateway, and a network beside it."""
    outside, inside = external_network(api), network(api, "10.0.0.0/29")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    attach(api, router, subnet_id=inside["subnet"])
    api.create("port", network_id=inside["id"])
    network(api, "10.1.0.0/24")


def test_sequences() -> None:
    """After any changes nothing is double, lists and objects agree, and no view is stale."""

    @bounded(45)
    @given(st.lists(_OPERATION, min_size=5, max_size=40))
    def run(operations: list[tuple[str, int, int, int]]) -> None:
        with ovsdb_server() as nb, running_api(nb, gateway_chassis=("hv1",)) as api:
            visitor = Visitor(api)
            _prepare(api)
            for operation in operations:
                visitor.run(operation)
                _check_invariants(api)
                assert_consistent(api)
            _check_members(api)
            with running_api(nb) as fresh:
                assert _everything(fresh) == _everything(api)

    run()
