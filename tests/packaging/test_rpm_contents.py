# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in the packages: files with their modes, dependencies, scriptlets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rpms import DISTS, DRIVER, MAIN, NAMES, OTOPI, ROOT, Built

FILE, PROGRAM, SECRET, FOLDER = "-rw-r--r--", "-rwxr-xr-x", "-rw-------", "drwxr-xr-x"
# rpm's words: a configuration file that an update leaves alone, documentation, a licence.
CONFIG, DOC, LICENSE = "cn", "d", "l"
UNITS = "/usr/lib/systemd/system"

HOST_PAGES = ("hooks", "hosts", "install-hosts", "migration", "network-protection")

Entry = tuple[str, str]


def modules(source: str, target: str) -> dict[str, Entry]:
    """Return the Python modules below a folder of ours, with their folders."""
    files = {
        f"{target}/{path.relative_to(ROOT / source)}": (FILE, "")
        for path in (ROOT / source).rglob("*.py")
    }
    folders = {str(Path(file).parent): (FOLDER, "") for file in files}
    return {**files, **folders}


def common(name: str, docs: set[str]) -> dict[str, Entry]:
    """Return what each package has."""
    doc, license_ = f"/usr/share/doc/{name}", f"/usr/share/licenses/{name}"
    return {
        **{f"{doc}/{file}": (FILE, DOC) for file in docs},
        doc: (FOLDER, ""),
        license_: (FOLDER, ""),
        f"{license_}/LICENSE": (FILE, LICENSE),
    }


def expected(name: str, python: str) -> dict[str, Entry]:
    """Return mode and flags of each file of a package, compiled modules left out."""
    if name == MAIN:
        settings, data = f"/etc/{MAIN}", f"/usr/share/{MAIN}"
        docs = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
        units = {path.name for path in (ROOT / "proxy/systemd").glob(f"{MAIN}*")}
        return {
            **common(name, docs | {"README.md", "CHANGELOG.md"}),
            f"/usr/share/doc/{name}/docs": (FOLDER, ""),
            **modules("proxy/ovirt_ovn_proxy", f"{data}/ovirt_ovn_proxy"),
            **{f"{UNITS}/{unit}": (FILE, "") for unit in units},
            data: (FOLDER, ""),
            settings: (FOLDER, ""),
            f"{settings}/conf.d": (FOLDER, ""),
            f"{settings}/{MAIN}.conf": (SECRET, CONFIG),
            # Whether there is one is the site's affair.
            f"{settings}/logger.conf": (FILE, f"{CONFIG}g"),
            f"/usr/share/doc/{MAIN}/logger.conf": (FILE, DOC),
            f"/etc/logrotate.d/{MAIN}": (FILE, CONFIG),
            f"/usr/bin/{MAIN}": (PROGRAM, ""),
            f"/usr/lib/firewalld/services/{MAIN}.xml": (FILE, ""),
            f"/usr/lib/sysusers.d/{MAIN}.conf": (FILE, ""),
            f"/usr/lib/tmpfiles.d/{MAIN}.conf": (FILE, ""),
            f"/usr/share/man/man5/{MAIN}.conf.5.gz": (FILE, DOC),
            f"/usr/share/man/man8/{MAIN}.8.gz": (FILE, DOC),
        }
    if name == DRIVER:
        settings, data = f"/etc/{DRIVER}", f"/usr/share/{DRIVER}"
        points = {path.parent.name for path in (ROOT / "vdsm_plugin/hooks").glob("*/50_ovn")}
        tool = modules("vdsm_plugin/tool", f"/usr/lib/python{python}/site-packages/vdsm/tool")
        drop_in = f"{UNITS}/ovn-controller.service.d"
        return {
            **common(name, {f"{page}.md" for page in HOST_PAGES}),
            **modules("vdsm_plugin/ovirt_ovn_host", f"{data}/ovirt_ovn_host"),
            **{f"/usr/libexec/vdsm/hooks/{point}/50_ovn": (PROGRAM, "") for point in points},
            # The folders are VDSM's.
            **{path: entry for path, entry in tool.items() if entry[0] != FOLDER},
            data: (FOLDER, ""),
            f"{data}/hook.py": (FILE, ""),
            settings: (FOLDER, ""),
            f"{settings}/conf.d": (FOLDER, ""),
            f"{settings}/ovn.conf": (FILE, CONFIG),
            "/etc/sudoers.d/50_vdsm_hook_ovn": ("-r--r-----", ""),
            drop_in: (FOLDER, ""),
            f"{drop_in}/50-{DRIVER}.conf": (FILE, ""),
            f"/usr/lib/firewalld/services/{DRIVER}.xml": (FILE, ""),
            "/usr/share/man/man8/vdsm-tool-ovn.8.gz": (FILE, DOC),
        }
    share = "/usr/share/ovirt-host-deploy"
    group = f"{share}/plugins/ovirt-host-deploy"
    return {
        **common(name, {"otopi.md", "ovirt-host-deploy-post-tasks.yml"}),
        **modules("otopi/plugins/ovirt-host-deploy/ovn", f"{group}/ovn"),
        **dict.fromkeys((share, f"{share}/plugins", group), (FOLDER, "")),
        "/usr/share/otopi/plugins/ovirt-ovn": (FOLDER, ""),
        "/usr/share/otopi/plugins/ovirt-ovn/ovn": ("lrwxrwxrwx", ""),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dist", DISTS)
def test_files(built: Built, dist: str, name: str) -> None:
    """Each file is there with the mode that it needs, root's, and nothing besides."""
    package = built[dist][name]
    lines = package.query(
        "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags}\n]"
    )
    found = {}
    for line in lines:
        mode, owner, path, *flags = line.split()
        assert "root:root" == owner, path
        found[path] = (mode, "".join(flags))
    compiled = {path: found.pop(path) for path in [*found] if "__pycache__" in path}

    assert expected(name, DISTS[dist][1]) == found
    sources = {path[:-3].rpartition("/") for path in found if path.endswith(".py")}
    wanted = {(f"{folder}/__pycache__", stem) for folder, _, stem in sources if stem != "hook"}
    files = {path: entry for path, entry in compiled.items() if path.endswith(".pyc")}
    assert wanted == {(str(Path(path).parent), Path(path).name.split(".")[0]) for path in files}
    assert {(FILE, "")} >= {*files.values()}
    assert {(FOLDER, "")} >= {entry for path, entry in compiled.items() if path not in files}


# What cannot be said in words of these packages: rpm finds it by itself.
BY_RPM = {"/bin/sh", "/usr/bin/python3"}
SYSTEMD = {"systemd"}
REQUIRES = {
    MAIN: {"firewalld-filesystem", "logrotate", "python3 >= 3.9", "python3-openvswitch"}
    | {"python3-requests", "python3-webob"}
    | SYSTEMD,
    DRIVER: {"firewalld-filesystem", "iproute", "openvswitch", "openvswitch-ipsec"}
    | {"openvswitch-ovn-common", "openvswitch-ovn-host", "python3 >= 3.9", "python3-lxml"}
    | {"sudo", "vdsm >= 4.50"},
    OTOPI: {"python3-otopi"},
}
RECOMMENDS = {MAIN: {"openvswitch-ovn-central"}, DRIVER: {"python3-netifaces"}, OTOPI: set()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dist", DISTS)
def test_dependencies(built: Built, dist: str, name: str) -> None:
    """The names are those that exist there, with no version that a wrapper package cannot meet."""
    package = built[dist][name]
    evr = package.path.name[len(name) + 1 : -len(".noarch.rpm")]
    config = {f"config({name}) = {evr}"} if name != OTOPI else set()
    abi = {f"python(abi) = {DISTS[dist][1]}"} if name == DRIVER else set()

    assert REQUIRES[name] | config | abi == package.requires() - BY_RPM
    assert {f"{name} = {evr}"} | config == package.requires("PROVIDE")
    assert RECOMMENDS[name] == package.requires("RECOMMEND")
    # The names are those of the packages that they replace, with a later version.
    assert {*()} == package.requires("OBSOLETE") | package.requires("CONFLICT")


def test_scriptlets(built: Built) -> None:
    """The service's package speaks to systemd, and has a user made; the others do nothing."""
    for packages in built.values():
        for name in (DRIVER, OTOPI):
            for script in ("PREIN", "POSTIN", "PREUN", "POSTUN", "PRETRANS", "POSTTRANS"):
                assert "" == packages[name].script(script)
        main = packages[MAIN]
        assert f"install-system-units {MAIN}.service " in main.script("POSTIN")
        assert f"remove-system-units {MAIN}.service " in main.script("PREUN")
        assert f"mark-restart-system-units {MAIN}.service " in main.script("POSTUN")
        assert f"systemd-sysusers {MAIN}.conf " in main.script("POSTIN")
        assert "" == main.script("PREIN")


def test_unknown_distribution(tmp_path: Path) -> None:
    """One whose Python is not known is refused."""
    command = [str(ROOT / "scripts" / "rpm"), str(tmp_path), "el7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (1, "rpm: el7 is none of el9, el10, fedora\n") == (done.returncode, done.stderr)
