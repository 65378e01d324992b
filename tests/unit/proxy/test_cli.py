# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: verbs, options, exit codes and where logs go."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ovirt_ovn_proxy
from certificates import make_certificate
from ovirt_ovn_proxy import config as configuration
from ovirt_ovn_proxy.checks import Finding
from ovirt_ovn_proxy.cli import VERSION, main, set_up_logging
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import BadRequest, Unavailable

# As sites have it; only the path of the log differs.
LOGGER_CONF = """\
[loggers]
keys=root,auth,ovsdbapp

[handlers]
keys=logfile

[formatters]
keys=form

[logger_root]
level=INFO
handlers=logfile
propagate=0

[logger_auth]
level=INFO
handlers=logfile
propagate=1
qualname=auth.plugins.ovirt.sso

[logger_ovsdbapp]
level=ERROR
handlers=logfile
propagate=0
qualname=ovsdbapp

[handler_logfile]
class=FileHandler
level=INFO
formatter=form
args=('{path}', 'a')

[formatter_form]
format: %(asctime)s %(name)s %(message)s
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a site that lets everybody in, installed as the default."""
    main_file = tmp_path / "site" / "main.conf"
    main_file.parent.mkdir()
    main_file.write_text("[AUTH]\nauth-plugin=NoAuthPlugin\nmagic-token=hunter2\n")
    monkeypatch.setattr(configuration, "DEFAULT_CONFIG_FILE", main_file)
    return main_file.parent


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Put a recorder in the place of the service; return its calls."""
    calls: list[tuple[Any, ...]] = []

    class Recorder(ModuleType):
        def serve(self, config: Config) -> int:
            calls.append(("serve", config))
            return 0

        def check_online(self, config: Config, plugin: object) -> list[Finding]:
            calls.append(("check_online", config, plugin))
            warning = Finding(False, "open to all")
            return [Finding(True, "no leader"), warning] if config.neutron_port == 1 else [warning]

        def explain(self, config: Config, method: str, path: str, body: str | None) -> str:
            calls.append(("explain", config, method, path, body))
            if path == "/bad":
                raise BadRequest("HTTPBadRequest", "bad path")
            return "the transaction"

        def release_bindings(self, config: Config) -> Iterator[str]:
            calls.append(("release_bindings", config))
            yield "one port"
            if config.neutron_port == 1:
                raise Unavailable("ServiceUnavailable", "lost")
            yield "another port"

    recorder = Recorder("ovirt_ovn_proxy.compose")
    monkeypatch.setitem(sys.modules, recorder.__name__, recorder)
    monkeypatch.setattr(ovirt_ovn_proxy, "compose", recorder, raising=False)
    return calls


def test_check_config_prints_every_option(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values, defaults and the file that set them are shown, secrets are not."""
    status = main(["check-config"])

    output = capsys.readouterr().out
    assert status == 0
    assert "[OVN REMOTE]\novn-remote=tcp:127.0.0.1:6641  (default)\n" in output
    assert f"magic-token=********  (from {site}/main.conf; default empty)\n" in output
    for option in configuration.OPTIONS:
        assert f"\n{option.key}=" in output
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[SSL]\nhttps-enabled=maybe\n", "[SSL] https-enabled: 'maybe' is not accepted"),
        (
            "[AUTH]\nauth-plugin=Nobody\n",
            "[AUTH] auth-plugin: 'Nobody' is not accepted: no such plugin",
        ),
    ],
)
def test_check_config_refuses(
    site: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    """A configuration that would not start is reported in a line, with exit code 1."""
    (site / "main.conf").write_text(text)

    assert main(["check-config"]) == 1
    assert f"ovirt-provider-ovn: {site}/main.conf: {problem}" in capsys.readouterr().err


def test_check_config_looks_at_the_tls_files(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate that cannot be used fails the check, one with some days left does not."""
    make_certificate(site, "own")
    main_file = site / "main.conf"
    main_file.write_text(
        f"{main_file.read_text()}[SSL]\nhttps-enabled=true\nssl-key-file={site}/own.key\n"
        f"ssl-cert-file={site}/own.pem\nssl-cacert-file={site}/own.pem\n"
    )

    assert main(["check-config"]) == 0
    where = f"ovirt-provider-ovn: [SSL] ssl-cert-file {site}/own.pem"
    assert "warning: [SSL] ssl-cert-file " in capsys.readouterr().err
    (site / "own.pem").write_text("")
    assert main(["check-config"]) == 1
    assert f"{where}: holds no PEM certificate\n" in capsys.readouterr().err


def test_check_config_prints_warnings(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options that nothing reads are named on the terminal and do no harm."""
    (site / "conf.d").mkdir()
    (site / "conf.d" / "a.conf").write_text("[DHCP]\ndhcp-mut=1\n")

    assert main(["check-config"]) == 0
    assert "unknown option [DHCP] dhcp-mut is ignored" in capsys.readouterr().err


def test_output_that_nobody_reads(site: Path) -> None:
    """Whoever reads may stop early ("| head"): no traceback, and the exit code is what it was."""
    package = Path(ovirt_ovn_proxy.__file__).parent
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", package.name, "check-config", f"--config-file={site}/main.conf"],
            cwd=package.parent,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert 0 == done.returncode
    assert "BrokenPipeError" not in done.stderr


def test_check_config_online(
    site: Path, compose: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for, what the service needs is tried too; errors fail the check, warnings do not."""
    assert main(["check-config", "--online"]) == 0
    assert [call[0] for call in compose] == ["check_online"]
    assert "ovirt-provider-ovn: warning: open to all\n" in capsys.readouterr().err

    with (site / "main.conf").open("a") as main_file:
        main_file.write("[PROVIDER]\nneutron-port=1\n")
    assert main(["check-config", "--online"]) == 1
    assert "ovirt-provider-ovn: no leader\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config-file", "F", "--config-dir", "D", "serve"],
        ["serve", "--config-file", "F", "--config-dir", "D"],
        ["--config-file", "F", "serve", "--config-dir", "D"],
        ["--config-file", "nowhere", "--config-dir", "D", "--debug", "serve", "--config-file", "F"],
    ],
)
def test_options_stand_before_or_behind_the_verb(
    tmp_path: Path, compose: list[tuple[Any, ...]], arguments: list[str]
) -> None:
    """Files are named on either side of the verb; behind it wins."""
    (tmp_path / "F").write_text("[DHCP]\ndhcp-mtu=1000\n")
    (tmp_path / "D").mkdir()
    (tmp_path / "D" / "a.conf").write_text("[DHCP]\ndhcp-lease-time=5\n")
    paths = [str(tmp_path / word) if word in ("F", "D") else word for word in arguments]

    assert main(paths) == 0
    assert [("serve", Config(dhcp_mtu_bytes=1000, dhcp_lease_time_s=5))] == compose


@pytest.mark.usefixtures("site")
def test_explain(compose: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    """A request is handed on as given, and what it would become is printed."""
    assert main(["explain", "post", "/v2.0/networks", '{"network": {}}']) == 0
    assert main(["explain", "GET", "/v2.0/networks"]) == 0

    assert [call[2:] for call in compose] == [
        ("POST", "/v2.0/networks", '{"network": {}}'),
        ("GET", "/v2.0/networks", None),
    ]
    assert capsys.readouterr().out == "the transaction\n" * 2


@pytest.mark.usefixtures("site", "compose")
def test_explain_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    """A request that would be refused says why, with exit code 1."""
    assert main(["explain", "GET", "/bad"]) == 1
    assert "ovirt-provider-ovn: bad path\n" in capsys.readouterr().err


def test_release_bindings(
    site: Path, compose: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is done is printed as it is done, also before a failure, which is told."""
    assert main(["release-bindings"]) == 0
    assert "one port\nanother port\n" == capsys.readouterr().out
    (site / "main.conf").write_text("[PROVIDER]\nneutron-port=1\n")

    assert main(["release-bindings"]) == 1
    output = capsys.readouterr()
    assert "one port\n" == output.out
    assert "ovirt-provider-ovn: lost\n" in output.err
    assert ["release_bindings"] * 2 == [call[0] for call in compose]


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["explain", "GET"], ["serve", "x"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is no command ends with exit code 2 and the usage."""
    with pytest.raises(SystemExit) as error:
        main(arguments)

    assert error.value.code == 2
    assert "usage: ovirt-provider-ovn" in capsys.readouterr().err


def test_version_by_module() -> None:
    """`python3 -m ovirt_ovn_proxy` is the command."""
    package = Path(ovirt_ovn_proxy.__file__).parent

    result = subprocess.run(
        [sys.executable, "-m", package.name, "--version"],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"ovirt-provider-ovn {VERSION}\n" == result.stdout


def test_logger_file_is_honoured(site: Path, compose: list[tuple[Any, ...]]) -> None:
    """The service logs where logger.conf beside the main file says, loggers made before too."""
    (site / "logger.conf").write_text(LOGGER_CONF.format(path=site / "log"))
    early = logging.getLogger("ovirt_ovn_proxy.early")

    assert main(["serve"]) == 0
    early.info("a line")

    assert not early.disabled
    assert "ovirt_ovn_proxy.early a line\n" in (site / "log").read_text()
    assert len(compose) == 1


def test_refusal_to_serve_is_logged_where_the_log_is(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Why the service does not start stands in its log and on stderr."""
    (site / "logger.conf").write_text(LOGGER_CONF.format(path=site / "log"))
    (site / "main.conf").write_text("[SSL]\nhttps-enabled=maybe\n")

    assert main(["serve"]) == 1
    assert "'maybe' is not accepted" in (site / "log").read_text()
    assert "'maybe' is not accepted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            LOGGER_CONF.format(path="/nowhere/at/all.log"),
            "[handler_logfile] /nowhere/at/all.log: No such file or directory; stderr is used",
        ),
        ("no INI file", "line 1: stands before the first [SECTION]; logging to stderr"),
        ("", "there is no root logger in it; logging to stderr"),
    ],
)
def test_broken_logger_file_does_not_stop_the_start(
    site: Path,
    compose: list[tuple[Any, ...]],
    capsys: pytest.CaptureFixture[str],
    text: str,
    problem: str,
) -> None:
    """A log that cannot be had is reported on stderr, where lines then go."""
    (site / "logger.conf").write_text(text)

    assert main(["serve"]) == 0
    logging.getLogger("ovirt_ovn_proxy.x").info("a line")

    output = capsys.readouterr().err
    assert f"{site}/logger.conf: {problem}" in output
    assert "a line" in output
    assert len(compose) == 1


@pytest.mark.usefixtures("compose")
def test_other_verbs_ignore_the_logger_file(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is run by hand answers on the terminal."""
    (site / "logger.conf").write_text(LOGGER_CONF.format(path=site / "log"))

    main(["check-config"])

    assert "NoAuthPlugin: whoever reaches" in capsys.readouterr().err
    assert not (site / "log").exists()


@pytest.mark.parametrize(("debug", "level"), [(False, logging.INFO), (True, logging.DEBUG)])
def test_log_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], debug: bool, level: int
) -> None:
    """INFO is the default; --debug shows more and overrules the file."""
    (tmp_path / "logger.conf").write_text(LOGGER_CONF.format(path=tmp_path / "log"))

    in_force = set_up_logging(debug, tmp_path / "logger.conf" if debug else None)

    assert not in_force
    assert level == logging.getLogger().level
    logging.getLogger("ovirt_ovn_proxy.x").debug("a line")
    assert debug == ("a line" in capsys.readouterr().err)
