# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The notation of remotes, and the TLS files that go with them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from ovirt_ovn_proxy.errors import ConfigError
from ovirt_ovn_proxy.nb.remote import Remote, TlsFiles, parse_remotes, tls_context


@pytest.mark.parametrize(
    ("text", "remotes"),
    [
        ("unix:/run/ovn/ovnnb_db.sock", [Remote("unix", "/run/ovn/ovnnb_db.sock")]),
        ("tcp:127.0.0.1:6641", [Remote("tcp", "127.0.0.1", 6641)]),
        ("tcp:[::1]:16641", [Remote("tcp", "::1", 16641)]),
        ("ssl:ovn.example.com:6641", [Remote("ssl", "ovn.example.com", 6641)]),
        ("ssl:ovn.example.com", [Remote("ssl", "ovn.example.com", 6641)]),
        ("ssl:[fd00::1]", [Remote("ssl", "fd00::1", 6641)]),
        (
            " ssl:a:1 , ssl:[::2]:2,unix:/x,",
            [Remote("ssl", "a", 1), Remote("ssl", "::2", 2), Remote("unix", "/x")],
        ),
    ],
)
def test_parse(text: str, remotes: list[Remote]) -> None:
    """Every form that OVSDB tools accept is understood."""
    assert list(parse_remotes(text)) == remotes


@pytest.mark.parametrize("text", ["unix:/x", "tcp:127.0.0.1:6641", "ssl:[::1]:6641", "ssl:name:1"])
def test_round_trip(text: str) -> None:
    """A remote is shown as it is written."""
    assert ",".join(str(remote) for remote in parse_remotes(text)) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no remote"),
        (" , ", "no remote"),
        ("127.0.0.1:6641", "must begin with"),
        ("ptcp:6641", "must begin with"),
        ("unix:", "path"),
        ("tcp::6641", "host"),
        ("tcp:[]:6641", "host"),
        ("tcp:::1:6641", "brackets"),
        ("ssl:[::1:6641", r"ssl:\[ADDRESS\]:PORT"),
        ("ssl:[::1]6641", r"ssl:\[ADDRESS\]:PORT"),
        ("ssl:a:0", "'0' is no port"),
        ("ssl:a:65536", "'65536' is no port"),
        ("ssl:a:x", "'x' is no port"),
        ("ssl:a:²", "no port"),
        ("ssl:a:1,tcp:b:y", "'tcp:b:y'"),
        ("ssl:a:1 ssl:b:1", "commas"),
        ("unix:/x\ttcp:b", "commas"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    """A mistake is told with the member that it is in."""
    with pytest.raises(ConfigError, match=complaint):
        parse_remotes(text)


def test_context() -> None:
    """The server is verified and nothing older than TLS 1.2 is spoken; names can be let be."""
    strict, lenient = tls_context(TlsFiles()), tls_context(TlsFiles(check_hostname=False))

    assert strict.verify_mode == lenient.verify_mode == ssl.CERT_REQUIRED
    assert strict.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (strict.check_hostname, lenient.check_hostname) == (True, False)


def test_missing_files(tmp_path: Path) -> None:
    """A file that is missing or no PEM is told by name."""
    broken = tmp_path / "broken.pem"
    broken.write_text("not PEM")
    for files in (TlsFiles(ca=str(broken)), TlsFiles(certificate=str(broken))):
        with pytest.raises(ConfigError, match=r"broken\.pem"):
            tls_context(files)
    with pytest.raises(ConfigError, match=r"none\.pem.*No such file"):
        tls_context(TlsFiles(ca=str(tmp_path / "none.pem")))
