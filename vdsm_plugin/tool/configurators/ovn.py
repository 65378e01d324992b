# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The module `ovn` of `vdsm-tool configure` and the verbs beside it.

vdsm-tool imports this file each time it runs, and vdsmd does not start if that fails, or if
`isconfigured` or `validate` raise or say NO: so nothing but the standard library is imported
with it, and all errors are caught. What a host is to be is in the files of
/etc/ovirt-provider-ovn-driver.
"""

from __future__ import annotations

import argparse
import contextlib
import getopt
import sys
from typing import Callable, TextIO

# Where our package is, which only what we install needs to find.
sys.path.append("@DATADIR@")
# What vdsm.tool.configurators calls YES, NO and MAYBE.
_YES, _NO, _MAYBE = range(3)


def isconfigured() -> int:
    """Say YES if the host is as its settings want it, or if they want nothing.

    Else MAYBE, which keeps nobody from anything; but NO to `configure`, which does nothing
    for any other answer unless it is forced.
    """
    try:
        from ovirt_ovn_host.configure import look
        from ovirt_ovn_host.outlook import Paths

        seen = look(Paths())
    except Exception as error:
        _say(f"cannot be checked: {_words(error)}", sys.stderr)
    else:
        if not seen.changes:
            if _verb() == "configure" and (seen.wanted or "ovn" in _modules()):
                _say(f"nothing to change: {seen.summary}")
            return _YES
        _say(f"to be changed: {'; '.join(seen.changes)}")
    return _NO if _verb() == "configure" else _MAYBE


def validate() -> bool:
    """Say True: what is wrong is said by `configure`, and vdsmd has to start in any case."""
    return True


def configure() -> None:
    """Make the host what its settings want."""

    def run() -> None:
        from ovirt_ovn_host import configure as host
        from ovirt_ovn_host.outlook import Paths

        host.configure(Paths(), _say, is_attended=True)

    _run(run)


def removeConf() -> None:
    """Take the host out of OVN, if its settings have brought it there."""

    def run() -> None:
        from ovirt_ovn_host.configure import read_config
        from ovirt_ovn_host.leave import leave
        from ovirt_ovn_host.outlook import Paths

        if read_config(Paths()).is_wanted:
            leave(Paths(), _say)

    _run(run)


def _run(program: Callable[[], None]) -> None:
    """Run a program. What goes wrong is raised only if this module was asked for by name.

    vdsm-tool ends at the first exception, which would take down what has nothing to do with
    OVN: the set-up of a host by the engine, an update of VDSM.
    """
    try:
        program()
    except Exception as error:
        if "ovn" not in _modules():
            _say(_words(error), sys.stderr)
            return
        from vdsm.tool import configurators

        raise configurators.InvalidRun(f"OVN: {_words(error)}") from None


def _arguments() -> list[str]:
    """Return the command line from the verb on."""
    options = ["help", "logfile=", "append", "verbose", "vverbose", "vvverbose"]
    try:
        return getopt.getopt(sys.argv[1:], "hl:av", options)[1]
    except getopt.GetoptError:
        return []


def _verb() -> str:
    return next(iter(_arguments()), "")


def _modules() -> list[str]:
    """Return the modules that were asked for by name; none means all."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--module", action="append", default=[])
    modules: list[str] = parser.parse_known_args(_arguments()[1:])[0].module
    return modules


def _say(text: str, stream: TextIO | None = None) -> None:
    # Nobody who reads any more is no reason to stop half-way.
    with contextlib.suppress(OSError):
        print(f"OVN: {text}", file=stream or sys.stdout, flush=True)


def _words(error: Exception) -> str:
    """Return one line for an error: our own say it all."""
    from_us = type(error).__module__.startswith("ovirt_ovn_host")
    return " ".join((str(error) if from_us else f"unexpected {error!r}").split())
