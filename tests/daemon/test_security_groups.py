# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security groups and rules by the API, on a real Northbound with ovn-northd."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import ENGINE, Answer, Api

pytestmark = pytest.mark.daemon

NOWHERE = "00000000-0000-4000-8000-000000000000"
INGRESS = {"direction": "ingress"}


@pytest.fixture
def nb(central: Any) -> OvsdbServer:
    """The Northbound server."""
    server: OvsdbServer = central["nb"]
    return server


def nbctl(nb: OvsdbServer, *command: str) -> str:
    """Run ovn-nbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-nbctl", f"--db={nb.remote}", *command], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().strip()


def refusal(answer: Answer) -> tuple[int, str]:
    """Return status and type of an answer that refuses."""
    assert {"NeutronError"} == set(answer.json), answer
    return answer.status, answer.json["NeutronError"]["type"]


def groups(api: Api, query: str = "") -> list[Any]:
    """Return the groups that a list shows."""
    listed: list[Any] = api.get(f"security-groups{query}")["security_groups"]
    return listed


def rules(api: Api, query: str = "") -> list[Any]:
    """Return the rules that a list shows."""
    listed: list[Any] = api.get(f"security-group-rules{query}")["security_group_rules"]
    return listed


def a_rule(api: Api, group_id: str, **values: Any) -> Any:
    """Create a rule for ingress, unless it says otherwise."""
    return api.create("security_group_rule", security_group_id=group_id, **{**INGRESS, **values})


# --- groups -------------------------------------------------------------------


def test_life_of_a_group(api: Api, nb: OvsdbServer) -> None:
    """A group is made with two rules, found, renamed, described, and goes with its rules."""
    made = api.create("security_group", name="web", description="d")
    assert ("web", "d", True, False, 1) == (
        made["name"],
        made["description"],
        made["stateful"],
        made["shared"],
        made["revision_number"],
    )
    assert [("egress", "IPv4"), ("egress", "IPv6")] == sorted(
        (rule["direction"], rule["ethertype"]) for rule in made["security_group_rules"]
    )
    path = f"security-groups/{made['id']}"
    assert made == api.get(path)["security_group"]
    assert made in groups(api)
    assert made["security_group_rules"][0] in rules(api)

    changed = api.update("security_group", made["id"], name="db", description="")
    assert ("db", "", 2) == (
        changed["name"],
        changed["description"],
        changed["revision_number"],
    )
    assert changed == api.get(path)["security_group"]
    name = nbctl(nb, "get", "Port_Group", made["id"], "name")
    assert f"ovirt_{made['id'].replace('-', '_')}" == name

    api.delete("security_group", made["id"])
    assert (404, "SecurityGroupNotFound") == refusal(api("GET", path))
    assert "" == nbctl(nb, "find", "ACL", f"external_ids:ovirt_port_group_id={name}")
    assert ["Default"] == [group["name"] for group in groups(api)]


def test_the_default_group(api: Api) -> None:
    """The default group is there after the first change that concerns it, and not by a look."""
    assert [] == groups(api)
    assert [] == rules(api)
    api.create("network")
    assert [] == groups(api)
    api.create("network", port_security_enabled=True)

    (default,) = groups(api)
    assert "Default" == default["name"]
    assert sorted(
        [
            ("egress", "IPv4", None),
            ("egress", "IPv6", None),
            ("ingress", "IPv4", default["id"]),
            ("ingress", "IPv6", default["id"]),
        ],
        key=str,
    ) == sorted(
        (
            (rule["direction"], rule["ethertype"], rule["remote_group_id"])
            for rule in default["security_group_rules"]
        ),
        key=str,
    )
    assert all(rule["belongs_to_default_sg"] for rule in default["security_group_rules"])
    path = f"security-groups/{default['id']}"
    exists = (409, "SecurityGroupDefaultAlreadyExists")
    for name, expected in (
        ("x", (409, "SecurityGroupCannotUpdateDefault")),
        ("deFault", exists),
    ):
        assert expected == refusal(api("PUT", path, {"security_group": {"name": name}}))
    assert (409, "SecurityGroupCannotRemoveDefault") == refusal(api("DELETE", path))
    for name in ("default", "DEFAULT"):
        body = {"security_group": {"name": name}}
        assert exists == refusal(api("POST", "security-groups", body))


def test_groups_in_bulk(api: Api) -> None:
    """Groups are made together, in the order asked for, or not at all."""
    body: Any = {"security_groups": [{"name": "a"}, {"security_group": {"name": "b"}}]}
    answer = api("POST", "security-groups", body)
    assert (201, ["a", "b"]) == (
        answer.status,
        [group["name"] for group in answer.json["security_groups"]],
    )
    body = {"security_groups": [{"name": "c"}, {"name": "default"}]}
    assert 409 == api("POST", "security-groups", body).status
    assert {"Default", "a", "b"} == {group["name"] for group in groups(api)}


def test_a_group_in_use(api: Api) -> None:
    """A group neither goes nor changes its kind while a port is in it."""
    network_id = api.create("network", port_security_enabled=True)["id"]
    group = api.create("security_group")
    port = api.create("port", network_id=network_id, security_groups=[group["id"]])
    path = f"security-groups/{group['id']}"
    for request in (("DELETE", path), ("PUT", path, {"security_group": {"stateful": False}})):
        assert (409, "SecurityGroupInUse") == refusal(api(*request))
    api.delete("port", port["id"])

    assert not api.update("security_group", group["id"], stateful=False)["stateful"]
    api.delete("security_group", group["id"])


def test_a_port_that_goes_leaves_no_trace(api: Api, nb: OvsdbServer) -> None:
    """A deleted port is in no group any more, and its network and groups go after it."""
    network_id = api.create("network", port_security_enabled=True)["id"]
    group = api.create("security_group")["id"]
    ports = [
        api.create("port", network_id=network_id, security_groups=groups)["id"]
        for groups in ([group], [group, "Default"], [])
    ]
    memberships = nbctl(nb, "--columns=ports", "list", "Port_Group")
    assert [2, 3, 1] == [memberships.count(port) for port in ports]

    for port in ports:
        api.delete("port", port)
    api.delete("network", network_id)
    api.delete("security_group", group)

    listed = nbctl(nb, "--bare", "--columns=ports", "list", "Port_Group")
    assert "" == listed.strip()


def test_stateful(api: Api, nb: OvsdbServer) -> None:
    """What a group does with what its rules match changes with the group, for all of them."""

    def actions() -> set[str]:
        found = api.get(f"security-groups/{group['id']}")["security_group"]
        ids = [rule["id"] for rule in found["security_group_rules"]]
        return {nbctl(nb, "get", "ACL", rule_id, "action") for rule_id in ids}

    group = api.create("security_group", stateful=False)
    a_rule(api, group["id"])
    assert {"allow-stateless"} == actions()
    api.update("security_group", group["id"], stateful=True)
    a_rule(api, group["id"], protocol="tcp")
    assert {"allow-related"} == actions()


def test_projects(api: Api) -> None:
    """A group made for another project says so, and so do its rules; groups are found by it."""
    group = api.create("security_group", project_id="p1")
    own = api.create("security_group")["project_id"]

    assert ("p1", "p1") == (group["project_id"], group["tenant_id"])
    assert {"p1"} == {rule["project_id"] for rule in group["security_group_rules"]}
    assert [group] == groups(api, "?project_id=p1")
    assert {own} == {one["tenant_id"] for one in groups(api, f"?tenant_id={own}")}


# --- rules --------------------------------------------------------------------


def test_life_of_a_rule(api: Api) -> None:
    """A rule is made, found and deleted, and each change counts the group's revision."""
    group = api.create("security_group")
    rule = a_rule(
        api,
        group["id"],
        ethertype="ipv4",
        protocol="TCP",
        port_range_min="80",
        port_range_max=443,
        remote_ip_prefix="10.0.0.5/8",
        description="d",
    )
    expected = {
        "security_group_id": group["id"],
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 443,
        "remote_ip_prefix": "10.0.0.5/8",
        "normalized_cidr": "10.0.0.0/8",
        "remote_group_id": None,
        "description": "d",
        "belongs_to_default_sg": False,
        "revision_number": 1,
    }
    assert expected == {key: rule[key] for key in expected}
    path = f"security-group-rules/{rule['id']}"
    assert rule == api.get(path)["security_group_rule"]
    after = api.get(f"security-groups/{group['id']}")["security_group"]
    assert [*group["security_group_rules"], rule] == after["security_group_rules"]
    assert (2, True) == (after["revision_number"], after["updated_at"] >= group["updated_at"])

    body = {"security_group_rule": {"description": "other"}}
    assert (400, "HTTPBadRequest") == refusal(api("PUT", path, body))
    api.delete("security_group_rule", rule["id"])
    assert (404, "SecurityGroupRuleNotFound") == refusal(api("GET", path))
    assert (404, "SecurityGroupRuleNotFound") == refusal(api("DELETE", path))
    after = api.get(f"security-groups/{group['id']}")["security_group"]
    assert (group["security_group_rules"], 3) == (
        after["security_group_rules"],
        after["revision_number"],
    )


def test_a_rule_that_is_there(api: Api) -> None:
    """Another rule that would do the same is refused, with the id of the first one."""
    group_id = api.create("security_group")["id"]
    rule = a_rule(api, group_id, protocol="udp")
    same = {"security_group_id": group_id, **INGRESS, "protocol": "17", "description": "d"}
    answer = api("POST", "security-group-rules", {"security_group_rule": same})

    assert (409, "SecurityGroupRuleExists") == refusal(answer)
    assert f"Rule id is {rule['id']}" in answer.json["NeutronError"]["message"]


def test_rules_in_bulk(api: Api) -> None:
    """Rules of one group are made together, or not at all, as one change of it."""
    group_id = api.create("security_group")["id"]
    other_id = api.create("security_group")["id"]
    of_group = {"security_group_id": group_id, **INGRESS}
    several = [{**of_group, "protocol": protocol} for protocol in ("tcp", "udp", "icmp")]
    answer = api("POST", "security-group-rules", {"security_group_rules": several})
    assert ["tcp", "udp", "icmp"] == [
        rule["protocol"] for rule in answer.json["security_group_rules"]
    ]
    assert 2 == api.get(f"security-groups/{group_id}")["security_group"]["revision_number"]

    for added, expected in (
        ({**of_group, "security_group_id": other_id}, (400, "SecurityGroupNotSingleGroupRules")),
        ({**of_group, "protocol": "sctp"}, (409, "DuplicateSecurityGroupRuleInPost")),
        ({**of_group, "protocol": "tcp"}, (409, "SecurityGroupRuleExists")),
        ({**of_group, "remote_group_id": NOWHERE}, (404, "SecurityGroupNotFound")),
        ({**of_group, "protocol": "nonsense"}, (400, "SecurityGroupRuleInvalidProtocol")),
    ):
        body = {"security_group_rules": [{**of_group, "protocol": "sctp"}, added]}
        assert expected == refusal(api("POST", "security-group-rules", body))
    assert 5 == len(rules(api, f"?security_group_id={group_id}"))


def test_rules_go_with_the_group_that_they_name(api: Api, nb: OvsdbServer) -> None:
    """No rule is left that names a group which is gone, in any group."""
    one, two = (api.create("security_group", name=name)["id"] for name in ("one", "two"))
    named = a_rule(api, two, remote_group_id=one)
    kept = a_rule(api, two, remote_group_id=two)
    api.delete("security_group", one)

    assert (404, "SecurityGroupRuleNotFound") == refusal(
        api("GET", f"security-group-rules/{named['id']}")
    )
    assert [kept] == rules(api, f"?remote_group_id={two}")
    assert one.replace("-", "_") not in nbctl(nb, "list", "ACL")
    assert 4 == api.get(f"security-groups/{two}")["security_group"]["revision_number"]


# --- lists --------------------------------------------------------------------


@pytest.fixture
def several(api: Api) -> dict[str, str]:
    """Some groups with rules; the ids by name."""
    ids = {name: api.create("security_group", name=name)["id"] for name in ("a", "b", "c")}
    a_rule(api, ids["a"], protocol="tcp", port_range_min=80, port_range_max=80)
    a_rule(api, ids["a"], protocol="icmp")
    a_rule(api, ids["b"], ethertype="IPv6", remote_ip_prefix="fd00::/8")
    api("PUT", f"security-groups/{ids['b']}/tags/t")
    api.update("security_group", ids["c"], description="third", stateful=False)
    return ids


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("name=b", ["b"]),
        ("name=a&name=c", ["a", "c"]),
        ("description=third", ["c"]),
        ("stateful=False", ["c"]),
        ("shared=True", []),
        ("tags=t", ["b"]),
        ("not-tags=t", ["a", "c"]),
        ("sort_key=name&sort_dir=desc", ["c", "b", "a"]),
        ("unknown=1", ["a", "b", "c"]),
    ],
)
def test_lists_of_groups(api: Api, several: dict[str, str], query: str, names: list[str]) -> None:
    """Groups are filtered and sorted as everything is."""
    found = [group["name"] for group in groups(api, f"?{query}") if group["name"] != "Default"]

    assert names == (found if "sort" in query else sorted(found))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("protocol=tcp", 1),
        ("protocol=TCP&protocol=icmp", 2),
        ("port_range_min=80", 1),
        ("port_range_max=81", 0),
        ("ethertype=IPv6&direction=ingress&remote_ip_prefix=fd00::/8", 1),
        ("normalized_cidr=fd00::/8", 1),
        ("security_group_id=A", 4),
        ("security_group_id=A&direction=egress", 2),
        ("security_group_id=A&security_group_id=B", 7),
        ("belongs_to_default_sg=True", 4),
        (f"security_group_id={NOWHERE}", 0),
        ("sort_key=protocol&sort_dir=asc&limit=3", 3),
    ],
)
def test_lists_of_rules(api: Api, several: dict[str, str], query: str, count: int) -> None:
    """Rules are filtered by what they are shown with."""
    query = query.replace("=A", f"={several['a']}").replace("=B", f"={several['b']}")

    assert count == len(rules(api, f"?{query}"))


def test_pages(api: Api, several: dict[str, str]) -> None:
    """Long lists are read page by page, by the links that each page has."""
    for path, key, count in (
        ("security-groups", "security_groups", 4),
        ("security-group-rules", "security_group_rules", 13),
    ):
        found: list[str] = []
        url = f"{path}?limit=3&fields=id"
        while url:
            page = api.get(url)
            found += [row["id"] for row in page[key]]
            assert all({"id"} == set(row) for row in page[key])
            links = {link["rel"]: link["href"] for link in page.get(f"{key}_links", [])}
            url = links["next"].partition("/v2.0/")[2] if "next" in links else ""
        assert count == len(found) == len(set(found))


def test_fields(api: Api, several: dict[str, str]) -> None:
    """Clients get the attributes that they ask for."""
    path = f"security-groups/{several['a']}?fields=name&fields=security_group_rules"
    shown = api.get(path)["security_group"]

    assert {"name", "security_group_rules"} == set(shown)
    assert 4 == len(shown["security_group_rules"])


def test_quotas(api: Api, several: dict[str, str]) -> None:
    """What is used of each quota counts groups and rules too."""
    details = api.get("quotas/x/details")["quota"]

    assert (4, 13) == (
        details["security_group"]["used"],
        details["security_group_rule"]["used"],
    )


def test_extensions(api: Api) -> None:
    """What is offered is advertised."""
    aliases = {extension["alias"] for extension in api.get("extensions")["extensions"]}

    assert {
        "port-security-groups-filtering",
        "security-group",
        "security-groups-normalized-cidr",
        "security-groups-rules-belongs-to-default-sg",
        "security-groups-shared-filtering",
        "stateful-security-group",
    } <= aliases
    paths = {resource["collection"] for resource in api.get("/v2.0/")["resources"]}
    assert {"security-groups", "security-group-rules"} <= paths
    assert 404 == api("GET", "security_groups").status


# --- ports --------------------------------------------------------------------


def test_the_groups_of_a_port(api: Api, nb: OvsdbServer) -> None:
    """A port is in the groups that it names, found by them, and in none once it is gone."""
    network_id = api.create("network", port_security_enabled=True)["id"]
    group = api.create("security_group")["id"]
    port = api.create("port", network_id=network_id, security_groups=[group])
    other = api.create("port", network_id=network_id)
    (default,) = (one["id"] for one in groups(api) if one["name"] == "Default")

    assert ([group], [default]) == (port["security_groups"], other["security_groups"])
    for query, expected in ((group, port), (default, other)):
        assert [expected] == api.get(f"ports?security_groups={query}")["ports"]
    listed = api("GET", "ports", headers=ENGINE).json["ports"]
    assert {port["id"]: [group], other["id"]: [default]} == {
        one["id"]: one["security_groups"] for one in listed
    }
    assert 2 == len(nbctl(nb, "get", "Port_Group", "DropAll", "ports").split())

    for one in (port, other):
        api.delete("port", one["id"])
    for name in ("DropAll", "Default", group):
        assert "[]" == nbctl(nb, "get", "Port_Group", name, "ports")


def test_the_list_of_ports_follows_the_default_group(api: Api, nb: OvsdbServer) -> None:
    """Ports name the default group by its id, also where somebody made another one."""
    network_id = api.create("network", port_security_enabled=True)["id"]
    port = api.create("port", network_id=network_id)

    def shown() -> list[str]:
        (listed,) = api.get("ports")["ports"]
        assert listed == api.get(f"ports/{port['id']}")["port"]
        found: list[str] = listed["security_groups"]
        return found

    assert port["security_groups"] == shown()
    nbctl(nb, "pg-del", "Default")
    assert [] == shown()
    api.create("security_group")
    (default,) = (one["id"] for one in groups(api) if one["name"] == "Default")
    assert [default] == shown() != port["security_groups"]
