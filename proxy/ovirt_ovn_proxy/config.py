# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: INI files read once into one frozen `Config`.

Owns the table of options: each field of `Config` carries its section, key,
parser (`config_values`), default and meaning. Reads files (`config_files`) and logs
warnings, nothing else. Spellings, order of files and "last wins"
are those of files that exist at sites and that engine-setup writes.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, TypeVar

from . import config_values as parse
from .config_files import drop_ins, exists, read
from .credentials import located
from .errors import ConfigError
from .nb.remote import Remote

DEFAULT_CONFIG_FILE = Path("/etc/ovirt-provider-ovn/ovirt-provider-ovn.conf")

# The section whose keys ConfigParser offers to every other one.
_SHARED_SECTION = "DEFAULT"

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


# --- the table ---


@dataclass(frozen=True)
class Option:
    """One row of the table: where an option stands in a file and in `Config`."""

    section: str
    key: str
    field: str
    parse: Callable[[str], Any]
    default: Any
    meaning: str
    secret: bool
    separator: str


def _option(
    section: str,
    key: str,
    default: T,
    parse: Callable[[str], T],
    meaning: str,
    *,
    secret: bool = False,
    separator: str = ",",
) -> T:
    """Declare a field of `Config`; a secret one is left out of its repr."""
    row = Option(section, key, "", parse, default, meaning, secret, separator)
    return field(default=default, repr=not secret, metadata={"option": row})


_PKI = "/etc/pki/ovirt-engine"
_GROUP_NAME = "AAA_AUTHZ_GROUP_NAME;java.lang.String;0eebe54f-b429-44f3-aa80-4704cbb16835"


@dataclass(frozen=True)
class Config:
    """Every option, parsed; `Config()` holds the defaults.

    Field names carry the unit; what an option means stands in its `_option` line
    (`OPTIONS`, `describe`). `sources` says which file set a field (by field name);
    a field that no file set is not in it.
    """

    # fmt: off
    ovn_remotes: tuple[Remote, ...] = _option(
        "OVN REMOTE", "ovn-remote", (Remote("tcp", "127.0.0.1", 6641),), parse.remotes,
        "Northbound servers: ssl:HOST:PORT, tcp:HOST:PORT or unix:PATH, several with commas",
    )
    ovn_remote_check_hostname: bool = _option(
        "OVN REMOTE", "ovn-remote-check-hostname", False, parse.boolean,
        "whether the certificate of an ssl: remote must carry the name or address dialled",
    )
    ovn_remote_probe_interval_ms: int = _option(
        "OVN REMOTE", "ovn-remote-probe-interval", 5000, parse.integer(0, 3_600_000),
        "milliseconds of silence after which the Northbound server is probed; 0 = never",
    )
    read_barrier: str = _option(
        "OVN REMOTE", "read-barrier", "read", parse.one_of("read", "write"),
        "how reads make sure to be fresh: read, or write, which needs the cluster's majority "
        "and makes older ovn-northd (seen with 23.03) run at each read",
    )
    durable_commits: bool = _option(
        "OVN REMOTE", "durable-commits", False, parse.boolean,
        "whether a server alone has changes on its disk before the answer; a cluster always has",
    )

    provider_host: str = _option(
        "PROVIDER", "provider-host", "localhost", parse.host,
        "name or address of this service in the URLs that clients are told",
    )
    neutron_port: int = _option(
        "PROVIDER", "neutron-port", 9696, parse.integer(1, 65535), "TCP port of networking",
    )
    keystone_port: int = _option(
        "PROVIDER", "keystone-port", 35357, parse.integer(1, 65535), "TCP port of identity",
    )
    nova_port: int = _option(
        "PROVIDER", "nova-port", 9696, parse.integer(1, 65535),
        "TCP port of the catalog's compute entry; networking answers its version request",
    )
    listen_address: str = _option(
        "PROVIDER", "listen-address", "", parse.listen_address,
        "IP address to listen on; empty = all addresses, IPv4 and IPv6",
    )
    request_timeout_s: float = _option(
        "PROVIDER", "request-timeout", 10.0, parse.seconds(0.1, 300),
        "seconds after which a request is given up with 503; the engine itself waits 30",
    )
    max_connections: int = _option(
        "PROVIDER", "max-connections", 256, parse.integer(1, 65536),
        "connections of clients served at the same time, by all ports together",
    )
    openstack_region: str = _option(
        "PROVIDER", "openstack-region", "RegionOne", parse.name,
        "region of the catalog's endpoints",
    )
    openstack_neutron_id: str = _option(
        "PROVIDER", "openstack-neutron-id", "0" * 31 + "1", parse.name,
        "id of the network endpoint",
    )
    openstack_keystone_id: str = _option(
        "PROVIDER", "openstack-keystone-id", "0" * 31 + "2", parse.name,
        "id of the identity endpoint",
    )
    openstack_tenant_id: str = _option(
        "PROVIDER", "openstack-tenant-id", "0" * 31 + "1", parse.name, "id of the only tenant",
    )
    openstack_tenant_name: str = _option(
        "PROVIDER", "openstack-tenant-name", "tenant", parse.name, "name of the only tenant",
    )
    openstack_tenant_description: str = _option(
        "PROVIDER", "openstack-tenant-description", "tenant", parse.text, "its description",
    )
    ovs_version_2_9: bool = _option(
        "PROVIDER", "ovs-version-2.9", False, parse.boolean,
        "whether binding:host_id pins the port to that host (requested-chassis)",
    )
    url_filter_exception: str = _option(
        "PROVIDER", "url_filter_exception", "", parse.text,
        "accepted and without effect: list parameters are told from filters by themselves",
    )

    https_enabled: bool = _option(
        "SSL", "https-enabled", False, parse.boolean, "whether both ports speak HTTPS",
    )
    ssl_key_file: str = _option(
        "SSL", "ssl-key-file", f"{_PKI}/keys/ovirt-provider-ovn.key.nopass", parse.text,
        "PEM private key, of the ports and towards ssl: remotes; empty = none",
    )
    ssl_cert_file: str = _option(
        "SSL", "ssl-cert-file", f"{_PKI}/certs/ovirt-provider-ovn.cer", parse.text,
        "PEM certificate of that key, alone or before those above it; empty = none",
    )
    ssl_cacert_file: str = _option(
        "SSL", "ssl-cacert-file", f"{_PKI}/ca.pem", parse.text,
        "PEM authority: sent to clients behind the certificate, trusted for ssl: remotes; "
        "empty = none",
    )
    ssl_ciphers_string: str = _option(
        "SSL", "ssl-ciphers-string", "", parse.ciphers,
        "OpenSSL cipher list of the ports for TLS 1.2; empty = the system's",
    )

    bindings_port: int = _option(
        "BINDINGS", "port", 9697, parse.integer(0, 65535),
        "TCP port on which hosts announce VMs that migrate to them, on with HTTPS; 0 = off",
    )
    bindings_ca_file: str = _option(
        "BINDINGS", "ca-file", f"{_PKI}/ca.pem", parse.text,
        "PEM authority that signed the certificates of hosts, and nobody else's",
    )

    dhcp_server_mac: str = _option(
        "DHCP", "dhcp-server-mac", "02:00:00:00:00:00", parse.mac,
        "MAC address of OVN's DHCP server",
    )
    dhcp_lease_time_s: int = _option(
        "DHCP", "dhcp-lease-time", 86400, parse.integer(1, 0xFFFFFFFF), "seconds of a DHCP lease",
    )
    dhcp_enable_mtu: bool = _option(
        "DHCP", "dhcp-enable-mtu", True, parse.boolean, "whether DHCP tells the MTU",
    )
    dhcp_mtu_bytes: int = _option(
        "DHCP", "dhcp-mtu", 1442, parse.integer(68, 65535),
        "bytes, for networks that name no MTU of their own",
    )
    dhcp_default_ipv6_address_mode: str = _option(
        "DHCP", "dhcp-default-ipv6-address-mode", "dhcpv6-stateful",
        parse.one_of("dhcpv6-stateful", "dhcpv6-stateless", "slaac"),
        "how IPv6 subnets that name no mode give addresses",
    )

    port_security_enabled_default: bool = _option(
        "NETWORK", "port-security-enabled-default", False, parse.boolean,
        "port security of networks that do not say",
    )
    gateway_chassis: tuple[str, ...] = _option(
        "NETWORK", "gateway-chassis", (), parse.names,
        "chassis (system-id) that external gateways of routers are on, the first one while it "
        "lives; empty = those of the group below as it is",
    )
    gateway_chassis_group: str = _option(
        "NETWORK", "gateway-chassis-group", "ovirt-gateways", parse.name,
        "name of the HA_Chassis_Group in Northbound that external gateways are on; without "
        "such a group they route without NAT",
    )
    distributed_floating_ips: bool = _option(
        "NETWORK", "distributed-floating-ips", True, parse.boolean,
        "whether the host of a VM itself does the NAT of its floating IPs, where the external "
        "network is a physical one, which then has to be on every host; else the gateway's",
    )
    validation_max_allowed_mtu_bytes: int = _option(
        "VALIDATION", "validation-max-allowed-mtu", 0, parse.integer(0, 0x7FFFFFFF),
        "largest MTU in bytes that a network may have; 0 = no limit",
    )

    auth_plugin: str = _option(
        "AUTH", "auth-plugin", "auth.plugins.ovirt:AuthorizationByUserName", parse.name,
        "who may do what: the name of a plugin, or MODULE:CLASS of the site's own",
    )
    auth_token_timeout_s: int = _option(
        "AUTH", "auth-token-timeout", 360000, parse.integer(0, 0x7FFFFFFF),
        "seconds that a token is announced to live; 0 = no end is known, ten years are told",
    )
    auth_cache_timeout_s: float = _option(
        "AUTH", "auth-cache-timeout", 60.0, parse.seconds(0, 3600),
        "seconds for which the engine's SSO is not asked again about a token; 0 = always asked",
    )
    magic_token: str = _option(
        "AUTH", "magic-token", "", parse.text,
        "secret of MagicTokenPlugin; empty = its well-known token, for tests only",
        secret=True,
    )

    ovirt_host: str = _option(
        "OVIRT", "ovirt-host", "https://localhost", parse.url, "base URL of the engine",
    )
    ovirt_base: str = _option(
        "OVIRT", "ovirt-base", "/ovirt-engine", parse.text, "path of the engine below it",
    )
    ovirt_ca_file: str = _option(
        "OVIRT", "ovirt-ca-file", f"{_PKI}/ca.pem", parse.text,
        "PEM authority of the engine's certificate; empty = the system's",
    )
    ovirt_auth_timeout_s: float = _option(
        "OVIRT", "ovirt-auth-timeout", 10.0, parse.seconds(0.1, 3600),
        "seconds that the engine's SSO has for a request; over 25 means 10, the engine waits 30",
    )
    ovirt_sso_client_id: str = _option(
        "OVIRT", "ovirt-sso-client-id", "ovirt-provider-ovn", parse.text,
        "our client id at the SSO",
    )
    ovirt_sso_client_secret: str = _option(
        "OVIRT", "ovirt-sso-client-secret", "", parse.text, "its secret", secret=True,
    )
    ovirt_admin_user_names: tuple[str, ...] = _option(
        "OVIRT", "ovirt-admin-user-name", ("admin@internal",), parse.several(),
        "USER@PROFILE that AuthorizationByUserName lets in, several with commas",
    )
    ovirt_admin_role_ids: tuple[str, ...] = _option(
        "OVIRT", "ovirt-admin-role-id", ("def00005-0000-0000-0000-def000000005",),
        parse.several(),
        "id of the role that AuthorizationByRole lets in, several with commas",
    )
    ovirt_admin_group_attribute_name: str = _option(
        "OVIRT", "ovirt-admin-group-attribute-name", _GROUP_NAME, parse.text,
        "attribute of a group that AuthorizationByGroup compares",
    )
    ovirt_admin_group_attribute_values: tuple[str, ...] = _option(
        "OVIRT", "ovirt-admin-group-attribute-value", ("NetAdmin",), parse.several(";"),
        "values of that attribute which let a group's users in, several with semicolons",
        separator=";",
    )
    # fmt: on

    sources: Mapping[str, Path] = field(default_factory=dict, repr=False, compare=False)

    @property
    def network_url(self) -> str:
        """URL of networking, without a version, with a slash at the end."""
        return self._url(self.neutron_port)

    @property
    def identity_url(self) -> str:
        """URL of identity, without a version, with a slash at the end."""
        return self._url(self.keystone_port)

    @property
    def compute_url(self) -> str:
        """URL of the catalog's compute entry, without a version, with a slash at the end."""
        return self._url(self.nova_port)

    def _url(self, port: int) -> str:
        scheme = "https" if self.https_enabled else "http"
        host = f"[{self.provider_host}]" if ":" in self.provider_host else self.provider_host
        return f"{scheme}://{host}:{port}/"


OPTIONS = tuple(
    replace(row.metadata["option"], field=row.name) for row in fields(Config) if row.metadata
)


# --- loading it ---


def load(config_file: Path | None = None, config_dir: Path | None = None) -> Config:
    """Read the main file, then `*.conf` of the directory in order of name; the last wins.

    `config_file` None means `DEFAULT_CONFIG_FILE`, which need not exist.
    `config_dir` None means `conf.d` beside the main file, which need not exist
    either. Unknown options are logged and ignored. Raises ConfigError for a file
    that cannot be read, one that was named and is missing, and for a bad value.
    """
    main = config_file or DEFAULT_CONFIG_FILE
    files = [main] if config_file or exists(main) else []
    files += drop_ins(config_dir or main.parent / "conf.d", must_exist=config_dir is not None)
    texts = {(section, key): (text, path) for path in files for section, key, text in read(path)}
    _warn_unknown(texts)

    values: dict[str, Any] = {}
    sources: dict[str, Path] = {}
    for option in OPTIONS:
        for section in (option.section, _SHARED_SECTION):
            if (section, option.key) in texts:
                text, path = texts[section, option.key]
                values[option.field] = _parse(option, text, f"{path}: [{section}] {option.key}")
                sources[option.field] = path
                break
        if option.key.endswith("-file"):
            values[option.field] = located(values.get(option.field, option.default))
    config = Config(**values, sources=MappingProxyType(sources))
    _check_together(config)
    return config


def _parse(option: Option, text: str, where: str) -> Any:
    try:
        return option.parse(text)
    except ValueError as error:
        shown = "the value" if option.secret else repr(text)
        raise ConfigError(f"{where}: {shown} is not accepted, expected: {error}") from None


def _warn_unknown(texts: Mapping[tuple[str, str], tuple[str, Path]]) -> None:
    sections = {option.key: option.section for option in OPTIONS}
    for (section, key), (_, path) in texts.items():
        if section in (sections.get(key), _SHARED_SECTION) and key in sections:
            continue
        near = difflib.get_close_matches(key, sections, n=1, cutoff=0.75)
        hint = f"; did you mean [{sections[near[0]]}] {near[0]}?" if near else ""
        _LOG.warning("%s: unknown option [%s] %s is ignored%s", path, section, key, hint)


def _check_together(config: Config) -> None:
    """Refuse what only several options together make wrong."""
    if config.neutron_port == config.keystone_port:
        raise ConfigError(
            f"[PROVIDER] neutron-port and keystone-port are both {config.neutron_port}"
        )
    if config.https_enabled and not (config.ssl_key_file and config.ssl_cert_file):
        raise ConfigError("[SSL] https-enabled needs ssl-key-file and ssl-cert-file")
