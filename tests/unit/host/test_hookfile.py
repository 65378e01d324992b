# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hooks are told of the settings."""

from __future__ import annotations

import pytest

from ovirt_ovn_host import hookfile, settings
from ovirt_ovn_host.config import HOOKS, OPTIONS, Said, decode


@pytest.mark.parametrize(
    ("said", "bridge", "network", "content"),
    [
        ({}, "br-int", "", ""),
        ({"start": "immediately", "start-timeout": "5", "vm-stats": "no"}, "br-int", "", ""),
        ({}, "br-ovn", "tunnels", "bridge=br-ovn\ntunnel-network=tunnels\n"),
        (
            {"start": "when-ports-installed", "start-timeout": "1", "vm-stats": "on"},
            "br-int",
            "",
            "start=when-ports-installed\nstart-timeout=1\nvm-stats=yes\n",
        ),
        ({"bindings-url": "https://a:9697"}, "br-int", "", "bindings-url=https://a:9697\n"),
    ],
)
def test_only_what_differs_from_the_defaults_is_told(
    said: dict[str, str], bridge: str, network: str, content: str
) -> None:
    """One key=value to a line; a host with defaults needs no file at all."""
    config = decode(Said("ovn.conf", HOOKS, key, text) for key, text in said.items())
    assert content == hookfile.encode(config, bridge=bridge, tunnel_network=network)


def test_both_sides_have_the_same_settings() -> None:
    """What the section for hooks has, hooks know, and the file is valid as they see it."""
    keys = {option.key for option in OPTIONS if option.section == HOOKS}
    assert {settings.BRIDGE, settings.TUNNEL_NETWORK} | keys == set(settings.DEFAULTS)

    text = "start = when-ports-installed\nstart-timeout = 30\nvm-stats = yes"
    said = [Said("", HOOKS, *line.split(" = ")) for line in text.splitlines()]
    content = hookfile.encode(decode(said), bridge="br-x", tunnel_network="tunnels")
    values, complaints = settings.parse(content)
    assert [] == complaints
    assert {"bridge": "br-x", "start-timeout": "30", "vm-stats": "yes"}.items() <= values.items()
