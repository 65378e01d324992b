# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`check-config --online` on a real Northbound and a stand-in of the engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from daemon.engine_sso import SECRET, EngineSso
from daemon.ovsdb import OvsdbServer, free_port
from ovirt_ovn_proxy.cli import main

pytestmark = pytest.mark.daemon


@pytest.fixture
def config_file(tmp_path: Path, nb: OvsdbServer, sso: EngineSso, engine_pki: Path) -> Path:
    """The file of a site in order."""
    path = tmp_path / "main.conf"
    path.write_text(
        f"[OVN REMOTE]\novn-remote={nb.remote}\n"
        "[PROVIDER]\nrequest-timeout=1\n"
        f"[OVIRT]\novirt-host={sso.url}\novirt-ca-file={engine_pki}/ca.pem\n"
        f"ovirt-sso-client-secret={SECRET}\n"
    )
    return path


def check(config_file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the command; return its status and what it says on stderr."""
    status = main(["check-config", "--online", "--config-file", str(config_file)])
    return status, capsys.readouterr().err


def test_site_in_order(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found where nothing is wrong, and no secret is printed."""
    status = main(["check-config", "--online", "--config-file", str(config_file)])
    output = capsys.readouterr()

    assert 0 == status
    assert "ovirt-provider-ovn: " not in output.err
    assert SECRET not in output.out + output.err


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("ovn-remote=tcp:127.0.0.1:{port}", "[OVN REMOTE] ovn-remote: "),
        ("ovirt-sso-client-secret=wrong", "the engine's SSO: it refuses ovirt-sso-client-secret"),
        ("ovirt-sso-client-id=nobody", "the engine's SSO: it does not know ovirt-sso-client-id"),
        (
            "ovirt-host=https://127.0.0.1:{port}",
            "[OVIRT] ovirt-host: The engine cannot be reached: Connection refused",
        ),
        ("ovirt-ca-file={pki}/otherca.pem", "[OVIRT] ovirt-host: TLS with the engine fails"),
        ("ovirt-ca-file=/nowhere.pem", "[OVIRT] ovirt-host: The engine's certificate cannot be"),
    ],
)
def test_what_fails_is_named(
    config_file: Path,
    capsys: pytest.CaptureFixture[str],
    engine_pki: Path,
    line: str,
    finding: str,
) -> None:
    """Of the parts that have to work, exactly the one that does not is named."""
    folder = config_file.parent / "conf.d"
    folder.mkdir()
    section = "OVN REMOTE" if line.startswith("ovn-") else "OVIRT"
    setting = line.format(pki=engine_pki, port=free_port())
    (folder / "a.conf").write_text(f"[{section}]\n{setting}\n")

    status, output = check(config_file, capsys)

    errors = [text for text in output.splitlines() if text.startswith("ovirt-provider-ovn: ")]
    assert 1 == status
    assert 1 == len(errors)
    assert errors[0].startswith(f"ovirt-provider-ovn: {finding}")


@pytest.mark.parametrize(
    ("target", "authority", "words"),
    [
        ("pssl:6641:[::]", "/etc/pki/ovirt-engine/ca.pem", "signs the certificates of hypervisors"),
        ("pssl:6641", "/etc/pki/ovirt-engine/ca.pem", "signs the certificates of hypervisors"),
        ("pssl:6641:[::]", "/etc/pki/ovn/ca.pem", ""),
        ("pssl:6641:127.0.0.1", "/etc/pki/ovirt-engine/ca.pem", ""),
        ("pssl:6641:[::1]", "/etc/pki/ovirt-engine/ca.pem", ""),
        ("ptcp:6641:0.0.0.0", "/etc/pki/ovn/ca.pem", "without TLS: whoever reaches it"),
        ("ptcp:6641:127.0.0.1", "/etc/pki/ovn/ca.pem", ""),
        ("ssl:192.0.2.1:6641", "/etc/pki/ovirt-engine/ca.pem", ""),
    ],
)
def test_northbound_open_to_hypervisors(
    config_file: Path,
    capsys: pytest.CaptureFixture[str],
    nb: OvsdbServer,
    target: str,
    authority: str,
    words: str,
) -> None:
    """A Northbound that hypervisors can reach with their certificates is warned of."""
    for command in (["set-ssl", "/k", "/c", authority], ["set-connection", target]):
        subprocess.run(["ovn-nbctl", f"--db={nb.remote}", *command], check=True, timeout=10)

    status, output = check(config_file, capsys)

    assert 0 == status
    assert words in output
    assert bool(words) == (f"ovirt-provider-ovn: warning: Northbound listens on {target}" in output)
