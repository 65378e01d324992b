# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What check-config says of TLS files."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from certificates import make_certificate
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb.remote import Remote
from ovirt_ovn_proxy.tls_check import check_files


def now() -> datetime:
    """Return the time of day, with room for clocks that count in whole seconds."""
    return datetime.now(timezone.utc) + timedelta(minutes=1)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with servers below it, one of them under an intermediate authority."""
    folder = tmp_path_factory.mktemp("pki")
    make_certificate(folder, "root")
    make_certificate(folder, "stranger")
    make_certificate(folder, "server", "root", names="DNS:engine.example.com,IP:::1")
    return folder


def checked(pki: Path, *, days: int = 0, **changes: Any) -> tuple[list[str], list[str]]:
    """Return problems and remarks about the server's files, so many days from now."""
    settings: dict[str, Any] = {
        "https_enabled": True,
        "provider_host": "engine.example.com",
        "ssl_key_file": str(pki / "server.key"),
        "ssl_cert_file": str(pki / "server.pem"),
        "ssl_cacert_file": str(pki / "root.pem"),
        "bindings_ca_file": str(pki / "root.pem"),
        **changes,
    }
    findings = list(check_files(Config(**settings), now() + timedelta(days=days)))
    problems = [str(finding) for finding in findings if finding.is_error]
    return problems, [str(finding) for finding in findings if not finding.is_error]


def test_good_files(pki: Path) -> None:
    """Of a good certificate its remaining days are told."""
    where = f"[SSL] ssl-cert-file {pki}/server.pem"
    until = f"{now() + timedelta(days=2):%Y-%m-%d}"

    for host in ("engine.example.com", "::1"):
        problems, [remark] = checked(pki, provider_host=host)
        assert not problems
        assert remark == f"warning: {where}: 1 days left, until {until}"


def test_far_from_its_end(pki: Path, tmp_path: Path) -> None:
    """A certificate with months to go does not expire soon."""
    own = str(tmp_path / "own.pem")
    command = ["openssl", "x509", "-in", f"{pki}/server.pem", "-signkey", f"{pki}/server.key"]
    subprocess.run([*command, "-days", "400", "-out", own], check=True, capture_output=True)

    problems, remarks = checked(pki, ssl_cert_file=own, ssl_cacert_file=own, provider_host="server")

    assert not problems
    assert any(": 399 days left, until " in one for one in remarks if one.startswith("[SSL]"))


@pytest.mark.parametrize(
    ("days", "problem"),
    [(-1, "server.pem: is valid only from "), (3, "server.pem: has expired at ")],
)
def test_dates(pki: Path, days: int, problem: str) -> None:
    """Outside of its time a certificate is a problem, and all else is told too."""
    problems, remarks = checked(pki, days=days, provider_host="else")

    assert [True] == [problem in one for one in problems]
    assert [True] == ["provider-host" in one for one in remarks]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ssl_key_file": "{pki}/root.key"}, "root.key: does not belong to the certificate"),
        ({"ssl_key_file": "{pki}/none"}, "none: No such file or directory"),
        ({"ssl_cert_file": "{pki}/server.key"}, "server.key: holds no PEM certificate"),
        ({"ssl_cacert_file": "{pki}/none"}, "none: No such file or directory"),
    ],
)
def test_unusable_files(pki: Path, changes: dict[str, str], complaint: str) -> None:
    """Files with which the service would not start are problems."""
    settings: dict[str, Any] = {name: path.format(pki=pki) for name, path in changes.items()}

    problems, remarks = checked(pki, **settings)

    assert [True] == [complaint in one for one in problems]
    assert not remarks
    assert checked(pki, https_enabled=False, **settings) == ([], [])


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        (
            {"provider_host": "localhost"},
            "does not fit [PROVIDER] provider-host: Hostname mismatch",
        ),
        ({"provider_host": "10.0.0.1"}, "IP address mismatch"),
        ({"ssl_cacert_file": "{pki}/stranger.pem"}, "does not lead to {pki}/stranger.pem: "),
    ],
)
def test_remarks(pki: Path, changes: dict[str, str], remark: str) -> None:
    """What only some clients take offence at is told and does no harm."""
    settings: dict[str, Any] = {name: text.format(pki=pki) for name, text in changes.items()}

    problems, remarks = checked(pki, **settings)

    assert not problems
    assert [True] == [remark.format(pki=pki) in one for one in remarks[1:]]


def test_a_certificate_for_clients_only(pki: Path, tmp_path: Path) -> None:
    """A certificate that no client takes from a server is a problem."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    own = str(tmp_path / "own.pem")
    options = ["-subj", "/CN=x", "-addext", "extendedKeyUsage=clientAuth"]
    subprocess.run(
        [*command.split(), *options, "-keyout", own + ".key", "-out", own],
        check=True,
        capture_output=True,
    )

    problems, _ = checked(pki, ssl_cert_file=own, ssl_key_file=own + ".key", ssl_cacert_file="")

    assert [True] == ["clients refuse it: " in one for one in problems]


def test_files_towards_the_northbound(pki: Path) -> None:
    """Files for ssl: remotes are looked at without HTTPS too, and need not be all there."""
    settings: dict[str, Any] = {
        "https_enabled": False,
        "ovn_remotes": (Remote("ssl", "127.0.0.1", 6641),),
    }

    assert checked(pki, **settings) == ([], [])
    assert checked(pki, ssl_key_file="", ssl_cert_file="", **settings) == ([], [])
    [problem], _ = checked(pki, ssl_key_file=str(pki / "root.key"), **settings)
    assert "server.pem with key" in problem
    assert problem.endswith("(for ssl: remotes)")


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"bindings_ca_file": "/nowhere.pem"}, "[BINDINGS] ca-file /nowhere.pem: No such file"),
        ({"bindings_ca_file": "{pki}/root.key"}, "root.key: holds no PEM certificate; without the"),
        ({"bindings_port": 9696}, "[BINDINGS] port: 9696 is another port's; without the bindings"),
        ({"bindings_port": 0, "bindings_ca_file": "/nowhere.pem"}, ""),
    ],
)
def test_bindings_port(pki: Path, changes: dict[str, Any], remark: str) -> None:
    """What keeps the bindings port from working is told, and is no error."""
    settings: dict[str, Any] = {
        name: value.format(pki=pki) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    problems, remarks = checked(pki, **settings)

    assert not problems
    assert ([True] if remark else []) == [remark in one for one in remarks[1:]]
