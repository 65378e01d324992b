# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the plugin rest on: the stand-in does what otopi does.

With TESTS_OTOPI in the environment the same is asked of a real one.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from unit.otopi.runs import Host, Run

HEAD = """
import os
from otopi import filetransaction, plugin
Stages = plugin.Stages

def say(*words):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(" ".join(str(word) for word in words) + "\\n")

def createPlugins(context):
    Plugin(context=context)
"""


def run_plugin(
    host: Host, events: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Run:
    """Run a group with one plugin."""
    folder = host.plugins / "some-group" / "sub.folder" / "some-plugin"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(HEAD + events)
    return host.run(*arguments, group="some-group", environment=environment or {})


def events(*rows: str) -> str:
    """Return the source of a plugin with events a, b, ..., which say their names."""
    lines = ["class Plugin(plugin.PluginBase):"]
    for name, row in zip("abcdefgh", rows):
        lines += [f"    @plugin.event({row})", f"    def {name}(self):", f"        say({name!r})"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["stage=Stages.STAGE_MISC", "stage=Stages.STAGE_SETUP"], "b a"),
        (["stage=Stages.STAGE_MISC", "stage=Stages.STAGE_MISC"], "a b"),
        (["stage=Stages.STAGE_MISC, priority=5001", "stage=Stages.STAGE_MISC"], "b a"),
        (["stage=Stages.STAGE_MISC, after=('x',)", "stage=Stages.STAGE_MISC, name='x'"], "b a"),
        (["stage=Stages.STAGE_MISC, name='x'", "stage=Stages.STAGE_MISC, before=('x',)"], "b a"),
        (["stage=Stages.STAGE_MISC, before=('nobody',)"], "a"),
        (["stage=Stages.STAGE_MISC, name='x'", "stage=Stages.STAGE_SETUP, before=('x',)"], "b a"),
        (
            [
                "stage=Stages.STAGE_CLOSEUP, priority=Stages.PRIORITY_LOW, name='x'",
                "stage=Stages.STAGE_CLOSEUP, priority=Stages.PRIORITY_POST, before=('x',)",
                "stage=Stages.STAGE_CLOSEUP",
            ],
            "c b a",
        ),
        (["stage=Stages.STAGE_MISC, condition=lambda self: False"], ""),
    ],
)
def test_order(host: Host, rows: list[str], expected: str) -> None:
    """Stage, then priority, then before and after, then the method's name."""
    run = run_plugin(host, events(*rows))

    assert (0, expected.split()) == (run.code, run.calls)


@pytest.mark.parametrize(
    "rows",
    [
        ["stage=Stages.STAGE_MISC, name='x'", "stage=Stages.STAGE_MISC, name='x'"],
        [
            "stage=Stages.STAGE_MISC, priority=1, after=('x',)",
            "stage=Stages.STAGE_MISC, priority=2, name='x'",
        ],
        ["stage=Stages.STAGE_SETUP, after=('x',)", "stage=Stages.STAGE_MISC, name='x'"],
        [
            "stage=Stages.STAGE_MISC, name='x', after=('y',)",
            "stage=Stages.STAGE_MISC, name='y', after=('x',)",
        ],
    ],
)
def test_no_order(host: Host, rows: list[str]) -> None:
    """Events that contradict each other end the run before the first one."""
    run = run_plugin(host, events("stage=Stages.STAGE_BOOT", *rows))

    assert (1, []) == (run.code, run.calls)


def test_before_that_is_no_tuple(host: Host) -> None:
    """A text in the place of a tuple of names is an error."""
    run = run_plugin(host, events("stage=Stages.STAGE_MISC, before='otopi.core.log.init'"))

    assert (1, []) == (run.code, run.calls)


def test_events_of_parents(host: Host) -> None:
    """An event that a class inherits does not run."""
    source = events("stage=Stages.STAGE_MISC").replace("class Plugin", "class Parent")
    run = run_plugin(host, f"{source}\nclass Plugin(Parent):\n    pass\n")

    assert (0, []) == (run.code, run.calls)


def test_what_cannot_be_loaded(host: Host) -> None:
    """A plugin that cannot be imported, and a group that is not there, end the run with 2."""
    assert 2 == run_plugin(host, "import nothing_of_that_name\n").code
    assert 2 == host.run(group="nobody").code


@pytest.mark.parametrize("stage", ["SETUP", "VALIDATION", "PACKAGES", "MISC", "CLOSEUP"])
def test_failure(host: Host, stage: str) -> None:
    """After a failure the last stages still run; files are as before unless it was at the end."""
    (host.folder / "file").write_text("old\n")
    run = run_plugin(
        host,
        f"""
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_INIT, after=("otopi.core.transactions.init",))
    def _init(self):
        file = filetransaction.FileTransaction(name={str(host.folder / "file")!r}, content="new")
        self.environment["CORE/mainTransaction"].append(file)
    @plugin.event(stage=Stages.STAGE_{stage})
    def _fail(self):
        self.logger.info("going to fail")
        raise RuntimeError("failed on purpose")
    @plugin.event(stage=Stages.STAGE_CLOSEUP, priority=Stages.PRIORITY_LAST)
    def _not(self):
        say("not this")
    @plugin.event(stage=Stages.STAGE_CLEANUP)
    def _cleanup(self):
        say("cleanup", self.environment["BASE/error"])
    @plugin.event(stage=Stages.STAGE_TERMINATE)
    def _terminate(self):
        say("terminate")
""",
    )

    assert (1, ["cleanup True", "terminate"]) == (run.code, run.calls)
    assert ["going to fail"] == run.infos
    assert run.errors[0].endswith("': failed on purpose")
    expected = "new\n" if stage == "CLOSEUP" else "old\n"
    assert expected == (host.folder / "file").read_text()


def test_environment(host: Host) -> None:
    """Values come from the command line, then from a file; all of them get into the log."""
    (host.folder / "otopi.conf").write_text(
        "[environment:default]\nA/a=str:file\nA/b=str:file\n[environment:override]\nA/c=int:3\n"
    )
    run = run_plugin(
        host,
        """
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_VALIDATION)
    def _validation(self):
        say(*(repr(self.environment.get(f"A/{it}")) for it in "abcdefg"))
""",
        *("A/a=str:line", "A/c=int:1", "A/d=bool:no", "A/e=bool:False", "A/f=none:"),
        *("'A/g=str:with space'", "APPEND:A/g=str:more"),
    )

    assert ["'line' 'file' 3 True False None 'with space:more'"] == run.calls
    assert "ENV A/a=str:'line'\n" in run.log


def test_output_of_plugins(host: Host) -> None:
    """What a plugin and its children print gets to the log, never to the caller."""
    run = run_plugin(
        host,
        """
import subprocess, sys
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_MISC)
    def _misc(self):
        print("from the plugin")
        sys.stdout.flush()
        subprocess.check_call(["echo", "from a child"])
        say(*self.execute(("sh", "-c", "echo out; echo err >&2; exit 3"), raiseOnError=False))
        say(repr(sys.stdin.read()))
""",
    )

    assert (0, ["3 ['out'] ['err']", "''"]) == (run.code, run.calls)
    assert "from " not in run.output
    assert "from the plugin\n" in run.log
    assert "from a child\n" in run.log


def test_commands(host: Host) -> None:
    """A command is looked for in the middle, and again once packages are there."""
    run = run_plugin(
        host,
        f"""
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_SETUP)
    def _setup(self):
        self.command.detect("new")
    @plugin.event(stage=Stages.STAGE_PACKAGES)
    def _packages(self):
        say(self.command.get("new", optional=True))
        os.symlink("/bin/true", {str(host.bin / "new")!r})
    @plugin.event(stage=Stages.STAGE_CLOSEUP)
    def _closeup(self):
        say(self.command.get("new"))
        self.command.get("nothing-of-that-name")
""",
    )

    assert (1, ["None", str(host.bin / "new")]) == (run.code, run.calls)
    reason = "Command 'nothing-of-that-name' is required but missing"
    assert [f"Failed to execute stage 'Closing up': {reason}"] == run.errors


def test_file_that_is_seen_early(host: Host) -> None:
    """A transaction of one's own: seen once prepared, kept or taken back with the block."""
    path = host.folder / "folder" / "file"
    run = run_plugin(
        host,
        f"""
from otopi import transaction
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_CLOSEUP)
    def _closeup(self):
        for content, fails in (("a", True), ("b", False), ("b", False), ("c", True)):
            file = filetransaction.FileTransaction(
                name={str(path)!r}, content=content, visibleButUnsafe=True,
                modifiedList=self.environment["CORE/modifiedFiles"],
            )
            try:
                with transaction.Transaction((file,)):
                    say(open({str(path)!r}).read().strip())
                    if fails:
                        raise RuntimeError("failed on purpose")
            except RuntimeError:
                pass
            say(os.listdir({str(path.parent)!r}))
        say(len(self.environment["CORE/modifiedFiles"]))
""",
    )

    assert ["a", "[]", "b", "['file']", "b", "['file']", "c", "['file']", "1"] == run.calls
    assert "b\n" == path.read_text()


def test_without_providers(host: Host) -> None:
    """Without a package manager installing is an error, without services nothing happens."""
    run = run_plugin(
        host,
        """
from otopi import packager, services
class Plugin(plugin.PluginBase):
    @plugin.event(stage=Stages.STAGE_CLOSEUP)
    def _closeup(self):
        say(packager.PackagerBase().queryPackages(patterns=("x",)))
        say(services.ServicesBase().exists("x"), services.ServicesBase().state("x", True))
        packager.PackagerBase().installUpdate(packages=("x",))
""",
    )

    assert ["[]", "False None"] == run.calls
    assert ["Failed to execute stage 'Closing up': Packager install not implemented"] == run.errors
