# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands, paths and names in the documentation are ones that there are.

Commands of OVN and Open vSwitch run on databases of the test; of the others it is looked
up whether the verb, option, target, unit, service or package exists.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

from daemon.ovsdb import NB_SCHEMA, SB_SCHEMA, VSWITCH_SCHEMA, ovsdb_server
from ovirt_ovn_host import config as host_config
from ovirt_ovn_host import config_files, hookio, settings
from ovirt_ovn_proxy import config
from ovirt_ovn_proxy.auth.plugins import load_plugin
from ovirt_ovn_proxy.cli import main
from rpms import MAIN, NAMES, ROOT, Built
from unit.otopi.runs import OWN_GROUP

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MANUALS = sorted((ROOT / "man").iterdir())
POST_TASKS = ROOT / "otopi/ansible/ovirt-host-deploy-post-tasks.yml"
STATUS = ROOT / "vdsm_plugin/ovirt_ovn_host/status"
CHECK = re.compile(r'^ +name = "(.+)"$', re.M)
# Where a command ends within a line.
ENDS = {"|", "||", ">", "<", "&", "&&", ";", ")"}


class Command(NamedTuple):
    """A command as a page has it, in words."""

    page: str
    words: Sequence[str]


def text_of(page: Path) -> str:
    """Return a page's text, with the lines of a command that go on joined."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".md":
        text = text.replace("\\-", "-")
    return re.sub(r"\\\n\s*", "", text)


def fences(text: str) -> list[str]:
    """Return the blocks of a page, without their indentation."""
    found = re.findall(r"^( *)```\w*\n(.*?)^\1```", text, re.S | re.M)
    return ["\n".join(it[len(indent) :] for it in block.split("\n")) for indent, block in found]


def commands(*programs: str) -> Iterator[Command]:
    """Give each command of a program, in blocks, in lines of text and in manual pages."""
    start = re.compile(rf"(?:^|[;&(|])\s*((?:{'|'.join(programs)}) .*)")
    for page in (*PAGES, *MANUALS):
        text = text_of(page)
        if page.suffix == ".md":
            lines = [line for block in fences(text) for line in block.split("\n")]
            spans = re.findall(
                r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
            )
            lines += [" ".join(span.split()) for span in spans]
        else:
            examples = re.findall(r"^\.nf\n(.*?)^\.fi", text, re.S | re.M)
            lines = [line for block in examples for line in block.split("\n")]
        for line in lines:
            # Each command of the line; what is around it has been seen then.
            rest: str | None = line
            while rest and (found := start.search(rest)):
                rest = found[1].partition(" ")[2]
                yield Command(page.name, words_of(found[1]))


def words_of(line: str) -> list[str]:
    """Return a command's words, as a shell would have them, up to what follows it."""
    if line.count("'") % 2:
        # It stands in the quotes of another command, which end here.
        line = line.rpartition("'")[0]
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in ENDS:
            break
        words.append(word)
    return words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x y | z", ["x", "y"]),
        ("x '[\"a b\"]' >y", ["x", '["a b"]']),
        ("x pssl:6641:[::] && z", ["x", "pssl:6641:[::]"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    """The test itself cuts a line as a shell does."""
    assert words == words_of(line)


def test_the_proxys_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command takes every verb and option that is shown with it."""
    shown = [words for _, words in commands(MAIN)]
    assert {"serve", "check-config", "explain", "release-bindings"} <= {it[1] for it in shown}
    for _, *words in shown:
        # METHOD PATH [BODY] stand for themselves. Without its main file it goes no further.
        words = [word.strip("[]") for word in words]
        assert 1 == main(["--config-file", str(tmp_path / "none"), *words]), words
        assert "none: cannot be read" in capsys.readouterr().err


def manual_options(page: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text_of(ROOT / "man" / page)))


def test_options_of_the_proxys_manual(capsys: pytest.CaptureFixture[str]) -> None:
    """The manual page has each option of each verb, and no other."""
    options = set()
    for verb in ("", "serve", "check-config", "explain", "release-bindings"):
        with pytest.raises(SystemExit):
            main([verb, "--help"] if verb else ["--help"])
        options |= set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert "--online" in options
    assert options == manual_options("ovirt-provider-ovn.8")


def test_verbs_of_vdsm_tool() -> None:
    """Each verb and option of vdsm-tool that is shown is one of ours, or one of VDSM's."""
    source = (ROOT / "vdsm_plugin/tool/ovn_config.py").read_text(encoding="utf-8")
    usage = dict(re.findall(r'@expose\("(.+?)"\).*?"""(.*?)"""', source, re.S))
    for verb in ("configure", "is-configured", "remove-config"):
        usage[verb] = "--module --force"
    assert {"ovn-config", "ovn-unconfigure", "ovn-status"} < set(usage)

    for page, (_, verb, *words) in commands("vdsm-tool"):
        for word in words:
            if word.lstrip("[").startswith("--"):
                assert word.strip("[]") in usage[verb], (page, verb, word)
        assert verb in usage, (page, verb)
    options = set(re.findall(r"--[a-z]+", " ".join(usage.values()))) - {"--force"}
    assert options == manual_options("vdsm-tool-ovn.8")


# Nobody else is there to carry it out.
NO_WAIT = {"ovn-nbctl": [], "ovn-sbctl": [], "ovs-vsctl": ["--no-wait"]}


def test_commands_of_ovn() -> None:
    """Commands of OVN and Open vSwitch are understood, in the order of the pages."""
    with ExitStack() as stack:
        servers = {
            "ovn-nbctl": ovsdb_server(schema=NB_SCHEMA),
            "ovn-sbctl": ovsdb_server(schema=SB_SCHEMA, name="sb"),
            "ovs-vsctl": ovsdb_server(schema=VSWITCH_SCHEMA, name="vswitch"),
        }
        remotes = {name: stack.enter_context(it).remote for name, it in servers.items()}
        for program, remote in remotes.items():
            init = [program, f"--db={remote}", "--timeout=5", *NO_WAIT[program], "init"]
            subprocess.run(init, check=True)
        prepare = "add-br B -- add-port B L -- set Open_vSwitch . external_ids:system-id=hv1"
        vsctl = ["ovs-vsctl", f"--db={remotes['ovs-vsctl']}", "--no-wait", "--timeout=5"]
        subprocess.run([*vsctl, *prepare.split()], check=True)

        seen = 0
        for page, (program, *words) in commands(*remotes):
            words = [word for word in words if not word.startswith("--db=")]
            options = [f"--db={remotes[program]}", "--timeout=5", *NO_WAIT[program]]
            command = [program, *options, *words]
            done = subprocess.run(command, capture_output=True, text=True)
            assert 0 == done.returncode, (page, command, done.stderr)
            seen += 1
    assert seen >= 15


# The client's own parsers, one start of it for all commands, and no service.
_PARSE = """
import json, sys
from openstackclient.shell import OpenStackShell
shell = OpenStackShell()
for group in ("openstack.common", "openstack.network.v2"):
    shell.command_manager.add_command_group(group)
for words in json.load(sys.stdin):
    make, name, rest = shell.command_manager.find_command(words)
    make(shell, None).get_parser(name).parse_args(rest)
"""


def test_commands_of_openstack() -> None:
    """The `openstack` client has each command and option that is shown of it."""
    shown = [words[1:] for _, words in commands("openstack")]
    assert ["network", "create", "red"] in shown
    command = [sys.executable, "-c", _PARSE]
    done = subprocess.run(command, input=json.dumps(shown), capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr


def test_options_of_ovn_ctl() -> None:
    """Options for OVN_NORTHD_OPTS are ones that ovn-ctl has."""
    # It prints them, and fails, whatever it is asked for with them.
    shown_by_it = subprocess.run(
        ["/usr/share/ovn/scripts/ovn-ctl", "--help"], capture_output=True, text=True
    ).stdout
    text = text_of(ROOT / "docs/central.md") + text_of(ROOT / "docs/access.md")
    shown = set(re.findall(r"--(?:db|ovn)-[a-z-]+(?==)", text))
    assert {"--db-nb-cluster-remote-addr", "--ovn-northd-sb-db"} <= shown
    assert set() == {option for option in shown if f"{option}=" not in shown_by_it}


def test_targets_of_make() -> None:
    """Each target and variable that `make` is shown with is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = {word for _, (_, *words) in commands("make") for word in words}
    assert {"run", "rpm", "DIST=el9"} <= shown
    for word in shown:
        name, assigned, _ = word.partition("=")
        expected = rf"^{name} \?=" if assigned else rf"^{name}:"
        assert re.search(expected, makefile, re.M), word


OTHER_UNITS = {"openvswitch", "ovn-controller", "ovn-northd", "ovsdb-server"}


def test_units() -> None:
    """Each unit that systemctl and journalctl are shown with is one of ours, or OVN's.

    Or it is the name that hooks write to the journal by.
    """
    files = {path.name for path in (ROOT / "proxy/systemd").iterdir()}
    ours = files | {file[: -len(".service")] for file in files if file.endswith(".service")}
    options = {"--now", "-u"}
    seen = set()
    for page, (program, *words) in commands("systemctl", "journalctl"):
        if words == ["-t", hookio.SYSLOG_NAME]:
            continue
        units = set(words if program == "journalctl" else words[1:]) - options
        for unit in units:
            assert unit in OTHER_UNITS or any(fnmatch(it, unit) for it in ours), (page, unit)
        seen |= units
    assert {MAIN, "ovn-northd"} <= seen


def test_services_of_firewalld() -> None:
    """Each service that firewall-cmd opens is in a file of ours."""
    services = {path.stem for path in ROOT.glob("*/firewalld/*.xml")}
    shown = {word for _, words in commands("firewall-cmd") for word in words}
    opened = {word.partition("=")[2] for word in shown if word.startswith("--add-service=")}
    assert services == opened


def test_packages(built: Built) -> None:
    """Packages to be installed are those that `make rpm` builds, and what they bring is in them."""
    verbs = {"install", "upgrade", "downgrade", "remove"}
    shown = [words[1:] for _, words in commands("dnf") if words[1] in verbs]
    assert len(shown) >= 6
    for _, *words in shown:
        assert {word for word in words if not word.startswith("-")} <= set(NAMES), words

    tasks = set(re.findall(r"^ +- (ovirt-provider-ovn\S*)$", POST_TASKS.read_text(), re.M))
    files = {it for name in tasks for it in built["el9"][name].query("[%{FILENAMES}\n]")}
    assert f"/usr/share/otopi/plugins/{OWN_GROUP}" in files
    assert "/usr/share/ovirt-provider-ovn-driver/hook.py" in files


# What others make: the engine, the administrator, the service, and systemd's own folders.
MADE_LATER = (
    "/etc/ovirt-provider-ovn/conf.d/*.conf",
    "/etc/ovirt-provider-ovn-driver/conf.d/*.conf",
    "/etc/ovirt-engine/*",
    "/etc/pki/ovirt-engine/*",
    "/etc/systemd/system/*",
)


def test_paths(built: Built) -> None:
    """Each path of ours is that of a file or folder of a package."""
    known = {it for pkg in built["el9"].values() for it in pkg.query("[%{FILENAMES}\n]")}
    # Packages of VDSM, otopi and the system have the folders above ours.
    known |= {str(parent) for path in known for parent in Path(path).parents}
    pattern = re.compile(r"(?<![\w/.@])/(?:etc|usr)/[\w./*<>@-]*[\w*>]")
    seen = set()
    for page in (*PAGES, *MANUALS):
        for path in pattern.findall(text_of(page)):
            if not re.search("ovirt-provider-ovn|50_ovn|50_vdsm_hook_ovn|ovirt-ovn", path):
                continue
            form = re.sub("<[a-z]+>", "*", path)
            if any(fnmatch(form, made) for made in MADE_LATER):
                continue
            assert any(fnmatch(file, form) for file in known), (page.name, path)
            seen.add(path)
    assert len(seen) >= 15


def test_host_settings(tmp_path: Path) -> None:
    """Settings of hosts that are shown are settings that there are."""
    shown = [block for page in PAGES for block in fences(text_of(page)) if "[ovn]\n" in block]
    assert shown
    for block in shown:
        (tmp_path / "ovn.conf").write_text(block)
        decoded = host_config.decode(config_files.read(tmp_path))
        assert decoded.central
        assert decoded.tunnel


# Options of OVN's ports, and the form of a line.
NOT_OURS = {"requested-chassis", "activation-strategy", "key"}


def test_options_with_a_value() -> None:
    """Each `option=value` within a text is an option of the service or of hosts."""
    known = {option.key for option in (*config.OPTIONS, *host_config.OPTIONS)} | NOT_OURS
    for page in PAGES:
        shown = re.findall(r"`([a-z][a-z0-9.-]+) ?= ?[^`=]*`", page.read_text(encoding="utf-8"))
        assert set() == set(shown) - known, page.name


def test_settings_of_hooks() -> None:
    """The page has each setting of the hooks with its default, and no other."""
    table = re.findall(r"^\| `([a-z-]+)` \| (\S+) \|", text_of(ROOT / "docs/hooks.md"), re.M)
    shown = {key: default.strip("`") for key, default in table}
    assert {key: it or "empty" for key, it in settings.DEFAULTS.items()} == shown


def test_checks_of_the_status() -> None:
    """The page has each check of ovn-status."""
    text = text_of(ROOT / "docs/hosts.md")
    names = {row for path in STATUS.glob("checks_*.py") for row in CHECK.findall(path.read_text())}
    assert {"settings", "path-mtu", "packages"} < names
    assert set() == {name for name in names if f"`{name}`" not in text}


def test_the_plugin_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin of authorization.md is one that the service loads and can ask."""
    (block,) = [it for it in fences(text_of(ROOT / "docs/authorization.md")) if "class " in it]
    (tmp_path / "site_plugin.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "site.conf"
    file.write_text("[AUTH]\nauth-plugin=site_plugin:Plugin\n")
    plugin = load_plugin(config.load(file))
    assert {"create_token", "validate_token", "check"} <= set(dir(plugin))
    # Words of docstrings alone: nobody is let in.
    assert plugin.validate_token("any") is None
