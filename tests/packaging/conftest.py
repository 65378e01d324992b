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
    version = (folder / "SPECS" / f"{NAMES[0]}.spec").read_text().split("Version:")[1].split()[0]
    return {
        dist: {
            name: Package(folder / "RPMS" / "noarch" / f"{name}-{version}-1{tag}.noarch.rpm")
            for name in NAMES
        }
        for dist, (tag, _) in DISTS.items()
    }
