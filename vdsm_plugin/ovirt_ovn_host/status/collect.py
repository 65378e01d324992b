# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Collect the facts of a host as it is, or of what it is to be. Changes nothing.

I/O. Every question has a time-out of some seconds, and what rests on one that failed is not
asked any more; so is nothing that this user may not see.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from .. import (
    addresses,
    commands,
    configure,
    controller,
    database,
    localdb,
    outlook,
    ovsdb,
    services,
    tunnel,
)
from .. import certificates as tls
from ..certificates import Files
from ..config import Config, Said, decode
from ..engine import CENTRAL, TUNNEL
from ..errors import DatabaseError, HostError
from ..kernel import read_links
from ..links import Link
from ..live import Live
from ..localdb import LocalDatabaseError
from ..outlook import Outlook, Paths
from . import central as central_server
from . import checks_switch, checks_tunnels, credentials, echo, surroundings, switch
from .facts import NOT_ASKED, Echo, Facts, Known, Problem, T
from .switch import Switch

_ADDRESSES_TIMEOUT_S = 2.0
_ECHO_TIMEOUT_S = 2.0
_MOST_ECHOES = 10
_MOST_JOBS = 5


def status(paths: Paths) -> Facts:
    """Return the facts of this host as it is."""
    facts = _begin()
    config = _try(lambda: configure.read_config(paths))
    facts = facts._replace(switch=_switch(facts.is_root))
    facts = facts._replace(
        outlook=_outlook(config, paths, facts),
        is_enabled=isinstance(config, Problem) or config.enabled,
    )
    if not checks_switch.is_concerned(facts):
        return facts
    facts = _in_force(facts, Config() if isinstance(config, Problem) else config)
    facts = _daemons(facts)
    facts = facts._replace(
        southbound=central_server.read(facts) if facts.remotes else NOT_ASKED,
        is_clock_steered=surroundings.is_clock_steered(),
        vdsm_file_status=credentials.file_status(credentials.VDSM_FILES),
        vdsm_certificate=credentials.certificate(credentials.VDSM_FILES, facts.is_root),
        listens=surroundings.listens(_port(facts)),
    )
    facts = facts._replace(
        migrating=_migrating(facts), announced=surroundings.announced(facts.now_s)
    )
    return _around(facts)


def preflight(paths: Paths, central: str, end: str) -> Facts:
    """Return the facts of a central and a tunnel that this host is to have."""
    facts = _begin()
    now = _live()
    remotes = _try(lambda: decode([Said("what was given", *CENTRAL, central)]).central)
    tunnel_text = _try(lambda: decode([Said("what was given", *TUNNEL, end)]).tunnel)
    config = _try(lambda: configure.read_config(paths))
    if isinstance(config, Problem):
        facts = facts._replace(outlook=config)
        config = Config()
    if now is not None:
        facts = facts._replace(host_name=now.external_ids.get("hostname", facts.host_name))
    if isinstance(remotes, Problem):
        facts = facts._replace(southbound=remotes)
    else:
        config = replace(config, central=remotes)
    if isinstance(tunnel_text, Problem):
        facts = facts._replace(tunnel=tunnel_text)
    else:
        config = replace(config, tunnel=tunnel_text)
        facts = facts._replace(tunnel=_try(lambda: _resolve(config, now)))
    name = _try(lambda: outlook.chassis_name(config, now))
    missing = [it for it in _installed() if not _is(services.exists, it)]
    facts = facts._replace(
        chassis_name=name,
        system_id="" if isinstance(name, Problem) else name,
        missing=missing,
        remotes=config.central,
        encaps=() if isinstance(facts.tunnel, Problem) else [(config.encap_type, facts.tunnel.ip)],
    )
    facts = _tls(facts, outlook.tls_files(config))
    if not isinstance(remotes, Problem):
        facts = facts._replace(centrals=central_server.try_all(facts))
        good = [it.remote for it in facts.centrals if not it.problem]
        facts = facts._replace(southbound=central_server.read(facts._replace(remotes=good)))
    return _around(facts)


def _begin() -> Facts:
    return Facts(
        now_s=time.time(),
        is_root=os.geteuid() == 0,
        host_name=os.uname().nodename,
        addresses=_try(lambda: addresses.read(_ADDRESSES_TIMEOUT_S)),
        links=_links(),
    )


def _links() -> dict[str, Link]:
    try:
        return read_links()
    except OSError:
        return {}


def _try(question: Callable[[], T]) -> Known[T]:
    try:
        return question()
    except HostError as error:
        return Problem(str(error))


def _switch(is_root: bool) -> Known[Switch]:
    if not is_root and not _may_write(Path(localdb.SOCKET)):
        return Problem("only root can see Open vSwitch's database", is_hidden=True)
    try:
        return switch.decode(ovsdb.read(switch.TABLES))
    except ovsdb.NoLocalDatabase:
        return Problem("it does not run, or is not installed")
    except (LocalDatabaseError, ValueError) as error:
        return Problem(str(error))


def _may_write(path: Path) -> bool:
    """Say whether this user may, or there is no such file."""
    return not os.path.lexists(path) or os.access(path, os.R_OK | os.W_OK)


def _live() -> Live | None:
    try:
        return database.read()
    except DatabaseError:
        return None


def _outlook(config: Known[Config], paths: Paths, facts: Facts) -> Known[Outlook]:
    if isinstance(config, Problem):
        return config
    if config.is_wanted and isinstance(facts.switch, Problem):
        return Problem("there are some, which cannot be compared: see open-vswitch", is_hidden=True)
    if config.is_wanted and not facts.is_root:
        files = outlook.tls_files(config)
        if config.uses_tls and not os.access(files.private_key, os.R_OK):
            return Problem("only root can compare them with the host", is_hidden=True)
    return _try(lambda: outlook.look(config, paths))


def _in_force(facts: Facts, config: Config) -> Facts:
    """Add what is in force in Open vSwitch; where that is not seen, what settings say."""
    if isinstance(facts.switch, Problem):
        facts = facts._replace(system_id=config.system_id, remotes=config.central)
        return _tls(facts, outlook.tls_files(config))
    found = facts.switch
    facts = facts._replace(
        host_name=found.external_ids.get("hostname", facts.host_name),
        system_id=found.system_id,
        remotes=[it.strip() for it in found.setting("ovn-remote").split(",") if it.strip()],
        encaps=found.encaps,
    )
    return _tls(facts, Files(*found.tls_files) if found.tls_files else outlook.tls_files(config))


def _tls(facts: Facts, files: Files) -> Facts:
    if not any(remote.startswith("ssl:") for remote in facts.remotes):
        return facts
    return facts._replace(
        files=files,
        file_status=credentials.file_status(files),
        has_owner=_has_user(tls.OWNER),
        certificate=credentials.certificate(files, facts.is_root),
    )


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _daemons(facts: Facts) -> Facts:
    running: dict[str, Known[bool]] = {}
    for service in checks_switch.VDSM_SERVICES:
        running[service] = _try(partial(services.is_active, service))
        if isinstance(running[service], Problem):
            break
    if not facts.is_root:
        hidden = Problem("only root can ask it", is_hidden=True)
        return facts._replace(services=running, controller=hidden, vswitchd=hidden)
    facts = facts._replace(services=running, controller=_controller())
    if isinstance(facts.switch, Problem):
        return facts
    return facts._replace(vswitchd=surroundings.ask_vswitchd("version"))


def _controller() -> Known[str]:
    try:
        return controller.status()
    except commands.CommandError as error:
        return Problem(f"it does not answer: {' '.join(str(error).split())}")


def _port(facts: Facts) -> int:
    kind = next((kind for kind, _ in facts.encaps), "geneve")
    return checks_tunnels.UDP_PORTS.get(kind, checks_tunnels.UDP_PORTS["geneve"])


def _migrating(facts: Facts) -> dict[str, bool | None]:
    """Ask libvirt for machines whose ports are on several chassis."""
    if isinstance(facts.southbound, Problem):
        return {}
    ports = {it.port for it in facts.southbound.bindings if it.additional or len(it.requested) > 1}
    machines = sorted({vif.vm_id for vif in facts.vifs if vif.port in ports})
    return {it: surroundings.is_migrating(it) for it in machines[:_MOST_JOBS]}


def _around(facts: Facts) -> Facts:
    """Add what firewall and other chassis say of this host's end of tunnels."""
    ips = checks_tunnels.ips(facts)
    source = next((ip for ip in ips if checks_tunnels.link_of(facts, ip)), "")
    if not source:
        return facts._replace(echoes=Problem("this host has no end of tunnels", is_hidden=True))
    link = checks_tunnels.link_of(facts, source)
    facts = facts._replace(firewall=surroundings.ask_firewall(link, _port(facts)))
    if isinstance(facts.southbound, Problem):
        return facts
    kinds = {kind for kind, _ in facts.encaps}
    ends = [
        (it.name, ip)
        for it in facts.southbound.chassis
        if it.name != facts.system_id
        for kind, ip in it.encaps
        if kind in kinds and ip not in ips
    ]
    return facts._replace(other_ends=ends, echoes=_echo(facts, ends, source))


def _echo(facts: Facts, ends: Sequence[tuple[str, str]], source: str) -> Known[Sequence[Echo]]:
    needed = checks_tunnels.needed_bytes(facts, source)
    size_bytes = min(needed, checks_tunnels.room_bytes(facts, source) or needed)
    try:
        return echo.probe(ends[:_MOST_ECHOES], source, size_bytes, _ECHO_TIMEOUT_S)
    except PermissionError:
        return Problem("this user may not ping", is_hidden=True)
    except OSError as error:
        return Problem(f"ping from {source}: {error.strerror}")


def _resolve(config: Config, now: Live | None) -> tunnel.Tunnel:
    return tunnel.resolve(config.tunnel, outlook.read_host(config, now))


def _installed() -> Sequence[str]:
    return services.SWITCH, services.CONTROLLER, services.IPSEC


def _is(question: Callable[[str], bool], service: str) -> bool:
    """Return what systemd answers; True if it does not."""
    try:
        return question(service)
    except HostError:
        return True
