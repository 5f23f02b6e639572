"""Money as people read it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
SMALLEST: Final = Decimal("0.0001")


def dollars(usd: Decimal) -> str:
    """`$1,234.50`; below a dollar with as many digits as say something; never nothing for what costs something."""
    if usd == 0:
        return "$0"
    if usd >= 1:
        return f"${usd.quantize(CENT, ROUND_HALF_UP):,}"
    if usd < SMALLEST:
        return "less than $0.0001"
    rounded = usd.quantize(SMALLEST, ROUND_HALF_UP)
    cents = rounded.quantize(CENT)
    return f"${cents if cents == rounded else rounded}"
