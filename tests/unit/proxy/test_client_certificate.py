# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a client's certificate is for."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.client_certificate import ClientCertificate, canonical


def subject(*names: str) -> tuple[Any, ...]:
    """Return a subject as `getpeercert` has it, of an organization and these common names."""
    return ((("organizationName", "oVirt"),), *((("commonName", name),) for name in names))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"subject": subject()}, []),
        ({"subject": subject("hv1.test")}, ["hv1.test"]),
        ({"subject": subject("first", "hv1.test")}, ["hv1.test"]),
        ({"subject": subject("HV1.Test")}, ["hv1.test"]),
        ({"subject": subject("192.0.2.1")}, ["192.0.2.1"]),
        ({"subject": subject("a"), "subjectAltName": (("DNS", "b"), ("DNS", "C"))}, ["b", "c"]),
        (
            {"subject": subject("a"), "subjectAltName": (("IP Address", "192.0.2.1"),)},
            ["192.0.2.1"],
        ),
        (
            {"subjectAltName": (("IP Address", "2001:DB8:0:0:0:0:0:1\n"), ("DNS", "a"))},
            ["2001:db8::1", "a"],
        ),
        # Names of other kinds say nothing about a host.
        ({"subject": subject("a"), "subjectAltName": (("email", "b"), ("URI", "c:d"))}, ["a"]),
        ({"subject": subject("a"), "subjectAltName": (("DNS", "*.test"),)}, []),
        ({"subject": subject("*")}, []),
        ({"subject": subject("")}, []),
    ],
)
def test_names(fields: Any, expected: list[str]) -> None:
    """Those in subjectAltName, or else the common name; a wildcard is nobody."""
    assert expected == sorted(ClientCertificate(fields).names)


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("hv1", "HV1", True),
        ("hv1", "hv1.test", False),
        ("2001:db8::1", "2001:DB8:0::1", True),
        ("192.0.2.1", "192.0.2.10", False),
        ("192.0.2.1", "192.0.2.01", False),
    ],
)
def test_canonical(name: str, other: str, same: bool) -> None:
    """Equal names and addresses have one form."""
    assert same == (canonical(name) == canonical(other))
