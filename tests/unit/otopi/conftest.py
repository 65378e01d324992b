# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The fixture that tests of the otopi plugin use."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.otopi.runs import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with VDSM, which nobody has told of OVN yet."""
    return Host(tmp_path)
