# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reply to a `transact` request says (RFC 7047 section 4.1.3).

Pure: a list of results goes in, the same list or an error comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GuardFailed, OutcomeUnknown, TransactionRefused


def check_reply(operations: Sequence[Mapping[str, Any]], results: Any) -> list[Any]:
    """Return `results`, one for each operation, if the transaction was committed.

    Raises GuardFailed if a `wait` did not hold and TransactionRefused for any
    other error; both mean that nothing was changed. The server fills up with
    null after a failed operation, and adds one more element for an error that
    belongs to the commit as a whole (constraints, references).
    Raises OutcomeUnknown if `results` is no such list.
    """
    if not isinstance(results, list):
        raise OutcomeUnknown(f"the reply is no list: {results!r:.200}")
    for index, result in enumerate(results):
        if isinstance(result, dict) and result.get("error"):
            operation = operations[index] if index < len(operations) else None
            error, details = str(result["error"]), str(result.get("details", ""))
            if error == "timed out" and operation is not None and operation.get("op") == "wait":
                raise GuardFailed(f"{operation.get('table')} where {operation.get('where')}")
            raise TransactionRefused(error, details, operation)
    if len(results) != len(operations) or None in results:
        raise OutcomeUnknown(f"{len(results)} results for {len(operations)} operations")
    return results


def refusal(error: Any) -> TransactionRefused:
    """Return the error for a reply that refuses the request as a whole.

    `error` is the JSON-RPC member "error": a text, or an object with "error"
    and "details", as for a database that the server does not have.
    """
    if isinstance(error, dict):
        return TransactionRefused(str(error.get("error")), str(error.get("details", "")), None)
    return TransactionRefused(str(error), "", None)
