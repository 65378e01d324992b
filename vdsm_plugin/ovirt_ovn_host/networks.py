# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VDSM's networks and bonds, as a setupNetworks request and VDSM's running configuration
write them, to values.

Pure. The keys are those of VDSM's canonical form (vdsm/network/canonicalize.py), which
is what its hooks get and what it keeps in its files; keys not named here are let pass.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6

from .links import pack
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_DEFAULT_MTU_BYTES = 1500


class NotUnderstood(Exception):
    """The request has not the form that is known; the message names the place."""


class Network(Value):
    """One network of VDSM's, or the removal of one."""

    name: str
    is_removed: bool = False
    base: str = ""  # the NIC or the bond that it is on; "" for none
    vlan: int | None = None
    is_bridged: bool = False
    is_ovs: bool = False  # made by VDSM of Open vSwitch (switch type "ovs")
    addresses: tuple[bytes, ...] = ()  # static ones, packed
    dynamic: frozenset[int] = frozenset()  # families that DHCP or autoconf give addresses of
    mtu_bytes: int = _DEFAULT_MTU_BYTES

    @property
    def vlan_link(self) -> str:
        """The name of its VLAN link; "" if it is untagged, or tagged by an OVS port."""
        return f"{self.base}.{self.vlan}" if self.vlan is not None and not self.is_ovs else ""

    @property
    def port(self) -> str:
        """The link that carries its frames: the VLAN link, else the NIC or the bond."""
        return self.vlan_link or self.base

    @property
    def has_own_link(self) -> bool:
        """Whether there is a link (a bridge, or an internal port) by the network's name."""
        return self.is_bridged or self.is_ovs

    @property
    def top(self) -> str:
        """The link that has its addresses; "" for none."""
        return self.name if self.has_own_link else self.port


class Bond(Value):
    """One bond of VDSM's, or the removal of one."""

    name: str
    is_removed: bool = False
    nics: frozenset[str] = frozenset()
    is_ovs: bool = False  # for networks of the switch type "ovs"


class Request(Value):
    """What setupNetworks is asked to do."""

    networks: Mapping[str, Network]
    bonds: Mapping[str, Bond]
    is_rollback: bool = False

    @property
    def is_harmless(self) -> bool:
        """Whether it changes nothing, or only leads back to what was there before."""
        return self.is_rollback or not (self.networks or self.bonds)


def decode_request(data: Any) -> Request:
    """Return the request from the content of a network hook's data file. Raises NotUnderstood."""
    request = _mapping(_mapping(data, "the data").get("request"), "request")
    options = _mapping(request.get("options", {}), "options")
    return Request(
        networks=decode_networks(request.get("networks", {})),
        bonds=decode_bonds(request.get("bondings", {})),
        is_rollback=_flag(options.get("_inRollback")),
    )


def decode_networks(data: Any) -> dict[str, Network]:
    """Return networks by name from VDSM's attributes by name. Raises NotUnderstood."""
    networks = _mapping(data, "networks")
    return {name: _decode_network(name, attributes) for name, attributes in networks.items()}


def decode_bonds(data: Any) -> dict[str, Bond]:
    """Return bonds by name from VDSM's attributes by name. Raises NotUnderstood."""
    bonds = _mapping(data, "bondings")
    return {name: _decode_bond(name, attributes) for name, attributes in bonds.items()}


def _decode_network(name: str, data: Any) -> Network:
    where = f"network {name}"
    attributes = _mapping(data, where)
    if _flag(attributes.get("remove")):
        return Network(name, is_removed=True)
    custom = _mapping(attributes.get("custom") or {}, f"{where}, custom")
    static4 = _text(attributes, "ipaddr", where)
    static6 = _text(attributes, "ipv6addr", where)
    # VDSM's hook extra_ipv4_addrs puts these beside the first one, after each set-up.
    extra = _text(custom, "ipv4_addrs", where).split(",")
    dynamic = set()
    if attributes.get("bootproto") == "dhcp" and not static4:
        dynamic.add(AF_INET)
    if not static6 and (_flag(attributes.get("dhcpv6")) or _flag(attributes.get("ipv6autoconf"))):
        dynamic.add(AF_INET6)
    return Network(
        name,
        base=_text(attributes, "nic", where) or _text(attributes, "bonding", where),
        vlan=_number(attributes, "vlan", where),
        is_bridged=_flag(attributes.get("bridged", True)),
        is_ovs=attributes.get("switch") == "ovs",
        addresses=tuple(_address(text, where) for text in (static4, static6, *extra) if text),
        dynamic=frozenset(dynamic),
        mtu_bytes=_number(attributes, "mtu", where) or _DEFAULT_MTU_BYTES,
    )


def _decode_bond(name: str, data: Any) -> Bond:
    where = f"bond {name}"
    attributes = _mapping(data, where)
    if _flag(attributes.get("remove")):
        return Bond(name, is_removed=True)
    nics = attributes.get("nics")
    if not isinstance(nics, list) or not all(isinstance(nic, str) for nic in nics):
        raise NotUnderstood(f"{where}, nics: {nics!r}")
    return Bond(name, nics=frozenset(nics), is_ovs=attributes.get("switch") == "ovs")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotUnderstood(f"{where}: {value!r:.60}")
    return value


def _text(attributes: Mapping[str, Any], key: str, where: str) -> str:
    value = attributes.get(key) or ""
    if not isinstance(value, str):
        raise NotUnderstood(f"{where}, {key}: {value!r:.60}")
    return value


def _address(text: str, where: str) -> bytes:
    packed = pack(text)
    if packed is None:
        raise NotUnderstood(f"{where}: no address: {text!r:.60}")
    return packed


def _number(attributes: Mapping[str, Any], key: str, where: str) -> int | None:
    value = attributes.get(key)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise NotUnderstood(f"{where}, {key}: {value!r:.60}") from None


def _flag(value: Any) -> bool:
    # VDSM leaves some booleans as the text that they came as.
    return value.lower() in ("true", "yes", "1") if isinstance(value, str) else bool(value)
