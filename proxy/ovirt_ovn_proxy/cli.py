# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: serve, check-config, explain, release-bindings.

Reads arguments, sets up logging, loads the configuration and prints. The parts of
the service are put together in `compose`, imported only by the verbs that need it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from itertools import chain, groupby
from pathlib import Path

from . import config as configuration
from . import config_text, logs, tls_check
from .auth.plugins import load_plugin
from .config_files import exists
from .errors import ConfigError, ProxyError

VERSION = "2.0.0"

_PROG = "ovirt-provider-ovn"
_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 for success, 1 for a problem, printed to stderr.

    `argv` None means the process's own arguments. Wrong usage leaves by SystemExit(2).
    """
    arguments = _parser().parse_args(argv)
    logs_elsewhere = set_up_logging(arguments.debug, _logger_file(arguments))
    try:
        config = configuration.load(arguments.config_file, arguments.config_dir)
        if arguments.command == "serve":
            return _serve(config)
        if arguments.command == "check-config":
            return _check_config(config, arguments.online)
        if arguments.command == "release-bindings":
            return _release_bindings(config)
        return _explain(config, arguments.method, arguments.path, arguments.body)
    except ProxyError as error:
        if logs_elsewhere:
            _LOG.error("%s", error)
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 1


def set_up_logging(debug: bool, logger_file: Path | None) -> bool:
    """Log to stderr at INFO, or as `logger_file` says, see `logs`.

    None, a file that does not exist, and `debug` (then at level DEBUG) mean stderr.
    Returns whether the file is in force. What cannot be used of it is reported and
    otherwise ignored: a log that cannot be written must not stop the service.
    """
    problems = []
    if logger_file is not None and not debug and exists(logger_file):
        try:
            problems = logs.configure(logger_file)
        except ConfigError as error:
            problems.append(f"{error}; logging to stderr")
        else:
            for problem in problems:
                _LOG.warning("%s", problem)
            return True
    level = logging.DEBUG if debug else logging.INFO
    logging.basicConfig(level=level, format=logs.FORMAT, force=True)
    for problem in problems:
        _LOG.warning("%s", problem)
    return False


def _logger_file(arguments: argparse.Namespace) -> Path | None:
    # What is run by hand answers on the terminal.
    if arguments.command != "serve":
        return None
    main_file: Path = arguments.config_file or configuration.DEFAULT_CONFIG_FILE
    return main_file.parent / "logger.conf"


def _serve(config: configuration.Config) -> int:
    from . import compose

    return compose.serve(config)


def _check_config(config: configuration.Config, online: bool) -> int:
    _say(_format_settings(config))
    plugin = load_plugin(config)
    findings = tls_check.check_files(config)
    if online:
        from . import compose

        findings = chain(findings, compose.check_online(config, plugin))
    status = 0
    for finding in findings:
        print(f"{_PROG}: {finding}", file=sys.stderr)
        status |= finding.is_error
    return status


def _format_settings(config: configuration.Config) -> str:
    lines = []
    settings = config_text.describe(config)
    for section, members in groupby(settings, key=lambda setting: setting.option.section):
        lines.append(f"[{section}]")
        lines += [f"{member.option.key}={member.text}  {_origin(member)}" for member in members]
        lines.append("")
    return "\n".join(lines)


def _origin(setting: config_text.Setting) -> str:
    if setting.source is None:
        return "(default)"
    return f"(from {setting.source}; default {setting.default_text or 'empty'})"


def _explain(config: configuration.Config, method: str, path: str, body: str | None) -> int:
    from . import compose

    _say(compose.explain(config, method.upper(), path, body))
    return 0


def _release_bindings(config: configuration.Config) -> int:
    from . import compose

    for line in compose.release_bindings(config):
        _say(line)
    return 0


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Whoever read has seen enough: no reason to stop half-way, nor for Python to try
        # once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROG, description="OVN networking for oVirt.")
    parser.add_argument("--version", action="version", version=f"{_PROG} {VERSION}")
    parser.set_defaults(config_file=None, config_dir=None, debug=False)
    # Suppressed defaults: an option before the verb is not undone by its absence behind it.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_common_options(common)
    _add_common_options(parser)
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    verbs.add_parser("serve", parents=[common], help="run the service")
    check = verbs.add_parser(
        "check-config", parents=[common], help="print every option and where it comes from"
    )
    check.add_argument(
        "--online", action="store_true", help="also try the engine's SSO and the Northbound"
    )
    explain = verbs.add_parser(
        "explain", parents=[common], help="print the transaction of a request without sending it"
    )
    explain.add_argument("method", metavar="METHOD", help="GET, POST, PUT or DELETE")
    explain.add_argument("path", metavar="PATH", help="for example /v2.0/networks")
    explain.add_argument("body", metavar="BODY", nargs="?", help="JSON; left out = none")
    verbs.add_parser(
        "release-bindings",
        parents=[common],
        help="have no port wait for a migration, before the way back to another proxy",
    )
    return parser


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config-file",
        type=Path,
        metavar="F",
        default=argparse.SUPPRESS,
        help=f"main file (default {configuration.DEFAULT_CONFIG_FILE})",
    )
    parser.add_argument(
        "--config-dir",
        type=Path,
        metavar="D",
        default=argparse.SUPPRESS,
        help="folder whose *.conf are read next (default conf.d beside the main file)",
    )
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="log more, to stderr"
    )
