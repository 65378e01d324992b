# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Verbs of vdsm-tool: `ovn-config`, `ovn-unconfigure`, as the engine calls them, `ovn-status`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from vdsm.tool import ExtraArgsError, NotRootError, UsageError, expose

# Where our package is, which only what we install needs to find.
sys.path.append("@DATADIR@")


@expose("ovn-config")
def ovn_config(*args: str) -> int:
    """ovn-config CENTRAL TUNNEL [FQDN]
    Bring this host into OVN, and keep that in /etc/ovirt-provider-ovn-driver.

    Parameters:
    CENTRAL - name or address of the machine with OVN's Southbound, or a list of
              remotes such as ssl:HOST:PORT,ssl:HOST:PORT
    TUNNEL  - where this host ends tunnels: one of its addresses, a subnet, a
              network of oVirt or an interface
    FQDN    - the name of this chassis, as it is in the host's certificate
    """
    if len(args) not in (3, 4):
        raise ExtraArgsError(n=3)

    def run() -> None:
        from ovirt_ovn_host import engine
        from ovirt_ovn_host.outlook import Paths

        given = {engine.CENTRAL: args[1], engine.TUNNEL: args[2]}
        if args[3:] and args[3]:
            given[engine.SYSTEM_ID] = args[3]
        engine.set_up(Paths(), _say, given)

    return _run(run)


@expose("ovn-unconfigure")
def ovn_unconfigure(*args: str) -> int:
    """ovn-unconfigure
    Take this host out of OVN; Open vSwitch goes on.
    """
    if len(args) != 1:
        raise ExtraArgsError(n=0)

    def run() -> None:
        from ovirt_ovn_host.leave import leave
        from ovirt_ovn_host.outlook import Paths

        leave(Paths(), _say)

    return _run(run)


@expose("ovn-status")
def ovn_status(*args: str) -> int:
    """ovn-status [--json] [--preflight CENTRAL TUNNEL]
    Show whether this host is right in OVN, and what mends it. Changes nothing.

    Exit code: 0 all is well, 1 there are warnings, 2 there are errors.

    Parameters:
    --json      - the same as JSON
    --preflight - show whether this host could have this central and this tunnel,
                  which are as for ovn-config
    """
    from ovirt_ovn_host.outlook import Paths
    from ovirt_ovn_host.status import program

    try:
        arguments = program.parse(args[1:])
    except ValueError:
        raise ExtraArgsError(n=0) from None
    return program.run(arguments, Paths())


def _run(program: Callable[[], None]) -> int:
    """Run a program of root's; what is wrong with the host is one line and exit code 1."""
    if os.geteuid() != 0:
        raise NotRootError
    from ovirt_ovn_host.errors import HostError

    try:
        program()
    except HostError as error:
        raise UsageError(f"OVN: {error}") from None
    return 0


def _say(text: str) -> None:
    # Nobody who reads any more is no reason to stop half-way.
    with contextlib.suppress(OSError):
        print(f"OVN: {text}", flush=True)
