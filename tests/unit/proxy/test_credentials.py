# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that systemd hands over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovirt_ovn_proxy import config
from ovirt_ovn_proxy.credentials import located


@pytest.fixture
def handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of systemd's copies, empty."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


@pytest.mark.parametrize(
    ("path", "content", "is_copy"),
    [
        pytest.param("/etc/pki/a.key", "a key", True, id="handed-over"),
        pytest.param("/etc/pki/a.key", "", True, id="empty"),
        pytest.param("/etc/pki/a.key", "missing", False, id="was-not-there"),
        pytest.param("/etc/pki/a.key", "missing\n", True, id="a-file-with-the-word"),
        pytest.param("/etc/pki/b.key", "a key", False, id="another-one"),
        pytest.param("etc/pki/a.key", "a key", False, id="relative"),
        pytest.param("", "a key", False, id="none"),
    ],
)
def test_located(handed_over: Path, path: str, content: str, is_copy: bool) -> None:
    """A file is read where systemd has put a copy of it, else where it is."""
    copy = handed_over / "etc_pki_a.key"
    copy.write_text(content)
    assert (str(copy) if is_copy else path) == located(path)


def test_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts the service otherwise has it read the files themselves."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "/etc/passwd" == located("/etc/passwd")


def test_configuration(handed_over: Path, tmp_path: Path) -> None:
    """Files are found by their own names and read from the copies, and so are those they name."""
    folder = tmp_path / "etc"
    (folder / "conf.d").mkdir(parents=True)
    key = tmp_path / "pki" / "a.key"

    def copy_of(path: Path) -> Path:
        return handed_over / str(path)[1:].replace("/", "_")

    main, drop_in = folder / "main.conf", folder / "conf.d" / "10-setup.conf"
    for path, text in ((main, "[PROVIDER]\nneutron-port=1\n"), (drop_in, f"[SSL]\n{key=!s}")):
        path.write_text("what only root can read")
        copy_of(path).write_text(text.replace("key=", "ssl-key-file="))
    copy_of(key).write_text("a key")
    # In no folder of ours, though its name could be that of the copy of one.
    copy_of(folder / "conf.d" / "sub_20.conf").write_text("[PROVIDER]\nneutron-port=2\n")
    loaded = config.load(main)

    assert (1, str(copy_of(key))) == (loaded.neutron_port, loaded.ssl_key_file)
    assert {"neutron_port": main, "ssl_key_file": drop_in} == loaded.sources
    assert config.Config().ssl_cert_file == loaded.ssl_cert_file
