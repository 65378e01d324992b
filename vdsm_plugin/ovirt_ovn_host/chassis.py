# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to change in the local database so that this host is a chassis, or is none.

Pure: what is wanted and what is there -> the differences, and one transaction that makes
them. It is guarded by what the plan rests on, so it changes nothing if somebody else was
faster. Keys that are not named here are somebody else's and stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import live as keys
from .live import Live

# Taken away when a host leaves. Never the system-id: VDSM fails without one, and a chassis
# that comes back must have the same name.
_SETTINGS = (
    keys.REMOTE,
    keys.ENCAP_TYPE,
    keys.ENCAP_IP,
    keys.REMOTE_PROBE,
    keys.OPENFLOW_PROBE,
    keys.RESTART_WAIT,
)
# Where openvswitch-ipsec looks (ovs-vswitchd.conf.db(5)), in the order of TLS files.
_IPSEC = ("private_key", "certificate", "ca_cert")
# ovn-controller makes its bridge the same way.
_FAIL_MODE = "secure"
_IN_BAND = "disable-in-band"
# Among the external_ids of a bridge: we made it.
_OURS = "ovirt-provider-ovn-driver"

Operation = Mapping[str, Any]


class Wanted(NamedTuple):
    """What a chassis is to be. `tls_files` are key, certificate, authority; None: as they are.

    `bridge` is None for the one that OVN has now.
    """

    system_id: str
    remotes: Sequence[str]
    encap_type: str
    encap_ip: str
    remote_probe_interval_ms: int
    openflow_probe_interval_s: int
    restart_wait_ms: int
    bridge: str | None = None
    tls_files: tuple[str, str, str] | None = None


class Change(NamedTuple):
    """One difference, to be shown: "" is nothing."""

    what: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.what}: {self.old or 'nothing'} -> {self.new or 'nothing'}"


class Plan(NamedTuple):
    """The differences and the transaction that makes them; both are empty if there are none."""

    changes: Sequence[Change]
    operations: Sequence[Operation]


def join(wanted: Wanted, live: Live) -> Plan:
    """Plan what makes the host the chassis that is wanted."""
    bridge = wanted.bridge or live.bridge_name
    settings: dict[str, str | None] = {
        keys.SYSTEM_ID: wanted.system_id,
        keys.REMOTE: ",".join(wanted.remotes),
        keys.ENCAP_TYPE: wanted.encap_type,
        keys.ENCAP_IP: wanted.encap_ip,
        keys.REMOTE_PROBE: str(wanted.remote_probe_interval_ms),
        keys.OPENFLOW_PROBE: str(wanted.openflow_probe_interval_s),
        keys.RESTART_WAIT: str(wanted.restart_wait_ms),
    }
    if bridge != live.bridge_name:
        settings[keys.BRIDGE] = bridge
    draft = _Draft(live)
    draft.set_map("external_ids", live.external_ids, settings)
    if wanted.tls_files is not None:
        draft.set_map("other_config", live.other_config, dict(zip(_IPSEC, wanted.tls_files)))
        draft.set_ssl(wanted.tls_files)
    draft.set_bridge(bridge)
    return draft.plan()


def leave(live: Live, tls_files: tuple[str, str, str], bridge: str | None) -> Plan:
    """Plan what makes the host no chassis any more, without what others have set.

    `tls_files` and `bridge` are what `join` would set: of these only the same are removed.
    """
    draft = _Draft(live)
    settings: dict[str, str | None] = dict.fromkeys(_SETTINGS)
    if bridge is not None and live.external_ids.get(keys.BRIDGE) == bridge:
        settings[keys.BRIDGE] = None
    draft.set_map("external_ids", live.external_ids, settings)
    ipsec = {
        key: None for key, path in zip(_IPSEC, tls_files) if live.other_config.get(key) == path
    }
    draft.set_map("other_config", live.other_config, ipsec)
    if live.ssl is not None and live.ssl.files == tls_files:
        draft.remove_ssl()
    draft.remove_bridge(live.bridge_name)
    return draft.plan()


def overridden(live: Live) -> Iterator[str]:
    """Yield keys that have no effect, because there is one of this chassis' own beside it."""
    for key in (*_SETTINGS, keys.BRIDGE):
        own = f"{key}-{live.system_id}"
        if own in live.external_ids:
            yield own


class _Draft:
    """Differences, and the operations for them."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._changes: list[Change] = []
        self._operations: list[Operation] = []

    def plan(self) -> Plan:
        """Return all of it as one transaction."""
        if not self._changes:
            return Plan((), ())
        root = self._live.root
        guard = self._on_root("wait", columns=[*root], until="==", rows=[root], timeout=0)
        return Plan(self._changes, [guard, *self._operations, _comment(self._changes)])

    def _on_root(self, verb: str, **arguments: Any) -> Operation:
        return _on("Open_vSwitch", self._live.uuid, verb, **arguments)

    def set_map(self, column: str, old: Mapping[str, str], new: Mapping[str, str | None]) -> None:
        """Set keys of a map of the Open_vSwitch row; None removes one."""
        changed = {key: value for key, value in new.items() if old.get(key) != value}
        for key, value in changed.items():
            self._changes.append(Change(f"{column}:{key}", old.get(key, ""), value or ""))
        if changed:
            self._operations.append(self._on_root("mutate", mutations=_mutations(column, changed)))

    def set_ssl(self, files: tuple[str, str, str]) -> None:
        """Have Open vSwitch and ovn-controller use these TLS files."""
        ssl = self._live.ssl
        row = {**dict(zip(_IPSEC, files)), "bootstrap_ca_cert": False}
        if ssl is not None and (ssl.files, ssl.bootstraps) == (files, False):
            return
        self._changes.append(Change("SSL", " ".join(ssl.files) if ssl else "", " ".join(files)))
        if ssl is not None:
            self._operations.append(_on("SSL", ssl.uuid, "update", row=row))
            return
        self._operations += [
            {"op": "insert", "table": "SSL", "uuid-name": "ssl", "row": row},
            self._on_root("update", row={"ssl": ["named-uuid", "ssl"]}),
        ]

    def remove_ssl(self) -> None:
        """Have no TLS files. The row goes when nothing refers to it."""
        assert self._live.ssl is not None
        self._changes.append(Change("SSL", " ".join(self._live.ssl.files), ""))
        self._operations.append(self._on_root("update", row={"ssl": ["set", []]}))

    def set_bridge(self, name: str) -> None:
        """Have the integration bridge, drop everything while nobody controls it."""
        bridge = self._live.bridges.get(name)
        if bridge is None:
            self._changes.append(Change(f"bridge {name}", "", f"fail-mode {_FAIL_MODE}"))
            self._operations += self._insert_bridge(name)
            return
        if bridge.fail_mode != _FAIL_MODE:
            self._changes.append(Change(f"bridge {name} fail-mode", bridge.fail_mode, _FAIL_MODE))
            self._operations.append(
                _on("Bridge", bridge.uuid, "update", row={"fail_mode": _FAIL_MODE})
            )
        in_band = bridge.other_config.get(_IN_BAND, "")
        if in_band != "true":
            self._changes.append(Change(f"bridge {name} {_IN_BAND}", in_band, "true"))
            mutations = _mutations("other_config", {_IN_BAND: "true"})
            self._operations.append(_on("Bridge", bridge.uuid, "mutate", mutations=mutations))

    def _insert_bridge(self, name: str) -> Iterator[Operation]:
        row: dict[str, Any] = {
            "name": name,
            "ports": ["named-uuid", "port"],
            "fail_mode": _FAIL_MODE,
            "other_config": ["map", [[_IN_BAND, "true"]]],
            "external_ids": ["map", [[_OURS, "made"]]],
        }
        datapath_type = self._live.external_ids.get(keys.DATAPATH_TYPE)
        if datapath_type:
            row["datapath_type"] = datapath_type
        interface = {"name": name, "type": "internal"}
        port = {"name": name, "interfaces": ["named-uuid", "interface"]}
        yield {"op": "insert", "table": "Interface", "uuid-name": "interface", "row": interface}
        yield {"op": "insert", "table": "Port", "uuid-name": "port", "row": port}
        yield {"op": "insert", "table": "Bridge", "uuid-name": "bridge", "row": row}
        member = ["set", [["named-uuid", "bridge"]]]
        yield self._on_root("mutate", mutations=[["bridges", "insert", member]])

    def remove_bridge(self, name: str) -> None:
        """Have no integration bridge, if it is ours and nothing is on it."""
        bridge = self._live.bridges.get(name)
        if bridge is None or _OURS not in bridge.external_ids:
            return
        if [interface.name for interface in bridge.interfaces] != [name]:
            return
        self._changes.append(Change(f"bridge {name}", "made by us", ""))
        member = ["set", [["uuid", bridge.uuid]]]
        self._operations.append(self._on_root("mutate", mutations=[["bridges", "delete", member]]))


def _on(table: str, uuid: str, verb: str, **arguments: Any) -> Operation:
    where = [["_uuid", "==", ["uuid", uuid]]]
    return {"op": verb, "table": table, "where": where, **arguments}


def _mutations(column: str, values: Mapping[str, str | None]) -> list[Any]:
    """Return the mutations that set keys of a map: an insertion leaves those that are there."""
    pairs = [[key, value] for key, value in values.items() if value is not None]
    deletion = [column, "delete", ["set", sorted(values)]]
    return [deletion, [column, "insert", ["map", pairs]]] if pairs else [deletion]


def _comment(changes: Iterable[Change]) -> Operation:
    return {"op": "comment", "comment": f"{_OURS}: {', '.join(it.what for it in changes)}"}
