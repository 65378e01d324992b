# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings of a host: values, files, which of them counts, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from ovirt_ovn_host import config_files, config_values, files
from ovirt_ovn_host.config import HOOKS, NETWORKS, OPTIONS, Config, Said, decode
from ovirt_ovn_host.errors import ConfigError
from ovirt_ovn_host.hookio import HookError

SAMPLE = Path(__file__).parents[3] / "vdsm_plugin" / "etc" / "ovn.conf"
ENGINE = config_files.ENGINE_FILE


def settings(folder: Path, **files: str) -> Config:
    """Write files ("main" is ovn.conf, "c20" is conf.d/c20.conf) and return what they say."""
    (folder / "conf.d").mkdir(exist_ok=True)
    for name, text in files.items():
        path = {"main": "ovn.conf", "engine": ENGINE}.get(name, f"conf.d/{name}.conf")
        (folder / path).write_text(text)
    return decode(config_files.read(folder))


@pytest.mark.parametrize(
    ("text", "remotes"),
    [
        ("192.0.2.1", "ssl:192.0.2.1:6642"),
        ("central.example.com", "ssl:central.example.com:6642"),
        ("2001:db8::1", "ssl:[2001:db8::1]:6642"),
        ("[2001:DB8:0::1]", "ssl:[2001:db8::1]:6642"),
        ("ssl:192.0.2.1", "ssl:192.0.2.1:6642"),
        ("ssl:[2001:db8::1]:16642", "ssl:[2001:db8::1]:16642"),
        ("tcp:192.0.2.1:6642", "tcp:192.0.2.1:6642"),
        ("unix:/run/sb.sock", "unix:/run/sb.sock"),
        ("a, ssl:b:1 ,", "ssl:a:6642,ssl:b:1"),
    ],
)
def test_central_takes_hosts_and_remotes(text: str, remotes: str) -> None:
    """A central may be a bare name or address, or OVSDB's notation, one or several."""
    assert remotes == ",".join(config_values.remotes(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1:6642",
        "http://central",
        "--central",
        "ssl:-central:6642",
        "ssl:",
        "ssl::6642",
        "ssl:a:0",
        "ssl:a:65536",
        "ssl:a:b",
        "ssl:2001:db8::1:6642",
        "ssl:[192.0.2.1]:6642",
        "ssl:[2001:db8::1",
        "fe80::1%eth0",
        "pssl:6642",
        "unix:sb.sock",
        "two words",
        "a\nb",
        "a;reboot",
    ],
)
def test_malformed_centrals_are_refused(text: str) -> None:
    """What is no place to connect to is refused."""
    with pytest.raises(ValueError, match=r"^(a|an|ssl:|tcp:)"):
        config_values.remotes(text)


@pytest.mark.parametrize("name", ["hv1", "hv1.example.com", "_x", "Host-1.example.com", "a" * 64])
def test_names_that_vdsm_can_match(name: str) -> None:
    """A host's name is a good name of a chassis."""
    assert name == config_values.system_id(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1hv.example.com",
        "192.0.2.1",
        "b98a72c7-04e6-4cea-bdda-50612607a923",
        "-hv1",
        "hv1 ",
        "hv 1",
        "hv1\n",
        "hvü",
        'hv"1',
        "hv1:x",
        "true",
        "false",
        "localhost",
        "localhost.localdomain",
        "a" * 65,
    ],
)
def test_names_that_vdsm_could_never_match(name: str) -> None:
    """A name that ovs-vsctl prints in quotes, or that the engine cannot store, is refused."""
    with pytest.raises(ValueError, match=r"^(a|the) name "):
        config_values.system_id(name)


def test_nothing_said() -> None:
    """Without settings a host is not to be in OVN, and all defaults hold."""
    config = decode([])
    assert Config() == config
    assert not config.is_wanted


def test_the_sample_says_nothing_and_knows_everything(tmp_path: Path) -> None:
    """The sample file changes nothing, and has each setting with its default, commented out."""
    sample = SAMPLE.read_text()
    assert Config() == settings(tmp_path, main=sample)

    shown = re.sub(r"(?m)^#(?=[a-z-]+ = .)", "", sample)
    config = settings(tmp_path, main=shown)
    assert {**vars(Config()), "files": config.files, "network_names": config.network_names} == vars(
        config
    )
    for option in OPTIONS:
        assert re.search(rf"(?m)^#{option.key} =", sample), option
    assert re.findall(r"(?m)^\[(.*)\]", sample) == ["ovn", "tls", HOOKS, NETWORKS]


def test_the_administrator_goes_before_the_engine(tmp_path: Path) -> None:
    """Key by key: the engine's file counts least, then ovn.conf, then conf.d by name."""
    config = settings(
        tmp_path,
        engine="[ovn]\ncentral = engine\ntunnel = 192.0.2.5\nsystem-id = hv1\nbridge = br-e\n",
        main="[ovn]\ncentral = a,b\ntunnel = tunnels\n",
        c05="[ovn]\ntunnel = 10.0.0.0/8\nbridge = br-5\n",
        c20="[ovn]\nbridge = br-20\n",
    )
    assert ("ssl:a:6642", "ssl:b:6642") == config.central
    assert ("10.0.0.0/8", "br-20", "hv1") == (config.tunnel, config.bridge, config.system_id)
    assert str(tmp_path / "conf.d/c05.conf") == config.files["tunnel"]
    assert str(tmp_path / ENGINE) == config.files["system_id"]


def test_other_files_are_not_read(tmp_path: Path) -> None:
    """Hidden files and those that are not called *.conf do not count."""
    config = settings(tmp_path, main="[ovn]\ncentral = a\n")
    for name in (".10-engine.conf.4711", "x.conf.rpmsave", ".hidden.conf"):
        (tmp_path / "conf.d" / name).write_text("[ovn]\ncentral = b\n")
    assert config == decode(config_files.read(tmp_path))


def test_values_are_taken_as_they_are(tmp_path: Path) -> None:
    """A % is a %, a byte order mark is none of the text, and names of networks keep their case."""
    text = "\ufeff[ovn]\ntunnel = 100%net\n[networks]\non4cc0e1e8a1c34 = OVN: Tunnels %s\n"
    config = settings(tmp_path, main=text)
    assert "100%net" == config.tunnel
    assert {"on4cc0e1e8a1c34": "OVN: Tunnels %s"} == config.network_names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ovn]\ntunel = x\n", "[ovn] tunel is not a setting, is tunnel meant?"),
        ("[ovn]\nTunnel = x\n", "[ovn] Tunnel is not a setting, is tunnel meant?"),
        ("[ovn]\nqqq = x\n", "[ovn] qqq is not a setting, there are enabled, central"),
        ("[OVN]\ntunnel = x\n", "[OVN] is not a section, there are [hooks], [networks], [ovn]"),
        ("tunnel = x\n", "line 1: stands before the first [section]"),
        ("[ovn]\ntunnel\n", "line 2: is neither [section] nor key = value"),
        ("[ovn]\ntunnel: x\n", "line 2: is neither [section] nor key = value"),
        ("[ovn]\ntunnel = x\ntunnel = y\n", "line 3: [ovn] tunnel is there twice"),
        ("[ovn]\n[ovn]\n", "line 2: section [ovn] is there twice"),
        ("[ovn]\ncentral = ssl:a:b\n", "[ovn] central = 'ssl:a:b': should be"),
        ("[ovn]\ntunnel =\n", "[ovn] tunnel = '': should be one line that is not empty"),
        ("[ovn]\ntunnel = a\n b\n", "the lines below it not indented"),
        ("[ovn]\nencap-type = gre\n", "should be one of geneve, vxlan"),
        ("[ovn]\nbridge = br/int\n", "should be the name of a bridge"),
        ("[ovn]\nbridge = -int\n", "should be the name of a bridge"),
        ("[ovn]\nbridge = an-integration-bridge\n", "should be the name of a bridge"),
        ("[ovn]\nenabled = maybe\n", "should be yes or no"),
        ("[ovn]\nremote-probe-interval = 5\n", "should be 0, or a whole number from 1000"),
        ("[ovn]\nopenflow-probe-interval = -1\n", "should be a whole number from 0 to 3600"),
        ("[ovn]\nsystem-id = 4host\n", "VDSM could never match another one"),
        ("[tls]\nprivate-key = key.pem\n", "should be an absolute path"),
        ("[hooks]\nstart = later\n", "should be one of immediately, when-ports-installed"),
        ("[hooks]\nstart-timeout = 31\n", "should be a whole number from 1 to 30"),
        ("[hooks]\nbindings-url = http://a\n", "should be a URL such as https://"),
    ],
)
def test_mistakes_are_told_by_file_and_place(tmp_path: Path, text: str, words: str) -> None:
    """One line says which file, which place, and what should be there."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, main=text)
    assert words in str(caught.value)
    assert str(tmp_path / "ovn.conf") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_that_does_not_count_may_be_wrong(tmp_path: Path) -> None:
    """What the administrator has replaced is not looked at."""
    config = settings(
        tmp_path, engine="[ovn]\ntunnel =\n", main="[ovn]\ntunnel = x\n", c20="[ovn]\n"
    )
    assert "x" == config.tunnel


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in place of a file, or bytes that are no text, are named."""
    (tmp_path / "ovn.conf").mkdir()
    with pytest.raises(ConfigError, match=r"ovn\.conf: cannot be read: Is a directory"):
        config_files.read(tmp_path)
    (tmp_path / "ovn.conf").rmdir()
    (tmp_path / "ovn.conf").write_bytes(b"[ovn]\ntunnel = \xff\n")
    with pytest.raises(ConfigError, match=r"ovn\.conf: is not UTF-8 text"):
        config_files.read(tmp_path)


def test_the_engines_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """It is written whole, readable by everybody, and says the same when it is read again."""
    # A list may go over several lines, also where it came by the command line.
    values = {("ovn", "central"): "a,\nb", ("tls", "private-key"): "/k", ("ovn", "tunnel"): "x"}
    config_files.write_engine(tmp_path, values)

    path = tmp_path / ENGINE
    assert 0o644 == path.stat().st_mode & 0o777
    assert [path] == list(path.parent.iterdir())
    assert values == {(it.section, it.key): it.text for it in config_files.read_engine(tmp_path)}
    assert {Said(str(path), *key, text) for key, text in values.items()} == set(
        config_files.read(tmp_path)
    )

    config_files.write_engine(tmp_path, {})
    assert not path.exists()
    config_files.write_engine(tmp_path, {})


def test_a_time_out_leaves_nothing_beside_a_file(tmp_path: Path, mocker: MockerFixture) -> None:
    """The hook of vdsmd's start is ended by an error of its own, wherever it is."""
    files.write(tmp_path / "file", "old")
    mocker.patch("os.fsync", side_effect=HookError)
    with pytest.raises(HookError):
        files.write(tmp_path / "file", "new")
    assert ["file"] == [it.name for it in tmp_path.iterdir()]
    assert "old" == (tmp_path / "file").read_text()


def test_when_certificates_are_needed(tmp_path: Path) -> None:
    """Certificates are needed as soon as one central is reached by TLS."""
    assert settings(tmp_path, main="[ovn]\ncentral = tcp:a:1,b\n").uses_tls
    assert not settings(tmp_path, main="[ovn]\ncentral = tcp:a:1,unix:/b\n").uses_tls


@pytest.mark.parametrize(
    ("text", "is_wanted"),
    [
        ("central = a\n", True),
        ("central = a\nenabled = yes\n", True),
        ("central = a\nenabled = no\n", False),
        ("tunnel = x\nenabled = yes\n", False),
    ],
)
def test_who_is_to_be_in_ovn(tmp_path: Path, text: str, is_wanted: bool) -> None:
    """A host with a central, unless that is switched off."""
    assert is_wanted == settings(tmp_path, main=f"[ovn]\n{text}").is_wanted
