# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation says can be found, loaded and run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ovirt_ovn_proxy import config
from ovirt_ovn_proxy.cli import main
from rpms import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
MANUALS = sorted((ROOT / "man").iterdir())


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: page.stem)
def test_links(page: Path) -> None:
    """Each link to a file leads to one."""
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_links_of_the_host_package() -> None:
    """Pages that hosts have link to each other alone: the rest is not there."""
    spec = (ROOT / "specs/ovirt-provider-ovn.spec.in").read_text(encoding="utf-8")
    (names,) = re.findall(r"^%doc (docs/hooks\.md .*)$", spec, re.M)
    pages = {ROOT / name for name in names.split()}
    for page in pages:
        for target in re.findall(r"\]\(([^):#]+)(?:#\S*)?\)", page.read_text(encoding="utf-8")):
            assert page.parent / target in pages, (page.name, target)


def blocks(page: Path) -> list[str]:
    """Return the settings of the proxy that a page shows."""
    found = re.findall(r"^( *)```\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.S | re.M)
    texts = ["\n".join(it[len(indent) :] for it in text.split("\n")) for indent, text in found]
    return [text for text in texts if re.match(r"\[[A-Z ]+\]\n", text)]


def test_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that are shown are settings that there are."""
    shown = [block for page in DOCS for block in blocks(page)]
    assert len(shown) >= 5
    for block in shown:
        file = tmp_path / "shown.conf"
        file.write_text(block)
        config.load(file)
        assert [] == caplog.records, block


@pytest.mark.parametrize("page", MANUALS, ids=lambda page: page.name)
def test_manual_pages(page: Path) -> None:
    """A manual page begins as those that search for it expect, and says whose it is."""
    lines = page.read_text(encoding="utf-8").splitlines()
    name, section = page.stem, page.suffix[1:]
    assert f".TH {name.upper()} {section} " in lines[2]
    assert lines[4].startswith(f"{name} \\- ")
    assert ".SH SEE ALSO" in lines


def test_manual_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb and option of the command is in its manual page."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    words = {*re.findall(r"^ {2,4}(?:-h, )?(--[a-z-]+|[a-z-]+)\b", shown, re.M)} - {"--help"}
    manual = (ROOT / "man/ovirt-provider-ovn.8").read_text().replace("\\-", "-")

    assert {"serve", "--debug"} <= words
    assert {*()} == {word for word in words if word not in manual}


def test_names_of_watches() -> None:
    """The units that watch a file are called as systemd-escape would call them."""
    unit = (ROOT / "proxy/systemd/ovirt-provider-ovn.service").read_text()
    watched = re.findall(r"^Wants=(ovirt-provider-ovn-renew@.*)$", unit, re.M)
    files = re.findall(r"^LoadCredential=(\S+):(/etc/pki/\S+)$", unit, re.M)
    command = ["systemd-escape", "--path", "--template=ovirt-provider-ovn-renew@.path"]
    names = subprocess.check_output([*command, *(path for _, path in files)], text=True).split()

    assert watched == names
    for name, path in files:
        assert path[1:].replace("/", "_") == name
        assert f"SetCredential={name}:missing\n" in unit
