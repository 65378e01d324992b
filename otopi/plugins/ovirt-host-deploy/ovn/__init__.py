# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""OVN on a host, as plugins of otopi: docs/otopi.md is the manual.

This module and `unsupported` are written so that Python 2.7 loads them too. An engine of
the old kind sends the plugins of its group to every host, and one that cannot be loaded
ends the deployment, also where OVN is not asked for.
"""

import sys

from otopi import util

_LOADED = "ovirt_provider_ovn_is_loaded"


@util.export
def createPlugins(context):  # type: ignore[no-untyped-def]
    """Register the plugins of this folder, once for a run, in however many groups they are.

    otopi ends a run in which two events have the same name. The environment is no place to
    remember that: an otopi that starts itself anew takes it along.
    """
    if hasattr(context, _LOADED):
        return
    setattr(context, _LOADED, True)
    if sys.version_info < (3, 9):  # noqa: UP036
        from . import unsupported

        unsupported.Plugin(context=context)
        return
    from . import configure, customize, packages

    customize.Plugin(context=context)
    packages.Plugin(context=context)
    configure.Plugin(context=context)
