# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP by a real client, ISC's dhclient, which changes nothing by itself.

In place of its usual script one of ours writes down the variables that it gets
(dhclient-script(8)); what they say is applied by who asked.
"""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from .namespace import Namespace

# Reasons that come with an answer from a server.
ANSWERS = {"BOUND", "REBOOT", "BOUND6"}
# DHCPOFFER and the like are asked for again after a second, not after ten.
CONFIGURATION = """
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
also request rfc3442-classless-static-routes, interface-mtu, domain-search, ntp-servers,
    tftp-server-name, bootfile-name, dhcp6.name-servers, dhcp6.domain-search;
initial-interval 1;
backoff-cutoff 2;
"""
SCRIPT = """#!/bin/sh
env >"{file}.new" && mv "{file}.new" "{file}"
"""

Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


@dataclass(frozen=True)
class Lease:
    """What a server gave.

    `address` is None for DHCPv6 without one, and has the length 128 there else.
    `router`, `mtu_bytes`, `lease_time_s` and `server` are None where the server said
    nothing; `routes` are (network, next hop) of option 121; `options` are all of
    dhclient's variables, without "new_".
    """

    address: Interface | None
    router: str | None
    mtu_bytes: int | None
    dns_servers: tuple[str, ...]
    domain: str
    lease_time_s: int | None
    server: str | None
    routes: tuple[tuple[str, str], ...]
    options: Mapping[str, str]


def request_v4(namespace: Namespace, link: str, timeout_s: float) -> Lease | None:
    """Ask for an IPv4 address; None if nobody answers in time."""
    options = _request(namespace, link, timeout_s, "-4")
    if options is None:
        return None
    return Lease(
        address=ipaddress.IPv4Interface(f"{options['ip_address']}/{options['subnet_mask']}"),
        router=options.get("routers"),
        mtu_bytes=_number(options.get("interface_mtu")),
        dns_servers=tuple(options.get("domain_name_servers", "").split()),
        domain=options.get("domain_name", ""),
        lease_time_s=_number(options.get("dhcp_lease_time")),
        server=options.get("dhcp_server_identifier"),
        routes=parse_routes(options.get("rfc3442_classless_static_routes", "")),
        options=options,
    )


def request_v6(
    namespace: Namespace, link: str, timeout_s: float, stateless: bool = False
) -> Lease | None:
    """Ask for an IPv6 address, or for everything but one; None if nobody answers in time."""
    options = _request(namespace, link, timeout_s, *(["-6", "-S"] if stateless else ["-6"]))
    if options is None:
        return None
    address = options.get("ip6_address")
    return Lease(
        address=ipaddress.IPv6Interface(f"{address}/128") if address else None,
        router=None,
        mtu_bytes=None,
        dns_servers=tuple(options.get("dhcp6_name_servers", "").split()),
        domain=options.get("dhcp6_domain_search", "").strip().rstrip("."),
        lease_time_s=_number(options.get("max_life")),
        server=options.get("dhcp6_server_id"),
        routes=(),
        options=options,
    )


def parse_routes(octets: str) -> tuple[tuple[str, str], ...]:
    """Read option 121 (RFC 3442), given as decimal octets."""
    rest = bytes(map(int, octets.split()))
    routes = []
    while rest:
        used = 1 + (rest[0] + 7) // 8
        network = ipaddress.IPv4Address(rest[1:used].ljust(4, b"\0"))
        hop = ipaddress.IPv4Address(rest[used : used + 4])
        routes.append((f"{network}/{rest[0]}", str(hop)))
        rest = rest[used + 4 :]
    return tuple(routes)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _request(
    namespace: Namespace, link: str, timeout_s: float, *arguments: str
) -> Mapping[str, str] | None:
    """Run dhclient until it has an answer; return what it says, None if none comes in time."""
    assert shutil.which("dhclient") is not None, "This test needs dhclient."
    with tempfile.TemporaryDirectory(prefix=f"{namespace.name}-", dir="/tmp") as name:
        folder = Path(name)
        result, script, configuration = (folder / file for file in ("result", "script", "conf"))
        script.write_text(SCRIPT.format(file=result))
        script.chmod(0o700)
        configuration.write_text(CONFIGURATION)
        command = ["dhclient", "-d", *arguments, "-sf", str(script), "-cf", str(configuration)]
        command += ["-lf", str(folder / "leases"), "-pf", str(folder / "pid"), link]
        log = folder / "log"
        with namespace.entered(), log.open("wb") as output:
            client = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            end = time.monotonic() + timeout_s
            while time.monotonic() < end:
                # Without an address to renew the client ends when it has told its script.
                has_ended = client.poll() is not None
                options = _read(result)
                if options.get("reason") in ANSWERS or "dhcp6_server_id" in options:
                    return options
                assert not has_ended, log.read_text()
                time.sleep(0.01)
            return None
        finally:
            client.kill()
            client.wait()


def _read(result: Path) -> dict[str, str]:
    try:
        lines = result.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key[4:] if key.startswith("new_") else key: value for key, _, value in pairs}
