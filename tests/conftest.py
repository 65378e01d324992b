# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How generated tests run: on busy machines too, and in CI with the same examples each time.

What a test does to the log of this process ends with it.

TESTS_DEPTH=shallow in the environment asks for fewer examples, where the same tests
are repeated on many versions.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile(
    "project",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=25 if os.environ.get("TESTS_DEPTH") == "shallow" else 100,
)
settings.load_profile("project")


def pytest_collection_finish() -> None:
    """Keep what was loaded out of the collector's rounds, as it is there to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Take the process's log handlers back after a test that sets them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.disable(logging.NOTSET)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("auth.plugins.ovirt.sso", "ovsdbapp"):
        logging.getLogger(name).handlers.clear()
