# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Find out whether and how this host is to be in OVN: defaults, questions, validation."""

from __future__ import annotations

import os
from collections.abc import Mapping

from otopi import constants, plugin, util

from . import keys, settings

_QUESTIONS = (
    (
        keys.CENTRAL,
        "OVN_CENTRAL",
        "OVN's central servers: a name or an address, several with commas: ",
        None,
    ),
    (
        keys.TUNNEL,
        "OVN_TUNNEL",
        "This host's end of tunnels: address, subnet, network or interface [@DEFAULT@]: ",
        "ovirtmgmt",
    ),
)


@util.export
class Plugin(plugin.PluginBase):
    """Our keys of the environment, from their defaults until they can be relied on.

    An engine that deploys a host knows the questions of its group and no others, so none is
    asked there: what is not set counts as no, or is an error.
    """

    @plugin.event(stage=plugin.Stages.STAGE_INIT)
    def _init(self) -> None:
        for key in (
            keys.ENABLE,
            keys.CENTRAL,
            keys.TUNNEL,
            keys.FQDN,
            keys.BRIDGE,
            keys.PRIVATE_KEY,
            keys.CERTIFICATE,
            keys.CA_CERTIFICATE,
        ):
            self.environment.setdefault(key, None)
        self.environment.setdefault(keys.PACKAGES, "ovirt-provider-ovn-driver")
        self.environment.setdefault(keys.SETTINGS_FOLDER, "/etc/ovirt-provider-ovn-driver")

    @plugin.event(
        stage=plugin.Stages.STAGE_CUSTOMIZATION,
        # There a manager sets keys too.
        after=(keys.CLI_CUSTOMIZATION,),
        condition=lambda self: not self.is_host_deployment,
    )
    def _customization(self) -> None:
        if self.environment[keys.ENABLE] is None:
            answer = self.dialog.queryString(
                name="OVN_ENABLE",
                note="Configure OVN on this host? (@VALUES@) [@DEFAULT@]: ",
                prompt=True,
                validValues=("Yes", "No"),
                caseSensitive=False,
                default="Yes",
            )
            self.environment[keys.ENABLE] = answer.lower() == "yes"
        if settings.is_enabled(self.environment):
            for question in _QUESTIONS:
                self._ask(*question)

    def _ask(self, key: str, name: str, note: str, default: str | None) -> None:
        """Ask for a key that has no value, a human until it can be used."""
        while not settings.read(self.environment, key):
            self.environment[key] = self.dialog.queryString(
                name=name, note=note, prompt=True, default=default
            )
            try:
                settings.read(self.environment, key)
            except ValueError as error:
                # A program that gave a bad answer would give it again.
                if self.environment[constants.DialogEnv.DIALECT] == "machine":
                    raise
                self.logger.error(str(error))
                self.environment[key] = None

    @plugin.event(
        name=keys.VALIDATED,
        stage=plugin.Stages.STAGE_VALIDATION,
        condition=lambda self: settings.is_enabled(self.environment),
    )
    def _validation(self) -> None:
        wanted = settings.decode(self.environment)
        if self.is_host_deployment:
            # The deployment may bring the certificates: vdsm-tool will see.
            return
        _check_files(wanted.tls_files)
        if not os.path.exists(self.environment[keys.SETTINGS_FOLDER]):
            # Nobody has told vdsm-tool to look elsewhere.
            _check_files(wanted.default_files)

    @property
    def is_host_deployment(self) -> bool:
        """Whether an engine of the old kind deploys this host."""
        groups = str(self.environment[constants.BaseEnv.PLUGIN_GROUPS])
        return keys.HOST_DEPLOY_GROUP in groups.split(":")


def _check_files(files: Mapping[str, str]) -> None:
    for key, path in files.items():
        if not os.path.isfile(path):
            raise RuntimeError(
                f"{path} is missing: have the engine enroll the host's certificates, or set "
                f"{key} to where it is"
            )
