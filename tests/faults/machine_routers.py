# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests for routers and floating IPs, with what has to come of them."""

from __future__ import annotations

from typing import Any, Optional

from hypothesis import strategies as st
from hypothesis.stateful import rule

from faults.machine import NAMES, NOWHERE, NUMBERS, WISHES, Machine, Wishes
from faults.model import Entries, FloatingIp, Port, Reasons, Router

Snat = Optional[bool]
# Which address of a port: by default, its first, its last one, or one that it lacks.
FIXED = st.sampled_from([None, None, "first", "last", "other"])


class RouterMachine(Machine):
    """What stands between networks."""

    # --- routers ------------------------------------------------------------------------

    @rule(
        name=NAMES,
        network=st.one_of(st.none(), NUMBERS),
        wishes=WISHES,
        snat=st.sampled_from([None, True, False]),
    )
    def create_router(self, name: str, network: int | None, wishes: Wishes, snat: Snat) -> None:
        info, entries = self._info(network, wishes, snat)
        network_id = info["network_id"] if info else None
        reasons = self._refuses_info(None, network_id, entries)
        made = self.create(reasons, "router", name=name, external_gateway_info=info)
        if made is not None:
            self.model.routers[made["id"]] = Router(name)
            self._follow_gateway(made, entries, snat)

    @rule(
        router=NUMBERS,
        network=st.one_of(st.none(), NUMBERS),
        wishes=WISHES,
        snat=st.sampled_from([None, True, False]),
    )
    def set_gateway(self, router: int, network: int | None, wishes: Wishes, snat: Snat) -> None:
        router_id = self.pick("router", router)
        info, entries = self._info(network, wishes, snat)
        network_id = info["network_id"] if info else None
        reasons = self._refuses_info(router_id, network_id, entries)
        changed = self.update(reasons, "router", router_id, external_gateway_info=info)
        if changed is not None:
            self._follow_gateway(changed, entries, snat)

    def _info(self, network: int | None, wishes: Wishes, snat: Snat) -> tuple[Any, Entries]:
        if network is None:
            return None, None
        network_id = self.external(network)
        entries = self.entries(network_id, None, wishes)
        info: dict[str, Any] = {"network_id": network_id}
        if entries is not None:
            info["external_fixed_ips"] = entries
        if snat is not None:
            info["enable_snat"] = snat
        return info, entries

    def _refuses_info(
        self, router_id: str | None, network_id: str | None, entries: Entries
    ) -> Reasons:
        reasons = self.model.refuses_gateway(router_id, network_id, entries)
        ips = [entry["ip_address"] for entry in entries or () if "ip_address" in entry]
        if len(set(ips)) < len(ips):
            return {"HTTPBadRequest", *(reasons & {"RouterNotFound"})}
        return reasons

    def _follow_gateway(self, shown: Any, entries: Entries, snat: Snat) -> None:
        """Have the model know of a router's gateway what an answer shows of it."""
        info, router_id = shown["external_gateway_info"], shown["id"]
        old = {
            port_id: port
            for port_id, port in self.model.ports.items()
            if port.router_id == router_id and port.is_gateway
        }
        for port_id in old:
            del self.model.ports[port_id]
        self.model.routers[router_id].has_snat = info is not None and snat is not False
        if info is None:
            return
        assert info["enable_snat"] is (snat is not False)
        network_id = info["network_id"]
        query = f"device_id={router_id}&device_owner=network:router_gateway"
        [port] = self.api.get(f"ports?{query}")["ports"]
        ips = tuple(entry["ip_address"] for entry in info["external_fixed_ips"])
        assert info["external_fixed_ips"] == port["fixed_ips"]
        before = [one for one in old.values() if one.network_id == network_id]
        if not before:
            self.model.check_addresses(network_id, port["mac_address"], entries or None, ips, ())
        elif entries:
            own = before[0].ips
            self.model.check_addresses(network_id, port["mac_address"], entries, ips, own)
        else:
            assert ips == before[0].ips
        self.model.ports[port["id"]] = Port(
            network_id=network_id,
            name=before[0].name if before else "",
            mac=port["mac_address"],
            ips=ips,
            router_id=router_id,
            is_gateway=True,
        )

    @rule(router=NUMBERS, subnet=NUMBERS)
    def attach(self, router: int, subnet: int) -> None:
        router_id = self.pick("router", router)
        subnet_id = self.prefer(
            "subnet", subnet, lambda key: not self.model.refuses_interface(router_id, key)
        )
        reasons = self.model.refuses_interface(router_id, subnet_id)
        path = f"routers/{router_id}/add_router_interface"
        answer = self.send(reasons, "PUT", path, {"subnet_id": subnet_id})
        if answer is None:
            return
        known, port_id = self.model.subnets[subnet_id], answer["port_id"]
        assert known.gateway is not None
        joined = self.model.joined(router_id, subnet_id)
        shown = self.api.get(f"ports/{port_id}")["port"]
        if joined:
            assert port_id in joined
            ips = tuple(entry["ip_address"] for entry in shown["fixed_ips"])
            assert set(ips) == {*self.model.ports[port_id].ips, known.gateway}
            self.model.ports[port_id].ips = ips
        else:
            self.model.ports[port_id] = Port(
                network_id=known.network_id,
                name=shown["name"],
                mac=shown["mac_address"],
                ips=(known.gateway,),
                router_id=router_id,
            )

    @rule(router=NUMBERS, port=NUMBERS)
    def attach_port(self, router: int, port: int) -> None:
        router_id, port_id = self.pick("router", router), self.pick("port", port)
        reasons = self.model.refuses_interface_port(router_id, port_id)
        path = f"routers/{router_id}/add_router_interface"
        if self.send(reasons, "PUT", path, {"port_id": port_id}) is not None:
            known = self.model.ports[port_id]
            known.router_id, known.groups = router_id, frozenset()

    @rule(router=NUMBERS, subnet=NUMBERS)
    def detach(self, router: int, subnet: int) -> None:
        router_id = self.pick("router", router)
        sides = self.model.interfaces(router_id).values()
        attached = {key for port in sides for key in self.model.subnets_with(port)}
        subnet_id = self.prefer("subnet", subnet, attached.__contains__)
        reasons = self.model.refuses_removal(router_id, subnet_id)
        path = f"routers/{router_id}/remove_router_interface"
        if self.send(reasons, "PUT", path, {"subnet_id": subnet_id}) is not None:
            self.model.remove(router_id, subnet_id)

    @rule(router=NUMBERS, port=NUMBERS, subnet=st.one_of(st.none(), NUMBERS))
    def detach_port(self, router: int, port: int, subnet: int | None) -> None:
        router_id = self.pick("router", router)
        port_id = self.prefer("port", port, self.model.interfaces(router_id).__contains__)
        body = {"port_id": port_id}
        if subnet is not None:
            body["subnet_id"] = self.pick("subnet", subnet)
        reasons = self.model.refuses_port_removal(router_id, port_id, body.get("subnet_id"))
        path = f"routers/{router_id}/remove_router_interface"
        if self.send(reasons, "PUT", path, body) is not None:
            del self.model.ports[port_id]

    @rule(port=NUMBERS, wishes=WISHES)
    def readdress(self, port: int, wishes: Wishes) -> None:
        """A router's port takes other addresses; an interface those that are named."""
        of_routers = {key for key, one in self.model.ports.items() if one.router_id}
        port_id = self.prefer("port", port, of_routers.__contains__)
        known = self.model.ports.get(port_id)
        entries = self.entries(known.network_id, known.mac, wishes) if known is not None else None
        if known is None or not known.router_id or entries is None:
            return
        if not known.is_gateway:
            entries = [entry for entry in entries if "ip_address" in entry]
        ips = tuple(entry["ip_address"] for entry in entries if "ip_address" in entry)
        if len(set(ips)) < len(ips):
            reasons = {"HTTPBadRequest"}
        elif not known.is_gateway:
            reasons = self.model.refuses_readdress(port_id, entries)
        elif entries:
            reasons = self.model.refuses_gateway(known.router_id, known.network_id, entries)
        else:
            reasons = {"BadRequest"}
        changed = self.update(reasons, "port", port_id, fixed_ips=entries)
        if changed is None:
            return
        shown = tuple(entry["ip_address"] for entry in changed["fixed_ips"])
        if known.is_gateway:
            self.model.check_addresses(known.network_id, known.mac, entries, shown, known.ips)
        else:
            assert set(ips) == set(shown)
        known.ips = shown

    @rule(router=NUMBERS)
    def delete_router(self, router: int) -> None:
        router_id = self.pick("router", router)
        if self.delete(self.model.refuses_router_end(router_id), "router", router_id):
            for port_id, port in list(self.model.ports.items()):
                if port.router_id == router_id:
                    del self.model.ports[port_id]
            del self.model.routers[router_id]

    # --- floating IPs ---------------------------------------------------------------------

    @rule(
        network=NUMBERS,
        wishes=st.one_of(st.none(), WISHES),
        port=st.one_of(st.none(), NUMBERS),
        fixed=FIXED,
    )
    def create_floating_ip(
        self, network: int, wishes: Wishes, port: int | None, fixed: str | None
    ) -> None:
        network_id = self.external(network)
        entry = next(iter(self.entries(network_id, None, wishes) or ()), {})
        values: dict[str, Any] = {"floating_network_id": network_id}
        names = {"subnet_id": "subnet_id", "ip_address": "floating_ip_address"}
        values.update((names[key], value) for key, value in entry.items())
        reasons = self.model.refuses_floating_ip(network_id, entry)
        if port is not None:
            values.update(self._association(network_id, port, fixed))
            reasons |= self._refuses_association(network_id, values, None)
        if ":" in entry.get("ip_address", ""):
            reasons = {"HTTPBadRequest"}
        made = self.create(reasons, "floatingip", **values)
        if made is None:
            return
        ip = made["floating_ip_address"]
        assert ip == entry.get("ip_address", ip)
        assert ip not in self.model.used(network_id)
        if "ip_address" not in entry:
            on = self.model.subnets_on(network_id)
            ids = [entry["subnet_id"]] if entry else [*on]
            assert any(on[key].gives(ip) for key in ids if on[key].holds(ip))
        [holder] = self.api.get(f"ports?device_id={made['id']}")["ports"]
        new = FloatingIp(network_id, ip, holder["id"], holder["mac_address"])
        self.model.floating_ips[made["id"]] = new
        self._follow_association(new, made, values)

    @rule(floating_ip=NUMBERS, port=NUMBERS, fixed=FIXED)
    def associate(self, floating_ip: int, port: int, fixed: str | None) -> None:
        floating_ip_id = self.pick("floatingip", floating_ip)
        known = self.model.floating_ips.get(floating_ip_id)
        network_id = known.network_id if known is not None else NOWHERE
        values = self._association(network_id, port, fixed)
        reasons: Reasons = {"FloatingIPNotFound"}
        if known is not None:
            reasons = self._refuses_association(known.network_id, values, known)
        changed = self.update(reasons, "floatingip", floating_ip_id, **values)
        if changed is not None and known is not None:
            self._follow_association(known, changed, values)

    @rule(floating_ip=NUMBERS, body=st.sampled_from([{}, {"port_id": None}, {"description": "x"}]))
    def dissociate(self, floating_ip: int, body: dict[str, Any]) -> None:
        """Null and an empty body end an association, a description alone does not."""
        floating_ip_id = self.pick("floatingip", floating_ip)
        known = self.model.floating_ips.get(floating_ip_id)
        reasons: Reasons = {"FloatingIPNotFound"} if known is None else set()
        changed = self.update(reasons, "floatingip", floating_ip_id, **body)
        if changed is not None and known is not None:
            if "description" not in body:
                known.port_id = known.fixed_ip = known.router_id = None
            self._check_floating_ip(known, changed)

    @rule(floating_ip=NUMBERS)
    def delete_floating_ip(self, floating_ip: int) -> None:
        floating_ip_id = self.pick("floatingip", floating_ip)
        reasons: Reasons = {"FloatingIPNotFound"}
        if floating_ip_id in self.model.floating_ips:
            reasons = set()
        if self.delete(reasons, "floatingip", floating_ip_id):
            holder = self.model.floating_ips.pop(floating_ip_id).holder
            assert 404 == self.api("GET", f"ports/{holder}").status

    def _association(self, network_id: str, port: int, fixed: str | None) -> dict[str, Any]:
        # One that has a floating IP already is as good as one that has none.
        taken = {"FloatingIPPortAlreadyAssociated"}
        port_id = self.prefer(
            "port",
            port,
            lambda key: self.model.refuses_association(network_id, key, None, None) <= taken,
        )
        known = self.model.ports.get(port_id)
        values: dict[str, Any] = {"port_id": port_id}
        if fixed is not None:
            own = known.v4 if known is not None and fixed != "other" else []
            values["fixed_ip_address"] = own[-1 if fixed == "last" else 0] if own else "192.0.2.1"
        return values

    def _refuses_association(
        self, network_id: str, values: dict[str, Any], own: FloatingIp | None
    ) -> Reasons:
        port_id, fixed_ip = values["port_id"], values.get("fixed_ip_address")
        return self.model.refuses_association(network_id, port_id, fixed_ip, own)

    def _follow_association(self, known: FloatingIp, shown: Any, values: dict[str, Any]) -> None:
        """Have the model know which of the possible routers does the work."""
        if "port_id" in values:
            port = self.model.ports[values["port_id"]]
            known.port_id = values["port_id"]
            known.fixed_ip = values.get("fixed_ip_address", port.v4[0])
            known.router_id = shown["router_id"]
            assert known.fixed_ip is not None
            possible = self.model.routers_to(known.network_id, port, known.fixed_ip)
            assert known.router_id in possible
        self._check_floating_ip(known, shown)

    def _check_floating_ip(self, known: FloatingIp, shown: Any) -> None:
        found = (shown["floating_network_id"], shown["floating_ip_address"], shown["port_id"])
        assert (known.network_id, known.ip, known.port_id) == found
        assert (known.fixed_ip, known.router_id) == (shown["fixed_ip_address"], shown["router_id"])
        assert ("ACTIVE" if known.port_id else "DOWN") == shown["status"]
