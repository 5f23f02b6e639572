from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.cost.table import PACKAGED, load

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.cost.table import PriceTable


@pytest.fixture
def table() -> PriceTable:
    return load(PACKAGED)


@pytest.fixture
def priced(settings: Settings, table: PriceTable) -> PriceTable:
    """As an operator who has named a table of prices."""
    settings.PRICES = table
    return table
