"""ESTEIRA_PRICES: which table of prices is used. On AWS the one that comes along; on this machine none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestration.cost.table import PACKAGED, BadPrices, PriceTable, load
from project import env

NONE: Final = "none"
AWS: Final = "aws"


def price_table(engine: str) -> PriceTable | None:
    """Stops the process where the table is not one."""
    named = env.text("ESTEIRA_PRICES") or (AWS if engine == "aws" else NONE)
    if named == NONE:
        return None
    try:
        return load(PACKAGED if named == AWS else Path(named))
    except BadPrices as exc:
        raise env.BadSetting("ESTEIRA_PRICES", named, f"aws, none, or the path of a table of prices. {exc}") from exc
