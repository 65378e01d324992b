# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What otopi's environment says of OVN on this host -> one value.

Pure. Whoever needs it decodes it from the environment, so that there is no second truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import keys, values

# The options of the host's settings that `vdsm-tool ovn-config` has no arguments for.
_FILE_KEYS = {
    keys.BRIDGE: ("ovn", "bridge"),
    keys.PRIVATE_KEY: ("tls", "private-key"),
    keys.CERTIFICATE: ("tls", "certificate"),
    keys.CA_CERTIFICATE: ("tls", "ca-certificate"),
}
# Where the engine puts a host's certificates, and `vdsm-tool` looks for them.
_PKI = "/etc/pki/vdsm/ovn"
_DEFAULT_FILES = {
    keys.PRIVATE_KEY: f"{_PKI}/ovn-key.pem",
    keys.CERTIFICATE: f"{_PKI}/ovn-cert.pem",
    keys.CA_CERTIFICATE: f"{_PKI}/ca-cert.pem",
}


class Settings(NamedTuple):
    """`arguments` are those of `vdsm-tool ovn-config`, `options` go into a file before it.

    `tls_files` are paths by our keys that were given; `default_files` the others, empty
    where none are needed.
    """

    arguments: tuple[str, ...]
    options: Mapping[tuple[str, str], str]
    packages: tuple[str, ...]
    tls_files: Mapping[str, str]
    default_files: Mapping[str, str]


def is_enabled(environment: Mapping[str, Any]) -> bool:
    """Say whether this host is to be in OVN; ValueError if that is not said by a bool."""
    value = environment.get(keys.ENABLE)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{keys.ENABLE} is {value!r:.40}: should be bool:True or bool:False")
    return bool(value)


def is_offline(environment: Mapping[str, Any]) -> bool:
    """Say whether nothing is to be installed on this host."""
    return bool(environment.get(keys.OFFLINE_PACKAGER))


def read(environment: Mapping[str, Any], key: str) -> str:
    """Return a key's text, checked, or "" if it is not set. Raises ValueError."""
    value = environment.get(key)
    if isinstance(value, (list, tuple)):
        value = " ".join(value)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r:.40}: should be a text, {key}=str:...")
    try:
        values.CHECKS[key](value)
    except ValueError as error:
        raise ValueError(f"{key} is {value!r:.80}: should be {error}") from None
    return value


def decode(environment: Mapping[str, Any]) -> Settings:
    """Return what the environment says; ValueError if it cannot be meant, or says too little."""
    central, tunnel = read(environment, keys.CENTRAL), read(environment, keys.TUNNEL)
    fqdn = read(environment, keys.FQDN)
    for key, text in ((keys.CENTRAL, central), (keys.TUNNEL, tunnel)):
        if not text:
            raise ValueError(f"{key} is not set: {keys.ENABLE} needs it, {key}=str:...")
    given = {key: text for key in _FILE_KEYS if (text := read(environment, key))}
    is_tls = values.uses_tls(central)
    return Settings(
        arguments=(central, tunnel, fqdn) if fqdn else (central, tunnel),
        options={_FILE_KEYS[key]: text for key, text in given.items()},
        packages=values.packages(read(environment, keys.PACKAGES)),
        tls_files={key: given[key] for key in _DEFAULT_FILES if key in given},
        default_files={
            key: path for key, path in _DEFAULT_FILES.items() if is_tls and key not in given
        },
    )
