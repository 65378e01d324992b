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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

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
from .bindings import Southbound
from .facts import NOT_ASKED, Echo, Facts, Firewall, Known, Problem, T
from .switch import Switch

_ADDRESSES_TIMEOUT_S = 2.0
_ECHO_TIMEOUT_S = 2.0
_MOST_ECHOES = 10
_MOST_JOBS = 5
_ONLY_ROOT = Problem("only root can ask it", is_hidden=True)


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
    facts = facts._replace(
        is_clock_steered=surroundings.is_clock_steered(),
        vdsm_file_status=credentials.file_status(credentials.VDSM_FILES),
        vdsm_certificate=credentials.certificate(credentials.VDSM_FILES, facts.is_root),
        announced=surroundings.announced(facts.now_s),
        **_at_once(
            services=_services,
            controller=partial(_controller, facts),
            vswitchd=partial(_vswitchd, facts),
            southbound=partial(_southbound, facts),
            listens=partial(surroundings.listens, _port(facts)),
        ),
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


def _at_once(**questions: Callable[[], Any]) -> dict[str, Any]:
    """Return the answers by the same names; where all hangs, time-outs do not add up."""
    if not questions:
        return {}
    with ThreadPoolExecutor(len(questions)) as pool:
        asked = {name: pool.submit(question) for name, question in questions.items()}
        return {name: answer.result() for name, answer in asked.items()}


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


def _services() -> dict[str, Known[bool]]:
    running: dict[str, Known[bool]] = {}
    for service in checks_switch.VDSM_SERVICES:
        running[service] = _try(partial(services.is_active, service))
        if isinstance(running[service], Problem):
            break
    return running


def _vswitchd(facts: Facts) -> Known[str]:
    if not facts.is_root:
        return _ONLY_ROOT
    return NOT_ASKED if isinstance(facts.switch, Problem) else surroundings.ask_vswitchd("version")


def _controller(facts: Facts) -> Known[str]:
    if not facts.is_root:
        return _ONLY_ROOT
    try:
        return controller.status()
    except commands.CommandError as error:
        return Problem(f"it does not answer: {' '.join(str(error).split())}")


def _southbound(facts: Facts) -> Known[Southbound]:
    return central_server.read(facts) if facts.remotes else NOT_ASKED


def _port(facts: Facts) -> int:
    kind = next((kind for kind, _ in facts.encaps), "geneve")
    return checks_tunnels.UDP_PORTS.get(kind, checks_tunnels.UDP_PORTS["geneve"])


def _migrating(facts: Facts) -> dict[str, bool | None]:
    """Ask libvirt for machines whose ports are on several chassis."""
    if isinstance(facts.southbound, Problem):
        return {}
    ports = {it.port for it in facts.southbound.bindings if it.additional or len(it.requested) > 1}
    machines = sorted({vif.vm_id for vif in facts.vifs if vif.port in ports})
    return _at_once(**{it: partial(surroundings.is_migrating, it) for it in machines[:_MOST_JOBS]})


def _around(facts: Facts) -> Facts:
    """Add what libvirt says, and firewall and other chassis of this host's end of tunnels."""
    ips = checks_tunnels.ips(facts)
    source = next((ip for ip in ips if checks_tunnels.link_of(facts, ip)), "")
    if source and not isinstance(facts.southbound, Problem):
        kinds = {kind for kind, _ in facts.encaps}
        ends = [
            (it.name, ip)
            for it in facts.southbound.chassis
            if it.name != facts.system_id
            for kind, ip in it.encaps
            if kind in kinds and ip not in ips
        ]
        facts = facts._replace(other_ends=ends)
    return facts._replace(
        **_at_once(
            migrating=partial(_migrating, facts),
            firewall=partial(_firewall, facts, source),
            echoes=partial(_echoes, facts, source),
        )
    )


def _firewall(facts: Facts, source: str) -> Known[Firewall] | None:
    if not source:
        return None
    return surroundings.ask_firewall(checks_tunnels.link_of(facts, source), _port(facts))


def _echoes(facts: Facts, source: str) -> Known[Sequence[Echo]]:
    if not source:
        return Problem("this host has no end of tunnels", is_hidden=True)
    if not facts.other_ends:
        return ()
    needed = checks_tunnels.needed_bytes(facts, source)
    size_bytes = min(needed, checks_tunnels.room_bytes(facts, source) or needed)
    ends = facts.other_ends[:_MOST_ECHOES]
    try:
        return echo.probe(ends, source, size_bytes, _ECHO_TIMEOUT_S)
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
