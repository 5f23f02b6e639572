"""What keeping bytes costs from the day they came to the day they go, class after class."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from orchestration.cost.compute import EXACT

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable

GB: Final = 10**9
MONTH_DAYS: Final = Decimal(730) / 24
"""As AWS counts: 730 hours."""


def keep(table: PriceTable, size: int, days: int) -> Decimal | None:
    """USD for `size` bytes over `days`. None where the table has no classes of storage."""
    if not table.storage:
        return None
    ends = [one.from_days for one in table.storage[1:]] + [max(days, table.storage[-1].from_days)]
    total = Decimal(0)
    for one, end in zip(table.storage, ends, strict=True):
        span = max(0, min(days, end) - one.from_days)
        total += one.price.value * span
    return (total * Decimal(size) / GB / MONTH_DAYS).quantize(EXACT)
