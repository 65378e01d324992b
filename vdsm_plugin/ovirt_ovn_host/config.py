# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings of a host: what its files say -> one frozen `Config`.

Pure. Owns the table of options: each field of `Config` carries its section, key, parser
(`config_values`), default and meaning. Where the files are is known to `config_files`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Callable, NamedTuple, TypeVar

from . import config_values as parse
from .errors import ConfigError

# In this section the administrator chooses the keys.
NETWORKS = "networks"
# The keys of this section are passed on to the hooks, by the same names.
HOOKS = "hooks"

T = TypeVar("T")


class Said(NamedTuple):
    """One value of one file."""

    file: str
    section: str
    key: str
    text: str


@dataclass(frozen=True)
class Option:
    """One row of the table: where an option stands in a file and in `Config`."""

    section: str
    key: str
    field: str
    parse: Callable[[str], Any]
    meaning: str


def _option(section: str, key: str, default: T, parse: Callable[[str], T], meaning: str) -> T:
    return field(default=default, metadata={"option": Option(section, key, "", parse, meaning)})


_PKI = "/etc/pki/vdsm/ovn"


@dataclass(frozen=True)
class Config:
    """Every option, parsed; `Config()` holds the defaults.

    `network_names` are the engine's names of networks by VDSM's. `files` says which file
    set an option, by the field's name; one that no file set is not in it.
    """

    # fmt: off
    enabled: bool = _option(
        "ovn", "enabled", True, parse.boolean,
        "whether this host is to be in OVN, if central is set",
    )
    central: tuple[str, ...] = _option(
        "ovn", "central", (), parse.remotes,
        "OVN's Southbound: a name or address, or ssl:HOST:PORT; all servers of a cluster, with "
        "commas",
    )
    tunnel: str = _option(
        "ovn", "tunnel", "", parse.word,
        "where this host ends tunnels: one of its addresses, a subnet (ADDRESS/LENGTH: the "
        "address in it), a network of oVirt, or an interface",
    )
    encap_type: str = _option(
        "ovn", "encap-type", "geneve", parse.one_of("geneve", "vxlan"),
        "the kind of tunnels, the same on all hosts",
    )
    bridge: str = _option(
        "ovn", "bridge", "br-int", parse.bridge,
        "the integration bridge; if not set, the one that OVN has now",
    )
    system_id: str = _option(
        "ovn", "system-id", "", parse.system_id,
        "the name of this chassis; if not set, the one that it has now, or the host's full name",
    )
    remote_probe_interval_ms: int = _option(
        "ovn", "remote-probe-interval", 60000, parse.integer(1000, 3_600_000, 0),
        "milliseconds of silence after which Southbound is probed; 0 = never",
    )
    openflow_probe_interval_s: int = _option(
        "ovn", "openflow-probe-interval", 60, parse.integer(0, 3600),
        "seconds of silence after which the bridge is probed; 0 = never",
    )
    restart_wait_ms: int = _option(
        "ovn", "restart-wait", 8000, parse.integer(0, 60000),
        "milliseconds that ovn-controller, when it starts, leaves all flows as they are, to have "
        "new ones ready; 0 = none",
    )
    private_key: str = _option(
        "tls", "private-key", f"{_PKI}/ovn-key.pem", parse.path, "PEM private key",
    )
    certificate: str = _option(
        "tls", "certificate", f"{_PKI}/ovn-cert.pem", parse.path, "PEM certificate of that key",
    )
    ca_certificate: str = _option(
        "tls", "ca-certificate", f"{_PKI}/ca-cert.pem", parse.path,
        "PEM certificate of the authority that Southbound and the hosts trust",
    )
    start: str = _option(
        HOOKS, "start", "immediately", parse.one_of("immediately", "when-ports-installed"),
        "when a virtual machine with OVN ports begins to run: immediately, or "
        "when-ports-installed",
    )
    start_timeout_s: int = _option(
        HOOKS, "start-timeout", 5, parse.integer(1, 30),
        "seconds that when-ports-installed waits at the most",
    )
    vm_stats: bool = _option(
        HOOKS, "vm-stats", False, parse.boolean,
        "whether the counters of OVN ports are among the statistics of virtual machines too",
    )
    bindings_url: str = _option(
        HOOKS, "bindings-url", "", parse.url,
        "where live migrations are announced; if not set, port 9697 of the central",
    )
    migration_wait_s: int = _option(
        HOOKS, "migration-wait", 20, parse.integer(0, 60),
        "seconds that the old host of a virtual machine that was migrated here gets at the most "
        "to unplug it",
    )
    # fmt: on
    network_names: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_wanted(self) -> bool:
        """Whether this host is to be in OVN."""
        return self.enabled and bool(self.central)

    @property
    def uses_tls(self) -> bool:
        """Whether Southbound is reached by TLS, so that certificates are needed."""
        return any(remote.startswith("ssl:") for remote in self.central)


def _options() -> Iterable[Option]:
    for row in fields(Config):
        if "option" in row.metadata:
            option = row.metadata["option"]
            yield Option(option.section, option.key, row.name, option.parse, option.meaning)


OPTIONS: Sequence[Option] = tuple(_options())
_BY_KEY = {(option.section, option.key): option for option in OPTIONS}


def decode(said: Iterable[Said]) -> Config:
    """Return the settings from what files say, in order: the last one wins.

    Raises ConfigError for a key that does not exist, wherever it stands, and for a value
    that cannot be used if it is the one that counts.
    """
    counting: dict[tuple[str, str], Said] = {}
    names: dict[str, str] = {}
    for entry in said:
        if entry.section == NETWORKS:
            names[entry.key] = entry.text
        elif (entry.section, entry.key) in _BY_KEY:
            counting[entry.section, entry.key] = entry
        else:
            raise ConfigError(_unknown(entry))
    values = {_BY_KEY[key].field: _value(entry) for key, entry in counting.items()}
    files = {_BY_KEY[key].field: entry.file for key, entry in counting.items()}
    return Config(**values, network_names=names, files=files)


def _value(entry: Said) -> Any:
    try:
        return _BY_KEY[entry.section, entry.key].parse(entry.text)
    except ValueError as error:
        where = f"{entry.file}: [{entry.section}] {entry.key} = {entry.text!r:.80}"
        raise ConfigError(f"{where}: should be {error}") from None


def _unknown(entry: Said) -> str:
    sections = {option.section for option in OPTIONS} | {NETWORKS}
    if entry.section not in sections:
        known = ", ".join(f"[{name}]" for name in sorted(sections))
        return f"{entry.file}: [{entry.section}] is not a section, there are {known}"
    keys = [option.key for option in OPTIONS if option.section == entry.section]
    close = difflib.get_close_matches(entry.key, keys, 1)
    hint = f"is {close[0]} meant?" if close else f"there are {', '.join(keys)}"
    return f"{entry.file}: [{entry.section}] {entry.key} is not a setting, {hint}"
