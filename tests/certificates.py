# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests, made by the `openssl` command."""

from __future__ import annotations

import subprocess
from pathlib import Path

_ECDSA = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
_RSA = ("rsa:2048",)


def make_certificate(
    folder: Path,
    name: str,
    authority: str | None = None,
    *,
    names: str | None = "IP:127.0.0.1",
    is_authority: bool = False,
    is_rsa: bool = False,
    days: int = 2,
) -> None:
    """Make NAME.key and NAME.pem, signed by AUTHORITY.key, or by itself: an authority then.

    `names` are those that the certificate of a server carries ("DNS:a,IP:::1"); None: its
    common name alone tells whose it is.
    `is_authority`: one below the other. `days` is how long it is valid.
    """
    command = ["openssl", "req", "-x509", "-newkey", *(_RSA if is_rsa else _ECDSA)]
    command += ["-nodes", "-days", str(days), "-subj", f"/CN={name}"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    if authority is not None:
        signer = folder / authority
        command += ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"]
        if not is_authority:
            if names is not None:
                command += ["-addext", f"subjectAltName={names}"]
            command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, capture_output=True)


def expire(folder: Path, name: str, authority: str) -> None:
    """Have NAME.pem signed again, as it is but for its end: that was yesterday."""
    command = ["openssl", "x509", "-copy_extensions", "copyall"]
    file = f"{folder / name}.pem"
    request = ["-x509toreq", "-in", file, "-signkey", f"{folder / name}.key"]
    made = subprocess.run([*command, *request], check=True, capture_output=True)
    signer = ["-CA", f"{folder / authority}.pem", "-CAkey", f"{folder / authority}.key"]
    sign = ["-req", "-days", "-1", *signer, "-out", file]
    subprocess.run([*command, *sign], check=True, capture_output=True, input=made.stdout)
