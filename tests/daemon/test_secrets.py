# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Passwords and tokens do not get into the log, whatever happens and however much is logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.engine_sso import PASSWORD as ENGINE_PASSWORD
from daemon.engine_sso import EngineSso
from daemon.ovsdb import OvsdbServer, short_folder
from daemon.proxy import ProxyProcess
from daemon.secrets import assert_no_secrets, use_secrets
from ovirt_ovn_proxy.auth.static_token import MagicTokenPlugin
from ovirt_ovn_proxy.config import Config

pytestmark = pytest.mark.daemon

PASSWORD = 'the-magic\'s "password" % \\'
CLIENT_SECRET = "the-client-secret"

# A site's own plugin, and a formatter that prints all it can lay hands on.
PLUGIN = '''
import logging


class Careless:
    """Fails on everything, and says with what."""

    def __init__(self, config):
        self.config = config

    def create_token(self, user, password):
        credentials = {"user": user, "password": password}
        try:
            raise KeyError(password)
        except KeyError as error:
            raise RuntimeError(f"cannot log in with {credentials}") from error

    def validate_token(self, token):
        request = [token]
        raise LookupError("no such token: %s" % token)


class Nosy(logging.Formatter):
    """Prints records whole, and the variables of each frame of a traceback."""

    def format(self, record):
        lines = [record.getMessage(), repr(vars(record))]
        trace = record.exc_info and record.exc_info[2]
        while trace:
            lines.append(repr(trace.tb_frame.f_locals))
            trace = trace.tb_next
        return "\\n".join(lines)
'''

LOGGER_CONF = """\
[loggers]
keys=root
[handlers]
keys=stream
[formatters]
keys=nosy
[logger_root]
level=DEBUG
handlers=stream
[handler_stream]
class=StreamHandler
formatter=nosy
args=(sys.stderr,)
[formatter_nosy]
class=site_plugin.Nosy
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a site, whose modules the service can import."""
    with short_folder() as folder:
        (folder / "conf.d").mkdir()
        (folder / "site_plugin.py").write_text(PLUGIN)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        yield folder


def configure(folder: Path, plugin: str) -> None:
    """Choose a plugin, and give it the secrets that it knows."""
    (folder / "conf.d" / "50-site.conf").write_text(
        f"[AUTH]\nauth-plugin={plugin}\n[OVIRT]\novirt-sso-client-secret={CLIENT_SECRET}\n"
    )


@pytest.mark.parametrize("is_nosy", [False, True])
@pytest.mark.parametrize("plugin", ["MagicTokenPlugin", "site_plugin:Careless"])
def test_no_secret_is_logged(nb: OvsdbServer, folder: Path, plugin: str, is_nosy: bool) -> None:
    """Sessions that succeed, that fail, and that meet defects leave no secret behind."""
    configure(folder, plugin)
    if is_nosy:
        (folder / "logger.conf").write_text(LOGGER_CONF)
    is_magic = plugin == "MagicTokenPlugin"
    magic = MagicTokenPlugin(Config(magic_token=PASSWORD)).create_token("", PASSWORD).id
    arguments = [] if is_nosy else ["--debug"]
    proxy = ProxyProcess(folder, nb.remote, secret=PASSWORD, arguments=arguments)
    proxy.start()
    try:
        proxy.wait_ready() if is_magic else proxy.wait_listening()
        sent = use_secrets(proxy, "admin@internal", PASSWORD)
    finally:
        proxy.stop()
    log = proxy.log.read_text()

    assert (magic in sent) == is_magic, "there was a token to be logged"
    assert_no_secrets(log, [*sent, PASSWORD, CLIENT_SECRET, magic])
    # It is not for lack of lines.
    for evidence in (
        " POST /v2.0/tokens 200 " if is_magic else "RuntimeError: cannot log in with ",
        " GET /v2.0/networks 200 " if is_magic else "LookupError: no such token: ",
        " POST /v2.0/tokens 401 " if is_magic else "KeyError: ",
        " POST /v2.0/tokens 400 ",
        " ms 0 ops admin@internal",
        "refused with 413: ",
        "refused with 411: ",
        "refused with 400: ",
        "/v2.0/tokens/***",
    ):
        assert evidence in log
    assert is_nosy == ("'levelname': " in log)


def test_no_secret_of_the_engine_is_logged(
    nb: OvsdbServer, folder: Path, sso: EngineSso, engine_pki: Path
) -> None:
    """What the engine's single sign-on is asked and answers stays out of the log too."""
    configure(folder, "AuthorizationByUserName")
    with (folder / "conf.d" / "50-site.conf").open("a") as file:
        file.write(f"ovirt-host={sso.url}\novirt-ca-file={engine_pki}/ca.pem\n")
    sso.clients["ovirt-provider-ovn"] = CLIENT_SECRET
    proxy = ProxyProcess(folder, nb.remote, arguments=["--debug"])
    proxy.start()
    try:
        proxy.wait_listening()
        sent = use_secrets(proxy, "admin@internal", ENGINE_PASSWORD)
        sso.behaviour = "garbage"
        sent += use_secrets(proxy, "admin@internal", ENGINE_PASSWORD)
    finally:
        proxy.stop()
    log = proxy.log.read_text()

    assert set(sso.tokens) & set(sent)
    assert_no_secrets(log, [*sent, *sso.tokens, CLIENT_SECRET])
    for status in (200, 401, 502):
        assert f" POST /v2.0/tokens {status} " in log


def test_the_proof_finds_secrets() -> None:
    """A secret is found in each of the forms that it could be logged in."""
    secret = "p\u017e'\"\\ x"
    for text in (
        secret,
        repr(secret),
        repr({"body": secret}),
        repr(secret.encode()),
        ascii(secret),
        "p%C5%BE%27%22%5C%20x",
        "cMW+JyJcIHg=",
        r"""{"a": "p\u017e'\"\\ x"}""",
    ):
        with pytest.raises(AssertionError, match="is in the log"):
            assert_no_secrets(f"a line\nanother with {text} in it\n", ["else", secret])
    assert_no_secrets("a line without", ["else", secret])
