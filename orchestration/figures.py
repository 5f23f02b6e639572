"""Numbers, sizes, money and days, as the language that is active writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import formats, timezone
from django.utils.translation import gettext

from orchestration.cost.wording import SMALLEST, dollars

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal

KIB: Final = 1024


def whole(number: int) -> str:
    return formats.number_format(number, force_grouping=True)


def tenths(number: float) -> str:
    return formats.number_format(number, decimal_pos=1)


def size_words(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < KIB:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{tenths(size_bytes)} {unit}"
        size_bytes /= KIB
    return f"{tenths(size_bytes)} TiB"


def money(usd: Decimal) -> str:
    """`$1,234.50`, and as Brazil writes it, `US$ 1.234,50`."""
    text = dollars(usd)
    if text.startswith("$"):
        figure = text[1:].replace(",", " ").replace(".", formats.get_format("DECIMAL_SEPARATOR"))
        return gettext("$%(figure)s") % {"figure": figure.replace(" ", formats.get_format("THOUSAND_SEPARATOR"))}
    return gettext("less than $%(figure)s") % {"figure": formats.number_format(SMALLEST, decimal_pos=4)}


def day(at: datetime) -> str:
    """`3 Dec 2026`, at the clock that is active."""
    return calendar_day(timezone.localtime(at))


def calendar_day(at: date) -> str:
    return formats.date_format(at, "DATE_FORMAT")


def month(at: date) -> str:
    return formats.date_format(at, "YEAR_MONTH_FORMAT")
