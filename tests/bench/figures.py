# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures with their floors, the bars that they are held against, and how they are shown.

A bar is what the design asks for; missing one is shown and fails nothing, as speed
depends on the machine. Ratios are of figures taken in turns in one run.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Bar:
    """The most that a figure may be: itself, or as a multiple of its floor.

    `ports` is the size that it was set for, None for any.
    """

    limit: float
    is_ratio: bool = False
    ports: int | None = None


LIST_UNCHANGED = Bar(3, is_ratio=True, ports=10_000)
LIST_CHANGED = Bar(6, is_ratio=True, ports=10_000)
PLUG_CPU_MS = Bar(12, ports=10_000)
TLS_PLUG_CPU_MS = Bar(16, ports=10_000)
CHANGE_MS = Bar(2)
CROWD_S = Bar(2, ports=10_000)
SYNC = Bar(1.5, is_ratio=True)
# "Independent of the number of ports", with room for noise.
GROWTH = Bar(1.5, is_ratio=True)
BASE_MEMORY = Bar(40)  # MB
_KB_PER_PORT = 5
# Multiples of what it takes to start a Python that does nothing.
HOOK_NOT_OURS = Bar(0.15, is_ratio=True)
HOOK_REWRITE = Bar(3.7, is_ratio=True)
HOOK_READ = Bar(2.6, is_ratio=True)


def memory_bar(ports: int) -> Bar:
    """Return the bar for the resident megabytes of a proxy with so many ports."""
    return Bar(BASE_MEMORY.limit + _KB_PER_PORT * ports / 1000)


@dataclass(frozen=True)
class Figure:
    """One measured value, what it was compared with, and the bar that applies."""

    ports: int
    name: str
    unit: str
    value: float
    floor: float | None = None
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """The multiple of the floor, None without one."""
        return self.value / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met, None where none applies."""
        if self.bar is None or self.bar.ports not in (None, self.ports):
            return None
        held = self.ratio if self.bar.is_ratio else self.value
        return held is not None and held <= self.bar.limit

    def __str__(self) -> str:
        floor = f"{_number(self.floor)} {self.unit}" if self.floor is not None else ""
        ratio = f"{_number(self.ratio)}x" if self.ratio is not None else ""
        line = (
            f"{self.ports:>7}  {self.name:<46} {_number(self.value):>8} {self.unit:<3} "
            f"{floor:>12} {ratio:>7}  "
        )
        if self.is_met is None or self.bar is None:
            return line.rstrip()
        unit = "x" if self.bar.is_ratio else f" {self.unit}"
        return f"{line}{'met' if self.is_met else 'NOT met'}: <= {self.bar.limit:g}{unit}"


_HEADING = f"{'ports':>7}  {'figure':<46} {'value':>12} {'floor':>12} {'ratio':>7}  bar"


@dataclass
class Report:
    """Prints figures as they come, and keeps them."""

    machine: str
    figures: list[Figure] = field(default_factory=list)

    def begin(self) -> None:
        """Print what the columns mean."""
        print(f"{self.machine}\n{_HEADING}", flush=True)

    def add(
        self,
        ports: int,
        name: str,
        unit: str,
        value: float,
        floor: float | None = None,
        bar: Bar | None = None,
    ) -> None:
        """Take one figure."""
        figure = Figure(ports, name, unit, value, floor, bar)
        self.figures.append(figure)
        print(figure, flush=True)

    def add_growth(self, names: Sequence[str]) -> None:
        """Compare figures of the largest size, as values, with those of the smallest."""
        sizes = sorted({figure.ports for figure in self.figures})
        if len(sizes) < 2:
            return
        values = {(figure.ports, figure.name): figure for figure in self.figures}
        for name in names:
            small, large = values[sizes[0], name], values[sizes[-1], name]
            label = f"{name}, against {sizes[0]} ports"
            self.add(sizes[-1], label, large.unit, large.value, small.value, GROWTH)

    def write(self, file: Path) -> None:
        """Write everything as JSON."""
        figures = [
            {**asdict(figure), "ratio": figure.ratio, "met": figure.is_met}
            for figure in self.figures
        ]
        file.write_text(json.dumps({"machine": self.machine, "figures": figures}, indent=2) + "\n")


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
