# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host has, what its settings want, and the difference between the two.

I/O, reading only: everything that a configuration rests on is looked at here, and
everything that can be wrong is found here, before anything is changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from . import (
    addresses,
    certificates,
    chassis,
    commands,
    config_files,
    config_values,
    database,
    hookfile,
    live,
    services,
    tunnel,
    vdsmconf,
)
from .certificates import Files
from .config import Config
from .errors import ConfigError, NoDatabase
from .files import FileChange, difference
from .live import Live
from .networks import NotUnderstood, decode_networks
from .settings import PATH as HOOKS_PATH

_ADDRESSES_TIMEOUT_S = 2.0
_FQDN_TIMEOUT_S = 2.0


class Paths(NamedTuple):
    """Where the files are."""

    settings: Path = config_files.FOLDER
    # ovs-ctl puts what is in it into the database at each start.
    system_id: Path = Path("/etc/openvswitch/system-id.conf")
    hooks: Path = Path(HOOKS_PATH)


class Outlook(NamedTuple):
    """What is to be done on a host; `wanted` and `live` are None if it is not to be in OVN.

    What differs is in `plan` (the database), `files` and `steps` (services). `notes` are
    worth knowing.
    """

    files: Sequence[FileChange]
    wanted: chassis.Wanted | None = None
    live: Live | None = None
    plan: chassis.Plan = chassis.Plan((), ())
    steps: Sequence[services.Step] = ()
    notes: Sequence[str] = ()

    @property
    def changes(self) -> list[str]:
        """Everything that differs, to be shown; nothing if nothing has to be done."""
        return [str(change) for change in (*self.plan.changes, *self.files, *self.steps)]

    @property
    def summary(self) -> str:
        """What this host is to be, in a few words."""
        if self.wanted is None:
            return f"no settings in {config_files.FOLDER} want this host in OVN"
        return (
            f"chassis {self.wanted.system_id}, tunnels at {self.wanted.encap_ip}, "
            f"Southbound {','.join(self.wanted.remotes)}"
        )


def tls_files(config: Config) -> Files:
    """Return the paths of the certificates."""
    return Files(config.private_key, config.certificate, config.ca_certificate)


def look(config: Config, paths: Paths) -> Outlook:
    """Look at the host. Raises HostError: NoDatabase if only Open vSwitch is not running."""
    if not config.is_wanted:
        hooks = hookfile.encode(config, bridge=config.bridge, tunnel_network="")
        return Outlook(difference(paths.hooks, hooks))
    if not config.tunnel:
        raise ConfigError(
            f"{config.files['central']} sets central, but nothing sets tunnel: "
            "set it in [ovn] to an address, a subnet or a network of this host"
        )
    try:
        now = database.read()
    except NoDatabase:
        # What else is wrong is said first: it would be in the way when that runs again.
        _wanted(config, None)
        raise
    wanted, ends, notes = _wanted(config, now)
    hooks = hookfile.encode(
        config, bridge=wanted.bridge or now.bridge_name, tunnel_network=ends.network
    )
    running = [services.SWITCH, services.CONTROLLER]
    if services.exists(services.IPSEC):
        running.append(services.IPSEC)
    else:
        notes.append(
            f"{services.IPSEC} is not installed: the engine shows 'OVN configured: no' without it"
        )
    notes += [f"external_ids:{key} goes before our setting" for key in chassis.overridden(now)]
    notes.append(f"tunnels end at {ends.ip}: {ends.why}")
    return Outlook(
        files=[
            *difference(paths.system_id, f"{wanted.system_id}\n"),
            *difference(paths.hooks, hooks),
        ],
        wanted=wanted,
        live=now,
        plan=chassis.join(wanted, now),
        steps=services.missing(running),
        notes=notes,
    )


def read_host(config: Config, now: Live | None) -> tunnel.Host:
    """Return what tunnels could end at. Raises HostError."""
    return tunnel.Host(
        addresses=addresses.read(_ADDRESSES_TIMEOUT_S),
        networks=_read_networks(),
        names=config.network_names,
        current=now.setting(live.ENCAP_IP) if now else "",
    )


def _read_networks() -> dict[str, str]:
    """Return the link that has the addresses of each of VDSM's networks, by its name."""
    try:
        networks = decode_networks(vdsmconf.read_running("nets"))
    except (NotUnderstood, OSError, ValueError):
        # None that a name could be found among: then that is what is said.
        return {}
    return {name: network.top for name, network in sorted(networks.items())}


def _wanted(config: Config, now: Live | None) -> tuple[chassis.Wanted, tunnel.Tunnel, list[str]]:
    """Return what the chassis is to be, where its tunnels end, and notes. Raises HostError."""
    ends = tunnel.resolve(config.tunnel, read_host(config, now))
    system_id = chassis_name(config, now)
    files = tls_files(config) if config.uses_tls else None
    notes = certificates.check(files, system_id) if files else []
    wanted = chassis.Wanted(
        system_id=system_id,
        remotes=config.central,
        encap_type=config.encap_type,
        encap_ip=ends.ip,
        remote_probe_interval_ms=config.remote_probe_interval_ms,
        openflow_probe_interval_s=config.openflow_probe_interval_s,
        restart_wait_ms=config.restart_wait_ms,
        bridge=config.bridge if "bridge" in config.files else None,
        tls_files=files,
    )
    return wanted, ends, notes


def chassis_name(config: Config, now: Live | None) -> str:
    """Return the chassis' name. Raises ConfigError if nothing that would do is said, or known.

    Where no setting says it, it stays as it is: a changed one would be a stranger.
    """
    if config.system_id:
        return config.system_id
    for found in (now.system_id if now else "", _host_name()):
        try:
            return config_values.system_id(found)
        except ValueError as error:
            reason = error
    raise ConfigError(
        f"this host is called {found or 'nothing'}, which cannot be the name of a chassis: "
        f"set [ovn] system-id to {reason}"
    )


def _host_name() -> str:
    name = os.uname().nodename
    if "." in name:
        return name
    try:
        # Within a limit: it may ask DNS.
        output = commands.run(["/usr/bin/hostname", "--fqdn"], _FQDN_TIMEOUT_S)
    except commands.CommandTimeout as error:
        # The short one would stay for good.
        raise ConfigError(
            f"the full name of {name} is not known in time: is DNS right? Or set [ovn] system-id"
        ) from error
    except commands.CommandError:
        return name
    return output.decode(errors="replace").strip()
