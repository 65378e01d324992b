# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Running otopi with our plugin on a pretended host.

The stand-in for otopi serves, unless TESTS_OTOPI names a real one's launcher (OTOPI_PYTHON
its Python): the tests are the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "otopi" / "plugins" / "ovirt-host-deploy" / "ovn"
HERE = Path(__file__).parent
DOUBLES = HERE / "doubles"
OWN_GROUP = "ovirt-ovn"
HOST_DEPLOY = "ovirt-host-deploy"
DRIVER = "ovirt-provider-ovn-driver"


def launcher() -> tuple[list[str], dict[str, str]]:
    """Return the command that starts otopi, and what to add to its environment."""
    if "TESTS_OTOPI" in os.environ:
        python = os.environ.get("OTOPI_PYTHON", "/usr/bin/python3")
        return [os.environ["TESTS_OTOPI"]], {"OTOPI_NONROOT": "1", "OTOPI_PYTHON": python}
    return [sys.executable, "-B", "-m", "otopi.__main__"], {"PYTHONPATH": str(HERE / "standin")}


class Run(NamedTuple):
    """What a run of otopi has left: its output, what it called, and its log."""

    code: int
    output: str
    calls: list[str]
    log: str

    @property
    def errors(self) -> list[str]:
        """What was told as an error."""
        return re.findall(r"(?:\[ ERROR \]|\*\*\*L:ERROR) (.*)", self.output)

    @property
    def infos(self) -> list[str]:
        """What was told besides the stages."""
        return re.findall(r"(?:\[ INFO  \]|\*\*\*L:INFO) (?!Stage: )(.*)", self.output)


class Host:
    """A host of its own: settings, programs and plugins are below one folder.

    `enter` are words before a command that bring it onto another host, which has `settings`,
    the plugin and vdsm-tool itself then.
    """

    def __init__(
        self,
        folder: Path,
        *,
        enter: Sequence[str] = (),
        settings: Path | None = None,
    ) -> None:
        self.folder = folder
        self._enter = enter
        self.settings = settings or folder / "settings"
        self.engine_file = self.settings / "conf.d" / "10-engine.conf"
        self.seen = folder / "seen"
        self.bin = folder / "bin"
        self.bin.mkdir()
        if not enter:
            (self.bin / "vdsm-tool").symlink_to(DOUBLES / "vdsm_tool.py")
        self.plugins = folder / "plugins"
        for group, name, path in (
            *[(group, "ovn", PLUGIN) for group in (OWN_GROUP, HOST_DEPLOY) if not enter],
            (HOST_DEPLOY, "deployment", DOUBLES / "deployment"),
            ("recording", "recorder", DOUBLES / "recorder"),
        ):
            (self.plugins / group).mkdir(parents=True, exist_ok=True)
            (self.plugins / group / name).symlink_to(path)

    def run(
        self,
        *arguments: str,
        group: str = OWN_GROUP,
        answers: str = "",
        plugins: str = "",
        packages: str | None = DRIVER,
        modules: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Run:
        """Run otopi; `answers` are what the other side of the dialog says.

        `packages` are those that can be had, None stands for no package manager; `modules`
        is a folder that Python looks into first.
        """
        calls, logs = self.folder / "calls", self.folder / "logs"
        calls.write_text("")
        logs.mkdir(exist_ok=True)
        for old in logs.iterdir():
            old.unlink()
        command, added = launcher()
        variables = {
            **os.environ,
            **added,
            "CALLS": str(calls),
            "SETTINGS": str(self.settings),
            "SEEN": str(self.seen),
            "OTOPI_LOGDIR": str(logs),
            "OTOPI_CONFIG": str(self.folder / "otopi.conf"),
            **({} if packages is None else {"PACKAGES": packages}),
            **environment,
        }
        if modules is not None:
            variables["PYTHONPATH"] = f"{modules}:{variables.get('PYTHONPATH', '')}"
        done = subprocess.run(
            [
                *self._enter,
                *command,
                f"APPEND:BASE/pluginPath=str:{plugins or self.plugins}",
                f"BASE/pluginGroups=str:{group}:recording",
                f"SYSTEM/commandPath=str:{self.bin}:{os.environ['PATH']}",
                f"OVN/settingsFolder=str:{self.settings}",
                *arguments,
            ],
            input=answers,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env=variables,
        )
        log = "".join(path.read_text() for path in logs.iterdir())
        return Run(done.returncode, done.stdout + done.stderr, calls.read_text().splitlines(), log)
