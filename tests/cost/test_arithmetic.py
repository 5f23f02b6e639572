"""What tries, jobs and kept bytes cost, in exact numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.cost.compute import cost, is_spot, rate
from orchestration.cost.estimate import Basis, estimate, smoothed
from orchestration.cost.storage import keep
from orchestration.cost.table import PACKAGED, load
from orchestration.cost.wording import dollars
from orchestration.spec.model import Localised, Resources, Spot, StepSpec

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable

GIB = 1 << 30
MACHINE = Resources(vcpu=2, memory_bytes=8 * GIB)
CALM = settings(database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other tests run beside it
STEP = StepSpec(name="a", title=Localised({}), command=("true",), resources=MACHINE, timeout_s=3600)


def test_two_processors_and_eight_gib_for_an_hour_cost_what_that_machine_costs(table: PriceTable) -> None:
    assert cost(table, MACHINE, Decimal(3600), spot=False) == Decimal("0.1008")
    assert cost(table, Resources(vcpu=2, memory_bytes=4 * GIB), Decimal(3600), spot=False) == Decimal("0.08925")


def test_spot_costs_its_share_and_a_gpu_comes_on_top(table: PriceTable) -> None:
    assert cost(table, MACHINE, Decimal(3600), spot=True) == Decimal("0.03528")
    four = Resources(vcpu=4, memory_bytes=16 * GIB, gpu=1)
    assert cost(table, four, Decimal(3600), spot=False) == Decimal("1.006")


def test_seconds_that_have_begun_are_billed(table: PriceTable) -> None:
    assert cost(table, MACHINE, Decimal("0.1"), spot=False) == cost(table, MACHINE, Decimal(1), spot=False)
    assert cost(table, MACHINE, Decimal(0), spot=False) == 0


def test_what_has_no_price_costs_nobody_knows_what(table: PriceTable) -> None:
    prices = {name: price for name, price in table.prices.items() if name not in {"gpu_hour", "spot_share"}}
    poor = replace(table, prices=prices)

    assert rate(poor, replace(MACHINE, gpu=1), spot=False) is None
    assert rate(poor, MACHINE, spot=True) is None
    assert rate(poor, MACHINE, spot=False) == rate(table, MACHINE, spot=False)
    assert estimate(poor, [(STEP, 1), (replace(STEP, resources=replace(MACHINE, gpu=1)), 1)], {}) is None


def test_first_tries_are_on_spot_where_the_step_says_so() -> None:
    step = replace(STEP, spot=Spot(attempts=2))

    assert [is_spot(step, number) for number in (1, 2, 3)] == [True, True, False]
    assert not is_spot(STEP, 1)


def test_estimate_says_what_it_rests_on(table: PriceTable) -> None:
    other = replace(STEP, name="b")
    steps = [(STEP, 10), (other, 1)]
    by_timeouts = estimate(table, steps, {})
    mixed = estimate(table, steps, {"a": Decimal(36)})
    measured = estimate(table, steps, {"a": Decimal(36), "b": Decimal(36)})

    assert by_timeouts
    assert mixed
    assert measured
    assert (by_timeouts.usd, by_timeouts.basis) == (11 * Decimal("0.1008"), Basis.TIMEOUTS)
    assert (mixed.usd, mixed.basis) == (10 * Decimal("0.001008") + Decimal("0.1008"), Basis.MIXED)
    assert (measured.usd, measured.basis) == (11 * Decimal("0.001008"), Basis.MEASURED)


@CALM
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_smoothed_time_is_between_the_shortest_and_the_longest(milliseconds: list[int]) -> None:
    seconds = [Decimal(one) / 1000 for one in milliseconds]
    mean = smoothed(seconds)

    assert mean is not None
    assert min(seconds) - Decimal("0.001") <= mean <= max(seconds) + Decimal("0.001")


def test_late_tries_weigh_more_than_early_ones() -> None:
    assert smoothed([Decimal(100), Decimal(10)]) == 73
    assert smoothed([Decimal(10), Decimal(100)]) == 37
    assert smoothed([]) is None


def test_bytes_cost_less_the_longer_they_lie(table: PriceTable) -> None:
    terabyte, month = 10**12, Decimal(730) / 24
    days = [30, 60, 1736]
    prices = ["0.023", "0.0125", "0.004"]
    five_years = sum((1000 * Decimal(p) * d / month for p, d in zip(prices, days, strict=True)), Decimal(0))

    assert keep(table, terabyte, 1826) == five_years.quantize(Decimal("0.00000001"))
    assert keep(table, terabyte, 15) == (23 * 15 / month).quantize(Decimal("0.00000001"))
    assert keep(table, terabyte, 0) == 0
    assert keep(replace(table, storage=()), terabyte, 15) is None


@CALM
@given(size=st.integers(0, 10**15), days=st.integers(0, 4000), more=st.integers(0, 4000))
def test_keeping_longer_never_costs_less(size: int, days: int, more: int) -> None:
    table = load(PACKAGED)
    short, long = keep(table, size, days), keep(table, size, days + more)

    assert short is not None
    assert long is not None
    assert 0 <= short <= long


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        ("0", "$0"),
        ("0.00000001", "less than $0.0001"),
        ("0.00123", "$0.0012"),
        ("0.5", "$0.50"),
        ("0.99999", "$1.00"),
        ("1234.5", "$1,234.50"),
        ("1000000", "$1,000,000.00"),
    ],
)
def test_money_is_read_as_money(usd: str, said: str) -> None:
    assert dollars(Decimal(usd)) == said
