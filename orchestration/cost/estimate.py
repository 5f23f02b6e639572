"""What a job will cost, before it runs: by how long its steps took of late, or else by their time-outs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestration.cost.compute import cost, is_spot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestration.cost.table import PriceTable
    from orchestration.spec.model import StepSpec

WEIGHT: Final = Decimal("0.3")
"""Of each try against all before it: the last ten or so count."""


class Basis(StrEnum):
    MEASURED = "measured"
    TIMEOUTS = "timeouts"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Estimate:
    usd: Decimal
    basis: Basis


def smoothed(seconds: Iterable[Decimal]) -> Decimal | None:
    """Exponentially weighted, the oldest first."""
    mean: Decimal | None = None
    for one in seconds:
        mean = one if mean is None else WEIGHT * one + (1 - WEIGHT) * mean
    return mean


def estimate(table: PriceTable, steps: Sequence[tuple[StepSpec, int]], took: Mapping[str, Decimal]) -> Estimate | None:
    """Of steps with so many items each, all tried once. `took` are seconds by step. None: something has no price."""
    total = Decimal(0)
    for step, items in steps:
        seconds = took.get(step.name, Decimal(step.timeout_s))
        one = cost(table, step.resources, seconds, spot=is_spot(step, 1))
        if one is None:
            return None
        total += one * items
    measured = sum(step.name in took for step, _ in steps)
    basis = Basis.MEASURED if measured == len(steps) else Basis.MIXED if measured else Basis.TIMEOUTS
    return Estimate(total, basis)
