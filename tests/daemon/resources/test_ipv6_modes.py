# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How ports get IPv6 addresses, by their subnet's mode, on a real central."""

from __future__ import annotations

import pytest

from daemon.objects import (
    MAC,
    addresses,
    make_network,
    make_port,
    make_subnet,
    of_port,
    of_subnet,
    refusal,
)
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api, running_api

pytestmark = pytest.mark.daemon

_AUTOMATIC = "fd05::546f:1aff:fe2b:1"


@pytest.mark.parametrize(
    ("mode", "address", "has_options", "stateless"),
    [
        ("dhcpv6-stateful", "fd05::1", True, ""),
        ("dhcpv6-stateless", _AUTOMATIC, True, "true"),
        ("slaac", _AUTOMATIC, False, ""),
    ],
)
def test_how_a_port_gets_its_ipv6_address(
    api: Api, nb: OvsdbServer, mode: str, address: str, has_options: bool, stateless: str
) -> None:
    """By the subnet's mode the address is given out, or follows from the MAC (EUI-64)."""
    network_id, _ = make_network(api)
    subnet = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode=mode, ipv6_ra_mode=mode)

    port = make_port(api, network_id, mac_address=MAC)

    assert (mode, mode) == (subnet["ipv6_address_mode"], subnet["ipv6_ra_mode"])
    assert [address] == addresses(port)
    assert (subnet["id"] if has_options else "[]") == of_port(nb, port, "dhcpv6_options")
    assert stateless == of_subnet(nb, subnet, "options:dhcpv6_stateless")


def test_a_subnet_without_a_mode_gets_the_configured_one(api: Api, nb: OvsdbServer) -> None:
    """Who names no IPv6 mode gets the site's; an explicit null is no mode."""
    network_id, _ = make_network(api)
    assert "dhcpv6-stateful" == make_subnet(api, network_id, "fd05::/64")["ipv6_address_mode"]
    plain = make_subnet(api, network_id, "fd06::/64", ipv6_address_mode=None)
    assert plain["ipv6_address_mode"] is None
    with running_api(nb, dhcp_default_ipv6_address_mode="slaac") as other:
        assert "slaac" == make_subnet(other, network_id, "fd07::/64")["ipv6_address_mode"]


def test_slaac_comes_to_ports_that_are_there_and_goes_again(api: Api, nb: OvsdbServer) -> None:
    """A new slaac subnet adds an address to each port, its end takes that away and no other."""
    network_id, (v4,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id, mac_address=MAC, port_security_enabled=True)
    v6 = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode="slaac")

    shown = api.get(f"ports/{port['id']}")["port"]
    assert [
        {"subnet_id": v4["id"], "ip_address": "10.0.0.2"},
        {"subnet_id": v6["id"], "ip_address": _AUTOMATIC},
    ] == shown["fixed_ips"]
    assert f'["{MAC} 10.0.0.2 {_AUTOMATIC}"]' == of_port(nb, port, "port_security")

    api.delete("subnet", v6["id"])
    assert ["10.0.0.2"] == addresses(api.get(f"ports/{port['id']}")["port"])
    assert f'["{MAC} 10.0.0.2"]' == of_port(nb, port, "addresses")
    assert f'["{MAC} 10.0.0.2"]' == of_port(nb, port, "port_security")


def test_an_automatic_address_cannot_be_chosen_and_follows_the_mac(api: Api) -> None:
    """On a slaac subnet only the address made from the MAC is possible, also after a new MAC."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    subnet = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode="slaac")
    entry = {"subnet_id": subnet["id"], "ip_address": "fd05::9"}
    values = {"network_id": network_id, "fixed_ips": [entry]}
    assert (400, "AllocationOnAutoAddressSubnet") == refusal(api("POST", "ports", {"port": values}))

    port = make_port(api, network_id, mac_address=MAC)
    changed = api.update("port", port["id"], mac_address="56:6f:1a:2b:00:02")
    assert ["10.0.0.2", "fd05::546f:1aff:fe2b:2"] == addresses(changed)
    changed = api.update("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.7"}])
    assert ["10.0.0.7", "fd05::546f:1aff:fe2b:2"] == addresses(changed)


def test_dhcp_cannot_be_switched_off_with_a_mode(api: Api) -> None:
    """An IPv6 subnet with a mode of the user's keeps DHCP on; the site's default mode gives way."""
    network, (default,) = make_network(api, "fd05::/64")
    asked = api.create(
        "subnet",
        network_id=network,
        cidr="fd06::/64",
        ip_version=6,
        ipv6_address_mode="slaac",
    )

    answer = api("PUT", f"subnets/{asked['id']}", {"subnet": {"enable_dhcp": False}})

    assert (400, "InvalidInput") == refusal(answer)
    off = api.update("subnet", default["id"], enable_dhcp=False)
    assert (False, None) == (off["enable_dhcp"], off["ipv6_address_mode"])
    on = api.update("subnet", default["id"], enable_dhcp=True)
    assert (True, "dhcpv6-stateful") == (on["enable_dhcp"], on["ipv6_address_mode"])
