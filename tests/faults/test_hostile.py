# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile and broken clients, at once with good ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.ovsdb import short_folder
from faults.nuisance import disturb

pytestmark = [pytest.mark.daemon, pytest.mark.alone]

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """What a proxy needs for HTTPS."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "proxy", "ca")
        yield folder


@pytest.mark.parametrize("is_https", [False, True])
def test_hostile(certificates: Path, is_https: bool) -> None:
    """Good clients hardly notice a thousand bad ones, who leave nothing behind."""
    files = certificates if is_https else None
    noticed = disturb(1000, 200, files)
    if noticed.ratio >= 3:
        noticed = disturb(1000, 200, files)  # or somebody else has taken the machine meanwhile
    before, most, _ = noticed.rss_bytes

    assert noticed.ratio < 3, noticed
    assert noticed.threads[1] <= noticed.threads[0], noticed
    assert noticed.descriptors[1] <= noticed.descriptors[0], noticed
    # As many connections as there may be, each with as much as it may send.
    assert most - before < 256 * MEGABYTE, noticed
