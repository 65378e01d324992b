# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML of a vNIC, before and after."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_host import vif

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests" / "data" / "vdsm"
PORT = "aaaaaaaa-0000-4000-8000-000000000001"
VIRTUALPORT = f'<virtualport type="openvswitch"><parameters interfaceid="{PORT}"/></virtualport>'
NIC = '<interface type="bridge">{}</interface>'
SOURCE = '<source bridge="ovn-net"/>'
OURS = '<source bridge="br-int"/>'


def canonical(xml: bytes | str) -> str:
    """The XML as another parser sees it, without the white space between elements."""
    return ElementTree.canonicalize(xml, strip_text=True)


def rewritten(xml: bytes | str, port_id: str = PORT, bridge: str = "br-int") -> bytes:
    content, _ = vif.rewrite(xml.encode() if isinstance(xml, str) else xml, port_id, bridge)
    assert content is not None
    return content


@pytest.mark.parametrize(
    ("inside", "expected", "note"),
    [
        pytest.param(SOURCE, OURS, "", id="bare"),
        pytest.param("", OURS, "", id="no-source"),
        pytest.param(
            '<source network="x"/>', '<source network="x" bridge="br-int"/>', "", id="odd"
        ),
        pytest.param(
            SOURCE + '<filterref filter="vdsm-no-mac-spoofing"/>',
            OURS,
            ", without filterref filter=vdsm-no-mac-spoofing",
            id="filterref",
        ),
        pytest.param(
            SOURCE + '<filterref filter="f"><parameter name="IP" value="192.0.2.1"/></filterref>',
            OURS,
            ", without filterref filter=f",
            id="filterref-with-parameters",
        ),
        pytest.param(
            '<port isolated="yes"/>' + SOURCE, OURS, ", without port isolated=yes", id="isolated"
        ),
        pytest.param(
            '<port isolated="no"/>' + SOURCE, OURS, ", without port isolated=no", id="not-isolated"
        ),
        pytest.param(
            SOURCE + '<vlan trunk="yes"><tag id="5"/><tag id="6"/></vlan>',
            OURS,
            ", without vlan trunk=yes",
            id="vlan",
        ),
        pytest.param(
            f'<vlan/><filterref filter="a"/>{SOURCE}<filterref filter="b"/><port isolated="yes"/>',
            OURS,
            ", without filterref filter=a, filterref filter=b, port isolated=yes, vlan",
            id="all-of-them",
        ),
        pytest.param(f'{SOURCE}<virtualport type="802.1Qbh"/>', OURS, "", id="other-virtualport"),
        pytest.param(VIRTUALPORT + SOURCE + VIRTUALPORT, OURS, "", id="two-virtualports"),
        pytest.param(
            f'{SOURCE}<virtualport type="openvswitch"><parameters interfaceid="x" profileid="y"/>'
            "</virtualport>",
            OURS,
            "",
            id="somebody-elses-virtualport",
        ),
        pytest.param(
            f"<!-- kept --><?kept too?>{SOURCE}<metadata><vlan/><port isolated='yes'/></metadata>",
            f"<!-- kept --><?kept too?>{OURS}<metadata><vlan/><port isolated='yes'/></metadata>",
            "",
            id="only-children-are-looked-at",
        ),
    ],
)
def test_what_changes(inside: str, expected: str, note: str) -> None:
    """Bridge and virtualport are ours, what libvirt refuses beside them goes, with a note."""
    content, said = vif.rewrite(NIC.format(inside).encode(), PORT, "br-int")

    assert content is not None
    assert canonical(NIC.format(expected + VIRTUALPORT)) == canonical(content)
    assert f"port {PORT} on br-int{note}" == said


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("nic-create.xml", {"filterref"}),
        ("nic-hotplug.xml", {"port"}),
        ("nic-update.xml", {"filterref", "port"}),
        ("nic-of-peer.xml", set()),
    ],
)
def test_everything_else_stays(name: str, gone: set[str]) -> None:
    """VDSM's own devices keep all other elements, in order, each as it was."""
    before = ElementTree.fromstring((DATA / name).read_bytes())
    after = ElementTree.fromstring(rewritten((DATA / name).read_bytes()))

    def others(root: ElementTree.Element) -> list[str]:
        changed = {"source", "virtualport", *gone}
        return [
            canonical(ElementTree.tostring(child)) for child in root if child.tag not in changed
        ]

    assert others(before) == others(after)
    assert before.attrib == after.attrib
    assert gone.isdisjoint(child.tag for child in after)
    assert ["br-int"] == [source.get("bridge") for source in after.iter("source")]
    (virtualport,) = after.iter("virtualport")
    assert canonical(VIRTUALPORT) == canonical(ElementTree.tostring(virtualport))


def test_what_the_peer_has_done_stays() -> None:
    """A vNIC that ovirt-provider-ovn's hook has connected already is the same after ours."""
    xml = (DATA / "nic-of-peer.xml").read_bytes()

    assert canonical(xml) == canonical(rewritten(xml))


def test_form() -> None:
    """The XML declaration stays if there was one, and characters stay themselves."""
    declared = rewritten('<?xml version="1.0" encoding="utf-8"?>\n<interface type="bridge"/>')
    alias = rewritten(NIC.format('<alias name="ua-é&lt;&#10;"/>'))

    assert declared.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<interface")
    assert alias.startswith('<interface type="bridge"><alias name="ua-é&lt;&#10;"/>'.encode())


@pytest.mark.parametrize(
    "name", ["nic-create.xml", "nic-hotplug.xml", "nic-update.xml", "nic-of-peer.xml"]
)
def test_twice_is_once(name: str) -> None:
    """A device that went through the hook already comes out byte for byte the same."""
    once = rewritten((DATA / name).read_bytes())

    assert once == rewritten(once)


TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]), max_size=8)
CHILDREN: st.SearchStrategy[Any] = st.recursive(
    st.builds(
        lambda tag, attributes, text: (tag, attributes, text, []),
        st.sampled_from(
            ["source", "virtualport", "filterref", "port", "vlan", "mac", "model", "x"]
        ),
        st.dictionaries(st.sampled_from(["a", "bridge", "type", "isolated"]), TEXT, max_size=3),
        TEXT,
    ),
    lambda children: st.builds(
        lambda child, more: (child[0], child[1], child[2], more),
        children,
        st.lists(children, max_size=3),
    ),
    max_leaves=5,
)


def element(child: Any) -> ElementTree.Element:
    tag, attributes, text, children = child
    made = ElementTree.Element(tag, attributes)
    made.text = text
    made.extend(element(more) for more in children)
    return made


@given(st.lists(CHILDREN, max_size=5))
def test_any_device(children: list[Any]) -> None:
    """Whatever is in it, one virtualport comes out, no element is lost, and twice is once."""
    device = ElementTree.Element("interface", type="bridge")
    device.extend(element(child) for child in children)
    once = rewritten(ElementTree.tostring(device))
    after = ElementTree.fromstring(once)

    assert once == rewritten(once)
    found = [canonical(ElementTree.tostring(child)) for child in after.findall("virtualport")]
    assert [canonical(VIRTUALPORT)] == found
    ours = {"source", "virtualport", "filterref", "port", "vlan"}
    kept, still = (
        [canonical(ElementTree.tostring(child)) for child in root if child.tag not in ours]
        for root in (device, after)
    )
    assert kept == still


@pytest.mark.parametrize("vnic_id", [PORT, PORT.upper()])
def test_port_ids_are_lower_case(vnic_id: str) -> None:
    """libvirt writes interface ids in lower case, and so do we."""
    assert f'interfaceid="{PORT}"'.encode() in rewritten(NIC.format(SOURCE), vnic_id)


@pytest.mark.parametrize(
    "vnic_id",
    [
        "",
        "br-int",
        PORT[:-1],
        PORT + "0",
        f"{{{PORT}}}",
        f"urn:uuid:{PORT}",
        PORT.replace("-", ""),
        PORT.replace("a", "g"),
        PORT.replace("-", "\u2010"),  # another hyphen
        PORT.replace("0", "\uff10"),  # a digit, though none that libvirt knows
        f" {PORT}",
        f"{PORT}\n",
        '"/><source bridge="ovirtmgmt',
        "../../../etc/passwd",
        "\x1b[2J" * 100,
    ],
)
def test_port_ids_are_not_trusted(vnic_id: str) -> None:
    """Anything but a UUID is refused, and the message can be shown."""
    nic = NIC.format(SOURCE + '<mac address="56:6f:00:00:00:01"/>').encode()
    with pytest.raises(vif.VifError, match="of the vNIC 56:6f:00:00:00:01 is not a UUID") as caught:
        vif.rewrite(nic, vnic_id, "br-int")

    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("xml", "note"),
    [
        ((DATA / "nic-hostdev.xml").read_text(), "an interface of type hostdev stays as it is"),
        ("<interface/>", "an interface of type None stays as it is"),
        ('<interface type="network"/>', "an interface of type network stays as it is"),
        ('<hostdev mode="subsystem"/>', "hostdev is no network interface and stays as it is"),
        ("<graphics/>", "graphics is no network interface and stays as it is"),
    ],
)
def test_other_devices_stay(xml: str, note: str) -> None:
    """What is no vNIC on a bridge is left alone, even with the properties of one."""
    assert (None, note) == vif.rewrite(xml.encode(), PORT, "br-int")


BOMB = (
    '<!DOCTYPE a [<!ENTITY x0 "x">'
    + "".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 10}">' for n in range(9))
    + ']><interface type="bridge"><mac address="&x9;"/>&x9;</interface>'
)
EXTERNAL = (
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><interface type="bridge">&x;</interface>'
)


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (b"", "no XML"),
        (b"   \n", "no XML"),
        (b"\0\0\0\0", "no XML"),
        (b"<interface type='bridge'>", "no XML"),
        (b"<interface type='bridge'><source></interface>", "no XML"),
        (b"<interface type='bridge'/><interface type='bridge'/>", "no XML"),
        (b"<interface type='bridge'>&unknown;</interface>", "no XML"),
        (b"<interface type='bridge'>\xff\xfe</interface>", "no XML"),
        (b"<interface type='bridge' type='hostdev'/>", "no XML"),
        (b'<a><b x="' * 300, "no XML"),
        (b"<a>" * 300 + b"</a>" * 300, "no XML"),
        ("<interface/>".encode("utf-16"), "no XML"),
        (BOMB.encode(), "document type"),
        (EXTERNAL.encode(), "document type"),
        (
            b'<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd"><interface type="bridge"/>',
            "document type",
        ),
        (b"<devices><interface/><interface/></devices>", "within devices"),
        (b"<domain><devices><interface type='bridge'/></devices></domain>", "within domain"),
    ],
)
def test_what_is_no_device(xml: bytes, reason: str) -> None:
    """Broken and hostile XML is refused at once, with a reason."""
    with pytest.raises(vif.VifError, match=reason):
        vif.rewrite(xml, PORT, "br-int")


@pytest.mark.parametrize("encoding", ["utf-7", "utf-16", "ebcdic-cp-us"])
def test_no_document_type_hides_in_an_encoding(encoding: str) -> None:
    """A document is read as UTF-8 whatever it says of itself, so what we look for is there."""
    hidden = EXTERNAL.encode(encoding if encoding != "ebcdic-cp-us" else "cp037")
    xml = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + hidden

    with pytest.raises(vif.VifError):
        vif.rewrite(xml, PORT, "br-int")


def test_ports_of_a_domain() -> None:
    """A VM's ports are those on the integration bridge, not other switches' and bridges'."""
    domain = (DATA / "domain.xml").read_bytes()

    assert {PORT, PORT[:-1] + "4"} == vif.ports_of(domain, "br-int")
    assert set() == vif.ports_of(domain, "br-other")
    with pytest.raises(vif.VifError):
        vif.ports_of(b"", "br-int")


@pytest.mark.parametrize(
    ("before", "is_imported"),
    [("", False), ("import inspect", True), ("sys.modules['lxml'] = None", False)],
    ids=["alone", "loaded", "no-lxml"],
)
def test_inspect_is_not_imported(before: str, is_imported: bool) -> None:
    """lxml comes without the module that it does not use here, and the module stays usable."""
    program = f"""
import sys
{before}
sys.path.insert(0, {str(ROOT / "vdsm_plugin")!r})
sys.path += {sys.path!r}
from ovirt_ovn_host import vif
try:
    vif.ports_of(b"<domain/>", "br-int")
except ImportError:
    assert sys.modules["lxml"] is None
assert {is_imported} == ("inspect" in sys.modules)
import inspect
assert inspect.isfunction(vif.rewrite)
"""
    subprocess.run([sys.executable, "-IS", "-c", program], check=True, timeout=60)
