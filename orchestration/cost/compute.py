"""What a try of a step costs: its share of a machine for as long as it ran."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable
    from orchestration.spec.model import Resources, StepSpec

HOUR_S: Final = 3600
GIB: Final = 1 << 30
EXACT: Final = Decimal("0.00000001")
"""USD that rows keep: a second of a vCPU is a thousandth of a cent."""


def is_spot(step: StepSpec, number: int) -> bool:
    """Whether try `number` of an item runs on spot: the first ones, and from then on what cannot be taken away."""
    return step.spot is not None and number <= step.spot.attempts


def rate(table: PriceTable, needs: Resources, *, spot: bool) -> Decimal | None:
    """USD a second. None where the table does not say what something of it costs."""
    prices = table.prices
    if (needs.gpu and "gpu_hour" not in prices) or (spot and "spot_share" not in prices):
        return None
    hour = Decimal(str(needs.vcpu)) * prices["vcpu_hour"].value
    hour += Decimal(needs.memory_bytes) / GIB * prices["memory_gib_hour"].value
    if needs.gpu:
        hour += needs.gpu * prices["gpu_hour"].value
    if spot:
        hour *= prices["spot_share"].value
    return hour / HOUR_S


def cost(table: PriceTable, needs: Resources, seconds: Decimal, *, spot: bool) -> Decimal | None:
    """Whole seconds are billed, begun ones too."""
    per_second = rate(table, needs, spot=spot)
    if per_second is None:
        return None
    return (per_second * seconds.to_integral_value(ROUND_UP)).quantize(EXACT)
