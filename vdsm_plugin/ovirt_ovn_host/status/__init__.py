# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool ovn-status`: facts of a host and its Southbound -> one table of checks."""
