# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How generated tests run: on busy machines too, and in CI with the same examples each time.

TESTS_DEPTH=shallow in the environment asks for fewer examples, where the same tests
are repeated on many versions.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile(
    "project",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=25 if os.environ.get("TESTS_DEPTH") == "shallow" else 100,
)
settings.load_profile("project")
