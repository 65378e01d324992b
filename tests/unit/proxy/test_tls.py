# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ports serve, made of files in every state that administrators leave them in."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import ssl
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certificates import make_certificate
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import ConfigError
from ovirt_ovn_proxy.nb.remote import Remote, TlsFiles
from ovirt_ovn_proxy.server import Listener, Server
from ovirt_ovn_proxy.tls import PortContext, northbound_files, server_context


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a direct and an indirect server below it, and strangers."""
    folder = tmp_path_factory.mktemp("pki")
    make_certificate(folder, "root")
    make_certificate(folder, "stranger")
    make_certificate(folder, "middle", "root", is_authority=True)
    make_certificate(folder, "direct", "root")
    make_certificate(folder, "rsa", "root", is_rsa=True)
    make_certificate(folder, "indirect", "middle")
    return folder


def files(folder: Path, key: str, certificates: list[str], authorities: list[str]) -> Config:
    """Write the files of a service into a folder of their own; return their configuration."""
    site = folder / "-".join([key, *certificates, "by", *authorities])
    site.mkdir(exist_ok=True)
    for name, members in (("certificate", certificates), ("authority", authorities)):
        text = [(folder / f"{member}.pem").read_text() for member in members]
        # Tools write words of their own around the certificates.
        (site / name).write_text("".join(f"Änne's certificate\n{one}\n" for one in text))
    shutil.copy(folder / f"{key}.key", site / "key")
    return Config(
        https_enabled=True,
        ssl_key_file=str(site / "key"),
        ssl_cert_file=str(site / "certificate"),
        ssl_cacert_file=str(site / "authority") if authorities else "",
    )


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Connect two contexts in memory; raises what the client's side raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far, near, far, near):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return near


def anonymous(**settings: Any) -> ssl.SSLContext:
    """Return a client that trusts everybody."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(client, name, value)
    return client


def served(context: ssl.SSLContext) -> str:
    """Return the common name of the certificate that clients get."""
    certificate = shake_hands(context, anonymous()).getpeercert(binary_form=True)
    assert certificate is not None
    subject = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
        input=certificate,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return re.split(r"CN ?= ?", subject.strip())[1]


@pytest.mark.parametrize(
    ("key", "certificates", "authorities"),
    [
        ("direct", ["direct"], ["root"]),
        ("rsa", ["rsa"], ["root"]),
        ("indirect", ["indirect", "middle"], ["root"]),
        ("indirect", ["indirect"], ["root", "middle"]),
        ("direct", ["direct", "root"], []),
    ],
)
def test_clients_that_trust_the_root_are_content(
    pki: Path, key: str, certificates: list[str], authorities: list[str]
) -> None:
    """The chain is complete, wherever its parts stand."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(pki / "root.pem")

    connection = shake_hands(server_context(files(pki, key, certificates, authorities)), client)

    assert connection.getpeercert() is not None
    assert connection.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("certificates", "authorities", "chain"),
    [
        ("direct", "root", "direct root"),
        ("direct root", "root", "direct root"),
        ("direct root", "", "direct root"),
        ("direct", "", "direct"),
        ("direct", "stranger", "direct"),
        ("direct", "stranger root middle", "direct root"),
        ("direct direct root", "root root", "direct root"),
        ("indirect middle", "root", "indirect middle root"),
        ("indirect", "root middle", "indirect middle root"),
        ("indirect root middle", "root", "indirect middle root"),
        ("indirect middle", "", "indirect middle"),
        ("root", "root", "root"),
        ("root", "", "root"),
    ],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_chain(pki: Path, certificates: str, authorities: str, chain: str, version: str) -> None:
    """Each certificate is sent once, in order, and the last is the root where we have it."""
    key = certificates.split()[0]
    context = server_context(files(pki, key, certificates.split(), authorities.split()))
    server = Server([Listener("127.0.0.1", 0, lambda _environ, _start: [], lambda: context)])
    server.start()
    try:
        host, port = server.addresses[0]
        shown = subprocess.run(
            ["openssl", "s_client", version, "-showcerts", "-connect", f"{host}:{port}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        ).stdout.decode()
    finally:
        server.stop()

    assert chain.split() == re.findall(r"^ *[0-9]+ s:CN ?= ?(\w+)$", shown, re.MULTILINE)


def test_old_protocols_are_refused(pki: Path) -> None:
    """TLS 1.2 is the oldest, also where the ciphers would let in older ones."""
    config = files(pki, "direct", ["direct"], ["root"])
    config = Config(**{**vars(config), "ssl_ciphers_string": "DEFAULT:@SECLEVEL=0"})
    server = server_context(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old, new = (
            anonymous(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=version)
            for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2)
        )
        for client in (old, new):
            client.set_ciphers("DEFAULT:@SECLEVEL=0")

    assert shake_hands(server, new).version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake_hands(server, old)


def test_ciphers(pki: Path) -> None:
    """The cipher list holds for TLS 1.2."""
    config = files(pki, "rsa", ["rsa"], ["root"])
    wanted = "ECDHE-RSA-AES256-GCM-SHA384"
    server = server_context(Config(**{**vars(config), "ssl_ciphers_string": wanted}))
    client = anonymous(maximum_version=ssl.TLSVersion.TLSv1_2)

    assert shake_hands(server, client).cipher() == (wanted, "TLSv1.2", 256)
    client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        shake_hands(server, client)


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_second(path: Path) -> None:
    """Append half of another certificate."""
    text = path.read_text()
    path.write_text(text + text[: len(text) // 2])


def garble(path: Path) -> None:
    """Put something else between the dashes."""
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def encrypt(path: Path) -> None:
    """Give a key a password."""
    command = ["openssl", "ec", "-aes128", "-passout", "pass:secret"]
    subprocess.run([*command, "-in", path, "-out", path], check=True, capture_output=True)


def other_key(path: Path) -> None:
    """Replace a key by one of the same kind."""
    shutil.copy(path.parent.parent / "root.key", path)


def rsa_key(path: Path) -> None:
    """Replace a key by one of another kind."""
    shutil.copy(path.parent.parent / "rsa.key", path)


def empty(path: Path) -> None:
    """Leave nothing in a file."""
    path.write_bytes(b"")


def folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


DAMAGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("key", Path.unlink, "ssl-key-file {site}/key: No such file or directory"),
    ("key", empty, "ssl-key-file {site}/key: holds no PEM key, or one with a password"),
    ("key", cut, "ssl-key-file {site}/key: holds no PEM key, or one with a password"),
    ("key", encrypt, "ssl-key-file {site}/key: holds no PEM key, or one with a password"),
    ("key", other_key, "ssl-key-file {site}/key: does not belong to the certificate {site}/cert"),
    ("key", rsa_key, "ssl-key-file {site}/key: does not belong to the certificate {site}/cert"),
    ("certificate", Path.unlink, "ssl-cert-file {site}/certificate: No such file or directory"),
    ("certificate", folder, "ssl-cert-file {site}/certificate: Is a directory"),
    ("certificate", empty, "ssl-cert-file {site}/certificate: holds no PEM certificate"),
    ("certificate", cut, "ssl-cert-file {site}/certificate: a certificate in it is cut off"),
    ("certificate", cut_second, "ssl-cert-file {site}/certificate: a certificate in it is cut"),
    ("certificate", garble, "ssl-cert-file {site}/certificate: "),
    ("authority", Path.unlink, "ssl-cacert-file {site}/authority: No such file or directory"),
    ("authority", cut, "ssl-cacert-file {site}/authority: a certificate in it is cut off"),
    ("authority", garble, "ssl-cacert-file {site}/authority: "),
]


@pytest.mark.parametrize(("file", "damage", "complaint"), DAMAGES)
def test_damaged_files(
    pki: Path, tmp_path: Path, file: str, damage: Callable[[Path], None], complaint: str
) -> None:
    """Whatever is wrong with a file, option, file and reason are told."""
    for name in ("direct", "root", "rsa"):
        for end in ("key", "pem"):
            shutil.copy(pki / f"{name}.{end}", tmp_path)
    config = files(tmp_path, "direct", ["direct"], ["root"])
    path = Path(config.ssl_key_file).parent / file
    damage(path)

    with pytest.raises(ConfigError) as error:
        server_context(config)

    assert str(error.value).startswith("[SSL] " + complaint.format(site=path.parent))


@pytest.mark.parametrize("kind", ["direct", "rsa"])
def test_a_renewed_pair_is_used(
    pki: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A new certificate of the same or another kind takes the place of the old, if changed."""
    caplog.set_level(logging.INFO)
    config = replaceable(tmp_path, pki, "indirect")
    context = PortContext(config)
    before = context.current()

    context.renew()
    assert context.current() is before
    assert not caplog.records

    replaceable(tmp_path, pki, kind)
    context.renew()
    assert served(context.current()) == kind
    assert served(before) == "indirect"
    assert [record.levelno for record in caplog.records] == [logging.INFO]


def replaceable(folder: Path, pki: Path, name: str) -> Config:
    """Put a pair where the service looks for it, each file whole."""
    for end in ("key", "pem"):
        shutil.copy(pki / f"{name}.{end}", folder / "new")
        (folder / "new").replace(folder / f"server.{end}")
    return Config(
        https_enabled=True,
        ssl_key_file=str(folder / "server.key"),
        ssl_cert_file=str(folder / "server.pem"),
        ssl_cacert_file=str(pki / "root.pem"),
    )


def test_a_failing_renewal_keeps_the_old_certificate(
    pki: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files that do not fit are told once, and used as soon as they do."""
    config = replaceable(tmp_path, pki, "direct")
    context = PortContext(config)
    shutil.copy(pki / "rsa.pem", tmp_path / "server.pem")

    for _ in range(3):
        context.renew()
    [record] = caplog.records
    assert record.getMessage() == (
        f"[SSL] ssl-key-file {tmp_path}/server.key: does not belong to the certificate "
        f"{tmp_path}/server.pem; the ports keep their former certificate"
    )
    assert served(context.current()) == "direct"

    empty(tmp_path / "server.pem")
    context.renew()
    context.renew()
    assert "holds no PEM certificate" in caplog.records[1].getMessage()
    context.renew(force=True)
    assert len(caplog.records) == 3

    replaceable(tmp_path, pki, "rsa")
    context.renew()
    assert served(context.current()) == "rsa"


def test_what_does_not_show_in_the_status_of_a_file(pki: Path, tmp_path: Path) -> None:
    """A file mended without a trace is found, and one changed so when that is asked for."""
    replaceable(tmp_path, pki, "direct")
    config = replaceable(tmp_path, pki, "direct")
    path = tmp_path / "server.pem"
    longest = max(len((pki / f"{name}.pem").read_text()) for name in ("direct", "rsa")) + 1

    def overwrite(text: str) -> None:
        path.write_text(text.ljust(longest))
        os.utime(path, ns=(0, 0))

    overwrite((pki / "direct.pem").read_text())
    context = PortContext(config)
    overwrite("nothing yet")
    context.renew()
    assert served(context.current()) == "direct"
    context.renew(force=True)
    overwrite((pki / "direct.pem").read_text())
    before = context.current()
    context.renew()
    assert context.current() is not before


def test_start_without_files(tmp_path: Path) -> None:
    """There is no context without a certificate."""
    with pytest.raises(ConfigError, match=r"nothing\.pem: No such file"):
        PortContext(Config(https_enabled=True, ssl_cert_file=str(tmp_path / "nothing.pem")))


def test_northbound_files() -> None:
    """The pair serves towards ssl: remotes too, and empty names are none."""
    tls = Config(
        ovn_remotes=(Remote("tcp", "a", 1), Remote("ssl", "b", 2)),
        ssl_key_file="k",
        ssl_cert_file="c",
        ssl_cacert_file="",
        ovn_remote_check_hostname=True,
    )

    assert northbound_files(tls) == TlsFiles("k", "c", None, check_hostname=True)
    assert northbound_files(Config()) is None
