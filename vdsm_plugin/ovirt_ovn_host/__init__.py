# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The host side of OVN for oVirt: what VDSM's hooks and vdsm-tool run."""
