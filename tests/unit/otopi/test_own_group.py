# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""otopi run for OVN alone, on a host."""

from __future__ import annotations

import pytest

from unit.otopi.runs import DRIVER, Host

ENABLE = "OVN/enable=bool:True"
CENTRAL = "OVN/central=str:192.0.2.1"
TUNNEL = "OVN/tunnel=str:ovirtmgmt"
ENOUGH = (ENABLE, CENTRAL, TUNNEL)

INSTALLED = f"packager installUpdate {DRIVER}"
CONFIGURED = "vdsm-tool ovn-config 192.0.2.1 ovirtmgmt"


@pytest.fixture
def known(host: Host) -> Host:
    """A host whose settings may say where its certificates are."""
    host.settings.mkdir()
    return host


def test_disabled(host: Host) -> None:
    """OVN switched off: nothing is asked, checked, installed or configured."""
    run = host.run("OVN/enable=bool:False", "OVN/central=str:1.2.3")

    assert (0, [], []) == (run.code, run.errors, run.calls)
    assert not host.settings.exists()


def test_enabled_on_the_command_line(known: Host) -> None:
    """Packages first, then the verb that the engine calls; no service is touched."""
    run = known.run(*ENOUGH, "OVN/fqdn=str:host1.example.com")

    assert (0, []) == (run.code, run.errors)
    assert [INSTALLED, f"{CONFIGURED} host1.example.com"] == run.calls
    assert ["OVN: done: chassis host1.example.com"] == run.infos


def test_enabled_by_an_answer_file(known: Host) -> None:
    """A file with all keys asks nothing, so that nobody has to be there."""
    (known.folder / "answers.conf").write_text(
        "[environment:default]\n"
        "OVN/enable=bool:True\n"
        "OVN/central=str:ssl:192.0.2.1:6642,ssl:192.0.2.2:6642\n"
        "OVN/tunnel=str:Tunnels of blue\n"
    )
    run = known.run("CORE/configFileAppend=str:answers.conf")

    assert (0, []) == (run.code, run.errors)
    expected = "vdsm-tool ovn-config ssl:192.0.2.1:6642,ssl:192.0.2.2:6642 Tunnels of blue"
    assert [INSTALLED, expected] == run.calls


def test_dialog(known: Host) -> None:
    """A human is asked for what is missing, and again if an answer cannot be used."""
    answers = ["maybe", "", "192.0.2.300", "192.0.2.1", "-x", ""]
    run = known.run("DIALOG/answerFile=str:answers", answers="\n".join(answers) + "\n")

    assert 0 == run.code
    assert [INSTALLED, CONFIGURED] == run.calls
    assert ["OVN/central", "OVN/tunnel"] == [it.split()[0] for it in run.errors if "OVN/" in it]
    assert "Configure OVN on this host? (Yes, No) [Yes]:" in run.output
    title, *written = (known.folder / "answers").read_text().splitlines()[-6:]
    assert "[environment:default]" == title
    assert written == [
        "QUESTION/1/OVN_CENTRAL=str:192.0.2.300",
        "QUESTION/1/OVN_ENABLE=str:yes",
        "QUESTION/1/OVN_TUNNEL=str:-x",
        "QUESTION/2/OVN_CENTRAL=str:192.0.2.1",
        "QUESTION/2/OVN_TUNNEL=str:ovirtmgmt",
    ]


def test_dialog_answered_no(host: Host) -> None:
    """Who says no is asked nothing else."""
    run = host.run(answers="no\n")

    assert (0, [], []) == (run.code, run.errors, run.calls)


def test_dialog_with_the_answers_of_another_run(known: Host) -> None:
    """The answers that otopi has written down answer the next run."""
    known.run("DIALOG/answerFile=str:answers", answers="yes\n192.0.2.1\n\n")
    run = known.run("CORE/configFileAppend=str:answers")

    assert (0, []) == (run.code, run.errors)
    assert [INSTALLED, CONFIGURED] == run.calls


def test_dialog_without_anybody(known: Host) -> None:
    """A run without a terminal and without answers ends, and has changed nothing."""
    run = known.run(ENABLE)

    assert (1, []) == (run.code, run.calls)
    assert ["Failed to execute stage 'Environment customization': End of file"] == run.errors


def test_dialog_with_a_program(known: Host) -> None:
    """A program is asked in its own dialect, once for each, by names that stay the same."""
    run = known.run("DIALOG/dialect=str:machine", answers="Yes\n192.0.2.1\n\n")

    assert (0, []) == (run.code, run.errors)
    assert [INSTALLED, CONFIGURED] == run.calls
    lines = run.output.splitlines()
    start = lines.index("**%QStart: OVN_ENABLE")
    assert [
        "**%QStart: OVN_ENABLE",
        "### Configure OVN on this host? (Yes, No) [Yes]:",
        "**%QDefault: Yes",
        "**%QValidValues: Yes|No",
        "**%QHidden: FALSE",
        "***Q:STRING OVN_ENABLE",
        "**%QEnd: OVN_ENABLE",
        "**%QStart: OVN_CENTRAL",
        "### OVN's central servers: a name or an address, several with commas:",
        "**%QHidden: FALSE",
        "***Q:STRING OVN_CENTRAL",
        "**%QEnd: OVN_CENTRAL",
        "**%QStart: OVN_TUNNEL",
        "### This host's end of tunnels: address, subnet, network or interface [ovirtmgmt]:",
        "**%QDefault: ovirtmgmt",
        "**%QHidden: FALSE",
        "***Q:STRING OVN_TUNNEL",
        "**%QEnd: OVN_TUNNEL",
    ] == [line.rstrip() for line in lines[start : start + 18]]
    # Every line is one of the protocol's: nothing of ours is printed past the dialog.
    assert [] == [line for line in lines if not line.startswith(("***", "**%", "###"))]
    assert "***L:INFO OVN: done: chassis host1.example.com" in lines
    assert "***TERMINATE" == lines[-1]


def test_dialog_with_a_program_that_answers_badly(known: Host) -> None:
    """A program is not asked again for what it got wrong."""
    run = known.run("DIALOG/dialect=str:machine", ENABLE, answers="192.0.2.300\n192.0.2.1\n\n")

    assert (1, []) == (run.code, run.calls)
    (error,) = run.errors
    assert error == (
        "Failed to execute stage 'Environment customization': OVN/central is '192.0.2.300': "
        "should be a name or an address, or ssl:HOST:PORT, several with commas"
    )


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("OVN/enable=str:no", "OVN/enable is 'no': should be bool:True or bool:False"),
        ("OVN/central=str:192.0.2", "OVN/central is '192.0.2': should be a name or an address"),
        ("OVN/tunnel=str:192.0.2.0/99", "OVN/tunnel is '192.0.2.0/99': should be an address"),
        ("OVN/fqdn=str:7.example.com", "OVN/fqdn is '7.example.com': should be the host's full"),
        ("OVN/bridge=int:7", "OVN/bridge is 7: should be a text"),
        ("OVN/certificate=str:c.pem", "OVN/certificate is 'c.pem': should be an absolute path"),
        ("OVN/packages=str:-y", "OVN/packages is '-y': should be names of packages"),
        ("OVN/packages=str:ovn-typo", "Cannot locate package ovn-typo: enable a repository"),
    ],
)
def test_bad_values(known: Host, argument: str, reason: str) -> None:
    """A value that cannot be meant ends the run before anything is changed, with one error."""
    run = known.run(*ENOUGH, argument)

    assert (1, [], 1) == (run.code, run.calls, len(run.errors))
    assert reason in run.errors[0]
    assert [] == list(known.settings.iterdir())


def test_missing_certificate(known: Host) -> None:
    """A certificate that was named and is not there is missed before anything is changed."""
    path = known.folder / "cert.pem"
    argument = f"OVN/certificate=str:{path}"
    run = known.run(*ENOUGH, argument)

    assert (1, []) == (run.code, run.calls)
    (error,) = run.errors
    assert error == (
        f"Failed to execute stage 'Setup validation': {path} is missing: have the engine enroll "
        "the host's certificates, or set OVN/certificate to where it is"
    )

    path.touch()
    assert [INSTALLED, CONFIGURED] == known.run(*ENOUGH, argument).calls


def test_missing_certificates_of_a_new_host(host: Host) -> None:
    """On a host without settings nobody can have said where else the certificates are."""
    paths = [host.folder / name for name in ("key.pem", "cert.pem", "ca.pem")]
    names = ("OVN/privateKey", "OVN/certificate", "OVN/caCertificate")
    arguments = [f"{name}=str:{path}" for name, path in zip(names, paths)]
    for path in paths:
        path.touch()

    run = host.run(*ENOUGH, *arguments[:2])
    assert (1, []) == (run.code, run.calls)
    assert "/etc/pki/vdsm/ovn/ca-cert.pem is missing" in run.errors[0]
    assert 0 == host.run(*ENOUGH, *arguments).code


def test_central_without_tls_on_a_new_host(host: Host) -> None:
    """Without TLS no certificates are looked for."""
    run = host.run(ENABLE, "OVN/central=str:tcp:192.0.2.1:6642", TUNNEL)

    assert (0, []) == (run.code, run.errors)


def test_packages(known: Host) -> None:
    """The packages are the administrator's choice, and each is looked for."""
    names = "OVN/packages=str:driver,openvswitch3.5"
    run = known.run(*ENOUGH, names, packages="driver openvswitch3.5")
    assert ["packager installUpdate driver openvswitch3.5", CONFIGURED] == run.calls

    run = known.run(*ENOUGH, names, packages="openvswitch3.5")
    assert (1, []) == (run.code, run.calls)
    assert "Cannot locate package driver: enable a repository that has it" in run.errors[0]


@pytest.mark.parametrize("argument", ["OVN/packages=str:", "ODEPLOY/offlinePackager=bool:True"])
@pytest.mark.parametrize("packages", [DRIVER, None])
def test_no_packages(known: Host, argument: str, packages: str | None) -> None:
    """Where nothing is to be installed, a host without package manager will do."""
    run = known.run(*ENOUGH, argument, packages=packages)

    assert (0, [CONFIGURED]) == (run.code, run.calls)


def test_no_package_manager(known: Host) -> None:
    """A host without package manager says so before anything is changed."""
    run = known.run(*ENOUGH, packages=None)

    assert (1, []) == (run.code, run.calls)
    assert "install it and set OVN/packages without it" in run.errors[0]


def test_second_run(known: Host) -> None:
    """A second run finds nothing to do, says so, and leaves no copies of the file."""
    arguments = (*ENOUGH, "OVN/bridge=str:br-ovn")
    known.run(*arguments)
    content, inode = known.engine_file.read_text(), known.engine_file.stat().st_ino
    run = known.run(*arguments)

    assert (0, ["OVN: nothing to change: chassis host1.example.com"]) == (run.code, run.infos)
    assert (content, inode) == (known.engine_file.read_text(), known.engine_file.stat().st_ino)
    assert [known.engine_file] == list(known.engine_file.parent.iterdir())


def test_options_are_there_when_the_verb_runs(known: Host) -> None:
    """What the verb has no argument for is in the file, beside what was in it."""
    known.engine_file.parent.mkdir()
    known.engine_file.write_text("[ovn]\nencap-type = geneve\nbridge = br-int\n")
    known.engine_file.chmod(0o600)
    key = known.folder / "key.pem"
    key.write_text("hunter2")
    run = known.run(*ENOUGH, "OVN/bridge=str:br-ovn", f"OVN/privateKey=str:{key}")

    assert (0, []) == (run.code, run.errors)
    assert known.seen.read_text().endswith(
        f"\n\n[ovn]\nencap-type = geneve\nbridge = br-ovn\n\n[tls]\nprivate-key = {key}\n"
    )
    assert str(key) in run.log
    assert "hunter2" not in run.log
    # What was there is kept beside it, under a name that is not read as settings.
    (kept,) = (it for it in known.engine_file.parent.iterdir() if it != known.engine_file)
    assert kept.name.startswith("10-engine.conf.")
    assert ".conf" != kept.suffix
    assert "[ovn]\nencap-type = geneve\nbridge = br-int\n" == kept.read_text()


@pytest.mark.parametrize("old", [None, "[ovn]\nbridge = br-int\ncentral = 192.0.2.9\n"])
def test_refused(known: Host, old: str | None) -> None:
    """What the host refuses is told with its reason, and the file is what it was."""
    if old is not None:
        known.engine_file.parent.mkdir()
        known.engine_file.write_text(old)
    reason = "tunnel red: no network or interface that has an address on this host"
    said = f"MainThread::ERROR::something else\n\nError:  OVN: {reason} \n\n"
    run = known.run(
        ENABLE, CENTRAL, "OVN/tunnel=str:red", "OVN/bridge=str:br-ovn", environment={"FAILS": said}
    )

    assert (1, [INSTALLED, "vdsm-tool ovn-config 192.0.2.1 red"]) == (run.code, run.calls)
    (error,) = run.errors
    assert error == (
        "Failed to execute stage 'Closing up': OVN is not configured: vdsm-tool ovn-config "
        f"192.0.2.1 red: {reason} (exit code 1)"
    )
    assert "bridge = br-ovn" in known.seen.read_text()
    left = {it.name: it.read_text() for it in known.engine_file.parent.iterdir()}
    assert ({} if old is None else {"10-engine.conf": old}) == left


def test_refused_without_a_reason(known: Host) -> None:
    """A tool that prints its usage does not have the verb; one that is silent is quoted so."""
    run = known.run(*ENOUGH, environment={"SILENT": "yes"})
    assert "does not know this verb: install ovirt-provider-ovn-driver" in run.errors[0]

    run = known.run(*ENOUGH, environment={"FAILS": " "})
    assert "it does not say why (exit code 1)" in run.errors[0]


def test_spoilt_file(known: Host) -> None:
    """A shared file that is no settings any more is told, and left to its owner."""
    known.engine_file.parent.mkdir()
    known.engine_file.write_text("bridge\n")
    run = known.run(*ENOUGH, "OVN/bridge=str:br-ovn")

    assert (1, [INSTALLED]) == (run.code, run.calls)
    what = f"{known.engine_file}: line 1 is no setting: remove the file, it is made again"
    assert [f"Failed to execute stage 'Closing up': {what}"] == run.errors
    assert "bridge\n" == known.engine_file.read_text()


def test_no_vdsm(known: Host) -> None:
    """A host without VDSM is told apart from one where VDSM refuses."""
    (known.bin / "vdsm-tool").unlink()
    run = known.run(*ENOUGH)

    assert (1, [INSTALLED]) == (run.code, run.calls)
    assert "There is no vdsm-tool on this host: install vdsm first" in run.errors[0]


@pytest.mark.parametrize("stage", ["PACKAGES", "MISC"])
def test_another_plugin_fails(known: Host, stage: str) -> None:
    """When something else fails before the end, the host is not touched."""
    broken = known.plugins / "recording" / "broken"
    broken.mkdir()
    (broken / "__init__.py").write_text(
        "from otopi import plugin\n"
        "class Plugin(plugin.PluginBase):\n"
        f"    @plugin.event(stage=plugin.Stages.STAGE_{stage})\n"
        "    def _break(self):\n"
        "        raise RuntimeError('broken')\n"
        "createPlugins = Plugin\n"
    )
    run = known.run(*ENOUGH, "OVN/bridge=str:br-ovn")

    assert 1 == run.code
    assert CONFIGURED not in run.calls
    assert [] == list(known.settings.iterdir())


@pytest.mark.parametrize(("value", "code"), [("False", 0), ("True", 1)])
def test_old_python(known: Host, value: str, code: int) -> None:
    """Where Python is too old the plugin can be loaded, and refuses only if it is wanted."""
    folder = known.folder / "old"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import collections, sys\n"
        "Version = collections.namedtuple('Version', 'major minor micro releaselevel serial')\n"
        "sys.version_info = Version(3, 6, 15, 'final', 0)\n"
    )
    run = known.run(f"OVN/enable=bool:{value}", CENTRAL, TUNNEL, modules=folder)

    assert (code, []) == (run.code, run.calls)
    refusal = "OVN needs Python 3.9 or newer, and otopi runs on Python 3.6 on this host"
    assert (refusal in run.output) is bool(code)
