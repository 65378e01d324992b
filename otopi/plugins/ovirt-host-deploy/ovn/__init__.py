# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""OVN on a host, as plugins of otopi: docs/otopi.md is the manual.

This module and `unsupported` are written so that Python 2.7 loads them too. An engine of
the old kind sends the plugins of its group to every host, and one that cannot be loaded
ends the deployment, also where OVN is not asked for.
"""

import sys

from otopi import util


@util.export
def createPlugins(context):  # type: ignore[no-untyped-def]
    """Register the plugins of this folder."""
    if sys.version_info < (3, 9):  # noqa: UP036
        from . import unsupported

        unsupported.Plugin(context=context)
        return
    from . import configure, customize, packages

    customize.Plugin(context=context)
    packages.Plugin(context=context)
    configure.Plugin(context=context)
