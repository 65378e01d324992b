# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security groups of a site that ovirt-provider-ovn has set up: they filter on, and go back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from daemon.proxy import ENGINE
from daemon.test_peer_site import (
    ANSWERS,
    DROP_GROUP,
    GROUPS,
    KINDS,
    NETWORKS,
    PORTS,
    Site,
    running_site,
)

pytestmark = pytest.mark.daemon

# --- what is seen -------------------------------------------------------------


@pytest.fixture(scope="module")
def untouched() -> Iterator[Site]:
    """The site as it was left, for tests that only look."""
    with running_site() as site:
        yield site


def _by_id(elements: list[Any]) -> dict[str, Any]:
    return {element["id"]: element for element in elements}


def _column(site: Site, table: str, record: str, column: str) -> str:
    return site.nbctl("--if-exists", "get", table, record, column)


def _refusal(site: Site, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = site.api(method, path, body)
    return answer.status, answer.json["NeutronError"]["type"]


def _groups(port: Mapping[str, Any]) -> set[str]:
    """Return a port's groups; the default one stands by its name in the site's own answers."""
    return {GROUPS.get(word, word) for word in port["security_groups"]}


def test_ports_are_in_their_groups(untouched: Site) -> None:
    """Every port is shown with its security groups, by their ids."""
    expected = {
        port["id"]: _groups(port) for port in ANSWERS["ports"] if port["name"] != "localnet_port"
    }

    listed = untouched.api.get("ports")["ports"]

    assert expected == {port["id"]: set(port["security_groups"]) for port in listed}
    of_web = untouched.api.get(f"ports?security_groups={GROUPS['web']}")["ports"]
    assert {PORTS["websrv"], PORTS["dbsrv"]} == {port["id"] for port in of_web}


def test_security_groups_are_as_they_were(untouched: Site) -> None:
    """Every group is listed with its id, name, project and revision."""
    shared = ("id", "name", "revision_number", "tags")
    listed = untouched.api.get("security-groups")["security_groups"]

    for group in ANSWERS["security_groups"]:
        (found,) = (one for one in listed if one["id"] == group["id"])
        assert {key: group[key] for key in shared} == {key: found[key] for key in shared}
        assert (group["description"] or "") == found["description"]
        assert (group["tenant_id"] or "0" * 31 + "1") == found["tenant_id"] == found["project_id"]
        for moment in ("created_at", "updated_at"):
            assert f"{group[moment][:19]}Z" == found[moment]
        rules = {rule["id"] for rule in group["security_group_rules"]}
        assert rules == {rule["id"] for rule in found["security_group_rules"]}
        assert found["stateful"]
    assert set(GROUPS.values()) == untouched.ids("security-groups")


def test_security_group_rules_are_as_they_were(untouched: Site) -> None:
    """Every rule is listed with what it lets through, and ports are numbers."""
    shared = ("id", "direction", "ethertype", "protocol", "security_group_id")
    keys = (*shared, "remote_group_id", "remote_ip_prefix", "port_range_min", "port_range_max")
    expected = [{key: rule[key] for key in keys} for rule in ANSWERS["security_group_rules"]]
    for rule in expected:
        for key in ("port_range_min", "port_range_max"):
            rule[key] = int(rule[key]) if rule[key] is not None else None

    listed = untouched.api.get("security-group-rules")["security_group_rules"]

    assert _by_id(expected) == _by_id([{key: rule[key] for key in keys} for rule in listed])
    # It wrote descriptions, but looked for them under another key.
    described = {rule["remote_ip_prefix"]: rule["description"] for rule in listed}
    assert "inside only" == described["10.0.0.0/8"]


# --- what is changed -------------------------------------------------------------

ON, OFF = {"port_security_enabled": True}, {"port_security_enabled": False}


@pytest.fixture
def filtered() -> Iterator[Site]:
    """A copy of the site to be changed; the ACLs that it had are looked after."""
    with running_site() as site:
        before = set(site.dump("ACL").splitlines())
        yield site
        assert before <= set(site.dump("ACL").splitlines())


@pytest.fixture
def changing() -> Iterator[Site]:
    """A copy of the site of which everything may change."""
    with running_site() as site:
        yield site


def _members(site: Site, name: str) -> set[str]:
    """Return the ports of a port group, by their ids."""
    listed = site.nbctl("--bare", "--columns=ports", "find", "Port_Group", f"name={name}")
    return {_column(site, "Logical_Switch_Port", uuid, "name") for uuid in listed.split()}


def _row_of(group: str) -> str:
    """Return the name of a group's row."""
    return {
        "web": "ovirt_e9617ca5_78ff_44d9_aec3_70e30e8b1560",
        "db": "ovirt_e4b1e645_15ec_40f0_888d_30ca73c1acbb",
    }.get(group, group)


def _memberships(site: Site) -> dict[str, set[str]]:
    return {name: _members(site, _row_of(name)) for name in ("Default", "DropAll", "web", "db")}


def _quoted(*names: str) -> set[str]:
    return {f'"{PORTS[name]}"' for name in names}


SECURED = _quoted("websrv", "dbsrv", "default")


def test_a_secured_port_starts_as_it_was(filtered: Site) -> None:
    """Starts of VMs leave ports with groups in them; null means the default group to the engine."""
    before = filtered.dump("Port_Group", "ACL")
    for name in ("websrv", "dbsrv", "default", "nosec"):
        port = filtered.api.get(f"ports/{PORTS[name]}")["port"]
        values = {"binding:host_id": "host2", "mac_address": port["mac_address"]}
        answer = filtered.api("PUT", f"ports/{PORTS[name]}", {"port": values}, ENGINE)
        assert (200, port["security_groups"]) == (
            answer.status,
            answer.json["port"]["security_groups"],
        )
    body = {"port": {"security_groups": None}}
    assert 200 == filtered.api("PUT", f"ports/{PORTS['nosec']}", body, ENGINE).status
    assert before == filtered.dump("Port_Group", "ACL")


def test_a_port_of_the_site_changes_its_groups(filtered: Site) -> None:
    """A port of the site moves between its groups, and the others stay where they are."""
    # It put every port with port security into its default group, whatever groups were named.
    assert SECURED == _memberships(filtered)["Default"]

    filtered.api.update("port", PORTS["websrv"], security_groups=[GROUPS["db"]])

    after = _memberships(filtered)
    assert _quoted("websrv", "dbsrv") == after["db"]
    assert _quoted("dbsrv") == after["web"]
    assert (SECURED, SECURED - _quoted("websrv")) == (after["DropAll"], after["Default"])
    external_ids = _column(filtered, "Logical_Switch_Port", PORTS["websrv"], "external_ids")
    assert f'ovirt_security_groups="{GROUPS["db"]}"' in external_ids


def test_port_security_of_a_port_of_the_site(filtered: Site) -> None:
    """Port security comes to a port of the site, and goes, with what filters."""
    path = f"ports/{PORTS['websrv']}"
    assert (409, "PortSecurityPortHasSecurityGroup") == _refusal(
        filtered, "PUT", path, {"port": OFF}
    )
    filtered.api.update("port", PORTS["websrv"], **OFF, security_groups=[])
    filtered.api.update("port", PORTS["nosec"], **ON, security_groups=["Default"])

    after = _memberships(filtered)
    assert SECURED - _quoted("websrv") | _quoted("nosec") == after["DropAll"]
    assert _quoted("nosec") <= after["Default"]
    assert not _quoted("websrv") & (after["web"] | after["Default"])
    port = filtered.api.get(f"ports/{PORTS['nosec']}")["port"]
    assert [GROUPS["Default"]] == port["security_groups"]


def test_a_new_port_joins_the_sites_default_group(filtered: Site) -> None:
    """A new port is in the site's own groups, named as the site names them."""
    port = filtered.api.create("port", network_id=NETWORKS["secured"])

    assert [GROUPS["Default"]] == port["security_groups"]
    after = _memberships(filtered)
    assert {f'"{port["id"]}"'} | SECURED == after["DropAll"]
    assert f'"{port["id"]}"' in after["Default"]
    external_ids = _column(filtered, "Logical_Switch_Port", port["id"], "external_ids")
    assert "ovirt_security_groups=Default" in external_ids


def test_new_rules_are_like_the_sites(changing: Site) -> None:
    """What a rule becomes is what ovirt-provider-ovn made of the same rule."""
    api = changing.api
    columns = ["direction", "priority", "match", "action"]
    for rule in ANSWERS["security_group_rules"]:
        before = [_column(changing, "ACL", rule["id"], column) for column in columns]
        copied = {key: value for key, value in rule.items() if value is not None and key != "id"}
        api.delete("security_group_rule", rule["id"])
        made = api.create("security_group_rule", **copied)
        after = [_column(changing, "ACL", made["id"], column) for column in columns]
        assert before == after


def test_what_goes_back_can_be_read(filtered: Site) -> None:
    """Rows of groups, rules and ports have all that ovirt-provider-ovn reads."""
    api = filtered.api
    group = api.create("security_group", name="new", description="d")
    of_group = {"security_group_id": group["id"], "direction": "ingress", "description": "e"}
    rule = api.create("security_group_rule", remote_group_id=GROUPS["web"], **of_group)
    network = NETWORKS["secured"]
    port = api.create("port", network_id=network, security_groups=[group["id"]])

    # It lists every port group but one, and fails on one without a revision.
    uuids = filtered.nbctl("--bare", "--columns=_uuid", "list", "Port_Group").split()
    for uuid in uuids:
        assert _column(filtered, "Port_Group", uuid, "external_ids:ovirt_revision_number")
    name = _column(filtered, "Port_Group", group["id"], "name").strip('"')
    assert f"ovirt_{group['id'].replace('-', '_')}" == name
    external_ids = _column(filtered, "Port_Group", group["id"], "external_ids")
    assert "ovirt_sec_group_name=new" in external_ids
    assert "ovirt_description=d" in external_ids
    external_ids = _column(filtered, "ACL", rule["id"], "external_ids")
    assert f"ovirt_port_group_id={name}" in external_ids
    assert f"ovirt_remote_group_id={_row_of('web')}" in external_ids
    assert "ovirt_rule_description=e" in external_ids
    external_ids = _column(filtered, "Logical_Switch_Port", port["id"], "external_ids")
    assert f'ovirt_security_groups="{group["id"]}"' in external_ids


def test_a_group_of_the_site_goes(changing: Site) -> None:
    """A group of the site stays while ports are in it, then goes with the rules that name it."""
    api = changing.api
    path = f"security-groups/{GROUPS['web']}"
    assert (409, "SecurityGroupInUse") == _refusal(changing, "DELETE", path)
    for name in ("websrv", "dbsrv"):
        api.update("port", PORTS[name], security_groups=[GROUPS["db"]])
    going = {
        rule["id"]
        for rule in ANSWERS["security_group_rules"]
        if GROUPS["web"] in (rule["security_group_id"], rule["remote_group_id"])
    }

    assert 204 == api("DELETE", path).status

    rules = {rule["id"] for rule in ANSWERS["security_group_rules"]}
    assert rules - going == changing.ids("security-group-rules")
    assert _row_of("web") not in changing.dump("ACL", "Port_Group")
    assert {GROUPS["db"], GROUPS["Default"]} == changing.ids("security-groups")


def test_the_sites_default_group_stays(changing: Site) -> None:
    """The default group keeps its name and does not go; its rules can change."""
    path = f"security-groups/{GROUPS['Default']}"
    assert (409, "SecurityGroupCannotRemoveDefault") == _refusal(changing, "DELETE", path)
    body = {"security_group": {"name": "other"}}
    assert (409, "SecurityGroupCannotUpdateDefault") == _refusal(changing, "PUT", path, body)
    of_default = {"security_group_id": GROUPS["Default"], "direction": "ingress"}
    changing.api.create("security_group_rule", protocol="icmp", **of_default)
    changing.api.update("security_group", GROUPS["Default"], description="d")


@pytest.mark.parametrize(
    ("name", "setting"),
    [("Default", "name=Other"), ("DropAll", "name=Other"), ("DropAll", "acls=[]")],
)
def test_what_filters_is_made_again(changing: Site, name: str, setting: str) -> None:
    """Where somebody took away what every port needs, the next one with port security brings it."""
    changing.nbctl("set", "Port_Group", {**GROUPS, "DropAll": DROP_GROUP}[name], setting)
    # A read shows what was there before it; a write would rest on what it changes alone.
    changing.ids("ports")

    port = changing.api.create("port", network_id=NETWORKS["secured"])

    for group in ("Default", "DropAll"):
        assert f'"{port["id"]}"' in _members(changing, group)
    assert 4 == len(_column(changing, "Port_Group", "DropAll", "acls").split())
    assert "DropAll && ip" in changing.dump("ACL")


# --- other managers -----------------------------------------------------------


def test_port_groups_of_others_are_invisible(changing: Site) -> None:
    """Port groups and ACLs of another manager are neither listed, found, changed nor deleted."""
    before = {kind: changing.ids(kind) for kind in KINDS}
    acl = ("--", "--id=@acl", "create", "ACL", "direction=to-lport", "priority=5", "action=drop")
    create = ("--id=@group", "create", "Port_Group", "name=theirs", "acls=@acl")
    lsp = _column(changing, "Logical_Switch_Port", PORTS["websrv"], "_uuid")
    changing.nbctl(*create, f"ports={lsp}", *acl, 'match="outport == @theirs && ip4"')
    own = _column(changing, "Port_Group", GROUPS["db"], "acls").strip("[]").split(", ")
    changing.nbctl("acl-add", _row_of("db"), "to-lport", "7", "tcp.dst == 9", "allow")
    (added,) = {*_column(changing, "Port_Group", GROUPS["db"], "acls").strip("[]").split(", ")} - {
        *own
    }

    assert before == {kind: changing.ids(kind) for kind in KINDS}
    theirs = _column(changing, "Port_Group", "theirs", "_uuid")
    their_acl = _column(changing, "Port_Group", "theirs", "acls").strip("[]")
    for path in (
        f"security-groups/{theirs}",
        f"security-group-rules/{their_acl}",
        f"security-group-rules/{added}",
    ):
        assert [404, 404] == [changing.api(verb, path).status for verb in ("GET", "DELETE")]
    values = {"port": {"security_groups": [theirs]}}
    path = f"ports/{PORTS['websrv']}"
    assert (404, "SecurityGroupNotFound") == _refusal(changing, "PUT", path, values)
    changing.api.update("port", PORTS["websrv"], security_groups=[GROUPS["db"]])
    assert _quoted("websrv") == _members(changing, "theirs")
    assert "tcp.dst == 9" in changing.dump("ACL")
