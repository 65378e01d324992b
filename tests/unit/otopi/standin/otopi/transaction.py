# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that are made together or not at all."""

from __future__ import annotations

from collections.abc import Iterable


class TransactionElement:
    """One change: prepared, then committed or aborted."""

    def prepare(self) -> None:
        pass

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Transaction:
    """Some changes; as a context it prepares them, and commits unless an error comes out."""

    def __init__(self, elements: Iterable[TransactionElement] = ()) -> None:
        self._elements = list(elements)
        self._prepared: list[TransactionElement] = []
        self._is_prepared = False

    def append(self, element: TransactionElement) -> None:
        """Add a change, which is prepared at once if the others are."""
        self._elements.append(element)
        if self._is_prepared:
            self._prepare(element)

    def _prepare(self, element: TransactionElement) -> None:
        # Noted first: what fails half-way is aborted too.
        self._prepared.append(element)
        element.prepare()

    def prepare(self) -> None:
        self._is_prepared = True
        for element in self._elements:
            self._prepare(element)

    def commit(self) -> None:
        if not self._is_prepared:
            raise RuntimeError("Cannot commit transaction as transaction not prepared")
        while self._prepared:
            self._prepared.pop().commit()

    def abort(self) -> None:
        for element in self._prepared:
            element.abort()
        self._prepared = []

    def __enter__(self) -> Transaction:
        try:
            self.prepare()
        except Exception:
            # otopi does so when the object is collected.
            self.abort()
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()
