# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, MACs and VLANs are given out once, however many proxies give them out."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pytest

from daemon.northd import Northd
from daemon.ovsdb import OvsdbServer, northd
from daemon.proxy import Api, ProxyProcess, proxy_process, running_api
from daemon.wire_tap import Operations, WireTap
from ovirt_ovn_proxy.nb.schema import NB_GLOBAL

pytestmark = pytest.mark.daemon

T = TypeVar("T")

PROXIES, CREATES = 3, 240


class Client(NamedTuple):
    """A client of one proxy process; each request has a connection of its own."""

    port: int

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request; return status and JSON body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/v2.0/{path}", text)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return response.status, json.loads(content) if content else None

    def create(self, kind: str, **values: Any) -> Any:
        """POST one object; returns it."""
        status, body = self.send("POST", f"{kind}s", {kind: values})
        assert 201 == status, body
        return body[kind]


@pytest.fixture(scope="module")
def proxies() -> Iterator[Sequence[Client]]:
    """Clients of three proxies on one central, for all tests, each with networks of its own."""
    with ExitStack() as stack:
        nb = stack.enter_context(northd())["nb"]
        processes: list[ProxyProcess] = [
            stack.enter_context(proxy_process(nb.folder, nb.remote, f"proxy{number}"))
            for number in range(PROXIES)
        ]
        yield [Client(process.networking_port) for process in processes]


def at_once(actions: Sequence[Callable[[], T]]) -> list[T]:
    """Run all actions in threads that start at the same moment; return the results in order."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        start.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def addresses(ports: Sequence[Any]) -> list[str]:
    """Return every address of the ports."""
    return [entry["ip_address"] for port in ports for entry in port["fixed_ips"]]


def doubled(values: Sequence[str]) -> list[str]:
    """Return what occurs more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def test_a_whole_subnet(proxies: Sequence[Client]) -> None:
    """240 clients at once at 3 proxies, one subnet: each address once, no port lost; then 409."""
    client = proxies[0]
    network_id = client.create("network", name="red")["id"]
    client.create("subnet", network_id=network_id, cidr="10.0.0.0/24", ip_version=4)

    def work(number: int) -> Any:
        own = proxies[number % PROXIES]
        return own.create("port", network_id=network_id, name=str(number))

    created = at_once([partial(work, number) for number in range(CREATES)])

    assert [] == doubled(addresses(created))
    assert [] == doubled([port["mac_address"] for port in created])
    assert len(created) == len(addresses(created))
    for other in proxies:
        listed = other.send("GET", f"ports?network_id={network_id}")[1]["ports"]
        assert sorted(port["id"] for port in created) == sorted(port["id"] for port in listed)
        assert sorted(addresses(created)) == sorted(addresses(listed))

    # 253 addresses beside the gateway's; the last ones in a race of all proxies.
    missing = 253 - len(created)
    request = ("POST", "ports", {"port": {"network_id": network_id}})
    rest = at_once(
        [partial(proxies[number % PROXIES].send, *request) for number in range(missing + 5)]
    )
    taken = [body["port"] for status, body in rest if status == 201]
    refused = [body["NeutronError"]["type"] for status, body in rest if status == 409]
    assert missing == len(taken)
    assert ["IpAddressGenerationFailure"] * 5 == refused
    assert [f"10.0.0.{host}" for host in range(2, 255)] == sorted(
        addresses(created + taken), key=lambda ip: int(ip.rpartition(".")[2])
    )

    # An address that was given back can be had again, at another proxy, at once.
    freed = created[100]
    assert 204 == proxies[1].send("DELETE", f"ports/{freed['id']}")[0]
    again = proxies[2].create("port", network_id=network_id)
    assert addresses([freed]) == addresses([again])


def test_creates_and_deletes(proxies: Sequence[Client]) -> None:
    """Ports that come and go at all proxies never share an address, nor keep one for ever."""
    client = proxies[0]
    network_id = client.create("network", name="red")["id"]
    # Few more addresses than ports that can be there at once.
    client.create(
        "subnet",
        network_id=network_id,
        cidr="10.0.0.0/24",
        ip_version=4,
        allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.27"}],
    )
    seen: list[list[str]] = []

    def work(number: int) -> None:
        own, other = proxies[number % PROXIES], proxies[(number + 1) % PROXIES]
        for _ in range(8):
            ports = [own.create("port", network_id=network_id) for _ in range(2)]
            listed = other.send("GET", f"ports?network_id={network_id}")[1]["ports"]
            assert {port["id"] for port in ports} <= {port["id"] for port in listed}
            seen.append(addresses(listed))
            for port in ports:
                assert 204 == other.send("DELETE", f"ports/{port['id']}")[0]

    at_once([partial(work, number) for number in range(9)])

    assert [] == [listed for listed in seen if doubled(listed)]
    assert {"ports": []} == client.send("GET", f"ports?network_id={network_id}")[1]


def test_vlan_race(central: Mapping[str, OvsdbServer]) -> None:
    """Of two proxies that claim a VLAN of a physical network at once, one gets it."""
    nb = central["nb"]
    with running_api(nb) as one, running_api(nb) as two:

        def claim(api: Api, tag: int) -> tuple[int, Any]:
            values = {
                "name": "vlan",
                "provider:network_type": "vlan",
                "provider:physical_network": "physnet",
                "provider:segmentation_id": tag,
            }
            answer = api("POST", "networks", {"network": values})
            return answer.status, answer.json

        for tag in range(1, 41):
            answers = at_once([partial(claim, api, tag) for api in (one, two)])

            assert [201, 409] == sorted(status for status, _ in answers)
            refused = next(body for status, body in answers if status == 409)
            assert "VlanIdInUse" == refused["NeutronError"]["type"]
        networks = one.get("networks")["networks"]
        assert 40 == len({network["provider:segmentation_id"] for network in networks})
        assert networks == two.get("networks")["networks"]


def test_mac_race(central: Mapping[str, OvsdbServer]) -> None:
    """Of two proxies that give one MAC to two ports of a network at once, one does."""
    nb = central["nb"]
    with running_api(nb) as one, running_api(nb) as two:
        network = one.create("network", name="red")
        ports = [one.create("port", network_id=network["id"]) for _ in range(2)]

        def change(api: Api, port: Any, mac: str) -> tuple[int, Any]:
            answer = api("PUT", f"ports/{port['id']}", {"port": {"mac_address": mac}})
            return answer.status, answer.json

        for number in range(40):
            mac = f"02:00:00:00:00:{number:02x}"
            answers = at_once(
                [partial(change, api, port, mac) for api, port in zip((one, two), ports)]
            )

            assert [200, 409] == sorted(status for status, _ in answers)
            refused = next(body for status, body in answers if status == 409)
            assert "MacAddressInUse" == refused["NeutronError"]["type"]
            macs = [port["mac_address"] for port in one.get("ports")["ports"]]
            assert 1 == macs.count(mac)
            assert [] == doubled(macs)


def test_given_address_race(central: Mapping[str, OvsdbServer]) -> None:
    """Of two proxies that give one address at once, one does; another network may have it too."""
    nb = central["nb"]
    with running_api(nb) as one, running_api(nb) as two:
        networks = [one.create("network", name=name)["id"] for name in ("red", "blue")]
        for network_id in networks:
            one.create("subnet", network_id=network_id, cidr="10.0.0.0/24", ip_version=4)

        def create(api: Api, network_id: str, ip: str) -> int:
            values = {"network_id": network_id, "fixed_ips": [{"ip_address": ip}]}
            return api("POST", "ports", {"port": values}).status

        for host in range(10, 40):
            statuses = at_once(
                [
                    partial(create, api, network_id, f"10.0.0.{host}")
                    for network_id in networks
                    for api in (one, two)
                ]
            )

            assert [201, 409] == sorted(statuses[:2])
            assert [201, 409] == sorted(statuses[2:])


def test_without_nb_global(nb: OvsdbServer) -> None:
    """On a database that ovn-northd has not seen yet everything can be created, by many at once."""
    with ExitStack() as stack:
        apis = [stack.enter_context(running_api(nb)) for _ in range(3)]
        values = {"provider:physical_network": "physnet", "provider:network_type": "vlan"}
        bodies: list[Any] = [
            {"networks": [{"name": "a"}, {"name": "b"}]},
            {"network": {"name": "c", "provider:segmentation_id": 7, **values}},
            {"network": {"name": "d"}},
        ]
        answers = at_once(
            [partial(api, "POST", "networks", body) for api, body in zip(apis, bodies)]
        )
        assert [201, 201, 201] == [answer.status for answer in answers]
        network_id = answers[2].json["network"]["id"]
        apis[0].create("subnet", network_id=network_id, cidr="10.0.0.0/24", ip_version=4)
        ports = at_once([partial(api.create, "port", network_id=network_id) for api in apis])

        assert [] == doubled(addresses(ports))
        rows = nb_rows(nb, "NB_Global")
        assert 1 == len(rows)
        counters = dict(rows[0]["external_ids"][1])
        assert 5 == len(counters), counters  # four networks, one physical network


def nb_rows(nb: OvsdbServer, table: str) -> list[Any]:
    """Return the rows of a table as the server has them."""
    request = ["OVN_Northbound", {"op": "select", "table": table, "where": []}]
    done = subprocess.run(
        ["ovsdb-client", "transact", nb.remote, json.dumps(request)],
        check=True,
        capture_output=True,
        timeout=10,
    )
    rows: list[Any] = json.loads(done.stdout)[0]["rows"]
    return rows


# --- what the counters cost ---------------------------------------------------


def test_clients_of_one_proxy_do_not_disturb_each_other(nb: OvsdbServer) -> None:
    """Inside a proxy plans for one network wait for each other: no guard fails."""
    with WireTap(nb) as tap, running_api(tap.server) as api:
        network = api.create("network", name="red")["id"]
        api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        tap.take()

        at_once([partial(api.create, "port", network_id=network) for _ in range(60)])

        assert 60 == len([sent for sent in tap.take() if sent.operations])


def test_northd(central: Mapping[str, OvsdbServer]) -> None:
    """A counter costs ovn-northd nothing beside the change that it guards, a read nothing."""
    nb, sb = central["nb"], central["sb"]
    northd = Northd(str(nb.folder / "northd.ctl"))
    number = 25
    with WireTap(nb) as tap, running_api(tap.server) as api:
        network = api.create("network", name="red")["id"]
        api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        created: list[Operations] = []

        def create(_: int) -> None:
            tap.take()
            api.create("port", network_id=network)
            created.append(tap.take()[-1].operations)

        def create_uncounted(index: int) -> None:
            operations = [op for op in created[index] if op.get("table") != NB_GLOBAL]
            assert len(operations) < len(created[index])
            api.connection.transact(operations, time.monotonic() + 10)

        def cost(action: Callable[[int], object]) -> tuple[int, int]:
            """Return how often it computed something, and wrote to the Southbound."""
            northd.settled()
            northd("inc-engine/clear-stats")
            before = records(sb)
            for index in range(number):
                action(index)
                time.sleep(0.01)
            return northd.settled(), records(sb) - before

        def clear() -> None:
            for port in api.get("ports")["ports"]:
                api.delete("port", port["id"])

        counted, uncounted = [], []
        for _ in range(2):
            created.clear()
            counted.append(cost(create))
            clear()
            uncounted.append(cost(create_uncounted))
            clear()

        # It may do several changes in one run, so the largest is what one change costs.
        for with_counter, without in zip(zip(*counted), zip(*uncounted)):
            assert 0 < max(without)
            assert min(with_counter) <= 1.1 * max(without)
        assert (0, 0) == cost(lambda _: api.get("ports"))


def records(server: OvsdbServer) -> int:
    """Return how many transactions have changed a database."""
    command = ["ovsdb-tool", "show-log", str(server.database)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    return done.stdout.count("\nrecord ")
