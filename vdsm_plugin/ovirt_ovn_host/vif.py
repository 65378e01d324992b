# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML of a vNIC: from a Linux bridge to a port of OVN. Pure.

What libvirt takes and refuses beside `<virtualport type="openvswitch">` is in
docs/hooks.md. lxml is imported by whoever parses, not before.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEX = "0123456789abcdef"
_UUID_GROUPS = [8, 4, 4, 4, 12]


class VifError(Exception):
    """The vNIC cannot be connected to OVN; the message says why."""


def rewrite(xml: bytes, vnic_id: str, bridge: str) -> tuple[bytes | None, str]:
    """Connect the vNIC to its port of OVN: return its new XML, and a note on it.

    The XML is None if the device is none that belongs on a bridge and so stays as it is.
    Everything stays in the element but its source's bridge, virtualports, and what
    libvirt refuses beside ours. Raises VifError if this is not XML, not one device, or
    `vnic_id` is not the UUID of a port.
    """
    etree = _etree()
    device = _parse(xml)
    if device.tag != "interface":
        if next(device.iter("interface"), None) is not None:
            raise VifError(f"expected one interface element, but it is within {device.tag}")
        return None, f"{device.tag} is no network interface and stays as it is"
    if device.get("type") != "bridge":
        return None, f"an interface of type {device.get('type')} stays as it is"

    port_id = vnic_id.lower()
    if not _is_uuid(port_id):
        mac = device.find("mac")
        address = mac.get("address") if mac is not None else "without a MAC"
        raise VifError(f"vnic_id {vnic_id[:80]!a} of the vNIC {address} is not a UUID")

    dropped = [_drop(device, name) for name in ("filterref", "port", "vlan")]
    _drop(device, "virtualport")
    source = device.find("source")
    if source is None:
        source = etree.SubElement(device, "source")
    source.set("bridge", bridge)
    virtualport = etree.SubElement(device, "virtualport", type="openvswitch")
    etree.SubElement(virtualport, "parameters", interfaceid=port_id)

    is_declared = xml.lstrip().startswith(b"<?xml")
    content = etree.tostring(device.getroottree(), encoding="UTF-8", xml_declaration=is_declared)
    note = f"port {port_id} on {bridge}"
    if any(dropped):
        note += ", without " + ", ".join(text for text in dropped if text)
    return content, note


def ports_of(domain_xml: bytes, bridge: str) -> set[str]:
    """Return the ids of the ports that a VM has on the bridge; VifError if it is not XML."""
    ids = set()
    for interface in _parse(domain_xml).iterfind("devices/interface"):
        source = interface.find("source")
        parameters = interface.find("virtualport[@type='openvswitch']/parameters")
        if source is None or parameters is None or source.get("bridge") != bridge:
            continue
        ids.add(parameters.get("interfaceid", ""))
    return ids - {""}


def _is_uuid(text: str) -> bool:
    """Whether libvirt takes this for an interfaceid and leaves it as it is."""
    groups = text.split("-")
    is_hex = all(digit in _HEX for group in groups for digit in group)
    return is_hex and [len(group) for group in groups] == _UUID_GROUPS


def _etree() -> Any:
    """Import lxml.etree; ImportError.

    It takes from `inspect` what only parser targets need, at a quarter of the time that a
    hook takes. So it gets an empty module, unless that is not good enough.
    """
    is_stand_in = "inspect" not in sys.modules
    if is_stand_in:
        stand_in = type(sys)("inspect")
        stand_in.__dict__["__getattr__"] = lambda name: None
        sys.modules["inspect"] = stand_in
    try:
        from lxml import etree
    except Exception:
        etree = None
    finally:
        if is_stand_in:
            del sys.modules["inspect"]
    if etree is None:
        from lxml import etree
    return etree


def _parse(xml: bytes) -> Any:
    """Return the root element. Nothing outside of the text is read, and nothing expanded."""
    etree = _etree()
    # No device has a document type, and entities cannot be declared without.
    if b"<!DOCTYPE" in xml:
        raise VifError("XML with a document type is not accepted")
    parser = etree.XMLParser(
        # VDSM writes UTF-8, whatever the text says of itself.
        encoding="UTF-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        return etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise VifError(f"the device is no XML: {error}") from error


def _drop(device: Any, name: str) -> str:
    """Remove the children of this name; return what they were, for people."""
    found = device.findall(name)
    for child in found:
        device.remove(child)
    return ", ".join(
        " ".join([name, *(f"{key}={value}" for key, value in child.items())]) for child in found
    )
