# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract between VDSM and a hook: data file, exit status, one line on standard error.

I/O. VDSM's side of it is lib/vdsm/common/hooks.py: it writes the data to a temporary
file, starts the hook with that file's name in the environment, waits without a limit,
logs what the hook wrote to standard error, and opens the file again by its name.
Imported by every hook, so it imports next to nothing itself.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Variables of a hook's environment. A VM's custom properties are variables too and win
# over those of its vNICs, so that nothing but VM_ID and the files is to be trusted.
XML_FILE = "_hook_domxml"
JSON_FILE = "_hook_json"
VM_ID = "vmId"
VNIC_ID = "vnic_id"

# Exit status. VDSM reports the text of the last script that ran, so whoever refuses must
# be the last: 2 stops the point's other scripts, 1 lets them run.
FINE = 0
FAILED = 1
REFUSED = 2

# Room for several reasons in one refusal, and for a migration with as many vNICs as a VM
# can have; not more than a pipe takes at once (PIPE_BUF).
_LINE_LENGTH = 4000
# Its hooks are run by a process that has no log (init/vdsmd_init_common.sh), so that VDSM
# drops what they write: it goes to the system's log as well.
_UNHEARD_POINT = "before_vdsm_start"
SYSLOG_NAME = "ovirt-provider-ovn-driver"


class HookError(Exception):
    """What was asked for cannot be done; the message is for the administrator."""


class Refusal(Exception):
    """VDSM must not do what it is about to do; the message is for the administrator."""


def run(point: str, program: Callable[[], str], on_failure: int) -> int:
    """Run a hook's program, say what there is to say, and return the exit status.

    The program returns a note for the log, or "". Its errors become `on_failure`, but a
    Refusal always REFUSED, and never a traceback: VDSM passes standard error on to the
    engine's user.
    """
    try:
        say(point, program())
    except Refusal as refusal:
        say(point, f"refused: {refusal}")
        return REFUSED
    except HookError as error:
        say(point, str(error))
    except Exception as error:
        say(point, f"unexpected {type(error).__name__}: {error} ({_place(error)})")
    else:
        return FINE
    return on_failure


def say(point: str, text: str) -> None:
    """Write one line to standard error, or none if there is no text."""
    if not text:
        return
    vnic_id = os.environ.get(VNIC_ID)
    subject = f" vNIC {vnic_id[:40]!a}:" if vnic_id else ""
    line = f"ovn {point}:{subject} {' '.join(text.split())}"[:_LINE_LENGTH]
    printable = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in line)
    shown = printable[:_LINE_LENGTH]
    os.write(2, f"{shown}\n".encode())
    if point == _UNHEARD_POINT:
        import syslog

        syslog.openlog(SYSLOG_NAME)
        syslog.syslog(syslog.LOG_NOTICE, shown)


def read(variable: str) -> bytes:
    """Return the content of the data file that an environment variable names."""
    try:
        return read_file(_path(variable))
    except OSError as error:
        raise HookError(f"the data file cannot be read: {error}") from error


def write(variable: str, content: bytes) -> None:
    """Put new content into the data file: all of it, or the old one stays."""
    try:
        replace_file(_path(variable), content)
    except OSError as error:
        raise HookError(f"the data file cannot be written: {error}") from error


def read_json() -> Any:
    """Return the data of a JSON point."""
    from . import fastjson

    content = read(JSON_FILE)
    try:
        return fastjson.loads(content)
    except (ValueError, RecursionError) as error:
        raise HookError(f"the data file is no JSON: {error}") from error


def write_json(data: object) -> None:
    """Put new data into the file of a JSON point."""
    from . import fastjson

    write(JSON_FILE, fastjson.dumps(data).encode())


def read_file(path: str) -> bytes:
    """Return a file's content; OSError if it cannot be read."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def replace_file(path: str, content: bytes) -> None:
    """Replace a file in one step; OSError if that fails, and the file is as it was.

    Its readers open it by name, so a new file under the old name will do.
    """
    put_file(path, content, os.stat(path).st_mode & 0o777)


def put_file(path: str, content: bytes, mode: int) -> None:
    """Write a file in one step, be it there or not; OSError if that fails."""
    new = f"{path}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
        os.rename(new, path)
    except OSError:
        os.unlink(new)
        raise


def _path(variable: str) -> str:
    path = os.environ.get(variable)
    if not path:
        raise HookError(f"{variable} is not set: hooks are started by VDSM")
    return path


def _place(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    name = os.path.basename(traceback.tb_frame.f_code.co_filename)
    return f"{name}:{traceback.tb_lineno}"
