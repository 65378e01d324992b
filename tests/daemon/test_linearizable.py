# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several proxies answer as one: what one has acknowledged, every other one knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer, wait_until
from daemon.proxy import Api, running_api

pytestmark = pytest.mark.daemon

TRIALS = 150


@pytest.fixture
def pair(nb: OvsdbServer) -> Iterator[Sequence[Api]]:
    """Two proxies on one server."""
    with running_api(nb) as one, running_api(nb) as two:
        yield one, two


def ids(api: Api, collection: str) -> set[str]:
    """Return the ids that a list shows."""
    return {row["id"] for row in api.get(collection)[collection]}


def test_life_of_objects(pair: Sequence[Api]) -> None:
    """What one proxy creates or deletes is there or gone at the other at once, as a parent too."""
    for trial in range(TRIALS):
        one, two = pair[trial % 2], pair[1 - trial % 2]
        network = one.create("network", name=f"n{trial}")
        assert network == two.get(f"networks/{network['id']}")["network"]
        assert network["id"] in ids(two, "networks")

        subnet = two.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
        assert subnet == one.get(f"subnets/{subnet['id']}")["subnet"]
        assert subnet["id"] in ids(one, "subnets")

        port = one.create("port", network_id=network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
        assert port == two.get(f"ports/{port['id']}")["port"]
        assert port["id"] in ids(two, "ports")
        assert "blue" == two.update("port", port["id"], name="blue")["name"]
        assert "blue" == one.get(f"ports/{port['id']}")["port"]["name"]

        # Each deletion is possible only because of the one before it, at the other proxy.
        two.delete("port", port["id"])
        assert 404 == one("GET", f"ports/{port['id']}").status
        assert 404 == one("PUT", f"ports/{port['id']}", {"port": {"name": "x"}}).status
        assert port["id"] not in ids(one, "ports")
        one.delete("subnet", subnet["id"])
        assert 404 == two("GET", f"subnets/{subnet['id']}").status
        two.delete("network", network["id"])
        assert 404 == one("GET", f"networks/{network['id']}").status
        values = {"network_id": network["id"]}
        assert 404 == one("POST", "ports", {"port": values}).status


def test_changes_without_a_look(pair: Sequence[Api]) -> None:
    """No change is refused for what the other proxy has just done, though nobody has read it."""
    for trial in range(TRIALS):
        one, two = pair[trial % 2], pair[1 - trial % 2]
        network = one.create("network", name=f"n{trial}")["id"]
        subnet = two.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)["id"]
        port = one.create("port", network_id=network, fixed_ips=[{"subnet_id": subnet}])["id"]
        two.update("port", port, name="blue")
        assert 201 == one("PUT", f"ports/{port}/tags/a").status
        assert 204 == two("DELETE", f"ports/{port}/tags/a").status
        one.delete("port", port)
        two.delete("subnet", subnet)
        one.delete("network", network)


def test_defaults_of_a_network(pair: Sequence[Api]) -> None:
    """A new port is what its network says, and that what its subnets are, as told elsewhere."""
    network = pair[0].create("network", name="red")["id"]
    for trial in range(TRIALS):
        one, two = pair[trial % 2], pair[1 - trial % 2]
        is_secured, is_up = trial % 2 == 0, trial % 3 == 0
        one.update("network", network, port_security_enabled=is_secured, admin_state_up=is_up)
        port = two.create("port", network_id=network)
        assert is_secured is port["port_security_enabled"]
        subnet = one.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)["id"]
        assert [subnet] == two.update("network", network, name=f"n{trial}")["subnets"]
        one.delete("subnet", subnet)
        assert [] == two.update("network", network, description=f"n{trial}")["subnets"]
        assert is_secured is bool(port["security_groups"])
        two.delete("port", port["id"])


def test_automatic_addresses(pair: Sequence[Api]) -> None:
    """The answer to any change of a port shows the addresses that the other proxy has given it."""
    network = pair[0].create("network", name="red")["id"]
    port = pair[0].create("port", network_id=network)["id"]
    values = {"network_id": network, "cidr": "fd00::/64", "ip_version": 6}
    for trial in range(TRIALS):
        one, two = pair[trial % 2], pair[1 - trial % 2]
        subnet = one.create("subnet", ipv6_address_mode="slaac", **values)["id"]
        shown = two.update("port", port, name=f"n{trial}")["fixed_ips"]
        assert [subnet] == [entry["subnet_id"] for entry in shown]
        one.delete("subnet", subnet)
        assert [] == two.update("port", port, description=f"n{trial}")["fixed_ips"]


def test_life_of_groups(pair: Sequence[Api]) -> None:
    """The same holds for security groups, their rules, and the ports in them."""
    network = pair[0].create("network", name="red")
    values = {"network_id": network["id"], "port_security_enabled": True}
    for trial in range(TRIALS // 2):
        one, two = pair[trial % 2], pair[1 - trial % 2]
        group = one.create("security_group", name=f"g{trial}")
        path = f"security-groups/{group['id']}"
        assert group == two.get(path)["security_group"]

        port = two.create("port", security_groups=[group["id"]], **values)
        assert [port] == one.get(f"ports?security_groups={group['id']}")["ports"]
        of_group = {"security_group_id": group["id"], "direction": "ingress"}
        rule = one.create("security_group_rule", **of_group)
        assert rule == two.get(f"security-group-rules/{rule['id']}")["security_group_rule"]
        assert 409 == two("POST", "security-group-rules", {"security_group_rule": of_group}).status
        assert rule in two.get(path)["security_group"]["security_group_rules"]

        assert 409 == one("DELETE", path).status
        one.update("port", port["id"], security_groups=[])
        two.delete("security_group", group["id"])
        assert 404 == one("GET", f"security-group-rules/{rule['id']}").status
        body = {"port": {"security_groups": [group["id"]]}}
        assert 404 == one("PUT", f"ports/{port['id']}", body).status
        one.delete("port", port["id"])


def test_what_was_given_back(pair: Sequence[Api]) -> None:
    """What one proxy gives back the other can take at once: address, MAC, VLAN, subnet's CIDR."""
    one = pair[0]
    network = one.create("network", name="red")
    one.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    wanted = {
        "port": {
            "network_id": network["id"],
            "mac_address": "02:00:00:00:00:01",
            "fixed_ips": [{"ip_address": "10.0.0.9"}],
        },
        "subnet": {"network_id": network["id"], "cidr": "10.1.0.0/24", "ip_version": 4},
        "network": {
            "name": "vlan",
            "provider:network_type": "vlan",
            "provider:physical_network": "physnet",
            "provider:segmentation_id": 7,
        },
    }
    held = {kind: one.create(kind, **values) for kind, values in wanted.items()}
    for trial in range(TRIALS):
        giver, taker = pair[trial % 2], pair[1 - trial % 2]
        for kind, values in wanted.items():
            refused = taker("POST", f"{kind}s", {kind: values})
            assert refused.status in (400, 409)
            giver.delete(kind, held[kind]["id"])
            held[kind] = taker.create(kind, **values)


def test_under_load(pair: Sequence[Api], nb: OvsdbServer) -> None:
    """The same holds while others keep both proxies busy."""
    stop = threading.Event()
    one, two = pair
    busy = one.create("network", name="busy")

    def work(api: Api) -> int:
        count = 0
        while not stop.is_set() and count < 2000:
            port = api.create("port", network_id=busy["id"])
            api.update("port", port["id"], name="changed")
            api.delete("port", port["id"])
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, api) for api in (one, two) * 2]
        try:
            network = one.create("network", name="red")
            for trial in range(TRIALS // 2):
                here, there = pair[trial % 2], pair[1 - trial % 2]
                port = here.create("port", network_id=network["id"])
                assert port["id"] in ids(there, "ports")
                there.delete("port", port["id"])
                assert port["id"] not in ids(here, "ports")
                assert 404 == here("DELETE", f"ports/{port['id']}").status
        finally:
            stop.set()
        assert all(worker.result(20) > 0 for worker in workers)


def test_before_the_first_sync(nb: OvsdbServer) -> None:
    """Until the first sync every list is 503, never an empty list; then it is complete."""
    with running_api(nb) as other:
        network = other.create("network", name="red")
    api = Api(nb, request_timeout_s=0.05)
    requests: list[tuple[str, str, Any]] = [
        ("GET", "networks", None),
        ("GET", "subnets", None),
        ("GET", "ports", None),
        ("GET", f"networks/{network['id']}", None),
        ("POST", "networks", {"network": {"name": "blue"}}),
        ("DELETE", f"networks/{network['id']}", None),
    ]
    for request in requests:
        answer = api(*request)
        assert 503 == answer.status, request
        assert "2" == answer.headers["Retry-After"]
    # The versions need no database.
    assert 200 == api("GET", "/").status
    api.connection.start()
    try:
        wait_until(lambda: api.connection.ready)
        assert {network["id"]} == ids(api, "networks")
    finally:
        api.connection.stop()


def test_without_the_server(nb: OvsdbServer) -> None:
    """With the server gone lists are 503, though the proxy knows them; then all is back."""
    with running_api(nb) as pen, running_api(nb, request_timeout_s=0.1) as api:
        network = pen.create("network", name="red")
        nb.stop()
        wait_until(lambda: not api.connection.ready)
        for collection in ("networks", "subnets", "ports", f"networks/{network['id']}"):
            start = time.monotonic()
            answer = api("GET", collection)
            assert 503 == answer.status
            assert time.monotonic() - start < 1.5
        nb.start()
        deadline = time.monotonic() + 10
        while (answer := api("GET", "networks")).status == 503:
            assert time.monotonic() < deadline
        assert [network["id"]] == [row["id"] for row in answer.json["networks"]]


def test_restarts(nb: OvsdbServer) -> None:
    """Whoever lists while the server crashes and comes back sees all or 503, never less."""
    with running_api(nb) as pen, running_api(nb, request_timeout_s=0.3) as api:
        network = pen.create("network", name="red")
        for _ in range(20):
            pen.create("port", network_id=network["id"])
        expected = ids(pen, "ports")
        stop = threading.Event()
        seen: set[tuple[int, bool]] = set()
        is_seen = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                answer = api("GET", "ports")
                complete = answer.status == 200 and expected == {
                    port["id"] for port in answer.json["ports"]
                }
                seen.add((answer.status, complete))
                if complete:
                    is_seen.set()

        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                pool.submit(watch)
            try:
                for _ in range(4):
                    time.sleep(0.1)
                    nb.kill()
                    time.sleep(0.1)
                    nb.start()
                    is_seen.clear()
                    assert is_seen.wait(10)
            finally:
                stop.set()

        assert seen <= {(200, True), (503, False)}
