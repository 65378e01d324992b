# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring a host into OVN: look, apply the difference, look again.

I/O; what is done here is decided in `outlook` and `chassis`. Each step can be repeated: a
run that was killed half-way is completed by the next one.
"""

from __future__ import annotations

import contextlib
import shlex
import ssl
from collections.abc import Callable, Sequence

from . import (
    certificates,
    config_files,
    controller,
    database,
    departure,
    live,
    outlook,
    services,
    southbound,
)
from .chassis import Change, join
from .config import Config, decode
from .errors import HostError, NoDatabase
from .files import write
from .outlook import Outlook, Paths

Say = Callable[[str], None]

_CENTRAL_TIMEOUT_S = 5.0


def look(paths: Paths) -> Outlook:
    """Return what this host's settings want, and what differs from it. Raises HostError."""
    return outlook.look(read_config(paths), paths)


def read_config(paths: Paths) -> Config:
    """Return the settings of this host. Raises ConfigError."""
    return decode(config_files.read(paths.settings))


def configure(paths: Paths, say: Say, *, is_attended: bool) -> None:
    """Make this host what its settings say. Raises HostError.

    `is_attended`: somebody asked for it, so that a central that does not answer is an
    error, and the chassis may get another name.
    """
    apply(read_config(paths), paths, say, is_attended=is_attended)


def apply(
    config: Config,
    paths: Paths,
    say: Say,
    *,
    is_attended: bool,
    save: Callable[[], Callable[[], None]] | None = None,
) -> None:
    """Make this host what a configuration says. Raises HostError.

    `save` keeps the settings, once nothing is wrong with them, and returns what takes them
    back if the database then refuses.
    """
    seen = _look_with_switch(config, paths, say)
    for note in seen.notes:
        say(note)
    if is_attended:
        _check_central(seen)
    is_renamed = _is_renamed(seen)
    if is_renamed:
        _check_rename(seen, is_attended)
    undo = save() if save else None
    if not seen.changes:
        say(f"nothing to change: {seen.summary}")
        return
    try:
        if is_renamed:
            _give_up_name(seen, config, say)
            seen = outlook.look(config, paths)
        made = _change_database(seen)
    except HostError:
        if is_renamed:
            with contextlib.suppress(HostError):
                services.do(services.Step("start", services.CONTROLLER))
        if undo:
            undo()
        raise
    for change in made:
        say(str(change))
    try:
        for file in seen.files:
            write(*file)
            say(str(file))
        failed = _apply_services(seen, say)
    except HostError as error:
        raise HostError(f"Open vSwitch's database is as it should be, but {error}") from error
    _verify(config, paths, failed)
    say(f"done: {seen.summary}")


def _look_with_switch(config: Config, paths: Paths, say: Say) -> Outlook:
    """Look at the host, and start Open vSwitch if that is all that is in the way."""
    try:
        return outlook.look(config, paths)
    except NoDatabase:
        step = services.Step("start", services.SWITCH)
        services.do(step)
        say(str(step))
        return outlook.look(config, paths)


def _check_central(seen: Outlook) -> None:
    """Raise HostError if a new central does not answer."""
    if not any(change.what == f"external_ids:{live.REMOTE}" for change in seen.plan.changes):
        return
    assert seen.wanted is not None
    tls = None
    if seen.wanted.tls_files is not None:
        files = certificates.Files(*seen.wanted.tls_files)
        tls = certificates.context(files, ssl.PROTOCOL_TLS_CLIENT)
    southbound.find(seen.wanted.remotes, tls, _CENTRAL_TIMEOUT_S)


def _is_renamed(seen: Outlook) -> bool:
    """Say whether Southbound knows this host by another name than it is to have."""
    if seen.wanted is None or seen.live is None:
        return False
    is_known = bool(seen.live.system_id) and seen.live.is_chassis
    return is_known and seen.live.system_id != seen.wanted.system_id


def _check_rename(seen: Outlook, is_attended: bool) -> None:
    """Raise HostError if the chassis cannot get another name now.

    Southbound has room for one chassis with this host's address only: the old one has to
    go before the new one comes, and between the two there is no network.
    """
    assert seen.live is not None
    assert seen.wanted is not None
    names = f"this host is chassis {seen.live.system_id} and shall be {seen.wanted.system_id}"
    if seen.live.plugged:
        raise HostError(
            f"{names}, which would cut off the {len(seen.live.plugged)} OVN ports of running "
            "virtual machines: put the host into maintenance first, or set [ovn] system-id"
        )
    if not is_attended:
        raise HostError(f'{names}: "vdsm-tool configure --module ovn" changes that')


def _give_up_name(seen: Outlook, config: Config, say: Say) -> None:
    """Take the chassis with the old name out of Southbound, and stop ovn-controller."""
    assert seen.live is not None
    old = seen.live.system_id
    if controller.is_connected():
        if not departure.depart(seen.live, outlook.tls_files(config)):
            raise HostError(
                f"ovn-controller does not take chassis {old} out of Southbound: "
                "systemctl status ovn-controller"
            )
        say(f"chassis {old} is out of Southbound")
    else:
        say(
            "ovn-controller is not connected: if Southbound knows this host as chassis "
            f"{old}, run on the central: ovn-sbctl chassis-del {shlex.quote(old)}"
        )
    services.do(services.Step("stop", services.CONTROLLER))


def _change_database(seen: Outlook) -> Sequence[Change]:
    wanted = seen.wanted
    if wanted is None:
        return ()
    return database.change(lambda now: join(wanted, now)).changes


def _apply_services(seen: Outlook, say: Say) -> set[str]:
    """Enable and start services; return the steps that failed and can be done without."""
    failed = set()
    for step in seen.steps:
        try:
            services.do(step)
            say(str(step))
        except HostError as error:
            if step.service != services.IPSEC:
                raise
            failed.add(str(step))
            say(str(error))
    return failed


def _verify(config: Config, paths: Paths, failed: set[str]) -> None:
    """Read back and compare; HostError if something is not as it should be."""
    left = [change for change in outlook.look(config, paths).changes if change not in failed]
    if left:
        raise HostError(f"changed, but not all is as it should be: {'; '.join(left)}")
