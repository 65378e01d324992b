# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a proxy makes of a server that lies: it answers, and comes back to the truth. I/O."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from daemon.ovsdb import ovsdb_server, wait_until
from daemon.proxy import Api, path_of, running_api
from faults.liar import LIES, Liar
from faults.workload import KINDS
from ovirt_ovn_proxy.nb.remote import parse_remotes

_PATIENCE_S = 20.0


class Lied(NamedTuple):
    """The application that is lied to, and one that is not."""

    api: Api
    liar: Liar
    other: Api
    network_id: str


@contextmanager
def lied() -> Iterator[Lied]:
    """Run two applications on one server."""
    with ExitStack() as stack:
        nb = stack.enter_context(ovsdb_server())
        other = stack.enter_context(running_api(nb))
        liar = stack.enter_context(Liar(nb.socket))
        remotes = parse_remotes(liar.remote)
        api = stack.enter_context(running_api(nb, ovn_remotes=remotes, request_timeout_s=0.5))
        network_id = other.create("network", name="red")["id"]
        other.create("subnet", network_id=network_id, cidr="10.0.0.0/20", ip_version=4)
        yield Lied(api, liar, other, network_id)


def tell_lies(to: Lied, name: str, trials: int, seed: int) -> None:
    """Tell one to four lies of a kind, so many times, and the truth in between.

    Asserts that every request is answered meanwhile, with nothing worse than 503, and that
    the proxy shows what is there as soon as it is told so.
    """
    for trial in range(trials):
        to.liar.tell(LIES[name](), 1 + trial % 4, f"{seed} {trial}")
        port = {"network_id": to.network_id, "name": f"p{trial}", "port_security_enabled": True}
        own = f"networks/{to.network_id}"
        for method, path, body in (
            ("POST", "ports", {"port": port}),
            ("PUT", own, {"network": {"name": f"n{trial}"}}),
            ("GET", "ports", None),
            ("GET", own, None),
        ):
            answer = to.api(method, path, body)
            # Nobody can help it if a server says that something is not there, or is already.
            assert answer.status in (200, 201, 404, 409, 503), (name, seed, trial, answer)
        to.liar.be_honest()
        wait_until(lambda: to.api.connection.ready, _PATIENCE_S, "in sync again")
        assert _everything(to.other) == _everything(to.api), (name, seed, trial)


def _everything(api: Api) -> dict[str, list[Any]]:
    """Return all objects, in order."""
    return {
        kind: sorted(api.get(path_of(kind))[f"{kind}s"], key=lambda row: str(row["id"]))
        for kind in (*KINDS, "subnet", "security_group_rule")
    }
