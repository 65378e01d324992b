# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of events and of the environment's keys, as far as anybody here needs them."""

from __future__ import annotations


class Stages:
    """Names of events that plugins stand before or after."""

    CORE_LOG_INIT = "otopi.core.log.init"
    CORE_CONFIG_INIT = "otopi.core.config.init"
    DIALOG_BOOT_DONE = "otopi.dialog.boot.done"
    DIALOG_CLI_CUSTOMIZATION = "otopi.dialog.cli.customization"
    PACKAGERS_DETECTION = "otopi.packagers.detection"
    TRANSACTIONS_INIT = "otopi.core.transactions.init"
    SYSTEM_COMMAND_DETECTION = "otopi.system.command.detection"
    SYSTEM_COMMAND_REDETECTION = "otopi.system.command.redetection"


class BaseEnv:
    """Keys of the framework itself."""

    ERROR = "BASE/error"
    PLUGIN_PATH = "BASE/pluginPath"
    PLUGIN_GROUPS = "BASE/pluginGroups"
    EXECUTION_DIRECTORY = "BASE/executionDirectory"
    EXIT_CODE = "BASE/exitCode"
    COMMAND_PREFIX = "COMMAND/"


class CoreEnv:
    """Keys of configuration files, the log and transactions."""

    CONFIG_FILE_NAME = "CORE/configFileName"
    CONFIG_FILE_APPEND = "CORE/configFileAppend"
    LOG_DIR = "CORE/logDir"
    LOG_FILE_NAME_PREFIX = "CORE/logFileNamePrefix"
    LOG_FILTER_KEYS = "CORE/logFilterKeys"
    MAIN_TRANSACTION = "CORE/mainTransaction"
    MODIFIED_FILES = "CORE/modifiedFiles"
    QUESTION_PREFIX = "QUESTION/"


class DialogEnv:
    """Keys of the dialog."""

    DIALECT = "DIALOG/dialect"
    CUSTOMIZATION = "DIALOG/customization"
    AUTO_ACCEPT_DEFAULT = "DIALOG/autoAcceptDefault"
    ANSWER_FILE = "DIALOG/answerFile"


class SysEnv:
    """Keys of the system."""

    COMMAND_PATH = "SYSTEM/commandPath"
