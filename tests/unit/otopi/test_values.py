# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of values, what they come to, and the file for those without an argument."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest

from ovirt_ovn_host import config_values
from unit.otopi.pure import engine_file, settings, values
from unit.otopi.runs import PLUGIN

KEY = "/etc/pki/vdsm/ovn/ovn-key.pem"
CERTIFICATE = "/etc/pki/vdsm/ovn/ovn-cert.pem"
CA = "/etc/pki/vdsm/ovn/ca-cert.pem"
ENOUGH = {"OVN/enable": True, "OVN/central": "192.0.2.1", "OVN/tunnel": "ovirtmgmt"}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("OVN/central", "192.0.2.1"),
        ("OVN/central", "2001:db8::1"),
        ("OVN/central", "[2001:db8::1]"),
        ("OVN/central", "central.example.com"),
        ("OVN/central", "ssl:192.0.2.1:6642, ssl:[2001:db8::1]:16642,tcp:central"),
        ("OVN/tunnel", "192.0.2.7"),
        ("OVN/tunnel", "[2001:db8::7]"),
        ("OVN/tunnel", "192.0.2.0/24"),
        ("OVN/tunnel", "2001:db8::/64"),
        ("OVN/tunnel", "bond0.100"),
        ("OVN/tunnel", "100"),
        ("OVN/tunnel", "Tunnels of blå"),
        ("OVN/fqdn", "host1.example.com"),
        ("OVN/fqdn", "192.0.2.7"),
        ("OVN/bridge", "br-int"),
        ("OVN/certificate", CERTIFICATE),
        ("OVN/packages", "ovirt-provider-ovn-driver, openvswitch3.5 gcc-c++"),
        ("OVN/packages", "ovirt-provider-ovn-driver-2.0.0-1.el9"),
    ],
)
def test_values_that_can_be_used(key: str, text: str) -> None:
    """A value that may have a meaning on some host is taken as it is."""
    assert text == settings.read({key: text}, key)


TEXTS = {
    "OVN/central": [
        *(
            "192.0.2.1",
            "10.0.0",
            "10.0.0.1.",
            "1",
            "0x7f.1",
            "2001:db8::1",
            "[2001:db8::1]",
            "[::1",
        ),
        *(
            "fe80::1%eth0",
            "central",
            "central.example.com",
            "Central",
            "a_b",
            "_a",
            ".a",
            "a.",
            "-a",
        ),
        *(
            "--help",
            "a b",
            "a;b",
            "bl\u00e5",
            "",
            ",",
            "a,b",
            "a,,b",
            " a , b ",
            "a,-b",
            "ssl:a",
            "tcp:a:1",
        ),
        *("ssl:a:0", "ssl:a:65535", "ssl:a:65536", "ssl:a:x", "ssl:-a:6642", "ssl:[::1]:6642"),
        *("ssl:[::1]", "ssl:::1:6642", "ssl:[a]:6642", "ssl:[192.0.2.1]", "ssl:", "ssl::6642"),
        *("ssl", "udp:a", "http://a", "ssl:a:1:2", "ssl:10.0.0:6642", "ssl:a:\u0661"),
    ],
    "OVN/bridge": [
        "br-int",
        "-int",
        "--",
        ".",
        "..",
        ".a",
        "_a",
        "1",
        "a" * 15,
        "a" * 16,
        "",
        "a/b",
    ],
    "OVN/fqdn": [
        *("host1.example.com", "host1", "1host", "_a", "-a", ".a", "a_b", "", "localhost", "a b"),
        *("localhost.localdomain", "a" * 64, "a" * 65, "true", "false", "192.0.2.1"),
        *("2001:db8::1", "[2001:db8::1]", "192.0.2", "aaaaaaaa-0000-4000-8000-000000000001"),
    ],
    "OVN/certificate": ["/a", "a", "", "/a b", "/a\nb", "-a", "~/a"],
}
RULES = {
    "OVN/central": config_values.remotes,
    "OVN/bridge": config_values.bridge,
    # An engine may know the host by an address, which says nothing then.
    "OVN/fqdn": lambda text: config_values.is_address(text) or config_values.system_id(text),
    "OVN/certificate": config_values.path,
}


@pytest.mark.parametrize(
    ("key", "text"), [(key, text) for key, texts in TEXTS.items() for text in texts]
)
def test_the_verb_has_the_same_rules(key: str, text: str) -> None:
    """What is taken here is taken by vdsm-tool, and what is refused, too."""

    def accepts(parse: Callable[[str], object]) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    assert accepts(values.CHECKS[key]) is accepts(RULES[key])


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("OVN/central", ",", "should be a name or an address"),
        ("OVN/central", "192.0.2", "should be a name or an address"),
        ("OVN/central", "192.0.2.300", "should be a name or an address"),
        ("OVN/central", "192.0.2.1:6642", "should be a name or an address"),
        ("OVN/central", "ssl:", "should be a name or an address"),
        ("OVN/central", "ssl:2001:db8::1:6642", "should be a name or an address"),
        ("OVN/central", "ssl:[192.0.2.1]:6642", "should be a name or an address"),
        ("OVN/central", "ssl:[2001:db8::1:6642", "should be a name or an address"),
        ("OVN/central", "ssl:central:0", "should be a name or an address"),
        ("OVN/central", "ssl:central:65536", "should be a name or an address"),
        ("OVN/central", "https://central", "should be a name or an address"),
        ("OVN/central", "one two", "should be a name or an address"),
        ("OVN/central", "--help", "should be a name or an address"),
        ("OVN/central", "a;b", "should be a name or an address"),
        ("OVN/central", True, "should be a text"),
        ("OVN/tunnel", "192.0.2.300", "should be an address such as"),
        ("OVN/tunnel", "192.0.2.0/33", "should be an address such as"),
        ("OVN/tunnel", "2001:db8::12345", "should be an address such as"),
        ("OVN/tunnel", "--force", "should be an address, a subnet, a network"),
        ("OVN/tunnel", "two\nlines", "should be an address, a subnet, a network"),
        ("OVN/tunnel", " ", "should be an address, a subnet, a network"),
        ("OVN/tunnel", 4, "should be a text"),
        ("OVN/fqdn", "192.0.2.300", "should be the host's full name"),
        ("OVN/fqdn", "1host.example.com", "should be the host's full name"),
        ("OVN/fqdn", "localhost.localdomain", "should be the host's full name"),
        ("OVN/fqdn", f"{64 * 'a'}.com", "should be the host's full name"),
        ("OVN/bridge", "br-" + 13 * "x", "should be the name of a bridge"),
        ("OVN/bridge", "br/int", "should be the name of a bridge"),
        ("OVN/bridge", "-int", "should be the name of a bridge"),
        ("OVN/privateKey", "ovn-key.pem", "should be an absolute path"),
        ("OVN/privateKey", "/a\n[ovn]", "should be an absolute path"),
        ("OVN/packages", "--nogpgcheck", "should be names of packages"),
    ],
)
def test_values_that_cannot_be_used(key: str, value: Any, reason: str) -> None:
    """The error names the key and the value, and says what is expected, in one line."""
    with pytest.raises(ValueError, match=reason) as caught:
        settings.read({key: value}, key)

    message = str(caught.value)
    assert message.startswith(f"{key} is {value!r}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OVN/enable": None}, False),
        ({"OVN/enable": False}, False),
        ({"OVN/enable": True}, True),
    ],
)
def test_enabled(environment: dict[str, Any], expected: bool) -> None:
    """Nothing is done where OVN was not asked for."""
    assert expected is settings.is_enabled(environment)


def test_enabled_by_a_text() -> None:
    """The text "no" is not taken for yes."""
    with pytest.raises(ValueError, match="OVN/enable is 'no': should be bool:True or bool:False"):
        settings.is_enabled({"OVN/enable": "no"})


@pytest.mark.parametrize("key", ["OVN/central", "OVN/tunnel"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_needed(key: str, value: str | None) -> None:
    """Central and tunnel have no default."""
    with pytest.raises(ValueError, match=f"{key} is not set: OVN/enable needs it"):
        settings.decode({**ENOUGH, key: value})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"arguments": ("192.0.2.1", "ovirtmgmt")}),
        (
            {"OVN/fqdn": "host1.example.com"},
            {"arguments": ("192.0.2.1", "ovirtmgmt", "host1.example.com")},
        ),
        ({"OVN/bridge": "br-ovn"}, {"options": {("ovn", "bridge"): "br-ovn"}}),
        (
            {"OVN/privateKey": "/k", "OVN/certificate": "/c"},
            {
                "options": {("tls", "private-key"): "/k", ("tls", "certificate"): "/c"},
                "tls_files": {"OVN/privateKey": "/k", "OVN/certificate": "/c"},
                "default_files": {"OVN/caCertificate": CA},
            },
        ),
        ({"OVN/central": "tcp:192.0.2.1:6642"}, {"default_files": {}}),
        (
            {},
            {
                "default_files": {
                    "OVN/privateKey": KEY,
                    "OVN/certificate": CERTIFICATE,
                    "OVN/caCertificate": CA,
                }
            },
        ),
        ({"OVN/packages": "a, b  c,"}, {"packages": ("a", "b", "c")}),
        ({"OVN/packages": ["a", "b"]}, {"packages": ("a", "b")}),
        ({"OVN/packages": ""}, {"packages": ()}),
    ],
)
def test_decode(more: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each key gets to where it has an effect, and nowhere else."""
    decoded = settings.decode({**ENOUGH, **more})._asdict()

    assert expected == {name: decoded[name] for name in expected}


def test_tls_is_needed_for_one_of_several() -> None:
    """A list of servers needs certificates as soon as one server does."""
    assert values.uses_tls("tcp:192.0.2.1:6642,192.0.2.2")
    assert not values.uses_tls("tcp:192.0.2.1:6642,tcp:192.0.2.2:6642")


BRIDGE = {("ovn", "bridge"): "br-ovn"}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", {}, None),
        ("[ovn]\ncentral = a\n", {}, None),
        ("[ovn]\nbridge=br-ovn\n", BRIDGE, None),
        ("", BRIDGE, "[ovn]\nbridge = br-ovn\n"),
        ("[ovn]\nbridge = br-int\n", BRIDGE, "[ovn]\nbridge = br-ovn\n"),
        (
            "# mine\n[ovn]\na = 100%\n\n[networks]\nonA = B = 1\n",
            {("tls", "b"): "/c", **BRIDGE},
            "[ovn]\na = 100%\nbridge = br-ovn\n\n[networks]\nonA = B = 1\n\n[tls]\nb = /c\n",
        ),
    ],
)
def test_merge(text: str, options: dict[tuple[str, str], str], expected: str | None) -> None:
    """What the file says of other things stays, and there is no new text without a difference."""
    merged = engine_file.merge(text, options)

    if merged is not None:
        head, _, merged = merged.partition("\n\n")
        assert all(line.startswith("# ") for line in head.splitlines())
    assert expected == merged


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\ncentral = a\n", 2),
        ("[ovn]\na = 1\nb\n", 3),
        ("[ovn]\na = 1\na = 2\n", 3),
        ("[ovn]\n[tls]\n[ovn]\n", 3),
    ],
)
def test_merge_with_what_is_no_settings(text: str, line: int) -> None:
    """A file that was spoilt is not guessed at; the error names the line."""
    with pytest.raises(ValueError, match=f"^line {line} is no setting$"):
        engine_file.merge(text, BRIDGE)


@pytest.mark.parametrize("name", ["__init__", "keys", "unsupported"])
def test_old_pythons_can_load_it(name: str) -> None:
    """What is loaded where Python is too old has no syntax that Python 2.7 lacks."""
    tree = ast.parse((PLUGIN / f"{name}.py").read_text(), feature_version=(3, 4))

    newer = (ast.JoinedStr, ast.AnnAssign, ast.Starred, ast.YieldFrom, ast.Nonlocal)
    assert [] == [node for node in ast.walk(tree) if isinstance(node, newer)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not any(function.returns for function in functions)
    arguments = [argument for function in functions for argument in function.args.args]
    assert not any(argument.annotation for argument in arguments)
    assert not any(function.args.kwonlyargs for function in functions)
