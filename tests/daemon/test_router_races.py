# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two proxies change the same router at once: nothing is left half attached."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, running_api
from daemon.routing import assert_consistent, attach, external_network, nbctl, network, subnet
from daemon.wire_tap import WireTap

pytestmark = pytest.mark.daemon

SETTINGS: dict[str, Any] = {"gateway_chassis": ("hv1",)}
Request = tuple[str, str, Any]


class Site(NamedTuple):
    """What both proxies know: ids of networks, subnets, routers, ports and floating IPs."""

    external: str
    external_subnet: str
    inside: str
    inside_subnet: str
    beside: str
    beside_subnet: str
    v6_subnet: str
    router: str
    empty_router: str
    interface: str
    port: str
    other_port: str
    free: str
    free2: str
    used: str
    group: str
    spare: str
    spare_subnet: str

    def router_path(self, action: str = "") -> str:
        """Return the path of the router, or of an action of it."""
        return f"routers/{self.router}" + (f"/{action}" if action else "")


def make_site(api: Api) -> Site:
    """Create a router with a gateway and an interface, a network beside it, and floating IPs."""
    outside, inside, beside, spare = (
        external_network(api),
        network(api, "10.0.0.0/24"),
        network(api, "10.1.0.0/24"),
        external_network(api, "198.51.100.0/24"),
    )
    v6 = subnet(api, beside["id"], "fd00::/64", ipv6_address_mode="slaac")
    router = api.create("router", external_gateway_info={"network_id": outside["id"]})["id"]
    interface = attach(api, router, subnet_id=inside["subnet"])["port_id"]
    ports = [api.create("port", network_id=inside["id"])["id"] for _ in range(3)]
    base = {"floating_network_id": outside["id"]}
    return Site(
        external=outside["id"],
        external_subnet=outside["subnet"],
        inside=inside["id"],
        inside_subnet=inside["subnet"],
        beside=beside["id"],
        beside_subnet=beside["subnet"],
        v6_subnet=v6["id"],
        router=router,
        empty_router=api.create("router")["id"],
        interface=interface,
        port=ports[0],
        other_port=ports[1],
        free=api.create("floatingip", headers=None, **base)["id"],
        free2=api.create("floatingip", headers=None, **base)["id"],
        used=api.create("floatingip", headers=None, port_id=ports[2], **base)["id"],
        group=api("POST", "security-groups", {"security_group": {"name": "g"}}).json[
            "security_group"
        ]["id"],
        spare=spare["id"],
        spare_subnet=spare["subnet"],
    )


class Both(NamedTuple):
    """Two proxies on one server, the first behind a tap."""

    late: Api
    early: Api
    tap: WireTap

    def race(self, late: Request, early: Request) -> tuple[Answer, Answer]:
        """Let the early request be committed between the late one's plan and its arrival."""
        answers: list[Answer] = []
        self.tap.before_next_write(lambda: answers.append(self.early(*early)))
        answer = self.late(*late)
        assert 1 == len(answers), "the late request has sent nothing"
        return answer, answers[0]


@pytest.fixture
def both(nb: OvsdbServer) -> Iterator[Both]:
    """Two proxies on a Northbound server alone."""
    with contextlib.ExitStack() as stack:
        early = stack.enter_context(running_api(nb, **SETTINGS))
        tap = stack.enter_context(WireTap(nb))
        yield Both(stack.enter_context(running_api(tap.server, **SETTINGS)), early, tap)


# --- the requests -----------------------------------------------------------------


def add(site: Site) -> Request:
    return "PUT", site.router_path("add_router_interface"), {"subnet_id": site.beside_subnet}


def add_v6(site: Site) -> Request:
    return "PUT", site.router_path("add_router_interface"), {"subnet_id": site.v6_subnet}


def delete_beside(site: Site) -> Request:
    return "DELETE", f"networks/{site.beside}", None


def readdress_interface(site: Site) -> Request:
    values = {"fixed_ips": [{"ip_address": "10.0.0.99"}]}
    return "PUT", f"ports/{site.interface}", {"port": values}


def plug_at(site: Site) -> Request:
    values = {"network_id": site.inside, "fixed_ips": [{"ip_address": "10.0.0.99"}]}
    return "POST", "ports", {"port": values}


def add_route_there(site: Site) -> Request:
    hop = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.99"}
    return "PUT", site.router_path("add_extraroutes"), {"router": {"routes": [hop]}}


def rename_interface(site: Site) -> Request:
    return "PUT", f"ports/{site.interface}", {"port": {"name": "x"}}


def add_to_empty(site: Site) -> Request:
    path = f"routers/{site.empty_router}/add_router_interface"
    return "PUT", path, {"subnet_id": site.beside_subnet}


def add_port(site: Site) -> Request:
    path = f"routers/{site.empty_router}/add_router_interface"
    return "PUT", path, {"port_id": site.port}


def remove(site: Site) -> Request:
    return "PUT", site.router_path("remove_router_interface"), {"subnet_id": site.inside_subnet}


def delete_empty(site: Site) -> Request:
    return "DELETE", f"routers/{site.empty_router}", None


def delete_subnet(site: Site) -> Request:
    return "DELETE", f"subnets/{site.beside_subnet}", None


def delete_port(site: Site) -> Request:
    return "DELETE", f"ports/{site.port}", None


def plug_port(site: Site) -> Request:
    return "PUT", f"ports/{site.port}", {"port": {"device_id": "vm", "device_owner": "oVirt"}}


def give_options(site: Site) -> Request:
    options = [{"opt_name": "mtu", "opt_value": "1400"}]
    return "PUT", f"ports/{site.port}", {"port": {"extra_dhcp_opts": options}}


def join_group(site: Site) -> Request:
    values = {"port_security_enabled": True, "security_groups": [site.group]}
    return "PUT", f"ports/{site.port}", {"port": values}


def readdress_port(site: Site) -> Request:
    return "PUT", f"ports/{site.port}", {"port": {"fixed_ips": [{"ip_address": "10.0.0.99"}]}}


def clear(site: Site) -> Request:
    return "PUT", site.router_path(), {"router": {"external_gateway_info": None}}


def no_snat(site: Site) -> Request:
    info = {"network_id": site.external, "enable_snat": False}
    return "PUT", site.router_path(), {"router": {"external_gateway_info": info}}


def give_gateway(site: Site) -> Request:
    info = {"network_id": site.external}
    return "PUT", f"routers/{site.empty_router}", {"router": {"external_gateway_info": info}}


def give_gateway_at(site: Site) -> Request:
    info = {"network_id": site.external, "external_fixed_ips": [{"ip_address": "203.0.113.50"}]}
    return "PUT", f"routers/{site.empty_router}", {"router": {"external_gateway_info": info}}


def give_spare(site: Site) -> Request:
    info = {"network_id": site.spare}
    return "PUT", f"routers/{site.empty_router}", {"router": {"external_gateway_info": info}}


def allocate_spare(site: Site) -> Request:
    return "POST", "floatingips", {"floatingip": {"floating_network_id": site.spare}}


def delete_spare(site: Site) -> Request:
    return "DELETE", f"networks/{site.spare}", None


def delete_spare_subnet(site: Site) -> Request:
    return "DELETE", f"subnets/{site.spare_subnet}", None


def make_spare_internal(site: Site) -> Request:
    return "PUT", f"networks/{site.spare}", {"network": {"router:external": False}}


def allocate_at(site: Site) -> Request:
    values = {"floating_network_id": site.external, "floating_ip_address": "203.0.113.50"}
    return "POST", "floatingips", {"floatingip": values}


def allocate(site: Site) -> Request:
    return "POST", "floatingips", {"floatingip": {"floating_network_id": site.external}}


def associate(site: Site) -> Request:
    return "PUT", f"floatingips/{site.free}", {"floatingip": {"port_id": site.port}}


def associate_elsewhere(site: Site) -> Request:
    return "PUT", f"floatingips/{site.free}", {"floatingip": {"port_id": site.other_port}}


def associate_second(site: Site) -> Request:
    return "PUT", f"floatingips/{site.free2}", {"floatingip": {"port_id": site.port}}


def dissociate_used(site: Site) -> Request:
    return "PUT", f"floatingips/{site.used}", {"floatingip": {"port_id": None}}


def move_used(site: Site) -> Request:
    return "PUT", f"floatingips/{site.used}", {"floatingip": {"port_id": site.port}}


def delete_free(site: Site) -> Request:
    return "DELETE", f"floatingips/{site.free}", None


def delete_used(site: Site) -> Request:
    return "DELETE", f"floatingips/{site.used}", None


def add_route(site: Site) -> Request:
    hop = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
    return "PUT", site.router_path("add_extraroutes"), {"router": {"routes": [hop]}}


def add_default(site: Site) -> Request:
    hop = {"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}
    return "PUT", site.router_path("add_extraroutes"), {"router": {"routes": [hop]}}


def make_internal(site: Site) -> Request:
    return "PUT", f"networks/{site.external}", {"network": {"router:external": False}}


def shrink(site: Site) -> Request:
    return "PUT", f"networks/{site.inside}", {"network": {"mtu": 1300}}


def grow(site: Site) -> Request:
    return "PUT", f"networks/{site.beside}", {"network": {"mtu": 9000}}


def grow_inside(site: Site) -> Request:
    return "PUT", f"networks/{site.inside}", {"network": {"mtu": 9000}}


def name_servers(site: Site) -> Request:
    return "PUT", f"subnets/{site.v6_subnet}", {"subnet": {"dns_nameservers": ["fd00::53"]}}


def move_gateway_ip(site: Site) -> Request:
    pools = [{"start": "203.0.113.2", "end": "203.0.113.253"}]
    values = {"gateway_ip": "203.0.113.254", "allocation_pools": pools}
    return "PUT", f"subnets/{site.external_subnet}", {"subnet": values}


def move_beside_gateway(site: Site) -> Request:
    pools = [{"start": "10.1.0.2", "end": "10.1.0.253"}]
    values = {"gateway_ip": "10.1.0.254", "allocation_pools": pools}
    return "PUT", f"subnets/{site.beside_subnet}", {"subnet": values}


def make_physical(site: Site) -> Request:
    values = {"provider:network_type": "flat", "provider:physical_network": "p"}
    return "PUT", f"networks/{site.external}", {"network": values}


OK = (200, 201, 204)


@pytest.mark.parametrize(
    ("late", "early", "expected"),
    [
        # A router or a subnet goes while it is attached, and the other way round.
        (add_to_empty, delete_empty, (404, "RouterNotFound")),
        (delete_empty, add_to_empty, (409, "RouterInUse")),
        (add, delete_subnet, (404, "SubnetNotFound")),
        (delete_subnet, add, (409, "SubnetInUse")),
        (add, add_to_empty, (409, "IpAddressAlreadyAllocated")),
        (add, move_beside_gateway, None),
        (move_beside_gateway, add, (409, "GatewayIpInUse")),
        # A port becomes a router's while somebody else uses, changes or deletes it.
        (add_port, delete_port, (404, "PortNotFound")),
        (delete_port, add_port, (409, "ServicePortInUse")),
        (add_port, plug_port, (409, "PortInUse")),
        (plug_port, add_port, (400, "BadRequest")),
        (add_port, associate, (409, "PortInUse")),
        (associate, add_port, (400, "BadRequest")),
        (add_port, readdress_port, None),
        (add_port, join_group, None),
        (add_port, give_options, None),
        (give_options, add_port, (400, "BadRequest")),
        (join_group, add_port, (400, "BadRequest")),
        # An interface or a gateway goes while something comes that needs it.
        (remove, associate, (409, "RouterInterfaceInUseByFloatingIP")),
        (remove, add_route, (409, "RouterInterfaceInUseByRoute")),
        (clear, associate, (409, "RouterExternalGatewayInUseByFloatingIp")),
        # A port changes or goes while a floating IP comes to it, and the other way round.
        (associate, delete_port, (404, "PortNotFound")),
        (delete_port, associate, None),
        (associate, readdress_port, None),
        (readdress_port, associate, (400, "BadRequest")),
        # One floating IP, or one address, is wanted twice.
        (associate, associate_second, (409, "FloatingIPPortAlreadyAssociated")),
        (associate, move_used, (409, "FloatingIPPortAlreadyAssociated")),
        (associate, associate_elsewhere, None),
        (associate, delete_free, (404, "FloatingIPNotFound")),
        (delete_free, associate, None),
        (move_used, delete_used, (404, "FloatingIPNotFound")),
        (move_used, dissociate_used, None),
        (allocate, allocate, None),
        (allocate_at, allocate_at, (409, "IpAddressAlreadyAllocated")),
        (allocate_at, give_gateway_at, (409, "IpAddressAlreadyAllocated")),
        (give_gateway_at, allocate_at, (409, "IpAddressAlreadyAllocated")),
        (give_gateway, give_gateway_at, None),
        (make_internal, give_gateway, (409, "ExternalNetworkInUse")),
        # A network or its subnet goes, or is external no more, while something comes to it.
        (add, delete_beside, (404, "SubnetNotFound")),
        (delete_beside, add, (409, "NetworkInUse")),
        (give_spare, delete_empty, (404, "RouterNotFound")),
        (delete_empty, give_spare, None),
        (give_spare, delete_spare, (404, "NetworkNotFound")),
        (delete_spare, give_spare, (409, "NetworkInUse")),
        (give_spare, make_spare_internal, (400, "BadRequest")),
        (give_spare, delete_spare_subnet, (400, "BadRequest")),
        (delete_spare_subnet, give_spare, (409, "SubnetInUse")),
        (allocate_spare, delete_spare, (400, "BadRequest")),
        (delete_spare, allocate_spare, (409, "NetworkInUse")),
        (allocate_spare, make_spare_internal, (400, "BadRequest")),
        (make_spare_internal, allocate_spare, (409, "ExternalNetworkInUse")),
        (allocate_spare, delete_spare_subnet, (400, "BadRequest")),
        (delete_spare_subnet, allocate_spare, (409, "SubnetInUse")),
        # An interface takes another address while somebody takes that, or the interface goes.
        (readdress_interface, plug_at, (409, "IpAddressAlreadyAllocated")),
        (plug_at, readdress_interface, (409, "IpAddressAlreadyAllocated")),
        (readdress_interface, remove, (404, "PortNotFound")),
        (remove, readdress_interface, None),
        (readdress_interface, add_route_there, (400, "InvalidRoutes")),
        (add_route_there, readdress_interface, (400, "InvalidRoutes")),
        (readdress_interface, rename_interface, None),
        (rename_interface, readdress_interface, None),
        (readdress_interface, associate, None),
        (associate, readdress_interface, None),
        # What follows from a router's ports has to follow from both changes.
        (no_snat, add, None),
        (add, no_snat, None),
        (add, shrink, None),
        (shrink, add, None),
        (add, grow, None),
        (grow, add, None),
        (add, grow_inside, None),
        (grow_inside, add, None),
        (add_v6, name_servers, None),
        (name_servers, add_v6, None),
        (add_v6, grow, None),
        (add_default, move_gateway_ip, None),
        (move_gateway_ip, add_default, None),
        (give_gateway, move_gateway_ip, None),
        (move_gateway_ip, give_gateway, None),
        (associate, make_physical, None),
        (make_physical, associate, None),
        (add, add_v6, None),
        (add_route, add_default, None),
    ],
)
def test_race(
    both: Both,
    late: Callable[[Site], Request],
    early: Callable[[Site], Request],
    expected: tuple[int, str] | None,
) -> None:
    """Whatever comes between plan and arrival, the outcome is as if one came after the other."""
    site = make_site(both.early)
    # So that the gateway can be cleared, and its network become internal.
    if remove in (late, early) or late is clear or late is make_internal:
        both.early.delete("floatingip", site.used)
    if late is make_internal:
        for one in (site.free, site.free2):
            both.early.delete("floatingip", one)
        assert 200 == both.early(*clear(site)).status
    both.late.get("routers")
    answer, first = both.race(late(site), early(site))

    assert first.status in OK, first
    if expected is None:
        assert answer.status in OK, answer
    else:
        assert expected == (answer.status, answer.json["NeutronError"]["type"])
    for api in (both.late, both.early):
        assert_consistent(api)


def test_after_the_gateway_is_gone(both: Both) -> None:
    """What needs a gateway or an interface that goes meanwhile is refused."""
    site = make_site(both.early)
    both.early.delete("floatingip", site.used)
    for early, late, expected in (
        (clear, associate, (404, "ExternalGatewayForFloatingIPNotFound")),
        (remove, add_route, (400, "InvalidRoutes")),
        (remove, associate, (404, "ExternalGatewayForFloatingIPNotFound")),
    ):
        answer, first = both.race(late(site), early(site))
        assert first.status in OK, first
        assert expected == (answer.status, answer.json["NeutronError"]["type"]), early
        assert_consistent(both.late)
        if early is clear:
            info = {"router": {"external_gateway_info": {"network_id": site.external}}}
            assert 200 == both.early("PUT", site.router_path(), info).status
        else:
            attach(both.early, site.router, subnet_id=site.inside_subnet)


def test_the_first_gateways_of_two(both: Both, nb: OvsdbServer) -> None:
    """Two proxies that place gateways for the first time make one group of chassis."""
    late, early = (
        {"external_gateway_info": {"network_id": external_network(both.early)["id"]}}
        for _ in range(2)
    )
    both.late.get("routers")

    for answer in both.race(*(("POST", "routers", {"router": one}) for one in (late, early))):
        assert 201 == answer.status, answer
        assert answer.json["router"]["external_gateway_info"]["enable_snat"] is True

    assert "hv1" == nbctl(nb, "--bare", "--columns=chassis_name", "list", "HA_Chassis")
    assert_consistent(both.late)


def test_a_chassis_more_for_gateways(nb: OvsdbServer) -> None:
    """Two proxies that are told of one more chassis for gateways bring it once."""
    with running_api(nb, gateway_chassis=("hv1",)) as first:
        gateways = [
            {"external_gateway_info": {"network_id": external_network(first)["id"]}}
            for _ in range(2)
        ]
        first.create("router", **gateways[0])
    with contextlib.ExitStack() as stack:
        early = stack.enter_context(running_api(nb, gateway_chassis=("hv2", "hv1")))
        tap = stack.enter_context(WireTap(nb))
        late = stack.enter_context(running_api(tap.server, gateway_chassis=("hv2", "hv1")))
        late.get("routers")
        tap.before_next_write(lambda: early.create("router", **gateways[0]))

        late.create("router", **gateways[1])

    listed = nbctl(nb, "--bare", "--columns=chassis_name", "list", "HA_Chassis")
    assert ["hv1", "hv2"] == sorted(listed.split())


def test_an_administrators_group_goes(nb: OvsdbServer) -> None:
    """A gateway that was to be on chassis whose group is gone is on none."""
    with running_api(nb) as early, WireTap(nb) as tap, running_api(tap.server) as late:
        outside = external_network(early)
        nbctl(nb, "ha-chassis-group-add", "ovirt-gateways")
        late.get("routers")
        tap.before_next_write(lambda: nbctl(nb, "ha-chassis-group-del", "ovirt-gateways"))

        router = late.create("router", external_gateway_info={"network_id": outside["id"]})

        assert router["external_gateway_info"]["enable_snat"] is False
        assert_consistent(late)


def test_load(both: Both) -> None:
    """Two proxies under random load: every answer is the API's, and the rows agree at the end."""
    site = make_site(both.early)
    requests = [
        add,
        add_v6,
        add_to_empty,
        add_port,
        remove,
        delete_port,
        readdress_port,
        readdress_interface,
        clear,
        no_snat,
        give_gateway,
        allocate,
        associate,
        associate_elsewhere,
        associate_second,
        dissociate_used,
        move_used,
        add_route,
        add_default,
        shrink,
        grow,
        name_servers,
        move_gateway_ip,
        make_physical,
    ]
    undo: list[Callable[[Site], Request]] = [
        lambda site: (
            "PUT",
            site.router_path("remove_router_interface"),
            {"subnet_id": site.beside_subnet},
        ),
        lambda site: (
            "PUT",
            site.router_path("add_router_interface"),
            {"subnet_id": site.inside_subnet},
        ),
        lambda site: ("PUT", site.router_path(), {"router": {"routes": []}}),
        lambda site: (
            "PUT",
            site.router_path(),
            {"router": {"external_gateway_info": {"network_id": site.external}}},
        ),
        lambda site: ("PUT", f"floatingips/{site.free}", {"floatingip": {"port_id": None}}),
        lambda site: ("PUT", f"networks/{site.inside}", {"network": {"mtu": 0}}),
    ]
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def work(number: int) -> None:
        chooser = random.Random(number)
        api = (both.late, both.early)[number % 2]
        for _ in range(30):
            answer = api(*chooser.choice([*requests, *undo])(site))
            with lock:
                statuses[answer.status] += 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))

    assert set(statuses) <= {200, 201, 204, 400, 404, 409}, statuses
    assert statuses[200] > 20
    for api in (both.late, both.early):
        assert_consistent(api)
