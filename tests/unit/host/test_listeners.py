# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the proxy listens for bindings."""

from __future__ import annotations

import pytest

from ovirt_ovn_host import listeners


@pytest.mark.parametrize(
    ("url", "remote", "expected"),
    [
        pytest.param("", "ssl:a.example.com:6642", [("a.example.com", 9697, "")], id="central"),
        pytest.param(
            *("", "ssl:192.0.2.1:6642, ssl:[2001:db8::1]:6642,tcp:b:6642,ssl:b:1"),
            [("192.0.2.1", 9697, ""), ("2001:db8::1", 9697, ""), ("b", 9697, "")],
            id="cluster",
        ),
        pytest.param("", "", [], id="nothing"),
        pytest.param("", "unix:/run/sb.sock", [], id="socket"),
        pytest.param("", "ssl:,ssl::6642", [], id="no-host"),
        pytest.param("https://a", "ssl:b:6642", [("a", 9697, "")], id="url"),
        pytest.param("https://a:1", "", [("a", 1, "")], id="url-with-port"),
        pytest.param("https://a:1/x/y/", "", [("a", 1, "/x/y")], id="url-with-path"),
        pytest.param("https://[::1]", "", [("::1", 9697, "")], id="url-ipv6"),
        pytest.param("https://[::1]:2/", "", [("::1", 2, "")], id="url-ipv6-with-port"),
    ],
)
def test_find(url: str, remote: str, expected: list[tuple[str, int, str]]) -> None:
    """The setting counts, or else each central."""
    assert expected == listeners.find(url, remote)


@pytest.mark.parametrize("url", ["http://a", "https://", "https://:1", "https://a:", "https://a:x"])
def test_bad_urls(url: str) -> None:
    """What is no URL of a listener is refused with the setting's name."""
    with pytest.raises(ValueError, match=r"bindings-url '.*' is not a URL such as https://HOST:"):
        listeners.find(url, "ssl:b:6642")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("a", False), ("1.example.com", False)],
)
def test_is_address(host: str, expected: bool) -> None:
    """Addresses are told from names."""
    assert expected == listeners.is_address(host)
