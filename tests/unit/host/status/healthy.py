# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with which all is well: what the cases of all checks begin with."""

from __future__ import annotations

import ipaddress

from ovirt_ovn_host.addresses import Address
from ovirt_ovn_host.certificates import Files
from ovirt_ovn_host.chassis import Plan, Wanted
from ovirt_ovn_host.links import Link
from ovirt_ovn_host.live import Live
from ovirt_ovn_host.outlook import Outlook
from ovirt_ovn_host.status.bindings import Binding, Chassis, Southbound
from ovirt_ovn_host.status.facts import CertificateFacts, Echo, Facts, FileStatus
from ovirt_ovn_host.status.switch import Switch, TunnelEnd, Vif

NOW_S = 1_800_000_000.0
DAY_S = 86400
PORT = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_PORT = "aaaaaaaa-0000-4000-8000-000000000002"
VM = "11111111-0000-4000-8000-000000000001"
REMOTE = "ssl:203.0.113.1:6642"
ENCAP = ("geneve", "192.0.2.5")
FILES = Files("/pki/key.pem", "/pki/cert.pem", "/pki/ca.pem")

EXTERNAL_IDS = {
    "system-id": "hv1",
    "hostname": "hv1.example.com",
    "ovn-remote": REMOTE,
    "ovn-encap-type": "geneve",
    "ovn-encap-ip": "192.0.2.5",
}
WANTED = Wanted("hv1", (REMOTE,), "geneve", "192.0.2.5", 60000, 60, 8000)
LIVE = Live("u", {}, EXTERNAL_IDS, {}, None, {})
OUTLOOK = Outlook(files=(), wanted=WANTED, live=LIVE, plan=Plan((), ()))
VIF = Vif("vnet0", PORT, VM, mtu_bytes=1442)
SWITCH = Switch(
    external_ids=EXTERNAL_IDS,
    version="3.1.0",
    tls_files=FILES,
    fail_mode="secure",
    vifs=[VIF],
    tunnels=[TunnelEnd("hv2", "192.0.2.6", rx_packets=7)],
)
HV1 = Chassis("hv1", "hv1.example.com", [ENCAP], 4, 1_800_000_000_000)
HV2 = Chassis("hv2", "hv2.example.com", [("geneve", "192.0.2.6")], 4, 1_800_000_000_300)
BINDING = Binding(PORT, chassis="hv1")
SOUTHBOUND = Southbound(REMOTE, [HV1, HV2], [BINDING], NOW_S + 300 * DAY_S)
CERTIFICATE = CertificateFacts(["hv1"], NOW_S + 90.5 * DAY_S, NOW_S + 3000 * DAY_S)
OWNED = [
    FileStatus(path, mode, "openvswitch", "openvswitch")
    for path, mode in zip(FILES, (0o440, 0o644, 0o644))
]
ECHO = Echo("hv2", "192.0.2.6", 1500, has_small=True, has_large=True)

HEALTHY = Facts(
    now_s=NOW_S,
    is_root=True,
    host_name="hv1.example.com",
    system_id="hv1",
    remotes=[REMOTE],
    encaps=[ENCAP],
    outlook=OUTLOOK,
    switch=SWITCH,
    vswitchd="ovs-vswitchd (Open vSwitch) 3.1.0",
    controller="connected",
    services=dict.fromkeys(("ovn-controller", "ovsdb-server", "openvswitch-ipsec"), True),
    addresses=[Address("tunnels", ipaddress.ip_address("192.0.2.5"), 24)],
    links={"tunnels": Link("tunnels", mtu_bytes=1500)},
    files=FILES,
    file_status=OWNED,
    certificate=CERTIFICATE,
    vdsm_file_status=OWNED,
    vdsm_certificate=CERTIFICATE,
    southbound=SOUTHBOUND,
    other_ends=[("hv2", "192.0.2.6")],
    echoes=[ECHO],
    listens=True,
    is_clock_steered=True,
)
