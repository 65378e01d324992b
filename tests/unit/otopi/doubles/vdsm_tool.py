#!/usr/bin/env python3
# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands for vdsm-tool with our verb `ovn-config`: it keeps what it is given in the file.

FAILS: what it says on stderr before it exits with 1, and then nothing is changed.
SILENT: it prints its usage, as for a verb that it does not know.
"""

import configparser
import os
import sys
from pathlib import Path

with open(os.environ["CALLS"], "a", encoding="utf-8") as calls:
    calls.write(" ".join(["vdsm-tool", *sys.argv[1:]]) + "\n")
path = Path(os.environ["SETTINGS"], "conf.d", "10-engine.conf")
if path.exists():
    Path(os.environ["SEEN"]).write_text(path.read_text())
if "SILENT" in os.environ:
    print("Usage: vdsm-tool [options] <action> [arguments]")
    sys.exit(1)
if "FAILS" in os.environ and sys.argv[1] == "ovn-config":
    sys.exit(os.environ["FAILS"])
if sys.argv[1] == "ovn-config":
    parser = configparser.RawConfigParser()
    parser.read(path)
    values = dict(zip(("central", "tunnel", "system-id"), sys.argv[2:]))
    if parser.has_section("ovn") and values.items() <= dict(parser["ovn"]).items():
        print("OVN: nothing to change: chassis host1.example.com")
        sys.exit()
    parser.read_dict({"ovn": values})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        parser.write(file)
    print("\nOVN: done: chassis host1.example.com")
