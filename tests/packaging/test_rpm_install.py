# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages installed, updated from ovirt-provider-ovn 1.2 and back, and removed. Needs root."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ovirt_ovn_proxy import config
from rpms import DRIVER, MAIN, NAMES, ROOT, Built, Package, Root, build_peer

UNIT = f"{MAIN}.service"
SETTINGS = f"/etc/{MAIN}"
HOST_SETTINGS = f"/etc/{DRIVER}"
HOST_ENGINE_FILE = f"{HOST_SETTINGS}/conf.d/10-engine.conf"
SETUP_FILE = f"{SETTINGS}/conf.d/10-setup-ovirt-provider-ovn.conf"
# As engine-setup writes it, but for the certificates.
SETUP = """[OVN REMOTE]
ovn-remote=ssl:127.0.0.1:6641
[PROVIDER]
provider-host=engine.example.com
[OVIRT]
ovirt-sso-client-id=ovirt-provider-ovn
ovirt-sso-client-secret=letmein
ovirt-host=https://engine.example.com:443
ovirt-ca-file=/etc/pki/ovirt-engine/apache-ca.pem
[NETWORK]
port-security-enabled-default=True
"""
HOOKS = sorted(path.parent.name for path in (ROOT / "vdsm_plugin/hooks").glob("*/50_ovn"))


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """Stand-ins for the packages of ovirt-provider-ovn 1.2."""
    return build_peer(tmp_path_factory.mktemp("peer"))


@pytest.fixture
def ours(built: Built) -> list[Package]:
    """Our packages for Enterprise Linux 9."""
    return [*built["el9"].values()]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root without any package."""
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


def test_install_and_remove(root: Root, ours: list[Package]) -> None:
    """What is installed verifies, also when installed again; removed, it leaves settings only."""
    before = root.files()
    assert [f"install-system-units {UNIT}"] == root.change("-i", *ours)
    assert [] == root.verify(*NAMES)
    (line,) = re.findall(f"^{MAIN}:.*$", root.path("/etc/passwd").read_text(), re.M)
    assert re.search(":/:.*/nologin$", line)
    assert int(line.split(":")[2]) < 1000

    root.path(f"{SETTINGS}/{MAIN}.conf").write_text("[SSL]\nhttps-enabled=false\n")
    root.path(SETUP_FILE).write_text(SETUP)
    root.path(f"{HOST_SETTINGS}/ovn.conf").write_text("[ovn]\ntunnel = tunnels\n")
    root.path(HOST_ENGINE_FILE).write_text("[ovn]\ncentral = 192.0.2.1\n")
    told = root.change("-U", *ours)
    assert [f"mark-restart-system-units {UNIT}"] == told
    edited = [f"{SETTINGS}/{MAIN}.conf", f"{HOST_SETTINGS}/ovn.conf"]
    assert [f"S.5....T.  c {path}" for path in edited] == root.verify(*NAMES)

    assert [f"remove-system-units {UNIT}"] == root.erase(*NAMES)
    left = {SETTINGS, f"{SETTINGS}/conf.d", SETUP_FILE, f"{SETTINGS}/{MAIN}.conf.rpmsave"}
    left |= {HOST_SETTINGS, f"{HOST_SETTINGS}/conf.d", HOST_ENGINE_FILE}
    left |= {f"{HOST_SETTINGS}/ovn.conf.rpmsave"}
    more = root.files() - before
    assert left <= more
    # Folders of other packages, which rpm made for ours; what making a user leaves in /etc.
    others = [path for path in more - left if not root.path(path).is_dir() or MAIN in path]
    of_users = re.compile(r"/etc/(\.pwd\.lock|g?(group|passwd|shadow)-?)")
    assert [] == [path for path in others if not of_users.fullmatch(path)]


def test_nothing_speaks_of_the_build(root: Root, ours: list[Package]) -> None:
    """No file names the folder that it was built in, and hooks have the distribution's Python."""
    root.change("-i", *ours)
    paths = [Path(line) for line in root.rpm("-ql", *NAMES).split() if line.startswith("/")]
    for path in (root.path(path) for path in paths):
        if path.is_file() and path.suffix != ".gz":
            left = re.search(rb"BUILDROOT|@(PREFIX|SYSCONFDIR|DATADIR|PYTHON)@", path.read_bytes())
            assert left is None, path
    for point in HOOKS:
        hook = root.path(f"/usr/libexec/vdsm/hooks/{point}/50_ovn").read_text()
        # Those of a vNIC that migrates start nothing.
        if "_device_migrate_" not in point:
            start = f"/usr/bin/python3 -IS? /usr/share/{DRIVER}/hook.py {point}\n"
            assert re.search(start, hook)


@pytest.mark.parametrize("is_edited", [False, True], ids=["as-installed", "edited"])
def test_from_the_peer_and_back(
    root: Root, peer: dict[str, Package], ours: list[Package], is_edited: bool
) -> None:
    """Its settings stay; the service is restarted, never disabled; nothing else is left of it."""
    root.change("-i", *peer.values())
    main, logger = f"{SETTINGS}/{MAIN}.conf", f"{SETTINGS}/logger.conf"
    files = {SETUP_FILE: SETUP, logger: root.path(logger).read_text()}
    if is_edited:
        files[main] = root.path(main).read_text().replace("-ovn-mtu", "").replace("86400", "3600")
        files[logger] = root.path(logger).read_text().replace("level=INFO", "level=DEBUG")
    for path, text in files.items():
        root.path(path).write_text(text)
    before = load(root)
    theirs = {line for line in root.rpm("-ql", MAIN, DRIVER).split() if line.startswith("/")}

    told = root.change("-U", *ours)
    assert [f"mark-restart-system-units {UNIT}"] == told
    assert before == load(root)
    for path, text in files.items():
        assert text == root.path(path).read_text()
    changed = {line.split()[-1] for line in root.verify(*NAMES)}
    assert {path for path in files if path == main} == changed
    new = {path for path in root.files() if path.endswith((".rpmnew", ".rpmsave", ".rpmorig"))}
    assert {f"{path}.rpmnew" for path in changed} == new
    kept = {line for line in root.rpm("-ql", *NAMES).split() if line.startswith("/")}
    assert {*()} == {path for path in theirs - kept if root.path(path).is_file()}

    told = root.change("-U", *peer.values())
    assert [f"mark-restart-system-units {UNIT}"] == told
    for path, text in files.items():
        # There the main file is no configuration to rpm.
        saved = f"{path}.rpmsave" if path == main else path
        assert text == root.path(saved).read_text()
    assert [] == root.verify(MAIN, DRIVER) or is_edited


def load(root: Root) -> dict[str, object]:
    """Return the settings in a root."""
    loaded = vars(config.load(root.path(f"{SETTINGS}/{MAIN}.conf"))).copy()
    # Where from; without effect; more than 25 seconds are taken for the default.
    for field in ("sources", "url_filter_exception", "ovirt_auth_timeout_s"):
        del loaded[field]
    return loaded


def test_hooks_run(root: Root, ours: list[Package], tmp_path: Path) -> None:
    """Each hook of the package runs as VDSM runs it: its file, as VDSM's user, in any folder."""
    root.change("-i", *ours)
    data = tmp_path / "data.json"
    data.write_text("{}")
    data.chmod(0o666)
    tmp_path.chmod(0o755)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "_hook_json": str(data)}
    for point in HOOKS:
        foreign = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OTHER"}
        done = run_hook(root, point, {**environment, **foreign})
        assert 0 == done.returncode, (point, done)
    done = run_hook(
        root,
        "before_device_create",
        {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OVIRT_PROVIDER_OVN"},
    )
    assert (2, "ovn before_device_create: ") == (done.returncode, done.stderr[:26])


def run_hook(
    root: Root, point: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run an installed hook, with the root's /usr laid over this machine's."""
    script = (
        'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && cd / && '
        "exec setpriv --reuid=36 --regid=36 --clear-groups /usr/libexec/vdsm/hooks/$2/50_ovn"
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", root.folder, point],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
