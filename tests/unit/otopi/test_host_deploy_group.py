# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin in the group with which an engine up to 4.3 deploys hosts."""

from __future__ import annotations

import re

import pytest

from unit.otopi.runs import DRIVER, HOST_DEPLOY, OWN_GROUP, PLUGIN, Host, Run

# How such an engine starts it: as a program, and with keys set at the prompt.
ENGINE = ("DIALOG/dialect=str:machine", "DIALOG/customization=bool:True")
PROCEED = "CONFIRM DEPLOY_PROCEED=yes\n"
ENABLE = "env-set -k OVN/enable -t bool -v True\n"
OVN_KEYS = (
    f"{ENABLE}env-set -k OVN/central -t str -v 192.0.2.1\n"
    "env-set -k OVN/tunnel -t str -v 192.0.2.7\n"
)

INSTALLED = f"packager installUpdate {DRIVER}"
CONFIGURED = "vdsm-tool ovn-config 192.0.2.1 192.0.2.7"
VDSM = [
    "services state vdsmd False",
    "vdsm-tool configure --force",
    "services startup vdsmd True",
    "services state vdsmd True",
]


def deploy(
    host: Host, keys: str, *arguments: str, refusal: str = "", group: str = HOST_DEPLOY
) -> Run:
    """Run a deployment in which the engine sets keys."""
    answers = f"{PROCEED}{keys}install\nquit\n"
    environment = {"FAILS": refusal} if refusal else {}
    return host.run(*ENGINE, *arguments, group=group, answers=answers, environment=environment)


def test_an_engine_that_does_not_know_of_ovn(host: Host) -> None:
    """Without our keys the deployment is what it was: not one question or call more."""
    run = deploy(host, "")

    assert (0, []) == (run.code, run.errors)
    assert VDSM == run.calls
    questions = re.findall(r"^\*\*\*Q:STRING (.*)$", run.output, re.MULTILINE)
    assert ["CUSTOMIZATION_COMMAND", "TERMINATION_COMMAND"] == questions


def test_keys_of_the_engine(host: Host) -> None:
    """OVN is configured after VDSM's own configuration and before vdsmd starts."""
    run = deploy(host, OVN_KEYS)

    assert (0, []) == (run.code, run.errors)
    assert sorted([*VDSM, INSTALLED, CONFIGURED]) == sorted(run.calls)
    assert [*VDSM[1:3], CONFIGURED, VDSM[3]] == run.calls[-4:]


def test_keys_of_a_file_on_the_host(host: Host) -> None:
    """The file of the deployment on the host can have the keys too."""
    folder = host.folder / "otopi.conf.d"
    folder.mkdir()
    (folder / "ovn.conf").write_text(
        "[environment:override]\n"
        "OVN/enable=bool:True\nOVN/central=str:192.0.2.1\nOVN/tunnel=str:192.0.2.7\n"
    )
    run = deploy(host, "")

    assert (0, []) == (run.code, run.errors)
    assert CONFIGURED in run.calls


def test_too_few_keys(host: Host) -> None:
    """An engine could not answer a question, so it gets an error, before anything is changed."""
    run = deploy(host, ENABLE)

    assert (1, []) == (run.code, run.calls)
    assert "OVN/central is not set: OVN/enable needs it" in run.errors[0]


def test_certificates_that_come_later(host: Host) -> None:
    """Certificates that the deployment itself brings are not missed when it begins."""
    later = "env-set -k OVN/certificate -t str -v /etc/pki/vdsm/certs/later.pem\n"
    run = deploy(host, OVN_KEYS + later)

    assert (0, []) == (run.code, run.errors)
    assert CONFIGURED in run.calls


def test_offline_packager(host: Host) -> None:
    """Where the engine wants nothing installed, the packages count as being there."""
    run = deploy(host, OVN_KEYS, "ODEPLOY/offlinePackager=bool:True")

    assert (0, []) == (run.code, run.errors)
    assert sorted([*VDSM, CONFIGURED]) == sorted(run.calls)


def test_reboot(host: Host) -> None:
    """A host that is to be rebooted is in OVN after it: the settings last."""
    run = deploy(host, OVN_KEYS, "ODEPLOY/forceReboot=bool:True")

    assert (0, []) == (run.code, run.errors)
    assert [*VDSM[1:3], CONFIGURED] == run.calls[-3:]


def test_without_the_deployment(host: Host) -> None:
    """The group with nothing but our plugin needs none of the deployment's keys."""
    (host.plugins / HOST_DEPLOY / "deployment").unlink()
    keys = ("OVN/enable=bool:True", "OVN/central=str:192.0.2.1", "OVN/tunnel=str:192.0.2.7")
    run = host.run(*keys, group=HOST_DEPLOY)

    assert (0, []) == (run.code, run.errors)
    assert [INSTALLED, CONFIGURED] == run.calls


@pytest.mark.parametrize("groups", [f"{OWN_GROUP}:{HOST_DEPLOY}", f"{HOST_DEPLOY}:{OWN_GROUP}"])
def test_with_our_own_group(host: Host, groups: str) -> None:
    """Both groups at once are the deployment: nothing is done twice, and nobody is asked."""
    run = deploy(host, OVN_KEYS, group=groups)

    assert (0, []) == (run.code, run.errors)
    assert sorted([*VDSM, INSTALLED, CONFIGURED]) == sorted(run.calls)
    assert "OVN_ENABLE" not in run.output


def test_twice_in_the_path(host: Host) -> None:
    """The same group in two places of the path is loaded once."""
    copy = host.folder / "copy"
    (copy / HOST_DEPLOY).mkdir(parents=True)
    (copy / HOST_DEPLOY / "ovn").symlink_to(PLUGIN)
    run = deploy(host, OVN_KEYS, f"APPEND:BASE/pluginPath=str:{copy}")

    assert (0, []) == (run.code, run.errors)
    assert 1 == run.calls.count(CONFIGURED)


def test_refused(host: Host) -> None:
    """If the host refuses, the deployment fails with the reason; vdsmd is enabled by then."""
    keys = OVN_KEYS.replace("192.0.2.7", "red")
    run = deploy(host, keys, refusal="Error:  OVN: tunnel red: no network")

    assert 1 == run.code
    assert [*VDSM[1:3], "vdsm-tool ovn-config 192.0.2.1 red"] == run.calls[-3:]
    assert run.errors[0].endswith("ovn-config 192.0.2.1 red: tunnel red: no network (exit code 1)")
