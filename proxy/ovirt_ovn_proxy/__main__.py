# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`python3 -m ovirt_ovn_proxy`: the command line."""

from __future__ import annotations

import sys

from ovirt_ovn_proxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
