# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands for otopi in tests, where it cannot be installed.

It has the part of otopi 1.10 that plugins see: how they are found and loaded, the order of
their events, the environment and its files, both dialects of the dialog, commands, what
packagers and services are derived from, and transactions. Names, orders and exit codes are
otopi's, so the tests also run on the real one (see the tests' `runs`).
"""
