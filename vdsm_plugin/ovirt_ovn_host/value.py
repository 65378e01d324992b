# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Values at the start of a process: typing.NamedTuple without its costs. Pure.

The typing module, and the code that it has compiled for each class, take longer than all
that a hook does with the values. Type checkers see the original; the differences to it are
none that is of use here: no `_asdict`, no `_make`, no class on top of such a class.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Value
else:
    from operator import itemgetter

    class Value(tuple):
        """A tuple whose places have the names, and maybe the defaults, that its class gives."""

        def __init_subclass__(cls):
            cls._fields = tuple(cls.__annotations__)
            cls._field_defaults = {
                name: vars(cls)[name] for name in cls._fields if name in vars(cls)
            }
            for place, name in enumerate(cls._fields):
                setattr(cls, name, property(itemgetter(place)))

        def __new__(cls, *places, **names):
            # What is given twice is a TypeError of the inner dict's.
            given = dict(**dict(zip(cls._fields, places)), **names)
            values = {**cls._field_defaults, **given}
            if len(places) > len(cls._fields) or values.keys() != set(cls._fields):
                raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}")
            return super().__new__(cls, map(values.get, cls._fields))

        def __repr__(self):
            pairs = (f"{name}={value!r}" for name, value in zip(self._fields, self))
            return f"{type(self).__name__}({', '.join(pairs)})"

        def _replace(self, **names):
            return type(self)(**{**dict(zip(self._fields, self)), **names})


__all__ = ["Value"]
