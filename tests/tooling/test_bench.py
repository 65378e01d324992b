# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark measures everything, against floors that do the proxy's work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from bench.content import HOSTS, make_content, port_values
from bench.figures import LIST_CHANGED, Bar, Figure
from bench.measures import Bench
from bench.raw import CheckError, Ovsdb, exchange, request
from bench.targets import Floor, bare_server, running_proxy
from daemon.ovsdb import ovsdb_server
from ovirt_ovn_proxy.compose import explain
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb.remote import Remote

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parents[2]

EXPECTED = {
    "replica in sync: wall",
    "replica in sync: CPU",
    "proxy, from start to ready: wall",
    "memory without ports",
    "memory per port, in sync; floor: the dump",
    "memory per port, after lists; floor: dump + list",
    "memory",
    "GET /ports, the first: wall",
    *(
        f"GET /ports, {state}: {kind}"
        for state in ("unchanged", "after one change")
        for kind in ("wall", "CPU")
    ),
    *(
        f"{verb} of a port{what}: {kind}"
        for verb in ("POST", "PUT", "DELETE")
        for what in ("", " with port security")
        for kind in ("p50", "p99", "CPU")
    ),
    *(
        f"plug, list + {verb}, {concurrency} at a time: {kind}"
        for verb in ("POST", "PUT")
        for concurrency in (1, 4)
        for kind in ("wall", "CPU")
    ),
    "50 plugs of 4 requests at once: wall",
    "plug by HTTPS, list + POST: wall",
    "plug by HTTPS, list + POST: CPU",
}


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "proxy"), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, str(ROOT / "tests/bench/run.py"), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_all_figures_are_measured(tmp_path: Path) -> None:
    """A small run prints every figure, for every size, and writes the same to a file."""
    file = tmp_path / "figures.json"
    sizes = ["--ports", "100,200", "--switches", "5", "--subnets", "4"]
    done = run_bench(
        "--only", "proxy", "--quick", *sizes, "--concurrency", "1,4", "--json", str(file)
    )

    assert (0, "") == (done.returncode, done.stderr), done.stdout
    figures = json.loads(file.read_text())["figures"]
    growth = {
        f"{verb} of a port{kind}: p50, against 100 ports"
        for verb in ("POST", "PUT", "DELETE")
        for kind in ("", " with port security")
    }
    for size, names in ((100, EXPECTED), (200, EXPECTED | growth)):
        assert names == {figure["name"] for figure in figures if figure["ports"] == size}
    assert all(figure["ratio"] is not None for figure in figures)
    # So few ports can be lost in the noise of the memory.
    assert all(figure["value"] > 0 for figure in figures if figure["unit"] != "kB")
    assert all(figure["name"] in done.stdout for figure in figures)


def test_hooks_are_measured(tmp_path: Path) -> None:
    """The hooks' figures are there for both users, each with its floor and bar."""
    file = tmp_path / "figures.json"
    done = run_bench("--only", "hooks", "--quick", "--json", str(file))

    assert (0, "") == (done.returncode, done.stderr), done.stdout
    figures = json.loads(file.read_text())["figures"]
    ways = [figure["name"].rpartition(" (")[2] for figure in figures]
    # Networks are root's alone.
    assert {"root)": 16, "vdsm, by sudo)": 14} == {way: ways.count(way) for way in ways}
    assert all(figure["value"] > 0 and figure["ratio"] > 0 for figure in figures)
    assert all(figure["met"] is not None for figure in figures)


@pytest.mark.parametrize("is_secured", [True, False])
def test_floors_send_what_the_proxy_would(is_secured: bool) -> None:
    """The floor of a change is the planner's own transaction: same changes, no other guards."""
    with ovsdb_server() as nb, closing(Ovsdb(nb.socket)) as ovsdb:
        config = Config(
            ovn_remotes=(Remote("unix", str(nb.socket)),), port_security_enabled_default=True
        )
        with running_proxy(nb, "proxy") as proxy:
            content = make_content(proxy.port, ovsdb, 10, 1, 1)
        content.fill(ovsdb, 10)
        floor = Floor(ovsdb, content, 0, 0)
        floor.prepare()
        new, old = content.new_port(is_secured), content.ports[0]
        path = f"/v2.0/ports/{old.id}"
        put = {"port": {"binding:host_id": HOSTS[1], "mac_address": old.mac}}
        post = {"port": dict(port_values(new))}
        planned = [
            explain(config, "POST", "/v2.0/ports", json.dumps(post)),
            explain(config, "PUT", path, json.dumps(put)),
            explain(config, "DELETE", path, None),
        ]
        sent = [
            floor.create_operations(new),
            floor.update_operations(old, HOSTS[1]),
            floor.delete_operations(old),
        ]
        for operations in sent:
            ovsdb.transact(operations)

    for text, operations in zip(planned, sent):
        guards, changes = shape(json.loads(text))
        floor_guards, floor_changes = shape(operations)
        assert changes == floor_changes
        assert guards >= floor_guards


Shape = tuple[str, str, frozenset[str]]


def shape(operations: Sequence[Mapping[str, Any]]) -> tuple[set[Shape], list[Shape]]:
    """Return guards and changes: what is done to which columns, without values."""
    shapes = [
        (
            operation["op"],
            operation["table"],
            frozenset(operation.get("row", operation.get("columns", ()))),
        )
        for operation in operations
        if operation["op"] != "comment"
    ]
    guards = {one for one in shapes if one[0] == "wait"}
    return guards, [one for one in shapes if one not in guards]


def test_a_wrong_answer_is_noticed(tmp_path: Path) -> None:
    """A list without the port that must be in it is an error, wherever it is cut."""
    body = b"x" * 1_000_000 + b"needle" + b"x" * 1_000_000
    with bare_server(tmp_path, body) as (_, port):
        message = request("GET", "/", port=port)

        assert len(body) == exchange(port, message, needle=b"needle").length
        assert body == exchange(port, message, keep=True).body
        with pytest.raises(CheckError):
            exchange(port, message, needle=b"noodle")


def test_a_wrong_list_is_noticed() -> None:
    """A list is looked at as a whole: each port that must be there, once, in all its attributes."""
    with (
        ovsdb_server() as nb,
        closing(Ovsdb(nb.socket)) as ovsdb,
        running_proxy(nb, "proxy") as proxy,
    ):
        content = make_content(proxy.port, ovsdb, 10, 2, 1)
        content.fill(ovsdb, 2)
        body = proxy.fetch_ports()
    anything = cast(Any, None)
    bench = Bench(anything, anything, anything, content, anything, anything)
    first, second = json.loads(body)["ports"]

    bench.check_list(body)
    bench.check_list(json.dumps({"ports": [second, first]}).encode())
    wrong = [
        *([], [first], [first, first], [first, second, first]),
        *([{**first, name: None}, second] for name in first),
        [{**first, "new": 1}, second],
    ]
    for listed in wrong:
        with pytest.raises(CheckError):
            bench.check_list(json.dumps({"ports": listed}).encode())


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (None, None),
        (Bar(8), True),
        (Bar(7.9), False),
        (Bar(4, is_ratio=True), True),
        (Bar(3.9, is_ratio=True), False),
        (LIST_CHANGED, None),
    ],
)
def test_bars_apply_to_figures_or_ratios(bar: Bar | None, expected: bool | None) -> None:
    """A bar is held against the figure or its ratio, and only at the size it was set for."""
    figure = Figure(1000, "GET", "ms", 8.0, 2.0, bar)

    assert expected == figure.is_met
    assert {True: " met: ", False: "NOT met: ", None: ""}[expected] in str(figure)
