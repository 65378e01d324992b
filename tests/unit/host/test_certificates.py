# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of a host: what can be used, what is worth a note, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from certificates import expire, make_certificate
from ovirt_ovn_host.certificates import Files, check
from ovirt_ovn_host.errors import HostError

NAME = "hv1.example.com"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with two hosts' certificates, another one, and a certificate of the past."""
    folder = tmp_path_factory.mktemp("pki")
    for name, authority, names in (
        ("ca", None, ""),
        ("other", None, ""),
        ("hv1", "ca", f"DNS:{NAME},DNS:alias.example.com,IP:192.0.2.5"),
        ("hv2", "ca", "DNS:hv2.example.com"),
        ("stranger", "other", f"DNS:{NAME}"),
    ):
        make_certificate(folder, name, authority, names=names or "DNS:x")
    make_certificate(folder, "expired", "ca", names=f"DNS:{NAME}")
    expire(folder, "expired", "ca")
    return folder


@pytest.fixture
def files(made: Path, tmp_path: Path) -> Files:
    """The files of hv1 as the engine lays them down."""
    return lay(made, tmp_path)


def lay(made: Path, folder: Path, key: str = "hv1", cert: str = "hv1", ca: str = "ca") -> Files:
    files = Files(str(folder / "key"), str(folder / "cert"), str(folder / "ca"))
    shutil.copyfile(made / f"{key}.key", files.private_key)
    shutil.copyfile(made / f"{cert}.pem", files.certificate)
    shutil.copyfile(made / f"{ca}.pem", files.ca_certificate)
    Path(files.private_key).chmod(0o440)
    return files


@pytest.mark.parametrize("name", [NAME, "alias.example.com"])
def test_all_is_well(files: Files, name: str) -> None:
    """Certificates of the site's authority, for one of the host's names, are nothing to talk of."""
    assert [] == check(files, name)


def test_another_name_is_worth_a_note(files: Files) -> None:
    """A certificate for another name works, but not with IPsec and the engine's display."""
    (note,) = check(files, "hv3.example.com")
    assert f"is for {NAME}, alias.example.com, not for hv3.example.com" in note


@pytest.mark.parametrize("which", [0, 1, 2])
def test_missing(files: Files, which: int) -> None:
    """Each file that is missing is named, with who makes it."""
    Path(files[which]).unlink()
    with pytest.raises(HostError, match="No such file or directory: have the engine") as caught:
        check(files, NAME)
    assert str(caught.value).startswith(files[which])


def no_certificate(files: Files) -> None:
    Path(files.certificate).write_text("nothing\n")


def no_authority(files: Files) -> None:
    Path(files.ca_certificate).write_text("nothing\n")


def key_for_everybody(files: Files) -> None:
    Path(files.private_key).chmod(0o444)


def key_to_be_changed_by_everybody(files: Files) -> None:
    Path(files.private_key).chmod(0o402)


def key_with_a_password(files: Files) -> None:
    command = ["openssl", "ec", "-aes128", "-passout", "pass:secret"]
    key = Path(files.private_key)
    locked = subprocess.run(
        [*command, "-in", str(key)], check=True, capture_output=True, text=True
    ).stdout
    key.chmod(0o600)
    key.write_text(locked)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_certificate, "cannot be read"),
        (no_authority, "no certificate can be read"),
        (key_for_everybody, "everybody on this host can use the key: chmod o= "),
        (key_to_be_changed_by_everybody, "everybody on this host can use the key: chmod o= "),
        (key_with_a_password, "the key has a password"),
    ],
)
def test_files_that_cannot_be_used(
    files: Files, spoil: Callable[[Files], None], words: str
) -> None:
    """What is no certificate, or no secret, is told in one line."""
    spoil(files)
    with pytest.raises(HostError) as caught:
        check(files, NAME)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "cert", "ca", "words"),
    [
        ("hv2", "hv1", "ca", "do not belong together"),
        ("hv1", "hv1", "other", "is not accepted by .*: unable to get local issuer certificate"),
        ("stranger", "stranger", "ca", "is not accepted by .*: unable to get local issuer"),
        ("expired", "expired", "ca", "is not accepted by .*: certificate has expired"),
    ],
)
def test_files_that_do_not_fit(
    made: Path, tmp_path: Path, key: str, cert: str, ca: str, words: str
) -> None:
    """A key of another certificate, a foreign authority, and an expired certificate are refused."""
    with pytest.raises(HostError, match=words):
        check(lay(made, tmp_path, key, cert, ca), NAME)
