# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Port security and allowed address pairs, on a real central."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.objects import MAC, addresses, make_network, make_port, of_port, refusal
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api, running_api

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize(
    ("of_network", "of_the_port", "is_on"),
    [
        (None, None, False),
        (True, None, True),
        (False, None, False),
        (False, True, True),
        (True, False, False),
        ("yes", None, True),
    ],
)
def test_port_security(
    api: Api, nb: OvsdbServer, of_network: Any, of_the_port: Any, is_on: bool
) -> None:
    """A port may send from its own addresses only where it, or else its network, says so."""
    values = {} if of_network is None else {"port_security_enabled": of_network}
    network_id, _ = make_network(api, "10.0.0.0/24", **values)
    values = {} if of_the_port is None else {"port_security_enabled": of_the_port}

    port = make_port(api, network_id, mac_address=MAC, **values)

    column = f'["{MAC} 10.0.0.2"]'
    assert is_on == port["port_security_enabled"]
    assert (column if is_on else "[]") == of_port(nb, port, "port_security")
    turned = api.update("port", port["id"], port_security_enabled=not is_on, security_groups=[])
    assert (not is_on) == turned["port_security_enabled"]
    assert ("[]" if is_on else column) == of_port(nb, port, "port_security")


def test_port_security_of_new_networks_is_an_option(nb: OvsdbServer) -> None:
    """The site's setting decides for networks that do not say."""
    with running_api(nb, port_security_enabled_default=True) as api:
        assert api.create("network")["port_security_enabled"]
        assert not api.create("network", port_security_enabled=False)["port_security_enabled"]


def test_allowed_address_pairs(api: Api, nb: OvsdbServer) -> None:
    """Pairs add to what a port may send from, and their MACs to what it receives."""
    network_id, _ = make_network(api, "10.0.0.0/24", port_security_enabled=True)
    pairs = [
        {"ip_address": "10.0.0.100"},
        {"ip_address": "192.0.2.0/24", "mac_address": "56-6F-1A-2B-00-EE"},
    ]

    port = make_port(api, network_id, mac_address=MAC, allowed_address_pairs=pairs)

    assert [
        {"ip_address": "10.0.0.100", "mac_address": MAC},
        {"ip_address": "192.0.2.0/24", "mac_address": "56:6f:1a:2b:00:ee"},
    ] == port["allowed_address_pairs"]
    assert ["10.0.0.2"] == addresses(port)
    assert f'["{MAC} 10.0.0.2 10.0.0.100", "56:6f:1a:2b:00:ee 192.0.2.0/24"]' == of_port(
        nb, port, "port_security"
    )
    cleared = api.update("port", port["id"], allowed_address_pairs=None)
    assert [] == cleared["allowed_address_pairs"]
    assert f'["{MAC} 10.0.0.2"]' == of_port(nb, port, "port_security")
    assert f'["{MAC} 10.0.0.2"]' == of_port(nb, port, "addresses")


_PAIR = {"ip_address": "10.0.0.100"}


def test_address_pairs_leave_the_port_its_own_address(api: Api) -> None:
    """Pairs with the port's own MAC and with another one never hide the port's own address."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    pairs = [
        {"ip_address": "10.0.0.200"},
        {"ip_address": "10.0.0.201", "mac_address": "00:00:00:00:00:04"},
    ]
    port = make_port(
        api,
        network_id,
        mac_address=MAC,
        port_security_enabled=True,
        allowed_address_pairs=pairs,
    )

    assert port == api.get(f"ports/{port['id']}")["port"]
    assert (MAC, "10.0.0.2") == (port["mac_address"], port["fixed_ips"][0]["ip_address"])
    moved = api.update("port", port["id"], mac_address="56:6f:00:00:00:77")
    assert ["56:6f:00:00:00:77", "00:00:00:00:00:04"] == [
        pair["mac_address"] for pair in moved["allowed_address_pairs"]
    ]
    assert port["fixed_ips"] == moved["fixed_ips"]
    assert subnet["id"] == moved["fixed_ips"][0]["subnet_id"]


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        (
            {"allowed_address_pairs": [_PAIR], "port_security_enabled": False},
            409,
            "AddressPairAndPortSecurityRequired",
        ),
        ({"allowed_address_pairs": [_PAIR, _PAIR]}, 400, "DuplicateAddressPairInRequest"),
        ({"allowed_address_pairs": [{"mac_address": MAC}]}, 400, "AllowedAddressPairsMissingIP"),
        (
            {"allowed_address_pairs": [{"ip_address": f"10.0.1.{n}"} for n in range(11)]},
            400,
            "AllowedAddressPairExhausted",
        ),
        ({"allowed_address_pairs": [{"ip_address": "224.0.0.1"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{"ip_address": "x"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": {}}, 400, "HTTPBadRequest"),
    ],
)
def test_address_pairs_that_cannot_be(api: Api, values: Any, status: int, error_type: str) -> None:
    """Pairs that break a rule are refused by POST and by PUT, with the type of that rule."""
    network_id, _ = make_network(api, port_security_enabled=True)
    port = make_port(api, network_id)

    answer = api("POST", "ports", {"port": {"network_id": network_id, **values}})
    assert (status, error_type) == refusal(answer)
    answer = api("PUT", f"ports/{port['id']}", {"port": values})
    assert (status, error_type) == refusal(answer)
