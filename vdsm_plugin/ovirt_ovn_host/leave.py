# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Take a host out of OVN: out of Southbound first, then out of its own database.

I/O. Open vSwitch goes on, and what others have set stays. Each step can be repeated.
"""

from __future__ import annotations

import shlex

from . import (
    chassis,
    config_files,
    controller,
    database,
    departure,
    hookfile,
    outlook,
    services,
)
from .certificates import Files
from .config import Said, decode
from .configure import Say, read_config
from .engine import ENABLED
from .errors import HostError
from .files import difference, write
from .live import Live
from .outlook import Paths

_CONNECT_TIMEOUT_S = 5.0


def leave(paths: Paths, say: Say) -> None:
    """Take this host out of OVN. Raises HostError; nothing was changed unless it says so."""
    config = read_config(paths)
    now = database.read()
    if now.is_chassis and now.plugged:
        raise HostError(
            f"{len(now.plugged)} OVN ports of running virtual machines are on this host "
            f"({', '.join(now.plugged[:5])}): put it into maintenance first"
        )
    forget(paths, say)
    bridge = config.bridge if "bridge" in config.files else None
    files = outlook.tls_files(config)
    is_out = not now.is_chassis or _leave_southbound(now, files, say)
    made = database.change(lambda now: chassis.leave(now, files, bridge))
    for change in made.changes:
        say(str(change))
    for key in chassis.overridden(now):
        say(f"external_ids:{key} is not ours and stays, remove it with ovs-vsctl")
    hooks = hookfile.encode(config, bridge=config.bridge, tunnel_network="")
    for file in difference(paths.hooks, hooks):
        write(*file)
    if not is_out:
        # Not worth a second try: this host has done what it can.
        raise HostError(
            f"this host is not in OVN any more, but chassis {now.system_id} has not been seen to "
            "leave Southbound: run on the central: "
            f"ovn-sbctl chassis-del {shlex.quote(now.system_id)}"
        )
    say("this host is not in OVN" if now.is_chassis else "nothing to do: this host is not in OVN")


def forget(paths: Paths, say: Say) -> None:
    """Have settings that do not want this host in OVN, so that it does not come back by itself.

    The engine's are removed. Where the administrator's would do, "enabled = no" is put
    before them.
    """
    administrator = config_files.read_administrator(paths.settings)
    values = {ENABLED: "no"} if decode(administrator).is_wanted else {}
    config_files.write_engine(paths.settings, values)
    said = [Said("", *key, text) for key, text in values.items()]
    config = decode([*said, *administrator])
    if config.is_wanted:
        say(f"{config.files['enabled']} sets enabled = yes: this host will come back into OVN")


def _leave_southbound(now: Live, files: Files, say: Say) -> bool:
    """Have ovn-controller take the chassis out and end, and not start any more."""
    if not services.is_active(services.CONTROLLER):
        # A stopped one has left its chassis behind.
        _try(services.Step("start", services.CONTROLLER), say)
    is_out = controller.wait_connected(_CONNECT_TIMEOUT_S) and departure.depart(now, files)
    for verb in ("stop", "disable"):
        _try(services.Step(verb, services.CONTROLLER), say)
    if is_out:
        say(f"chassis {now.system_id} is out of Southbound")
    return is_out


def _try(step: services.Step, say: Say) -> None:
    try:
        services.do(step)
    except HostError as error:
        say(str(error))
