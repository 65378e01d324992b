# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure the proxy: `make bench`, or `python tests/bench/run.py` with --help.

Starts a Northbound server and the proxy for each size, both its own, on a unix socket
and the loopback. Fails only when an answer is wrong, never because one was slow.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from bench.content import make_content
from bench.figures import Bar, Report, memory_bar
from bench.measures import (
    CHANGES,
    Bench,
    Effort,
    measure_changes,
    measure_crowd,
    measure_lists,
    measure_plugs,
    measure_sync,
)
from bench.processes import describe_machine, interpreter_start_s, rss_bytes
from bench.raw import CheckError, Ovsdb
from bench.targets import Floor, Proxy, bare_server
from daemon.ovsdb import ovsdb_server
from daemon.proxy import ProxyProcess, proxy_process
