# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a host, before it is judged. Values only.

Each fact is a value, or a `Problem` that says why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar, Union

from ..addresses import Address
from ..certificates import Files
from ..links import Link
from ..outlook import Outlook
from ..tunnel import Tunnel
from .bindings import Southbound
from .switch import Switch, Vif

T = TypeVar("T")


class Problem(NamedTuple):
    """Why a fact is not there. `is_hidden`: that says nothing of the host itself.

    So it is where this user may not look, or where something else had to be known first.
    """

    text: str
    is_hidden: bool = False


Known = Union[T, Problem]
NOT_ASKED = Problem("")


class FileStatus(NamedTuple):
    """One file of TLS; `problem` says why it cannot be looked at."""

    path: str
    mode: int = 0
    owner: str = ""
    group: str = ""
    problem: str = ""


class CertificateFacts(NamedTuple):
    """What the certificate of this host says: its names, and the ends in seconds of the epoch."""

    names: Sequence[str]
    ends_s: float
    authority_ends_s: float


class Echo(NamedTuple):
    """Which sizes of packets another chassis has answered.

    `size_bytes` is that of the large ones, `is_sent` False if the host itself cannot send so
    large ones.
    """

    chassis: str
    ip: str
    size_bytes: int
    has_small: bool
    has_large: bool
    is_sent: bool = True


class Firewall(NamedTuple):
    """What firewalld says of the tunnels' port; `zone` is that of their link."""

    zone: str
    is_open: bool


class Central(NamedTuple):
    """What came of a session with one of the remotes.

    `ends_s` is as `Southbound` has it; `is_unnamed`: it is its name that is not known.
    """

    remote: str
    ends_s: float | None = None
    problem: str = ""
    is_unnamed: bool = False


class Facts(NamedTuple):
    """All of it.

    `system_id`, `remotes` (Southbound's) and `encaps` (types and addresses of our ends of
    tunnels) are those in force, or those that are tried. `services` says of each whether it
    is active. `files` are those of TLS in use, None if none are, and `has_owner` whether
    their right owner exists here; `vdsm_...` is what VDSM looks at. `echoes` are of some of
    the `other_ends` of tunnels. `listens` says whether the tunnels' port is open on this
    host, `is_clock_steered` whether something keeps the clock right, `migrating` of a VM
    whether it is being migrated; None if that is not known. `announced` has the ports of VMs
    that are on their way here, with seconds since then. `firewall` is None where firewalld
    does not run.

    Before a host is configured, `centrals` has each of the remotes, `missing` what is not
    installed; `chassis_name` and `tunnel` are what the settings would come to.
    """

    now_s: float
    is_root: bool
    host_name: str
    system_id: str = ""
    remotes: Sequence[str] = ()
    encaps: Sequence[tuple[str, str]] = ()
    outlook: Known[Outlook] = NOT_ASKED
    is_enabled: bool = True
    switch: Known[Switch] = NOT_ASKED
    vswitchd: Known[str] = NOT_ASKED
    controller: Known[str] = NOT_ASKED
    services: Mapping[str, Known[bool]] = {}
    addresses: Known[Sequence[Address]] = NOT_ASKED
    links: Mapping[str, Link] = {}
    files: Files | None = None
    has_owner: bool = True
    file_status: Sequence[FileStatus] = ()
    certificate: Known[CertificateFacts] = NOT_ASKED
    vdsm_file_status: Sequence[FileStatus] = ()
    vdsm_certificate: Known[CertificateFacts] = NOT_ASKED
    southbound: Known[Southbound] = NOT_ASKED
    other_ends: Sequence[tuple[str, str]] = ()
    echoes: Known[Sequence[Echo]] = ()
    listens: bool | None = None
    firewall: Known[Firewall] | None = None
    is_clock_steered: bool | None = None
    migrating: Mapping[str, bool | None] = {}
    announced: Mapping[str, float] = {}
    centrals: Sequence[Central] = ()
    missing: Sequence[str] = ()
    chassis_name: Known[str] = NOT_ASKED
    tunnel: Known[Tunnel] = NOT_ASKED

    @property
    def vifs(self) -> Sequence[Vif]:
        """The ports of virtual machines that are plugged here."""
        return () if isinstance(self.switch, Problem) else self.switch.vifs
