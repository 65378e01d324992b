# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the spec, and others of a few lines to stand in for those of other projects."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
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


def build(folder: Path, spec: str, dist: str = "") -> None:
    """Build the packages of a spec into `folder`/RPMS, as far as rpm can do it alone."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "standin.spec"
    file.write_text(spec, encoding="utf-8")
    macros = ["--load", str(ROOT / "specs" / "foreign.macros"), "--define", f"dist {dist}"]
    run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}", *macros, file)


def standins(packages: Mapping[str, Sequence[str]]) -> str:
    """Return a spec of empty packages: name and version -> further lines of the preamble."""
    parts = ["Name: standins\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch"]
    parts.append("%description")
    for package, lines in packages.items():
        name, version = package.split()
        parts += [f"%package -n {name}\nVersion: {version}\nSummary: x", *lines]
        parts += [f"%description -n {name}", f"%files -n {name}"]
    return "\n".join(parts) + "\n"
