# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages, built once for all tests."""

from __future__ import annotations

import pytest

from rpms import DISTS, NAMES, ROOT, Built, Package, run


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The packages by distribution and name, as `make rpm` builds them here."""
    folder = tmp_path_factory.mktemp("rpm")
    run(ROOT / "scripts" / "rpm", folder, *DISTS)
    return {dist: {name: Package.of(folder, name, dist) for name in NAMES} for dist in DISTS}
