# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine (or otopi) says of a host: kept in its file of settings, and applied.

I/O. What the administrator says goes before it, and what comes to the same stays as it
was said: a list of central servers that has the engine's in it, a tunnel by its network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import config_files, config_values, database, outlook, tunnel
from .config import OPTIONS, Config, Said, decode
from .configure import Say, apply
from .errors import ConfigError, DatabaseError
from .live import REMOTE, Live
from .outlook import Paths

Values = Mapping[tuple[str, str], str]

ENABLED = ("ovn", "enabled")
CENTRAL = ("ovn", "central")
TUNNEL = ("ovn", "tunnel")
SYSTEM_ID = ("ovn", "system-id")


def set_up(paths: Paths, say: Say, given: Values) -> None:
    """Keep values in the engine's file, by section and key, and apply all settings.

    Other values of that file stay. Raises HostError; then neither file nor host has changed,
    unless the message says so.
    """
    old = {(it.section, it.key): it.text for it in config_files.read_engine(paths.settings)}
    administrator = config_files.read_administrator(paths.settings)
    given = _without_foreign_name(given, administrator, say)
    # Also where the administrator's value counts: what was given must make sense.
    decode(Said("what was given", *key, text) for key, text in given.items())
    new = {**old, **given}
    new.pop(ENABLED, None)
    now = _read_live()
    if CENTRAL in given:
        known = [old.get(CENTRAL, ""), now.setting(REMOTE) if now else ""]
        new[CENTRAL] = _keep_list(given[CENTRAL], known, say)
    if TUNNEL in given and TUNNEL in old:
        host = outlook.read_host(decode(administrator), now)
        new[TUNNEL] = _keep_tunnel(given[TUNNEL], old[TUNNEL], host, say)
    engine_file = str(paths.settings / config_files.ENGINE_FILE)
    said = [Said(engine_file, *key, text) for key, text in new.items()]
    config = decode([*said, *administrator])
    _say_what_counts(config, given, engine_file, say)

    def save() -> Callable[[], None]:
        config_files.write_engine(paths.settings, new)
        return lambda: config_files.write_engine(paths.settings, old)

    apply(config, paths, say, is_attended=True, save=save)


def _read_live() -> Live | None:
    try:
        return database.read()
    except DatabaseError:
        # Whether it has to answer is decided when the settings are applied.
        return None


def _without_foreign_name(given: Values, administrator: Sequence[Said], say: Say) -> Values:
    """Return what was given, without what the engine calls a host that OVN must call otherwise.

    The engine knows some hosts by an address. Others have names that VDSM could never match:
    that is an error as long as the administrator has not said another one.
    """
    name = given.get(SYSTEM_ID)
    is_said = any((it.section, it.key) == SYSTEM_ID for it in administrator)
    if name is None or not (is_said or config_values.is_address(name)):
        return given
    try:
        config_values.system_id(name)
    except ValueError:
        say(f"{name}, as the engine calls this host, cannot be the name of its chassis")
        return {key: text for key, text in given.items() if key != SYSTEM_ID}
    return given


def _keep_list(given: str, known: Sequence[str], say: Say) -> str:
    """Return the first known list of central servers that has those given in it, else those."""
    wanted = set(config_values.remotes(given))
    for text in known:
        try:
            remotes = config_values.remotes(text)
        except ValueError:
            continue
        if wanted < set(remotes):
            say(f"central stays {text}, which {given} is one of")
            return text
    return given


def _keep_tunnel(given: str, old: str, host: tunnel.Host, say: Say) -> str:
    """Return the old setting if it means the same address, else the given one."""
    try:
        is_same = tunnel.resolve(old, host).ip == tunnel.resolve(given, host).ip
    except ConfigError:
        return given
    if is_same and old != given:
        say(f"tunnel stays {old}, which is at {given}")
    return old if is_same else given


def _say_what_counts(config: Config, given: Values, engine_file: str, say: Say) -> None:
    for option in OPTIONS:
        key = (option.section, option.key)
        file = config.files.get(option.field, engine_file)
        if key in given and file != engine_file:
            value = getattr(config, option.field)
            words = ",".join(value) if isinstance(value, tuple) else value
            say(f"{file} sets {option.key} = {words}, which goes before {given[key]}")
