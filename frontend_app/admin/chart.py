"""Bars as numbers of an SVG: where each stands and how high it is. No script draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEIGHT: Final = 100.0
STEP: Final = 10.0
WIDE: Final = 8.0


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    height: float
    look: str


@dataclass(frozen=True, slots=True)
class Column:
    """`says` is for whoever cannot see the bars, and for the pointer."""

    x: float
    bars: list[Bar]
    says: str


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    width: float
    most: float


def stacked(columns: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> Chart:
    """Of each column what it says, and its pieces from the ground up: how they look, and how much they are."""
    most = max((sum(amount for _, amount in pieces) for _, pieces in columns), default=0.0)
    found = [_column(at, says, pieces, most or 1.0) for at, (says, pieces) in enumerate(columns)]
    return Chart(found, len(columns) * STEP, most)


def _column(at: int, says: str, pieces: Sequence[tuple[str, float]], most: float) -> Column:
    bars, ground = [], HEIGHT
    for look, amount in pieces:
        high = round(HEIGHT * amount / most, 2)
        ground = round(ground - high, 2)
        if amount:
            bars.append(Bar(at * STEP + 1, ground, high, look))
    return Column(at * STEP, bars, says)
