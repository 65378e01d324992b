# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of all monitored tables, by table and uuid. Pure data, owned by the replica."""

from __future__ import annotations

from typing import cast

from . import schema
from .rows import Acl, DhcpOptions, NbGlobal, PortGroup, Row, Switch, SwitchPort


class Tables(dict[str, dict[str, Row]]):
    """Table -> uuid -> row; those that are looked at most are attributes too, with their type."""

    def __init__(self) -> None:
        super().__init__((table, {}) for table in schema.TABLES)
        self.switches = cast("dict[str, Switch]", self[schema.SWITCH])
        self.ports = cast("dict[str, SwitchPort]", self[schema.PORT])
        self.dhcp = cast("dict[str, DhcpOptions]", self[schema.DHCP])
        self.port_groups = cast("dict[str, PortGroup]", self[schema.PORT_GROUP])
        self.acls = cast("dict[str, Acl]", self[schema.ACL])

    @property
    def nb_global(self) -> NbGlobal | None:
        """The row of NB_Global; None on a database that ovn-northd has not initialised."""
        return next(iter(cast("dict[str, NbGlobal]", self[schema.NB_GLOBAL]).values()), None)
