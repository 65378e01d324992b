# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Southbound says of this host and of other chassis.

Pure: operations that read, and their results -> values. Tables and columns are those of
ovn-sb(5); those that an older Southbound lacks are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..snapshot import as_map, rows_of

# So that nobody's Southbound is kept busy: each is one look through all ports.
MOST_WAITING = 20

_CHASSIS_TABLES = {
    "Chassis": ["_uuid", "name", "hostname"],
    "Encap": ["type", "ip", "chassis_name"],
    "Chassis_Private": ["name", "nb_cfg", "nb_cfg_timestamp"],
}
_BINDING = (
    *("logical_port", "type", "chassis", "up", "options", "parent_port"),
    *("additional_chassis", "requested_chassis", "requested_additional_chassis"),
)


class Chassis(NamedTuple):
    """One chassis: its tunnels' types and addresses, and when it has done which NB_Global.nb_cfg.

    `done_ms` is a time of that host's own clock.
    """

    name: str
    hostname: str = ""
    encaps: Sequence[tuple[str, str]] = ()
    nb_cfg: int = 0
    done_ms: int = 0


class Binding(NamedTuple):
    """One port, with chassis by name; `requested` are those that it may be on, the first first."""

    port: str
    kind: str = ""
    chassis: str = ""
    is_up: bool = True
    additional: Sequence[str] = ()
    requested: Sequence[str] = ()
    strategy: str = ""


class Southbound(NamedTuple):
    """Southbound at one moment. `ends_s` is when its certificate ends, None without TLS.

    `bindings` are the ports that this host has, may have, or waits for.
    """

    remote: str
    chassis: Sequence[Chassis] = ()
    bindings: Sequence[Binding] = ()
    ends_s: float | None = None


Schema = Mapping[str, Any]


def chassis_operations(schema: Schema) -> list[dict[str, Any]]:
    """Return what reads all chassis."""
    return [
        {"op": "select", "table": table, "where": [], "columns": _columns(schema, table, columns)}
        for table, columns in _CHASSIS_TABLES.items()
    ]


def binding_operations(
    schema: Schema, chassis_uuid: str | None, waiting: Iterable[str]
) -> list[dict[str, Any]]:
    """Return what reads the ports of a chassis (None: it is not there) and ports by name."""
    columns = _columns(schema, "Port_Binding", _BINDING)
    wheres: list[list[Any]] = [["logical_port", "==", port] for port in [*waiting][:MOST_WAITING]]
    if chassis_uuid is not None:
        uuid = ["uuid", chassis_uuid]
        wheres += [[column, "includes", uuid] for column in columns if column.endswith("chassis")]
    return [
        {"op": "select", "table": "Port_Binding", "where": [where], "columns": columns}
        for where in wheres
    ]


def _columns(schema: Schema, table: str, columns: Iterable[str]) -> list[str]:
    known = schema["tables"].get(table, {}).get("columns", {})
    return [column for column in columns if column in known or column == "_uuid"]


def decode_chassis(results: Sequence[Mapping[str, Any]]) -> tuple[list[Chassis], dict[str, str]]:
    """Return all chassis, and their names by UUID. ValueError if a select has failed."""
    rows = rows_of(_CHASSIS_TABLES, results)
    encaps: dict[str, list[tuple[str, str]]] = {}
    for row in rows["Encap"]:
        encaps.setdefault(row["chassis_name"], []).append((row["type"], row["ip"]))
    private = {row["name"]: row for row in rows["Chassis_Private"]}
    found = [
        Chassis(
            name=row["name"],
            hostname=row.get("hostname", ""),
            encaps=tuple(sorted(encaps.get(row["name"], []))),
            nb_cfg=private.get(row["name"], {}).get("nb_cfg", 0),
            done_ms=private.get(row["name"], {}).get("nb_cfg_timestamp", 0),
        )
        for row in rows["Chassis"]
    ]
    return sorted(found), {row["_uuid"][1]: row["name"] for row in rows["Chassis"]}


def decode_bindings(
    results: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[Binding]:
    """Return the ports, each once. ValueError if a select has failed."""
    rows = rows_of(map(str, range(len(results))), results)
    found = {row["logical_port"]: row for result in rows.values() for row in result}
    return [_binding(row, names) for _, row in sorted(found.items())]


def _binding(row: Mapping[str, Any], names: Mapping[str, str]) -> Binding:
    def chassis(column: str) -> list[str]:
        return sorted(names.get(uuid, uuid) for uuid in _uuids(row.get(column, ["set", []])))

    options = as_map(row["options"])
    # The option is what was asked for, by name or by hostname; columns have what is known of it.
    asked = [it.strip() for it in options.get("requested-chassis", "").split(",") if it.strip()]
    known = [*chassis("requested_chassis"), *chassis("requested_additional_chassis")]
    return Binding(
        port=row["logical_port"],
        # One in another machine is behind that one's interface.
        kind=row["type"] or ("nested" if _has(row, "parent_port") else ""),
        chassis="".join(chassis("chassis")[:1]),
        is_up=row.get("up") is not False,
        additional=tuple(chassis("additional_chassis")),
        requested=tuple(asked or known),
        strategy=options.get("activation-strategy", ""),
    )


def _has(row: Mapping[str, Any], column: str) -> bool:
    """Say whether an optional column has a value."""
    return row.get(column, ["set", []]) not in (["set", []], "")


def _uuids(value: Any) -> list[str]:
    members = value[1] if value[0] == "set" else [value]
    return [member[1] for member in members]
