# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""dnf finds what the packages need, and what the engine asks for, in repositories as they are.

Packages of other projects are stand-ins: empty, with the names, versions and provides that
those have on each distribution.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Callable

import pytest

from ovirt_ovn_proxy.cli import VERSION
from rpms import DISTS, DRIVER, MAIN, OTOPI, Built, Package, build, build_peer, run, standins

Dnf = Callable[..., list[str]]

# Everywhere: what packages of the distributions and of oVirt are called.
BASE: Mapping[str, Sequence[str]] = {
    "bash 5": ["Provides: /bin/sh"],
    "firewalld-filesystem 1": [],
    "iproute 6": [],
    "logrotate 3": [],
    "python3-lxml 4": [],
    "python3-otopi 1.10.5": [],
    "python3-requests 2.25": [],
    "python3-webob 1.8.8": [],
    "sudo 1.9": [],
    "systemd 252": [],
    "vdsm 4.50.5": [],
    # As in the engine's spec, on the side that engine-setup is on.
    "ovirt-engine-setup-plugin-ovirt-engine 4.5.7": ["Requires: ovirt-provider-ovn >= 1.2.35"],
}
# oVirt's wrappers around versioned packages, which Enterprise Linux has.
WRAPPERS: Mapping[str, Sequence[str]] = {
    "ovirt-openvswitch 2.17": ["Provides: openvswitch"],
    "ovirt-openvswitch-ipsec 2.17": ["Provides: openvswitch-ipsec"],
    "ovirt-openvswitch-ovn-central 2.17": ["Provides: openvswitch-ovn-central"],
    "ovirt-openvswitch-ovn-common 2.17": ["Provides: openvswitch-ovn-common"],
    "ovirt-openvswitch-ovn-host 2.17": ["Provides: openvswitch-ovn-host"],
    "ovirt-python-openvswitch 2.17": ["Provides: python3-openvswitch"],
    "ovirt-engine-setup-ovn 4.5.7": ["Requires: ovirt-openvswitch-ovn-central >= 2.17"],
}
FEDORA: Mapping[str, Sequence[str]] = {
    "openvswitch 3.6.2": [],
    "openvswitch-ipsec 3.6.2": [],
    "python3-openvswitch 3.6.2": [],
    "ovn 25.09.2": ["Provides: openvswitch-ovn-common"],
    "ovn-central 25.09.2": ["Provides: openvswitch-ovn-central"],
    "ovn-host 25.09.2": ["Provides: openvswitch-ovn-host"],
}


def repository_of(dist: str) -> dict[str, Sequence[str]]:
    """Return the stand-ins for a distribution."""
    python = DISTS[dist][1]
    interpreter = ["Provides: /usr/bin/python3", f"Provides: python(abi) = {python}"]
    netifaces: Mapping[str, Sequence[str]] = (
        {} if dist == "el10" else {"python3-netifaces 0.11": []}
    )
    others = FEDORA if dist == "fedora" else WRAPPERS
    return {**BASE, f"python3 {python}": interpreter, **netifaces, **others}


@pytest.fixture(scope="module")
def repositories(
    built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Mapping[str, Path]]:
    """By distribution: "ours", "others", and what ovirt-provider-ovn 1.2 is in, "peer"."""
    found = {}
    peer = build_peer(tmp_path_factory.mktemp("peer"))
    for dist, packages in built.items():
        folder = tmp_path_factory.mktemp(dist)
        others = build(folder / "others", standins(repository_of(dist)))
        found[dist] = {
            "ours": make_repository(folder / "ours", packages.values()),
            "others": make_repository(folder / "repo", others),
            "peer": make_repository(folder / "peer", peer.values()),
        }
    return found


def make_repository(folder: Path, packages: Iterable[Package]) -> Path:
    """Make a repository of packages."""
    folder.mkdir()
    for package in packages:
        (folder / package.path.name).symlink_to(package.path)
    run("createrepo_c", "--quiet", folder)
    return folder


def make_dnf(repositories: Mapping[str, Path], root: Path) -> Dnf:
    """Return a dnf on a root of its own: it runs a command with repositories by name.

    Returns the names and versions of all packages that are installed then.
    """
    root.mkdir()

    def dnf(names: str, *command: str) -> list[str]:
        words = ["dnf", "-y", "--installroot", str(root), "--releasever=9", "--setopt=reposdir=/"]
        words += [f"--setopt=cachedir={root}/cache", "--setopt=gpgcheck=0"]
        words += ["--setopt=tsflags=noscripts", "--disableplugin=*"]
        for name in names.split():
            words.append(f"--repofrompath={name},{repositories[name]}")
        done = subprocess.run([*words, *command], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        listing = "%{NAME} %{VERSION}\n"
        database = next(path.parent for path in root.rglob("rpmdb.sqlite"))
        installed = run("rpm", "--dbpath", database, "-qa", "--qf", listing)
        return sorted(installed.splitlines())

    return dnf


@pytest.fixture(params=DISTS)
def dnf(
    request: pytest.FixtureRequest,
    repositories: Mapping[str, Mapping[str, Path]],
    tmp_path: Path,
) -> Dnf:
    """A dnf for each distribution."""
    return make_dnf(repositories[request.param], tmp_path / "root")


def test_everything_can_be_installed(dnf: Dnf) -> None:
    """All that the packages need exists by these names."""
    installed = dnf("ours others", "install", MAIN, DRIVER, OTOPI)
    assert {f"{name} {VERSION}" for name in (MAIN, DRIVER, OTOPI)} <= {*installed}


def test_a_proxy_without_a_database(dnf: Dnf) -> None:
    """Where the central is elsewhere, no OVN comes with the proxy if that is not wanted."""
    installed = dnf("ours others", "install", "--setopt=install_weak_deps=False", MAIN)
    assert [] == [name for name in installed if re.search("ovn-central|ovn-host|vdsm", name)]


def test_what_the_engine_asks_for(dnf: Dnf) -> None:
    """The engine's own requirement, and the name that its host deployment installs, find ours."""
    engine = dnf("ours others peer", "install", "ovirt-engine-setup-plugin-ovirt-engine")
    assert f"{MAIN} {VERSION}" in engine
    # As the role does it: by name, whatever is newest.
    assert f"{DRIVER} {VERSION}" in dnf("ours others peer", "install", DRIVER)


@pytest.mark.parametrize("dist", ["el9"])
def test_from_the_peer(
    repositories: Mapping[str, Mapping[str, Path]], dist: str, tmp_path: Path
) -> None:
    """An update replaces ovirt-provider-ovn 1.2 by name, and a downgrade brings it back."""
    dnf = make_dnf(repositories[dist], tmp_path / "root")
    theirs = dnf("others peer", "install", MAIN, DRIVER, "ovirt-engine-setup-ovn")
    assert [f"{MAIN} 1.2.38", f"{DRIVER} 1.2.38"] == ours_of(theirs)
    assert [f"{MAIN} {VERSION}", f"{DRIVER} {VERSION}"] == ours_of(
        dnf("ours others peer", "upgrade")
    )
    assert "ovirt-openvswitch-ovn-central 2.17" in dnf("ours others peer", "upgrade")
    back = dnf("others peer", "downgrade", MAIN, DRIVER)
    assert [f"{MAIN} 1.2.38", f"{DRIVER} 1.2.38"] == ours_of(back)


def ours_of(installed: list[str]) -> list[str]:
    return [line for line in installed if line.startswith(MAIN)]
