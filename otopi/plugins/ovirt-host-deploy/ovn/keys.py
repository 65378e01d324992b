# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: our keys in otopi's environment, our events, and what we know of others'.

Pure; loaded by Python 2.7 too.
"""

# Whether this host is to be in OVN: a bool, or None to have it asked.
ENABLE = "OVN/enable"
# What `vdsm-tool ovn-config` gets: strings, or None.
CENTRAL = "OVN/central"
TUNNEL = "OVN/tunnel"
FQDN = "OVN/fqdn"
# What it has no arguments for: strings, or None to leave a setting alone.
BRIDGE = "OVN/bridge"
PRIVATE_KEY = "OVN/privateKey"
CERTIFICATE = "OVN/certificate"
CA_CERTIFICATE = "OVN/caCertificate"
# Packages to have, with spaces or commas; empty for none.
PACKAGES = "OVN/packages"
# Where the host's settings are: another folder only where `vdsm-tool` has it too, in tests.
SETTINGS_FOLDER = "OVN/settingsFolder"

# The name of the event after which our keys can be relied on.
VALIDATED = "ovirt-ovn.validated"

# otopi: what the event of its command prompt is called.
CLI_CUSTOMIZATION = "otopi.dialog.cli.customization"
# ovirt-host-deploy: the group, the event that starts vdsmd, and the key with which nothing
# is to be installed. All are missing where otopi runs for us alone.
HOST_DEPLOY_GROUP = "ovirt-host-deploy"
VDSM_STARTED = "odeploycons.packages.vdsm.started"
OFFLINE_PACKAGER = "ODEPLOY/offlinePackager"
