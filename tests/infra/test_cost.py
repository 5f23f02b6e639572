"""The model of costs: what it is made of, and whether the budgets hold it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.cost import model, plan
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
    assert model.gb_days(365, PRICES) == pytest.approx(year)


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


def stands(kind: str, environment: str = "prod", **after: Any) -> float:
    return plan.standing({f"module.one.{kind}.this": after}, scenario(environment), PRICES)["one"]


def test_what_stands_costs_by_its_size() -> None:
    spot = stands("aws_eks_node_group", capacity_type="SPOT", scaling_config=[{"min_size": 2}])
    assert spot == pytest.approx(
        2 * stands("aws_eks_node_group", capacity_type="SPOT", scaling_config=[{"min_size": 1}])
    )
    assert spot < stands("aws_eks_node_group", capacity_type="ON_DEMAND", scaling_config=[{"min_size": 2}])
    assert stands("aws_vpc_endpoint", vpc_endpoint_type="Gateway") == 0
    assert stands("aws_vpc_endpoint", vpc_endpoint_type="Interface") == pytest.approx(3 * 0.01 * 730)
    assert stands("aws_wafv2_web_acl", rule=[{}, {}]) == pytest.approx(7)
    assert stands("aws_iam_role") == 0


def test_alarm_costs_by_what_it_looks_at() -> None:
    share = [{"expression": "a/b"}, {"metric": [{}]}, {"metric": [{}]}]
    assert stands("aws_cloudwatch_metric_alarm", metric_query=share) == pytest.approx(0.2)
    assert stands("aws_cloudwatch_metric_alarm", metric_query=None) == pytest.approx(0.1)


def test_staging_pays_for_its_days() -> None:
    assert stands("aws_rds_cluster_instance", "staging") < stands("aws_rds_cluster_instance") / 2


def test_scenario_that_uses_what_is_not_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="events"):
        plan.by_module({"module.uploads.aws_s3_bucket.this": {}}, scenario("prod"), PRICES)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_files_add_is_what_the_model_says_of_them(name: str) -> None:
    """Both tables say the same of what is priced by use."""
    said, costs = scenario(name), month(scenario(name), PRICES)
    more = plan.used(said, PRICES)
    files = more["uploads"] + more["results"] + more["results_copy"]
    assert files == pytest.approx(costs["files"] + costs["malware scan"])
    nothing = plan.used(said | {"files_a_day": 0, "logs_gb": 0, "edge_gb": 0, "requests_million": 0}, PRICES)
    assert {module for module, cost in nothing.items() if cost} == {"database", "security_baseline"}


def test_page_of_the_plan_adds_up_to_the_model_and_fits_the_budgets() -> None:
    """The plan has what the scenarios assume, within a tenth."""
    page = (TERRAFORM / "PLAN.md").read_text(encoding="utf-8")
    numbers = [float(cell.replace(",", "")) for cell in page.rpartition("**together** |")[2].strip(" |\n").split("|")]
    for name, told in zip(ENVIRONMENTS, (numbers[2], numbers[5]), strict=True):
        assert told == pytest.approx(sum(month(scenario(name), PRICES).values()), rel=0.1), name
