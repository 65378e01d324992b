# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""vNICs on their way through the hooks, started as VDSM starts them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.host.machine import VDSM, Machine

pytestmark = pytest.mark.daemon

DATA = Path(__file__).resolve().parents[2] / "data" / "vdsm"
CREATE = (DATA / "nic-create.xml").read_text()
PORT = "aaaaaaaa-0000-4000-8000-000000000001"
OVN = {
    "provider_type": "EXTERNAL_NETWORK",
    "plugin_type": "OVIRT_PROVIDER_OVN",
    "vnic_id": PORT,
    "security_groups": "cccccccc-0000-4000-8000-000000000001",
}
POINTS = ["before_device_create", "before_nic_hotplug", "before_update_device"]
VM = "bbbbbbbb-0000-4000-8000-000000000001"


def connection(xml: str) -> tuple[str | None, list[str | None]]:
    """The bridge of a device, and the interface ids of its virtualports."""
    device = ElementTree.fromstring(xml)
    source = device.find("source")
    assert source is not None
    ids = [one.get("interfaceid") for one in device.findall("virtualport/parameters")]
    return source.get("bridge"), ids


@pytest.mark.parametrize("user", [0, VDSM], ids=["root", "vdsm"])
@pytest.mark.parametrize(
    ("point", "name", "note"),
    [
        (
            "before_device_create",
            "nic-create.xml",
            ", without filterref filter=vdsm-no-mac-spoofing",
        ),
        ("before_nic_hotplug", "nic-hotplug.xml", ", without port isolated=yes"),
        (
            "before_update_device",
            "nic-update.xml",
            ", without filterref filter=clean-traffic, port isolated=no",
        ),
    ],
)
def test_an_ovn_vnic(
    machine: Machine, bridge: str, point: str, name: str, note: str, user: int
) -> None:
    """It gets its port on the integration bridge, with no settings at all, and a line says so."""
    xml = (DATA / name).read_text()
    outcome = machine.hook(point, xml=xml, custom=OVN, vm_id=VM, user=user)

    assert (None, 0) == (outcome.error, outcome.ours.status)
    assert ("br-int", [PORT]) == connection(outcome.data)
    assert f"ovn {point}: vNIC '{PORT}': port {PORT} on br-int{note}\n" == outcome.ours.stderr
    assert [] == outcome.litter


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    "custom",
    [
        {},
        {"provider_type": "unmanaged"},
        {**OVN, "provider_type": "unmanaged"},
        {**OVN, "provider_type": "OPENSTACK_NETWORK"},
        {**OVN, "provider_type": "external_network"},
        {**OVN, "plugin_type": "OPEN_VSWITCH"},
        {**OVN, "plugin_type": ""},
        {"vnic_id": PORT, "provider_type": "EXTERNAL_NETWORK"},
        {"vnic_id": PORT, "plugin_type": "OVIRT_PROVIDER_OVN"},
    ],
)
def test_vnics_of_others(machine: Machine, point: str, custom: dict[str, str]) -> None:
    """Byte for byte as they were, without a word."""
    outcome = machine.hook(point, xml=CREATE, custom=custom, vm_id=VM)

    assert (CREATE, None, 0, "") == (
        outcome.data,
        outcome.error,
        outcome.ours.status,
        outcome.ours.stderr,
    )


@pytest.mark.parametrize(
    ("xml", "note"),
    [
        ((DATA / "nic-hostdev.xml").read_text(), "an interface of type hostdev stays as it is"),
        ("<hostdev mode='subsystem'/>\n", "hostdev is no network interface and stays as it is"),
    ],
)
def test_other_devices(machine: Machine, xml: str, note: str) -> None:
    """Devices that have no place on a bridge are byte for byte as they were."""
    outcome = machine.hook("before_device_create", xml=xml, custom=OVN, vm_id=VM)

    assert (xml, None, 0) == (outcome.data, outcome.error, outcome.ours.status)
    assert f"ovn before_device_create: vNIC '{PORT}': {note}\n" == outcome.ours.stderr


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("custom", "vm_custom", "reason"),
    [
        ({**OVN, "vnic_id": ""}, {}, "vnic_id '' of the vNIC 56:6f:00:00:00:01 is not a UUID"),
        ({**OVN, "vnic_id": "../x"}, {}, "vnic_id '../x' of the vNIC"),
        (OVN, {"vnic_id": "\n'\"/><x"}, "vnic_id '\\n\\'\"/><x' of the vNIC"),
    ],
)
def test_hostile_ids(
    machine: Machine,
    bridge: str,
    point: str,
    custom: dict[str, str],
    vm_custom: dict[str, str],
    reason: str,
) -> None:
    """A vNIC without the UUID of a port is refused with its MAC; so is one that its VM renames."""
    outcome = machine.hook(point, xml=CREATE, custom=custom, vm_custom=vm_custom, vm_id=VM)

    assert (2, CREATE) == (outcome.ours.status, outcome.left)
    assert reason in outcome.ours.stderr
    assert 1 == outcome.ours.stderr.count("\n")
    # What the engine shows.
    assert f"Hook Error: ({outcome.ours.stderr.encode()!r},)" == outcome.error


def test_no_bridge(machine: Machine) -> None:
    """Without the integration bridge the VM could not start: the refusal says what mends it."""
    outcome = machine.hook("before_nic_hotplug", xml=CREATE, custom=OVN, vm_id=VM)

    assert (2, CREATE) == (outcome.ours.status, outcome.left)
    assert (
        f"ovn before_nic_hotplug: vNIC '{PORT}': there is no bridge br-int, which ovn-controller "
        "makes: 'systemctl start openvswitch ovn-controller' mends it\n"
    ) == outcome.ours.stderr


def test_another_bridge(machine: Machine) -> None:
    """The integration bridge is the one of the settings; what is wrong in them is told."""
    machine.write_settings("bridge=lo", "start=never")
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert ("lo", [PORT]) == connection(outcome.data)
    assert outcome.ours.stderr.endswith(
        "; /run/ovirt-provider-ovn-driver/hooks: start=never is not valid, immediately holds\n"
    )


def test_settings_that_cannot_be_read(machine: Machine, bridge: str) -> None:
    """Defaults hold where the settings are somebody else's."""
    machine.write_settings("bridge=lo")
    machine.run("chmod", "600", "/run/ovirt-provider-ovn-driver/hooks")
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert ("br-int", [PORT]) == connection(outcome.data)
    assert "Permission denied" in outcome.ours.stderr
    assert 1 == outcome.ours.stderr.count("\n")


def test_beside_the_peers_hook(machine: Machine, bridge: str) -> None:
    """A host where ovirt-provider-ovn's own hook runs before ours works as well."""
    peer = (DATA / "nic-of-peer.xml").read_text()
    machine.add_script(
        "before_device_create",
        "10_ovirt_provider_ovn_hook",
        f"cat >\"$_hook_domxml\" <<'EOF'\n{peer}EOF",
    )
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert [0, 0] == [run.status for run in outcome.runs]
    assert ElementTree.canonicalize(peer, strip_text=True) == (
        ElementTree.canonicalize(outcome.data, strip_text=True)
    )


def test_later_hooks_see_ours(machine: Machine, bridge: str) -> None:
    """What our hook writes is what the next one of the point reads."""
    machine.add_script("before_device_create", "60_next", 'grep -q br-int "$_hook_domxml"')
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert [0, 0] == [run.status for run in outcome.runs]


def test_a_refusal_is_the_last_word(machine: Machine) -> None:
    """No later hook takes the message away from the engine."""
    machine.add_script("before_device_create", "60_next", "exit 0")
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert 1 == len(outcome.runs)
    assert outcome.error is not None
    assert "there is no bridge" in outcome.error


@pytest.mark.parametrize(
    ("breaks", "left", "reason"),
    [
        ('printf "" >"$_hook_domxml"', "", "the device is no XML"),
        ('printf "<interface" >"$_hook_domxml"', "<interface", "the device is no XML"),
        (
            'printf "<!DOCTYPE a>" >"$_hook_domxml"',
            "<!DOCTYPE a>",
            "XML with a document type is not accepted",
        ),
        ('chmod 0 "$_hook_domxml"', None, "the data file cannot be read"),
        ('rm "$_hook_domxml"; mkdir "$_hook_domxml"', None, "the data file cannot be read"),
    ],
    ids=["empty", "cut", "document-type", "unreadable", "folder"],
)
def test_a_bad_data_file(
    machine: Machine, bridge: str, breaks: str, left: str | None, reason: str
) -> None:
    """What another hook has broken is refused in one line and left as it is."""
    machine.add_script("before_device_create", "10_breaker", breaks)
    outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)

    assert (2, left) == (outcome.ours.status, outcome.left)
    assert outcome.ours.stderr.startswith(f"ovn before_device_create: vNIC '{PORT}': {reason}")
    assert 1 == outcome.ours.stderr.count("\n")


@pytest.fixture
def small_folder(machine: Machine) -> Iterator[str]:
    """A file system of its own, for the data file."""
    folder = "/run/small"
    machine.run("mkdir", "-p", folder)
    machine.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "tmpfs", folder)
    yield folder
    machine.run("umount", folder)


@pytest.mark.parametrize(
    ("breaks", "user", "reason"),
    [
        ("mount -o remount,ro /run/small", 0, "Read-only file system"),
        (
            "dd if=/dev/zero of=/run/small/full bs=4k 2>/dev/null || true",
            VDSM,
            "No space left on device",
        ),
    ],
    ids=["read-only", "full"],
)
def test_a_data_file_that_cannot_be_written(
    machine: Machine, bridge: str, small_folder: str, breaks: str, user: int, reason: str
) -> None:
    """The file stays whole, nothing lies beside it, and the line says why."""
    machine.add_script("before_device_create", "10_breaker", breaks)
    outcome = machine.hook(
        "before_device_create", xml=CREATE, custom=OVN, vm_id=VM, user=user, folder=small_folder
    )

    assert (2, CREATE, []) == (outcome.ours.status, outcome.left, outcome.litter)
    assert "the data file cannot be written" in outcome.ours.stderr
    assert reason in outcome.ours.stderr


def test_the_environment_is_not_trusted(machine: Machine, bridge: str) -> None:
    """Python's own variables, which a VM's custom properties may set, change nothing."""
    trap = "/run/trap"
    machine.run("mkdir", "-p", trap)
    machine.path(f"{trap}/os.py").write_text("raise SystemExit(99)\n")
    machine.path(f"{trap}/lxml.py").write_text("raise SystemExit(99)\n")
    hostile = {"PYTHONPATH": trap, "PYTHONHOME": trap, "PYTHONSTARTUP": f"{trap}/os.py"}
    outcome = machine.hook(
        "before_device_create", xml=CREATE, custom=OVN, vm_custom=hostile, vm_id=VM
    )

    assert (0, None) == (outcome.ours.status, outcome.error)
    assert ("br-int", [PORT]) == connection(outcome.data)


def test_without_lxml(machine: Machine, bridge: str) -> None:
    """A host that lacks the library is told how to get it."""
    library = "/run/host-python/lib/python3*/site-packages/lxml"
    machine.run("sh", "-c", f"for f in {library}; do mv $f $f.kept; done")
    try:
        outcome = machine.hook("before_device_create", xml=CREATE, custom=OVN, vm_id=VM)
    finally:
        machine.run("sh", "-c", f"for f in {library}.kept; do mv $f ${{f%.kept}}; done")

    assert (2, CREATE) == (outcome.ours.status, outcome.left)
    assert "'dnf install python3-lxml' mends it" in outcome.ours.stderr
