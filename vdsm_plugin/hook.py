# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one of the hooks: `hook.py POINT`, started by the guards in hooks/.

They start an isolated Python, which knows neither this folder nor PYTHONPATH.
"""

import os
import sys

sys.path.insert(0, __file__.rpartition("/")[0])

from ovirt_ovn_host import programs

# All is written and closed: to take the interpreter apart would be a tenth of the work.
os._exit(programs.main(sys.argv[1]))
