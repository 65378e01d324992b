# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The site on which VMs move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from migration.site import Site, running_site


@pytest.fixture(scope="module")
def only_site() -> Iterator[Site]:
    """The one site of a module; tests ask for `site`."""
    with running_site() as site:
        yield site


@pytest.fixture
def site(only_site: Site) -> Site:
    """A site without any VM, whose proxy answers."""
    only_site.reset()
    return only_site
