# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: an OVN central of its own and the proxy on it, in the foreground.

Everything that is started here is stopped here: on Ctrl-C or SIGTERM with exit code
0, and with 1 as soon as one part ends by itself.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import ipaddress
import json
import os
import select
import shlex
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from central import Central, Child, Failure, Folder, Stopped, program_path, stop_leftovers

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 20.0
PROXY_STOP_TIMEOUT_S = 10.0
USER = "admin@internal"
TENANT = "tenant"


class Signals:
    """Turns signals into wake-ups of `wait`, so that nothing is done inside a handler."""

    def __init__(self) -> None:
        self.stop = False
        self._read_end, write_end = os.pipe()
        for end in (self._read_end, write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write_end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        # Python writes to the pipe only for signals that have a handler.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def wait(self, timeout_s: float | None) -> None:
        """Return at the next signal, at the latest after `timeout_s` (None = never)."""
        if not self.stop and select.select([self._read_end], [], [], timeout_s)[0]:
            os.read(self._read_end, 512)

    def pause(self, timeout_s: float | None) -> None:
        """Wait, and raise Stopped if the user wants to stop."""
        self.wait(timeout_s)
        if self.stop:
            raise Stopped

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stop = True


class Addresses:
    """Where the proxy listens, and how it is reached from this machine."""

    def __init__(self, listen: str, network_port: int, identity_port: int) -> None:
        self.listen = ipaddress.ip_address(listen)
        self.network_port = network_port
        self.identity_port = identity_port
        everywhere = self.listen.is_unspecified
        self.host = socket.gethostname() if everywhere else str(self.listen)
        near: ipaddress.IPv4Address | ipaddress.IPv6Address = self.listen
        if everywhere:
            near = ipaddress.ip_address("127.0.0.1" if near.version == 4 else "::1")
        bracketed = f"[{near}]" if near.version == 6 else str(near)
        self.network_url = f"http://{bracketed}:{network_port}"
        self.identity_url = f"http://{bracketed}:{identity_port}"

    def check_free(self) -> None:
        """Raise Failure if one of the ports cannot be listened on."""
        if self.network_port == self.identity_port:
            raise Failure("NETWORK_PORT and IDENTITY_PORT are the same")
        family = socket.AF_INET6 if self.listen.version == 6 else socket.AF_INET
        for name, port in (
            ("NETWORK_PORT", self.network_port),
            ("IDENTITY_PORT", self.identity_port),
        ):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((str(self.listen), port))
                    probe.listen(1)
                except OSError as error:
                    reason = "is in use" if error.errno == errno.EADDRINUSE else error.strerror
                    raise Failure(
                        f"port {port} on {self.listen} {reason}:"
                        f" choose another one with make run {name}=..."
                    ) from error


def take_lock(folder: Folder, addresses: Addresses) -> int:
    """Hold the state folder for this process; raise Failure if another run has it."""
    lock = os.open(folder.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 4096).decode(errors="replace").strip() or "it is just starting"
        raise Failure(
            f"another one is running in {folder.state} ({owner}).\n"
            "Stop that one, or give this one a STATE, NETWORK_PORT and IDENTITY_PORT."
        ) from None
    os.ftruncate(lock, 0)
    os.write(
        lock,
        f"pid {os.getpid()}, networking {addresses.network_url},"
        f" identity {addresses.identity_url}\n".encode(),
    )
    return lock


def write_config(folder: Folder, addresses: Addresses) -> Path:
    """Write the proxy's configuration anew; what the user wants beside it goes into conf.d."""
    path = folder.state / "proxy.conf"
    (folder.state / "conf.d").mkdir(exist_ok=True)
    path.write_text(
        "# Written anew by each make run; put settings of your own into conf.d/*.conf here.\n"
        "[OVN REMOTE]\n"
        f"ovn-remote={folder.remote('nb')}\n"
        "\n"
        "[PROVIDER]\n"
        f"listen-address={addresses.listen}\n"
        f"provider-host={addresses.host}\n"
        f"neutron-port={addresses.network_port}\n"
        f"nova-port={addresses.network_port}\n"
        f"keystone-port={addresses.identity_port}\n"
        f"openstack-tenant-name={TENANT}\n"
        "\n"
        "[AUTH]\n"
        "auth-plugin=NoAuthPlugin\n"
    )
    return path


def start_proxy(folder: Folder, config: Path) -> Child:
    environment = dict(os.environ)
    paths = [str(ROOT / "proxy"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return Child(
        folder,
        "proxy",
        [sys.executable, "-m", "ovirt_ovn_proxy", "serve", "--config-file", str(config)],
        environment,
        log_to_file=False,
    )


def wait_until_ready(proxy: Child, addresses: Addresses, signals: Signals) -> None:
    """Return once a token and the list of networks can be had."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            token = _ask(f"{addresses.identity_url}/v2.0/tokens", body=_credentials())
            _ask(f"{addresses.network_url}/v2.0/networks", token=token["access"]["token"]["id"])
            return
        except urllib.error.HTTPError as error:
            with error:
                problem = f"{error.url} answers {error.code} {error.reason}"
        except (OSError, ValueError, LookupError, TypeError) as error:
            problem = f"{type(error).__name__}: {error}"
        if proxy.has_ended():
            raise Failure(f"{proxy.describe_end()} before it was ready")
        if time.monotonic() > deadline:
            raise Failure(f"the proxy is not ready after {READY_TIMEOUT_S:.0f} seconds: {problem}")
        signals.pause(0.05)


def _credentials() -> dict[str, Any]:
    credentials = {"username": USER, "password": "any"}
    return {"auth": {"tenantName": TENANT, "passwordCredentials": credentials}}


def _ask(url: str, *, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("X-Auth-Token", token)
    # This machine is asked directly, whatever http_proxy says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=2) as answer:
        return json.load(answer)


def first_commands(folder: Folder, addresses: Addresses) -> str:
    """What to try first, ready to be pasted into a shell."""
    network, identity = addresses.network_url, addresses.identity_url
    # The environment of the checks has the client, and `make run` may be in that one.
    programs = Path(sys.executable).parent
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    found = shutil.which("openstack", path=path)
    openstack = shlex.quote(found or str(programs / "openstack"))
    if not found:
        pip, extra = shlex.quote(str(programs / "pip")), shlex.quote(f"{ROOT}[clients]")
        openstack = f"{pip} install -q -e {extra} && {openstack}"
    return f"""\
Ready. Networking is at {network}, identity at {identity}/v2.0 (any password).
To try it, in another terminal:

TOKEN=$(curl -s {identity}/v2.0/tokens -H 'Content-Type: application/json' \\
  -d '{json.dumps(_credentials())}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access"]["token"]["id"])')
curl -s {network}/v2.0/networks -H "X-Auth-Token: $TOKEN" \\
  -H 'Content-Type: application/json' -d '{{"network": {{"name": "blue"}}}}'
export OS_AUTH_TYPE=v2password OS_AUTH_URL={identity}/v2.0 OS_TENANT_NAME={TENANT} \\
  OS_USERNAME={USER} OS_PASSWORD=any
{openstack} network list
ovn-nbctl {shlex.quote("--db=" + folder.remote("nb"))} show

Ctrl-C stops everything; the networks stay in {folder.state}.
"""


def say(text: str) -> None:
    print(text, flush=True)


def run(folder: Folder, addresses: Addresses, config: Path) -> None:
    """Start, watch, and stop again; return when the user asked for it, else raise Failure."""
    signals = Signals()
    stop_leftovers(folder, ["proxy", "northd", "sb", "nb"], say)
    addresses.check_free()
    if not addresses.listen.is_loopback:
        say(f"Beware: whoever reaches {addresses.listen} can change these networks.")
    central = Central(folder, signals.pause)
    proxy = None
    try:
        central.start()
        proxy = start_proxy(folder, config)
        wait_until_ready(proxy, addresses, signals)
        say(first_commands(folder, addresses))
        while True:
            for child in (*central.children, proxy):
                if child.has_ended():
                    raise Failure(child.describe_end())
            signals.pause(None)
    except Stopped:
        say("Stopping")
    finally:
        if proxy is not None:
            proxy.stop(PROXY_STOP_TIMEOUT_S)
        central.stop()


def port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise ValueError
    return number


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run an OVN central and the proxy on it.")
    parser.add_argument("--state", type=Path, default=ROOT / ".run", help="folder for all data")
    parser.add_argument(
        "--listen", type=ipaddress.ip_address, default="127.0.0.1", help="IP address to listen on"
    )
    parser.add_argument("--network-port", type=port, default=9696)
    parser.add_argument("--identity-port", type=port, default=35357)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    os.environ["PATH"] = program_path()
    try:
        addresses = Addresses(
            str(arguments.listen), arguments.network_port, arguments.identity_port
        )
        try:
            folder = Folder(arguments.state)
            # The lock lives as long as the descriptor: until this process ends, however it does.
            take_lock(folder, addresses)
            config = write_config(folder, addresses)
        except OSError as error:
            raise Failure(f"the state folder: {error}") from error
        run(folder, addresses, config)
    except Failure as failure:
        print(f"make run: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
