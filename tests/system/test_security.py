# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS everywhere: who gets in at the proxy and at OVN's databases, and who does not.

The central is set up by the commands of docs/access.md.
"""

from __future__ import annotations

import contextlib
import shlex
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.ovsdb import HasRemote, listens_as_told, northd, short_folder
from ovirt_ovn_proxy.resources import RESOURCES
from system.lab import CENTRAL_IP, ChassisSpec, Lab
from system.lab.namespace import Namespace, run
from system.lab.service import Service, service, tls_settings

pytestmark = pytest.mark.system

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "access.md"
BESIDE_THE_PROXY, FOR_OTHERS = "Northbound beside the proxy", "Northbound for other machines"
# Where each of them has Northbound.
NORTHBOUND = {BESIDE_THE_PROXY: "127.0.0.1", FOR_OTHERS: CENTRAL_IP}
# Whose certificate the proxy has, and whom it trusts.
PROXY = {BESIDE_THE_PROXY: ("central", "ca"), FOR_OTHERS: ("proxy", "nb-ca")}
SOUTHBOUND = f"ssl:{CENTRAL_IP}:6642"
SECRET = "not-for-everybody"
HOSTS = ("hv1", "hv2")


def documented(heading: str) -> list[list[str]]:
    """Return the commands of ovn-nbctl and ovn-sbctl of one section of the manual."""
    section = MANUAL.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = section.splitlines()
    return [shlex.split(it) for it in lines if it.startswith(("ovn-nbctl ", "ovn-sbctl "))]


class Site:
    """A lab that is closed as a section of the manual says, and the files of its people."""

    def __init__(self, lab: Lab, files: Path, northbound: str, proxy: tuple[str, str]) -> None:
        self.lab = lab
        self.northbound = northbound
        self.proxy = proxy
        self._files = files
        assert isinstance(lab.rest, Service)
        self.service = lab.rest

    def client(self, there: Namespace, name: str, authority: str, *command: str) -> str:
        """Run a client of OVSDB with somebody's certificate; AssertionError if it fails."""
        files = [f"--private-key={self._files}/{name}.key"]
        files += [f"--certificate={self._files}/{name}.pem"]
        files += [f"--ca-cert={self._files}/{authority}.pem"]
        return there.run(command[0], "--timeout=5", *files, *command[1:])

    def databases(self, there: Namespace, name: str, authority: str, remote: str) -> set[str]:
        """Return the databases that somebody sees at a remote, none if that lets nobody in."""
        try:
            listed = self.client(there, name, authority, "ovsdb-client", "list-dbs", remote)
        except AssertionError:
            return set()
        return set(listed.split()) - {"_Server"}


@contextlib.contextmanager
def tls_central(folder: Path, *, files: Path, heading: str) -> Iterator[Mapping[str, HasRemote]]:
    """Run a central that listens by TLS only, as sections of the manual say."""
    listens = [
        listens_as_told("OVN_Northbound", "NB_Global"),
        listens_as_told("OVN_Southbound", "SB_Global"),
    ]
    with northd(folder, nb_options=listens[0], sb_options=listens[1]) as servers:
        databases = {"ovn-nbctl": servers["nb"], "ovn-sbctl": servers["sb"]}
        # As engine-setup leaves it: one authority for all, hosts too.
        tls = [f"{files}/{file}" for file in ("central.key", "central.pem", "ca.pem")]
        for program, database in databases.items():
            run([program, f"--db={database.remote}", "set-ssl", *tls])
        for program, *words in documented(heading) + documented("Southbound"):
            words = [word.replace("/etc/pki/ovn", str(files)) for word in words]
            run([program, f"--db={databases[program].remote}", *words])
        yield servers


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """Three authorities, and who has certificates of them."""
    with short_folder() as folder:
        for authority in ("ca", "nb-ca", "foreign-ca"):
            make_certificate(folder, authority)
        for name, authority in (
            ("central", "ca"),
            *((host, "ca") for host in HOSTS),
            ("nb", "nb-ca"),
            ("proxy", "nb-ca"),
            ("stranger", "foreign-ca"),
        ):
            make_certificate(folder, name, authority, names=f"IP:127.0.0.1,IP:{CENTRAL_IP}")
        yield folder


@pytest.fixture(scope="module", params=[BESIDE_THE_PROXY, FOR_OTHERS])
def site(files: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A lab whose parts all speak TLS, with Northbound closed as a section says."""
    heading = request.param
    specs = [
        ChassisSpec(
            name,
            external_ids={"ovn-remote": SOUTHBOUND},
            tls_files=[f"{files}/{name}.key", f"{files}/{name}.pem", f"{files}/ca.pem"],
        )
        for name in HOSTS
    ]
    mine, trusted = PROXY[heading]
    northbound = f"ssl:{NORTHBOUND[heading]}:6641"
    proxy = partial(
        service,
        remote=northbound,
        secret=SECRET,
        context=ssl.create_default_context(cafile=f"{files}/{trusted}.pem"),
        extra=tls_settings(files / f"{mine}.key", files / f"{mine}.pem", files / f"{trusted}.pem"),
    )
    central = partial(tls_central, files=files, heading=heading)
    with Lab(specs, central=central, proxy=proxy) as lab:
        yield Site(lab, files, northbound, PROXY[heading])


def test_who_gets_in(site: Site) -> None:
    """All works by TLS; hosts reach Southbound alone, and strangers neither database."""
    lab = site.lab
    here, host = lab.underlay, lab.chassis[0].namespace
    red = lab.create_network("10.0.0.0/24")
    alice, bob = (lab.create_vm(red, chassis) for chassis in lab.chassis)
    assert 3 == alice.ping(bob.ip)

    assert {"OVN_Northbound"} == site.databases(here, *site.proxy, site.northbound)
    assert {"OVN_Southbound"} == site.databases(host, "hv1", "ca", SOUTHBOUND)
    for authority in ("ca", "nb-ca"):
        assert set() == site.databases(host, "hv1", authority, f"ssl:{CENTRAL_IP}:6641")
    for authority in ("ca", "nb-ca", "foreign-ca"):
        for there, remote in (
            (here, site.northbound),
            (host, f"ssl:{CENTRAL_IP}:6641"),
            (here, SOUTHBOUND),
            (host, SOUTHBOUND),
        ):
            assert set() == site.databases(there, "stranger", authority, remote)


def test_what_a_host_may_do(site: Site) -> None:
    """A host changes its own chassis in Southbound, and nothing of others."""
    lab = site.lab
    host = lab.chassis[0].namespace
    red = lab.create_network("10.0.0.0/24")
    lab.create_vm(red, lab.chassis[0])
    before = lab.sbctl("show")

    def change(*words: str) -> str:
        return site.client(host, "hv1", "ca", "ovn-sbctl", f"--db={SOUTHBOUND}", *words)

    for words in (
        ("chassis-del", "hv2"),
        ("set", "Chassis", "hv2", "hostname=mine"),
        ("--all", "destroy", "Logical_Flow"),
        ("--all", "destroy", "Datapath_Binding"),
        ("del-connection",),
    ):
        with pytest.raises(AssertionError, match="permission error"):
            change(*words)
    assert before == lab.sbctl("show")
    change("set", "Chassis", "hv1", "external_ids:mine=yes")


def test_without_a_token(site: Site) -> None:
    """Without a token, or with a wrong one, nothing is listed, and without TLS nothing is said."""
    service = site.service
    url = service.process.networking_url
    network = site.lab.create_network("10.0.0.0/24")
    for resource in RESOURCES:
        for headers in ({}, {"X-Auth-Token": "wrong"}, {"X-Auth-Token": ""}):
            for path in (f"/v2.0/{resource}", f"/v2.0/{resource}/{network['id']}"):
                answer = service.send("GET", url + path, headers=headers)
                assert 401 == answer.status, path
                assert network["id"] not in str(answer.json)
        assert 200 == service("GET", resource).status
    with pytest.raises(ConnectionError):
        service.send("GET", f"{url.replace('https', 'http')}/v2.0/networks")
