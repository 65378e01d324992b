# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered of a migration to this host, and its meter. Pure; values are dicts.

A record is `{"ports": {PORT ID: {STAGE: seconds since 1970 or null}}}`. A port is in it as
soon as it may have been announced. docs/migration.md tells where records are.
"""

from __future__ import annotations

import time

from . import fastjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Record = dict[str, dict[str, dict[str, Any]]]

# Stages of a port, in the order in which they are told. INSTALLED is ovn-controller's word
# for "its flows are there"; RESUMED the moment at which VDSM says that the VM runs here.
ANNOUNCED = "announced"
INSTALLED = "installed"
RESUMED = "resumed"
ACTIVATED = "activated"
_STAGES = (ANNOUNCED, INSTALLED, RESUMED, ACTIVATED)


def new(ports: Iterable[str]) -> Record:
    """Return the record of ports that are about to be announced."""
    return {"ports": {port_id: dict.fromkeys(_STAGES) for port_id in ports}}


def decode(content: bytes) -> Record:
    """Return a record; ValueError if it is none."""
    record: Record = fastjson.loads(content)
    try:
        if all(isinstance(port, dict) for port in record["ports"].values()):
            return record
    except (AttributeError, KeyError, TypeError):
        pass
    raise ValueError("not the record of a migration")


def encode(record: Record) -> bytes:
    """Return what `decode` reads."""
    return fastjson.dumps(record).encode()


def describe(record: Record) -> str:
    """Return the meter: when each port came to each stage, the later ones in seconds after."""
    return "; ".join(f"port {port_id} {_times(port)}" for port_id, port in record["ports"].items())


def _times(port: dict[str, Any]) -> str:
    words = []
    first = None
    for stage in _STAGES:
        moment = port.get(stage)
        if not isinstance(moment, (int, float)):
            words.append(f"not {stage}")
        elif first is None:
            first = moment
            clock = time.strftime("%H:%M:%S", time.gmtime(moment))
            words.append(f"{stage} {clock}.{int(moment % 1 * 1000):03}Z")
        else:
            words.append(f"{stage} {moment - first:+.3f} s")
    return ", ".join(words)
