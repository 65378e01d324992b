# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, subnets and ports for tests, what OVN holds of them, and how errors look."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api

NOWHERE = "12345678-1234-4234-8234-123456789abc"
LONG = "x" * 256
MAC = "56:6f:1a:2b:00:01"
PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


def nbctl(nb: OvsdbServer, *command: str) -> str:
    """Run ovn-nbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-nbctl", f"--db={nb.remote}", *command], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().strip()


def of_port(nb: OvsdbServer, port: Mapping[str, Any], column: str) -> str:
    """Return a column of a port's row, or `map:key`, as ovn-nbctl prints it ("": not there)."""
    return nbctl(nb, "--if-exists", "get", "Logical_Switch_Port", port["id"], column)


def of_subnet(nb: OvsdbServer, subnet: Mapping[str, Any], column: str) -> str:
    """Return a column of a subnet's row, likewise."""
    return nbctl(nb, "--if-exists", "get", "DHCP_Options", subnet["id"], column).strip('"')


def make_network(api: Api, *cidrs: str, **values: Any) -> tuple[str, list[Any]]:
    """Create a network with subnets; returns its id and them."""
    network_id = api.create("network", **values)["id"]
    return network_id, [make_subnet(api, network_id, cidr) for cidr in cidrs]


def make_subnet(api: Api, network_id: str, cidr: str, **values: Any) -> Any:
    """Create a subnet."""
    version = 6 if ":" in cidr else 4
    return api.create("subnet", network_id=network_id, cidr=cidr, ip_version=version, **values)


def make_port(api: Api, network_id: str, **values: Any) -> Any:
    """Create a port."""
    return api.create("port", network_id=network_id, **values)


def addresses(port: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a port shows."""
    return [entry["ip_address"] for entry in port["fixed_ips"]]


def refusal(answer: Answer) -> tuple[int, str]:
    """Return status and type of an error, whose body has to be the API's."""
    assert {"NeutronError"} == set(answer.json), answer
    error = answer.json["NeutronError"]
    assert {"type", "message", "detail"} == set(error)
    assert error["message"]
    assert "" == error["detail"]
    return answer.status, error["type"]


def provider(*values: Any) -> dict[str, Any]:
    """Return provider attributes: type, physical network, VLAN; "-" leaves one out."""
    return {name: value for name, value in zip(PROVIDER, values) if value != "-"}


def allocation_pools(*spans: str) -> dict[str, Any]:
    """Return pools of a subnet, from texts like "10.0.0.2-10.0.0.9"."""
    pairs = [span.split("-") for span in spans]
    return {"allocation_pools": [{"start": pair[0], "end": pair[1]} for pair in pairs]}
