# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests to a proxy whose answers, and rows, a model foresees: what all kinds of them share.

I/O: a proxy's application on a Northbound server of its own. Objects are told from each
other by small numbers, so that a failing sequence of requests can be read and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Optional

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from bench.raw import Ovsdb
from daemon.ovsdb import ovsdb_server
from daemon.proxy import path_of, running_api
from faults.model import Entries, Reasons, eui64
from faults.model_routers import RouterModel
from faults.model_rows import TABLES, expected_rows, read_rows

NUMBERS = st.integers(0, 5)
NAMES = st.sampled_from(["", "a", "b", "ü", "x" * 255])
MACS = st.sampled_from([None, None, None, "02:00:00:00:00:01", "02:00:00:00:00:02"])
NOWHERE = "12345678-1234-4234-8234-123456789abc"

# How an element of `fixed_ips` names an address, of which of the network's subnets, and
# which one there.
Wish = tuple[str, int, int]
Wishes = Optional[Sequence[Wish]]
_FORMS = ("subnet", "subnet", "address", "both", "apart", "automatic", "outside")
WISH: st.SearchStrategy[Wish] = st.tuples(st.sampled_from(_FORMS), st.integers(0, 3), NUMBERS)
WISHES: st.SearchStrategy[Wishes] = st.one_of(st.none(), st.lists(WISH, max_size=3))

STATUS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "AllocationOnAutoAddressSubnet",
            "BadRequest",
            "ExternalIpAddressExhausted",
            "HTTPBadRequest",
            "InvalidInput",
            "InvalidIpForNetwork",
            "InvalidIpForSubnet",
            "SubnetMismatchForPort",
        ),
        400,
    ),
    **dict.fromkeys(
        (
            "ExternalGatewayForFloatingIPNotFound",
            "FloatingIPNotFound",
            "NetworkNotFound",
            "PortNotFound",
            "RouterInterfaceNotFound",
            "RouterInterfaceNotFoundForSubnet",
            "RouterNotFound",
            "SecurityGroupNotFound",
            "SubnetNotFound",
        ),
        404,
    ),
    **dict.fromkeys(
        (
            "ExternalNetworkInUse",
            "FloatingIPPortAlreadyAssociated",
            "GatewayConflictWithAllocationPools",
            "GatewayIpInUse",
            "IpAddressAlreadyAllocated",
            "IpAddressGenerationFailure",
            "MacAddressInUse",
            "NetworkInUse",
            "PortInUse",
            "RouterExternalGatewayInUseByFloatingIp",
            "RouterInUse",
            "RouterInterfaceInUseByFloatingIP",
            "SecurityGroupInUse",
            "ServicePortInUse",
            "SubnetInUse",
        ),
        409,
    ),
}
"""The types of errors that requests foreseen here get (Networking API v2.0)."""

_SUCCESS = {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}


class Machine(RuleBasedStateMachine):
    """Sends requests to a proxy, and has the model say what has to come of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.nb = self.stack.enter_context(ovsdb_server())
        self.api = self.stack.enter_context(running_api(self.nb, gateway_chassis=("hv1",)))
        self.model = RouterModel()
        self._gone: dict[str, str] = {}

    def teardown(self) -> None:
        self.stack.close()

    # --- requests -----------------------------------------------------------------

    def send(self, reasons: Reasons, method: str, path: str, body: Any = None) -> Any:
        """Send a request that has to be refused for one of these reasons, or to be done.

        Returns the JSON of a success, and None for a refusal, which leaves nothing
        behind in the database's file, not even a count.
        """
        written = self.written()
        answer = self.api(method, path, body)
        told = (reasons, method, path, body, answer)
        if not reasons:
            assert answer.status == _SUCCESS[method], told
            return answer.json or {}
        assert answer.status >= 400, told
        found = answer.json["NeutronError"]["type"]
        assert found in reasons, told
        assert answer.status == STATUS[found], told
        assert written == self.written(), told
        return None

    def written(self) -> int:
        """Return how much has been written to the database's file."""
        return self.nb.database.stat().st_size

    def create(self, reasons: Reasons, kind: str, **values: Any) -> Any:
        """Create an object; return it, or None if it had to be refused."""
        made = self.send(reasons, "POST", path_of(kind), {kind: values})
        return made and made[kind]

    def update(self, reasons: Reasons, kind: str, object_id: str, **values: Any) -> Any:
        """Change an object; return it, or None if it had to be refused."""
        changed = self.send(reasons, "PUT", f"{path_of(kind)}/{object_id}", {kind: values})
        return changed and changed[kind]

    def delete(self, reasons: Reasons, kind: str, object_id: str) -> bool:
        """Delete an object; say whether it is gone."""
        gone = self.send(reasons, "DELETE", f"{path_of(kind)}/{object_id}") is not None
        if gone:
            self._gone[kind] = object_id
            assert 404 == self.api("GET", f"{path_of(kind)}/{object_id}").status
        return gone

    # --- what requests name -------------------------------------------------------

    def pick(self, kind: str, number: int) -> str:
        """Return the id of an object by its number; behind the last one is one that is gone."""
        ids = [*self._ids(kind), self._gone.get(kind, NOWHERE)]
        return ids[number % len(ids)]

    def prefer(self, kind: str, number: int, is_good: Callable[[str], bool]) -> str:
        """Return one that is good by most numbers, if there are such, and any by the others."""
        good = [key for key in self._ids(kind) if is_good(key)]
        return good[number % len(good)] if good and number < 4 else self.pick(kind, number)

    def external(self, number: int) -> str:
        """Return the id of a network, mostly of an external one."""
        networks = self.model.networks
        return self.prefer("network", number, lambda key: networks[key].is_external)

    def _ids(self, kind: str) -> list[str]:
        stores: Mapping[str, Mapping[str, Any]] = {
            "network": self.model.networks,
            "subnet": self.model.subnets,
            "port": self.model.ports,
            "security_group": self.model.groups,
            "router": self.model.routers,
            "floatingip": self.model.floating_ips,
        }
        holders = [one.holder for one in self.model.floating_ips.values()]
        return [*stores[kind], *(holders if kind == "port" else ())]

    def entries(self, network_id: str, mac: str | None, wishes: Wishes) -> Entries:
        """Return `fixed_ips` of a port on a network; behind its subnets is any other one."""
        if wishes is None:
            return None
        return [self._entry(network_id, mac, wish) for wish in wishes]

    def _entry(self, network_id: str, mac: str | None, wish: Wish) -> Mapping[str, str]:
        form, which, host = wish
        ids = [*self.model.subnets_on(network_id), self.pick("subnet", which)]
        subnet_id = ids[which % len(ids)]
        subnet = self.model.subnets.get(subnet_id)
        if form == "subnet" or subnet is None:
            return {"subnet_id": subnet_id}
        if form == "outside":
            return {"ip_address": "fd99::1" if subnet.version == 6 else "1.2.3.4"}
        # The last one is IPv4's broadcast address.
        ip = str(subnet.cidr[-1 if host == 5 else host])
        if form == "automatic" and subnet.cidr.prefixlen == 64:
            ip = eui64(subnet.cidr, mac or "02:00:00:00:00:01")
        if form in ("both", "apart"):
            named = subnet_id if form == "both" else self.pick("subnet", which)
            return {"subnet_id": named, "ip_address": ip}
        return {"ip_address": ip}

    # --- what must hold -------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """Northbound holds the rows that follow from the model, and no others."""
        with closing(Ovsdb(self.nb.socket)) as session:
            selects = [{"op": "select", "table": table, "where": []} for table in TABLES]
            results = session.transact(selects)
        tables = {table: result["rows"] for table, result in zip(TABLES, results)}
        assert expected_rows(self.model) == read_rows(tables)
