# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The otopi plugin on a host: through all stages, with the verb and the daemons that are real.

What otopi itself is, and who has packages and services of VDSM's, are stand-ins; each has
tests of its own in unit/otopi.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from system.host_machine import (
    ADDRESS,
    CENTRAL,
    ENGINE_FILE,
    NAME,
    PKI,
    SETTINGS,
    SYSTEM_ID,
    HostMachine,
    host_machine,
)
from unit.otopi.runs import DRIVER, HOST_DEPLOY, Host

pytestmark = pytest.mark.system

ENABLE, DISABLE = "OVN/enable=bool:True", "OVN/enable=bool:False"
ENOUGH = (ENABLE, f"OVN/central=str:{CENTRAL}", f"OVN/tunnel=str:{ADDRESS}")
REMOTE = f"ssl:{CENTRAL}:6642"
INSTALLED = f"packager installUpdate {DRIVER}"
DONE = f"chassis {NAME}, tunnels at {ADDRESS}, Southbound {REMOTE}"
PIDS = ("openvswitch/ovsdb-server", "openvswitch/ovs-vswitchd", "ovn/ovn-controller")


def otopi_on(host: HostMachine) -> Host:
    """otopi on that host, with the plugin as it is installed there."""
    folder = host.folder / "otopi"
    folder.mkdir()
    return Host(folder, enter=host.command(), settings=SETTINGS)


@pytest.fixture
def otopi(host: HostMachine) -> Host:
    """otopi on a host as the engine leaves it just before OVN is configured."""
    return otopi_on(host)


def pids(host: HostMachine) -> list[str]:
    """The daemons' processes: a restarted one is another."""
    return [host.read(Path(f"/run/{name}.pid")) for name in PIDS]


def test_a_host_by_itself(host: HostMachine, otopi: Host) -> None:
    """Packages first, then the host is a chassis; a second run changes nothing and says so."""
    run = otopi.run(*ENOUGH, f"OVN/fqdn=str:{NAME}")

    assert (0, [], [INSTALLED]) == (run.code, run.errors, run.calls)
    assert f"OVN: done: {DONE}" in run.infos
    assert f"OVN: external_ids:ovn-remote: nothing -> {REMOTE}" in run.infos
    host.wait_chassis(**{NAME: ADDRESS})
    assert f"central = {CENTRAL}\ntunnel = {ADDRESS}\nsystem-id = {NAME}\n" in host.read(
        ENGINE_FILE
    )
    assert f"{NAME}\n" == host.read(SYSTEM_ID)
    assert {"enable openvswitch", "start openvswitch-ipsec"} < set(host.calls)

    before = host.state, pids(host), host.external_ids
    run = otopi.run(*ENOUGH, f"OVN/fqdn=str:{NAME}")

    assert (0, []) == (run.code, run.errors)
    assert f"OVN: nothing to change: {DONE}" in run.infos
    assert not [line for line in run.infos if "->" in line]
    assert before == (host.state, pids(host), host.external_ids)
    assert host.run("vdsm-tool", "is-configured").stdout == ""


def test_disabled(image: Path) -> None:
    """OVN switched off: nothing is asked, installed, configured or started."""
    with host_machine(image) as host:
        before = host.state
        run = otopi_on(host).run(DISABLE, *ENOUGH[1:])
        assert (0, [], []) == (run.code, run.errors, run.calls)
        assert before == host.state
        assert "" == host.run("ls", "/run/openvswitch").stdout


def test_disabled_later(host: HostMachine, otopi: Host) -> None:
    """It does not take a host out that is in OVN: that is another command's work."""
    assert 0 == otopi.run(*ENOUGH).code
    host.wait_chassis(**{NAME: ADDRESS})
    before = host.state, pids(host)
    run = otopi.run(DISABLE)
    assert (0, [], []) == (run.code, run.errors, run.calls)
    assert before == (host.state, pids(host))


def test_what_the_verb_has_no_argument_for(host: HostMachine, otopi: Host) -> None:
    """Bridge and certificates come by the file, and are in force with all the rest."""
    host.do("sh", "-ec", f"mkdir /etc/pki/site; cp -p {PKI}/* /etc/pki/site; rm {PKI}/*")
    names = {
        "privateKey": "ovn-key.pem",
        "certificate": "ovn-cert.pem",
        "caCertificate": "ca-cert.pem",
    }
    files = [f"OVN/{key}=str:/etc/pki/site/{name}" for key, name in names.items()]
    run = otopi.run(*ENOUGH, *files, "OVN/bridge=str:br-ovn")

    assert (0, []) == (run.code, run.errors)
    assert "br-ovn" == host.external_ids["ovn-bridge"]
    assert "secure" == host.vsctl("get-fail-mode", "br-ovn")
    assert "/etc/pki/site/ovn-key.pem" in host.vsctl("get-ssl")
    host.wait_chassis(**{NAME: ADDRESS})
    assert host.run("vdsm-tool", "is-configured").stdout == ""

    before = host.state
    run = otopi.run(*ENOUGH, *files, "OVN/bridge=str:br-ovn")
    assert (0, True) == (run.code, f"OVN: nothing to change: {DONE}" in run.infos)
    assert before == host.state


def test_dialog(host: HostMachine, otopi: Host) -> None:
    """A human's answers do the same."""
    host.add_network("ovirtmgmt", nic="eth0")
    run = otopi.run(answers=f"yes\n{CENTRAL}\n\n")
    assert 0 == run.code, run.output
    host.wait_chassis(**{NAME: ADDRESS})
    assert "tunnel = ovirtmgmt\n" in host.read(ENGINE_FILE)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("OVN/tunnel=str:red", "tunnel red: no network or interface that has an address on this"),
        (f"OVN/central=str:ssl:{CENTRAL}:6641", "no Southbound of OVN answers"),
    ],
)
def test_refused(host: HostMachine, otopi: Host, argument: str, says: str) -> None:
    """What the host refuses is one error with its reason, and nothing has changed."""
    before = host.state
    run = otopi.run(*ENOUGH, argument, "OVN/bridge=str:br-ovn")
    assert (1, [INSTALLED], 1) == (run.code, run.calls, len(run.errors))
    assert says in run.errors[0]
    assert before == host.state
    assert "" == host.read(ENGINE_FILE)


def test_an_engines_deployment(host: HostMachine, otopi: Host) -> None:
    """Among the stages of VDSM's deployment: in OVN before vdsmd starts."""
    answers = (
        "CONFIRM DEPLOY_PROCEED=yes\n"
        "env-set -k OVN/enable -t bool -v True\n"
        f"env-set -k OVN/central -t str -v {CENTRAL}\n"
        f"env-set -k OVN/tunnel -t str -v {ADDRESS}\n"
        "install\nquit\n"
    )
    run = otopi.run(
        *("DIALOG/dialect=str:machine", "DIALOG/customization=bool:True"),
        group=HOST_DEPLOY,
        plugins=f"{otopi.plugins}:/usr/share/ovirt-host-deploy/plugins",
        answers=answers,
    )
    assert (0, []) == (run.code, run.errors)
    assert f"OVN: done: {DONE}" in run.infos
    assert [
        "services startup vdsmd True",
        "services state vdsmd True",
    ] == run.calls[-2:]
    host.wait_chassis(**{NAME: ADDRESS})
    assert 0 == host.start_vdsmd()[0]
