# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random lives of networks, ports and machines, and a look at what they leave: `make soak`.

clients.py  what clients do, by a seed      audit.py  NB, SB, switches and REST compared
run.py      the program
"""
