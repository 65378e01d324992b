# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine as a client of the service: its requests, in its order, with its headers.

After the engine's `OpenstackNetworkProviderProxy` and `ExternalNetworkProviderProxy`
(4.5.8) and recordings of its Java client. A new connection for each request; a token
for each operation; no query strings; every port fetched for each vNIC.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

AGENT = "Apache-HttpClient/4.5.14 (Java/11.0.20)"


class EngineError(Exception):
    """The answer's status is none that the engine takes for success."""

    def __init__(self, status: int, phrase: str) -> None:
        super().__init__(f"{status} {phrase}")
        self.status = status


class EngineClient:
    """An engine with one provider. `url` and `auth_url` are as engine-setup stores them."""

    def __init__(self, url: str, auth_url: str, user: str, password: str, ca_file: str) -> None:
        self._url = url
        self._auth_url = auth_url
        self._credentials = {"username": user, "password": password}
        self._context = ssl.create_default_context(cafile=ca_file)

    # --- operations -------------------------------------------------------

    def test(self) -> Any:
        """The button "Test"."""
        return self._operation()("GET", "/")

    def networks(self) -> list[Any]:
        """What synchronisation sees."""
        networks: list[Any] = self._operation()("GET", "/networks")["networks"]
        return networks

    def add_network(self, name: str, subnet: Mapping[str, Any] | None = None) -> str:
        """Add a network, with a subnet if one is given; return its id."""
        call = self._operation()
        network = {"name": name, "admin_state_up": True}
        network_id: str = call("POST", "/networks", {"network": network})["network"]["id"]
        if subnet is not None:
            self.add_subnet(network_id, **subnet)
        return network_id

    def add_subnet(self, network_id: str, **values: Any) -> None:
        """Add a subnet."""
        call = self._operation()
        network = call("GET", f"/networks/{network_id}")["network"]
        subnet = {
            "network_id": network_id,
            "tenant_id": network["tenant_id"],
            "enable_dhcp": True,
            **values,
        }
        call("POST", "/subnets", {"subnet": subnet})

    def subnets(self, network_id: str) -> list[Any]:
        """The subnets of a network, which the engine picks from all."""
        subnets = self._operation()("GET", "/subnets")["subnets"]
        return [subnet for subnet in subnets if subnet["network_id"] == network_id]

    def allocate(self, vnic_id: str, network_id: str, mac: str, host: str) -> Any:
        """What starts each VM: find the vNIC's port or create it; returns the port."""
        call = self._operation()
        port = self._port_of(call, vnic_id)
        if port is None:
            network = call("GET", f"/networks/{network_id}")["network"]
            port = {
                "name": "nic1",
                "mac_address": mac,
                "network_id": network["id"],
                "tenant_id": network["tenant_id"],
                "device_id": vnic_id,
                "device_owner": "oVirt",
                "admin_state_up": True,
                "binding:host_id": host,
            }
            return call("POST", "/ports", {"port": port})["port"]
        changes: dict[str, Any] = {}
        if port.get("binding:host_id") != host:
            changes = {"binding:host_id": host, "mac_address": mac}
        if not port["security_groups"]:
            changes["security_groups"] = None
        if changes:
            call("PUT", f"/ports/{port['id']}", {"port": changes})
        found: Mapping[str, Any] = port
        return found

    def deallocate(self, vnic_id: str) -> None:
        """Remove a vNIC."""
        call = self._operation()
        port = self._port_of(call, vnic_id)
        if port is not None:
            call("DELETE", f"/ports/{port['id']}")

    def remove(self, kind: str, object_id: str) -> None:
        """Remove a network or a subnet from the provider."""
        self._operation()("DELETE", f"/{kind}s/{object_id}")

    def last_certificate_of_chain(self) -> str:
        """What the dialog asks the user about: PEM of the last certificate served.

        It is read in a handshake without any request.
        """
        import subprocess

        parts = urlsplit(self._url)
        shown = subprocess.run(
            ["openssl", "s_client", "-showcerts", "-connect", f"{parts.hostname}:{parts.port}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        ).stdout
        begin = shown.rindex("-----BEGIN CERTIFICATE-----")
        end = "-----END CERTIFICATE-----\n"
        return shown[begin : shown.index(end, begin)] + end

    # --- requests ---------------------------------------------------------

    @staticmethod
    def _port_of(call: Any, vnic_id: str) -> Any:
        ports = call("GET", "/ports")["ports"]
        mine = (p for p in ports if (p["device_owner"], p["device_id"]) == ("oVirt", vnic_id))
        return next(mine, None)

    def _operation(self) -> Any:
        """Get a token; return the function that sends the requests of one operation."""
        auth = {"auth": {"passwordCredentials": self._credentials}}
        token = self._send("POST", self._auth_url + "/tokens", auth)["access"]["token"]["id"]

        def call(method: str, path: str, body: Any = None) -> Any:
            return self._send(method, f"{self._url}/v2.0{path}", body, {"X-Auth-Token": token})

        return call

    def _send(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        parts = urlsplit(url)
        assert parts.hostname is not None
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=30, context=self._context
        )
        content = None if body is None else json.dumps(body, indent=2).encode()
        sent = {
            "Accept": "application/json",
            "Connection": "Keep-Alive",
            "User-Agent": AGENT,
            **({"Content-Type": "application/json"} if content else {}),
            **({"Content-Length": "0"} if method == "DELETE" else {}),
            **(headers or {}),
        }
        try:
            # Its HTTP library makes one slash of several.
            connection.request(method, parts.path.replace("//", "/"), content, sent)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status not in (200, 201, 202, 204):
            raise EngineError(response.status, response.reason)
        if not answer:
            return None
        assert response.getheader("Content-Type", "").startswith("application/json")
        return json.loads(answer)
