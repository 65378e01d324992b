# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the spec, and others of a few lines to stand in for those of other projects."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ovirt_ovn_proxy.cli import VERSION

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
MAIN = "ovirt-provider-ovn"
DRIVER, OTOPI = f"{MAIN}-driver", f"{MAIN}-otopi"
NAMES = (MAIN, DRIVER, OTOPI)
# The tag in the packages' release, and the Python that they are for.
DISTS = {"el9": (".el9", "3.9"), "el10": (".el10", "3.12"), "fedora": (".fc43", "3.14")}


def run(*command: str | Path, timeout_s: float = 120) -> str:
    """Run a command that has to succeed, in English; return what it prints."""
    done = subprocess.run(
        ["env", "LC_ALL=C.UTF-8", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


class Package(NamedTuple):
    """A package's file."""

    path: Path

    @classmethod
    def of(cls, folder: Path, name: str, dist: str) -> Package:
        """Return one that scripts/rpm has built into a folder."""
        return cls(folder / "RPMS/noarch" / f"{name}-{VERSION}-1{DISTS[dist][0]}.noarch.rpm")

    def query(self, what: str) -> list[str]:
        """Return what rpm prints for a format, a line each."""
        return run("rpm", "-qp", "--qf", what, self.path).splitlines()

    def requires(self, kind: str = "REQUIRE") -> set[str]:
        """Return what it requires (or provides, recommends), without rpm's own features."""
        found = self.query(f"[%{{{kind}NEVRS}}\n]")
        return {it for it in found if not it.startswith("rpmlib(")}

    def script(self, name: str) -> str:
        """Return a scriptlet (PREIN, POSTIN, ...), "" for none."""
        text = "\n".join(self.query(f"%{{{name}}}\n")).strip()
        return "" if text == "(none)" else text


Built = Mapping[str, Mapping[str, Package]]


# Where rpm keeps its database in a root of ours.
_DATABASE = ("--dbpath", "/var/lib/rpm")


def build(folder: Path, spec: str, *macros: str) -> list[Package]:
    """Build the packages of a spec for Enterprise Linux 9, with more macros ("name value")."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "standin.spec"
    file.write_text(spec, encoding="utf-8")
    words = ["--load", str(ROOT / "specs" / "foreign.macros")]
    for macro in (f"_topdir {folder}", "dist .el9", "python3_version 3.9", *macros):
        words += ["--define", macro]
    run("rpmbuild", "-bb", "--quiet", *words, file)
    return [Package(path) for path in sorted((folder / "RPMS").rglob("*.rpm"))]


def build_peer(folder: Path) -> dict[str, Package]:
    """Build the stand-ins for the packages of ovirt-provider-ovn 1.2, by name."""
    spec = (DATA / "peer-package" / f"{MAIN}.spec").read_text(encoding="utf-8")
    packages = build(folder, spec, f"peer_config {DATA / 'peer-config'}")
    return {package.query("%{NAME}")[0]: package for package in packages}


class Root:
    """A scratch root with a shell, in which rpm installs packages and runs their scriptlets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert os.geteuid() == 0, "this test changes roots and needs to be root"
        for program in ("sh", "systemd-sysusers", "systemd-tmpfiles"):
            self._copy(shutil.which(program, path="/bin:/usr/bin") or program)
        (folder / "etc").mkdir(exist_ok=True)
        (folder / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        (folder / "dev").mkdir()
        os.mknod(folder / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        # As in systemd's own packages, scriptlets tell it what to do with units.
        self._calls = folder / "calls"
        self._calls.touch()
        helper = folder / "usr/lib/systemd/systemd-update-helper"
        helper.parent.mkdir(parents=True, exist_ok=True)
        helper.write_text('#!/bin/sh\necho "$*" >>/calls\n')
        helper.chmod(0o755)

    def _copy(self, program: str) -> None:
        """Copy a program with its libraries, under their own names."""
        found = re.findall(r"(?:=> )?(/\S+) \(0x", run("ldd", program))
        for path in (program, *found):
            target = Path(f"{self.folder}{path}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    def rpm(self, *words: str | Path) -> str:
        """Run rpm on it; dependencies are none of its concern."""
        return run("rpm", "--root", self.folder, *_DATABASE, *words)

    def change(self, how: str, *packages: Package) -> list[str]:
        """Install or update packages; return what systemd was told."""
        self._calls.write_text("")
        self.rpm(how, "--nodeps", "--force", *(package.path for package in packages))
        return self._calls.read_text().splitlines()

    def erase(self, *names: str) -> list[str]:
        """Remove packages; return what systemd was told."""
        self._calls.write_text("")
        self.rpm("-e", "--nodeps", *names)
        return self._calls.read_text().splitlines()

    def verify(self, *names: str) -> list[str]:
        """Return what differs from the packages, as rpm -V says it."""
        command = ["rpm", "--root", str(self.folder), *_DATABASE, "-V", "--nodeps", *names]
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()

    def files(self) -> set[str]:
        """Return all files and folders, without rpm's own."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return {f"/{path}" for path in paths if not str(path).startswith("var/lib/rpm")}

    def path(self, path: str | Path) -> Path:
        """Return where a file of the root is seen from outside."""
        return Path(f"{self.folder}{path}")


def standins(packages: Mapping[str, Sequence[str]]) -> str:
    """Return a spec of empty packages: name and version -> further lines of the preamble."""
    about = "Summary: Stand-in\nLicense: GPL-2.0-or-later"
    parts = [f"Name: standins\nVersion: 1\nRelease: 1\n{about}\nBuildArch: noarch"]
    parts.append("%description\nStand-ins.")
    for package, lines in packages.items():
        name, version = package.split()
        parts += [f"%package -n {name}\nVersion: {version}\n{about}", *lines]
        parts += [f"%description -n {name}\nStand-in.", f"%files -n {name}"]
    return "\n".join(parts) + "\n"
