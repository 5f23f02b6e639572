"""The model of costs: what it is made of, and whether the budgets hold it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.cost import model
from deploy.cost.model import HERE, SCENARIOS, Prices, month, scenario, table
from tests.infra.blocks import ENVIRONMENTS, TERRAFORM, of_kind

ROOM = 1.2
PRICES = Prices.read()


def told(**changes: Any) -> dict[str, float]:
    return month(scenario("prod") | changes, PRICES)


def test_without_files_only_what_always_runs_costs() -> None:
    costs = told(files_a_day=0)

    assert [costs[what] for what in ("steps", "state machine", "files", "malware scan", "events")] == [0] * 5
    assert costs["database"] > 0 < costs["cluster and its machines"]


@pytest.mark.parametrize("what", ["steps", "files"])
def test_twice_the_files_cost_twice(what: str) -> None:
    assert told(files_a_day=2_000)[what] == pytest.approx(2 * told(files_a_day=1_000)[what])


def test_state_machine_costs_no_more_than_the_platform_starts() -> None:
    most = told(files_a_day=432_000)["state machine"]
    assert told(files_a_day=10_000_000)["state machine"] == pytest.approx(most)
    assert told(files_a_day=43_200)["state machine"] == pytest.approx(most / 10)


def test_nights_off_save_what_sleeps() -> None:
    awake, asleep = told(awake_share=1), told(awake_share=0.357)
    assert asleep["database"] < awake["database"]
    assert asleep["edge"] == awake["edge"]


def test_spot_is_cheaper_and_scanning_is_not() -> None:
    assert told(spot_share=1)["steps"] == pytest.approx(told(spot_share=0)["steps"] * PRICES["spot_share"])
    assert told(scans=True)["malware scan"] > told(scans=False)["malware scan"] == 0


def test_files_that_are_kept_longer_cost_more_by_their_class() -> None:
    year = 30 * 0.023 + 60 * 0.0125 + 275 * 0.004
    assert model._gb_days(365, PRICES) == pytest.approx(year)


def test_every_price_says_where_it_is_from_and_whether_it_was_looked_up() -> None:
    for name, price in PRICES.ours.items():
        assert set(price) == {"value", "unit", "source", "as_of", "confirmed"}, name
        assert price["source"].startswith("https://aws.amazon.com/"), name


def test_classes_are_those_of_the_rules_and_of_the_products_own_prices() -> None:
    rules = (TERRAFORM / "modules/file_store/main.tf").read_text(encoding="utf-8")
    assert "STANDARD_IA = 30, GLACIER_IR = 90" in rules
    moved = yaml.safe_load(model.PRODUCT.read_text(encoding="utf-8"))["storage"]
    assert tuple((one["from_days"], one["price"]) for one in moved) == model.CLASSES


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_budget_holds_the_model_with_room(environment: str) -> None:
    guard = next(one for one in of_kind(TERRAFORM / "envs" / environment, "module") if one.name == "cost_guard")
    assert guard.body["usd_a_month"] >= ROOM * sum(month(scenario(environment), PRICES).values())


def test_readme_shows_the_table() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- table -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == table(), "make infra-docs writes it"
    assert len(SCENARIOS) == 3
