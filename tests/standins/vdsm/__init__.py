# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of VDSM as vdsm-tool's configurators and verbs meet, which cannot be installed here.

It does what lib/vdsm/tool of VDSM 4.5 does, in words of our own. Tests put it beside the
interpreter that our plugin is installed for.
"""
