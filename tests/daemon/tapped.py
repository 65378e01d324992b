# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two applications on one server, one of them behind a tap, and an object of each kind."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, path_of, running_api
from daemon.routing import external_network
from daemon.wire_tap import WireTap

KINDS = [
    "network",
    "subnet",
    "port",
    "security_group",
    "security_group_rule",
    "router",
    "floatingip",
]


class Tapped(NamedTuple):
    """The application behind a tap, and a second one that nothing happens to."""

    api: Api
    tap: WireTap
    other: Api
    nb: OvsdbServer

    def log(self) -> str:
        """Return the database's own log, which holds what changed something."""
        done = subprocess.run(
            ["ovsdb-tool", "show-log", "-m", str(self.nb.database)],
            check=True,
            capture_output=True,
            timeout=10,
        )
        return done.stdout.decode()

    def rows(self) -> dict[str, list[Any]]:
        """Return all objects as the second application lists them."""
        return {f"{kind}s": self.other.get(path_of(kind))[f"{kind}s"] for kind in KINDS}

    def changes_of(self, answer: Answer) -> int:
        """Return how many transactions of the request changed something."""
        return self.log().count(answer.headers["X-Openstack-Request-Id"])

    def changed_once(self, answer: Answer) -> None:
        """Assert that one transaction of the request changed something."""
        assert 1 == self.changes_of(answer), answer


@contextlib.contextmanager
def tapped_apis(nb: OvsdbServer) -> Iterator[Tapped]:
    """Give two applications on one server, the first behind a tap."""
    settings = {"gateway_chassis": ("hv1",)}
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(running_api(nb, **settings))
        tap = stack.enter_context(WireTap(nb))
        yield Tapped(stack.enter_context(running_api(tap.server, **settings)), tap, other, nb)


class Scene(NamedTuple):
    """A network with room, a group, and an object of each kind that may be changed and deleted."""

    network: Any
    group: Any
    own: dict[str, Any]
    external_id: str


def make_scene(api: Api) -> Scene:
    """Create the objects of a scene."""
    external_id = external_network(api)["id"]
    network = api.create("network", name="red")
    api.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    group = api.create("security_group", name="red")
    rule = {"security_group_id": group["id"], "direction": "ingress"}
    own = {
        "port": api.create("port", network_id=network["id"]),
        # After the port, so that it has no address there.
        "subnet": api.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4),
        "network": api.create("network", name="blue"),
        "security_group_rule": api.create("security_group_rule", **rule),
        "security_group": api.create("security_group", name="blue"),
        "router": api.create("router"),
        "floatingip": api.create("floatingip", floating_network_id=external_id),
    }
    return Scene(network, group, own, external_id)


def new(kind: str, scene: Scene, number: int) -> dict[str, Any]:
    """Return the values of a new object."""
    network_id, group_id = scene.network["id"], scene.group["id"]
    if kind == "router":
        return {"external_gateway_info": {"network_id": scene.external_id}}
    if kind == "floatingip":
        return {"floating_network_id": scene.external_id}
    if kind == "network":
        return {
            "name": f"n{number}",
            "provider:network_type": "vlan",
            "provider:physical_network": "physnet",
            "provider:segmentation_id": number,
        }
    if kind == "subnet":
        return {"network_id": network_id, "cidr": f"10.2.{number}.0/24", "ip_version": 4}
    if kind == "security_group":
        return {"name": f"g{number}"}
    if kind == "security_group_rule":
        remote = scene.own["security_group"]["id"] if number % 2 else None
        rule = {"security_group_id": group_id, "direction": "egress", "remote_group_id": remote}
        return {**rule, "protocol": number}
    # The first one brings the groups that it is in.
    return {"network_id": network_id, "name": f"p{number}", "port_security_enabled": True}
