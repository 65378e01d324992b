# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Northbound holds in the end, held against what clients were told.

I/O: it reads the database, through a proxy of its own and past any, and its log.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.ovsdb import OvsdbServer
from daemon.proxy import path_of, running_api
from daemon.routing import assert_consistent
from faults.checker import check
from faults.history import Action, Held, History, Outcome, State
from faults.workload import KINDS, subject_of
from ovirt_ovn_proxy.nb import keys

_REQUEST = re.compile(r"req-[0-9a-f-]{36}")


def audit(server: OvsdbServer, history: History, logs: Sequence[Path]) -> list[str]:
    """Return everything that is wrong, each as a text; none: the run has proved its claim.

    `server` is one that answers for the newest state, `logs` are those of the proxies.
    """
    problems = list(history.wrong)
    with running_api(server) as api:
        assert_consistent(api)
        objects = {kind: api.get(path_of(kind))[f"{kind}s"] for kind in KINDS}
        replica = api.connection.replica
        assert replica is not None
        with replica.lock:
            problems += _halves(replica.tables, objects["port"])
    finals = _finals(objects, problems)
    problems += map(str, check(history.events, finals))
    problems += half_bulks(history, finals)
    for log in logs:
        text = log.read_text(errors="replace")
        problems += [f"{log.name}: {line}" for line in text.splitlines() if "Traceback" in line]
    return problems


def half_bulks(history: History, finals: Mapping[str, State]) -> Iterator[str]:
    """Yield the bulk requests of unknown outcome of which one object was made, another not.

    What was deleted had been made; of what may have been deleted nothing is known.
    """
    deletions: dict[Outcome, set[str]] = {outcome: set() for outcome in Outcome}
    for event in history.events:
        if event.action is Action.DELETE:
            deletions[event.outcome].add(event.subject)
    made = finals.keys() | deletions[Outcome.DONE]
    for subjects in history.bulks:
        known = [one for one in subjects if one in made or one not in deletions[Outcome.UNKNOWN]]
        if len({subject in made for subject in known}) > 1:
            yield f"a bulk request is there by half: {subjects}"


def _finals(objects: Mapping[str, Sequence[Any]], problems: list[str]) -> dict[str, State]:
    finals: dict[str, State] = {}
    for kind, rows in objects.items():
        for row in rows:
            holder, slash, _ = row["name"].partition("/")
            if not slash:
                continue  # not of a history: the scene's network, the default group
            addresses = [entry["ip_address"] for entry in row.get("fixed_ips", [])]
            subject = subject_of(kind, holder, addresses)
            if subject in finals:
                problems.append(f"there twice: {subject}: {finals[subject]}, {row['name']}")
            finals[subject] = Held(holder, row["name"])
    return finals


def _halves(tables: Mapping[str, Any], ports: Sequence[Any]) -> Iterator[str]:
    """Yield what lacks a part of what the proxy makes of it in one transaction."""
    switches, groups = tables["Logical_Switch"], tables["Port_Group"]
    networks = Counter(uuid for switch in switches.values() for uuid in switch.ports)
    members = Counter(uuid for group in groups.values() for uuid in group.ports)
    shown = {port["id"]: port for port in ports}
    for uuid, row in tables["Logical_Switch_Port"].items():
        if keys.NIC_NAME not in row.external_ids:
            continue
        port = shown.get(row.name, {"fixed_ips": (), "security_groups": ()})
        parts = (
            networks[uuid] == 1,
            row.name in shown,
            len(port["fixed_ips"]) == 1,
            row.dhcpv4_options in tables["DHCP_Options"],
            len(row.addresses) == 1 and len(row.port_security) == 1,
            # Its groups, and the one that drops the rest.
            members[uuid] == len(port["security_groups"]) + 1,
        )
        if not all(parts):
            yield f"half a port: {row.name} {parts}"
    for switch in switches.values():
        if keys.NETWORK_NAME in switch.external_ids and keys.REVISION not in switch.external_ids:
            yield f"half a network: {switch.uuid}"
    counters = {
        key[len(keys.SEQUENCE) :]
        for row in tables["NB_Global"].values()
        for key in row.external_ids
        if key.startswith(keys.SEQUENCE)
    }
    for network_id in counters - set(switches) - {"security_groups"}:
        yield f"a counter without its network: {network_id}"
    taken = Counter(entry["ip_address"] for port in ports for entry in port["fixed_ips"])
    taken.update(port["mac_address"] for port in ports)
    yield from (f"given twice: {what}" for what, count in taken.items() if count > 1)


def audit_log(server: OvsdbServer, history: History) -> list[str]:
    """Return acknowledged writes that are not exactly once in a standalone server's log.

    Each transaction carries its request's id; what changed nothing is not in the log.
    """
    done = subprocess.run(
        ["ovsdb-tool", "show-log", "-m", str(server.database)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    counts = Counter(_REQUEST.findall(done.stdout.decode(errors="replace")))
    problems = [f"{one} is there {count} times" for one, count in counts.items() if count > 1]
    for event in history.events:
        if event.request_id and event.action is not Action.READ:
            expected = event.outcome is Outcome.DONE
            if event.outcome is not Outcome.UNKNOWN and expected != bool(counts[event.request_id]):
                problems.append(f"in the log {counts[event.request_id]} times: {event}")
    return problems
