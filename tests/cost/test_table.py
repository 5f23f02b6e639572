"""A table of prices that is not one stops the process with a sentence; each price has its source and date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestration.cost.table import PACKAGED, BadPrices, load
from project.env import BadSetting
from project.price_table import price_table

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.cost.table import PriceTable

ONE: Any = {"value": "0.04", "unit": "USD for a vCPU for an hour", "source": "our own bill", "as_of": "2026-11-01"}


def write(folder: Path, **changes: Any) -> Path:
    said = {"name": "ours", "region": "here", "prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE}, **changes}
    path = folder / "ours.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def test_packaged_prices_all_say_where_they_were_read_and_when(table: PriceTable) -> None:
    for price in table.prices.values():
        assert price.source.startswith("https://")
        assert date(2026, 1, 1) <= price.as_of <= date(2026, 12, 31)
    assert table.label == f"aws-us-east-1 {table.as_of}"


def test_operator_names_a_table_of_her_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_PRICES", str(write(tmp_path)))
    found = price_table("local")

    assert found
    assert (found.label, found.prices["vcpu_hour"].value) == ("ours 2026-11-01", Decimal("0.04"))


@pytest.mark.parametrize(
    ("engine", "named", "found"), [("local", "", ""), ("aws", "", "aws-us-east-1"), ("aws", "none", "")]
)
def test_on_aws_the_packaged_table_is_used_and_on_this_machine_none(
    monkeypatch: pytest.MonkeyPatch, engine: str, named: str, found: str
) -> None:
    monkeypatch.setenv("ESTEIRA_PRICES", named)
    used = price_table(engine)

    assert (used.name if used else "") == found


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prices": {"vcpu_hour": ONE}}, "no price of memory_gib_hour"),
        ({"prices": {}}, "no price of vcpu_hour, memory_gib_hour"),
        ({"prices": None}, "has no `prices`"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE | {"value": "-1"}}}, "-1 is no price"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE | {"value": "NaN"}}}, "NaN is no price"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE | {"as_of": "soon"}}}, "as_of are needed"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE | {"source": " "}}}, "where it was read"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": 3}}, "memory_gib_hour: value"),
        ({"prices": {"vcpu_hour": ONE, "memory_gib_hour": ONE, "gpu_hours": ONE}}, "nothing asks for gpu_hours"),
        ({"storage": [{"from_days": 0, "price": "gold"}]}, "name of a price"),
        ({"storage": [{"from_days": 1, "price": "vcpu_hour"}]}, "begin at day 0"),
        ({"name": "n" * 61}, "longer than 60"),
    ],
)
def test_table_that_is_not_one_stops_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, sentence: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(BadPrices, match=sentence):
        load(path)
    monkeypatch.setenv("ESTEIRA_PRICES", str(path))
    with pytest.raises(BadSetting, match="ESTEIRA_PRICES"):
        price_table("aws")


def test_table_that_is_not_there_stops_the_process(tmp_path: Path) -> None:
    with pytest.raises(BadPrices, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")
    assert PACKAGED.exists()
