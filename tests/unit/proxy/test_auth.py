# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The auth plugins and their loader."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ovirt_ovn_proxy.auth import Identity, Token, authorize
from ovirt_ovn_proxy.auth.ovirt import (
    AuthorizationByGroup,
    AuthorizationByRole,
    AuthorizationByUserName,
)
from ovirt_ovn_proxy.auth.plugins import (
    PLUGINS,
    load_plugin,
)
from ovirt_ovn_proxy.auth.static_token import WELL_KNOWN_TOKEN, MagicTokenPlugin, NoAuthPlugin
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import ConfigError, Unauthorized

SITE_PLUGIN = """
from ovirt_ovn_proxy.auth import Identity, Token

not_callable = 1

class Plugin:
    def __init__(self, config):
        self.config = config

    def create_token(self, user, password):
        return Token("t", None, user)

    def validate_token(self, token):
        return Identity("u") if token == "t" else None

class Half:
    def __init__(self, config):
        pass

    def create_token(self, user, password):
        return Token("t", None, user)

class Broken:
    def __init__(self, config):
        raise KeyError("site")

class Careless:
    pass
"""


@pytest.mark.parametrize("token", [None, "", "anything", WELL_KNOWN_TOKEN, "\udcff"])
def test_no_auth_lets_everybody_in(token: str | None) -> None:
    """Any token and none at all are accepted."""
    assert Identity("admin") == authorize(NoAuthPlugin(Config()), token)


def test_no_auth_gives_the_well_known_token() -> None:
    """Any credentials earn a token."""
    token = NoAuthPlugin(Config()).create_token("joe@internal", "wrong")

    assert Token(WELL_KNOWN_TOKEN, None, "joe@internal") == token


def test_magic_token_without_secret_is_the_well_known_one() -> None:
    """Unconfigured, the plugin gives and accepts what clients of test sites know."""
    plugin = MagicTokenPlugin(Config())

    assert Token(WELL_KNOWN_TOKEN, None, "u") == plugin.create_token("u", "any password")
    assert Identity("admin") == authorize(plugin, WELL_KNOWN_TOKEN)


def test_magic_token_is_derived_from_the_secret() -> None:
    """Proxies with one secret agree on the token, others do not, and it is not the secret."""
    token = MagicTokenPlugin(Config(magic_token="s")).create_token("u", "s").id

    assert Identity("admin") == authorize(MagicTokenPlugin(Config(magic_token="s")), token)
    for other in ("", "t"):
        with pytest.raises(Unauthorized):
            authorize(MagicTokenPlugin(Config(magic_token=other)), token)
    assert token not in ("s", WELL_KNOWN_TOKEN)


@pytest.mark.parametrize("password", ["", "S", "s ", "ß", "\ud800"])
def test_magic_token_secret_is_the_password(password: str) -> None:
    """With a secret configured, only who knows it gets the token."""
    with pytest.raises(Unauthorized) as error:
        MagicTokenPlugin(Config(magic_token="s")).create_token("u", password)

    assert str(error.value) == "The user name or the password is wrong."


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "The request carries no token."),
        ("", "The request carries no token."),
        ("0", "The token is not valid."),
        ("\ud800", "The token is not valid."),
    ],
)
def test_magic_token_refuses_other_tokens(token: str | None, reason: str) -> None:
    """A missing and a wrong token are told apart, and neither is quoted."""
    with pytest.raises(Unauthorized) as error:
        authorize(MagicTokenPlugin(Config()), token)

    assert reason == str(error.value)


@pytest.mark.parametrize("plugin", [NoAuthPlugin, MagicTokenPlugin])
def test_open_doors_are_announced(plugin: type, caplog: pytest.LogCaptureFixture) -> None:
    """A plugin that lets anybody in says so in the log."""
    plugin(Config())

    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("NoAuthPlugin", NoAuthPlugin),
        ("MagicTokenPlugin", MagicTokenPlugin),
        ("auth.plugins.static_token:NoAuthPlugin", NoAuthPlugin),
        ("auth.plugins.static_token:MagicTokenPlugin", MagicTokenPlugin),
        ("AuthorizationByUserName", AuthorizationByUserName),
        ("auth.plugins.ovirt:AuthorizationByUserName", AuthorizationByUserName),
        ("auth.plugins.ovirt:AuthorizationByGroup", AuthorizationByGroup),
        ("auth.plugins.ovirt:AuthorizationByRole", AuthorizationByRole),
    ],
)
def test_plugins_are_loaded_by_name(name: str, plugin: type) -> None:
    """Short names and the paths in existing files name the same plugins."""
    assert type(load_plugin(Config(auth_plugin=name))) is plugin


def test_plugin_of_a_site_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MODULE:CLASS is imported and gets the configuration."""
    (tmp_path / "site_plugin_good.py").write_text(SITE_PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    config = Config(auth_plugin="site_plugin_good:Plugin")

    plugin = load_plugin(config)

    assert config is plugin.config  # type: ignore[attr-defined]
    assert Identity("u") == authorize(plugin, "t")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Nobody", f"no such plugin; there are {', '.join(sorted(PLUGINS))}, and MODULE:CLASS"),
        ("auth.plugins.elsewhere:Nobody", "no such plugin; there are"),
        (":Plugin", "no such plugin"),
        ("site_plugin_bad:", "no such plugin"),
        ("..site_plugin_bad:Plugin", "no such plugin"),
        ("no_such_module_anywhere:Plugin", "No module named 'no_such_module_anywhere'"),
        ("site_plugin_bad:Nobody", "the module has no class Nobody"),
        ("site_plugin_bad:not_callable", "the module has no class not_callable"),
        ("site_plugin_bad:Half", "the class lacks create_token or validate_token"),
        ("site_plugin_bad:Broken", "the class cannot be made: KeyError('site')"),
        ("site_plugin_bad:Careless", "the class cannot be made: TypeError("),
        ("site_plugin_worse:Plugin", "the module cannot be imported: ZeroDivisionError("),
        ("site_plugin_worst:Plugin", "the module cannot be imported: SyntaxError("),
    ],
)
def test_plugins_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    """A wrong name stops the start with file, section, key, value and the reason."""
    (tmp_path / "site_plugin_bad.py").write_text(SITE_PLUGIN)
    (tmp_path / "site_plugin_worse.py").write_text("1 / 0")
    (tmp_path / "site_plugin_worst.py").write_text("class")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ConfigError) as error:
        load_plugin(Config(auth_plugin=name, sources={"auth_plugin": Path("/x.conf")}))

    where = f"/x.conf: [AUTH] auth-plugin: {name!r} is not accepted: "
    assert str(error.value).startswith(where + reason)


def test_token_is_masked() -> None:
    """The repr of a token does not hold it."""
    token = Token("hunter2", datetime(2030, 1, 1, tzinfo=timezone.utc), "u")

    assert "hunter2" not in f"{token} {token!r}"
