# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A change is made once, and its client hears of it, wherever in the reply the session ends."""

from __future__ import annotations

import pytest

from daemon.ovsdb import ovsdb_server
from faults.cuts import CASES, Cuts, cut_everywhere

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize("name", CASES)
def test_cut(name: str) -> None:
    """The first and last bytes of what the server sends, and some in between; syncs too."""
    with ovsdb_server() as nb, Cuts(nb) as cuts:
        length = cut_everywhere(cuts, name, most=24)

        assert length > 200, "an update and a reply"
