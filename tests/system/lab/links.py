# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual cables (veth pairs) between namespaces."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

from .namespace import Namespace

# linux/sockios.h and linux/ethtool.h
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17


def connect(
    near: tuple[Namespace, str], far: tuple[Namespace, str], mac: str = "", mtu_bytes: int = 1500
) -> None:
    """Lay a cable between two namespaces; each end is up and named as given.

    `mac` is the far end's; empty leaves it to the kernel.
    """
    (here, name), (there, peer) = near, far
    address = f"address {mac} " if mac else ""
    here.ip(
        f"link add {name} mtu {mtu_bytes} type veth"
        f" peer name {peer} {address}mtu {mtu_bytes} netns {there.name}"
    )
    for namespace, end in (near, far):
        send_whole_checksums(namespace, end)
    here.ip(f"link set {name} up")
    there.ip(f"link set {peer} up")


def send_whole_checksums(namespace: Namespace, link: str) -> None:
    """Switch checksum offload off, and with it segmentation offload.

    A switch in user space forwards what it reads from a link; a checksum that the
    kernel left for a network card to complete would stay incomplete.
    """
    setting = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", link.encode(), setting.buffer_info()[0])
    with namespace.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, request)
