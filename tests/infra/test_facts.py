"""A plan that does not say what the owner's facts say is a fault."""

from __future__ import annotations

from typing import Any

from deploy.cost.model import Prices, scenario
from deploy.cost.plan import used
from tests.infra import facts
from tests.infra.facts import FACTS, PROD, STAGING, Fact


def plan_of(**resources: Any) -> dict[str, Any]:
    return {
        "resource_changes": [
            {"address": address.replace("__", "."), "mode": "managed", "change": {"after": after}}
            for address, after in resources.items()
        ]
    }


def test_empty_plan_has_none_of_the_facts() -> None:
    for name in ("staging", "prod"):
        assert len(list(facts.faults(name, plan_of()))) == sum(name in fact.where for fact in FACTS)


def test_another_value_is_a_fault_and_the_right_one_is_none() -> None:
    fact = Fact("it rotates", "a_key.x", ("rule", 0, "on"), value=True)
    for on, count in ((True, 0), (False, 1)):
        planned = facts.resources(plan_of(a_key__x={"rule": [{"on": on}]}))
        assert sum(facts._at(planned[fact.address], fact.path) != fact.value for _ in [fact]) == count
    assert facts._at({"rule": []}, fact.path) is None


def test_both_environments_have_facts_of_their_own() -> None:
    assert {STAGING, PROD} <= {fact.where for fact in FACTS}


def test_summary_counts_by_module() -> None:
    plan = plan_of(**{"module.keys.aws_kms_key.x": {}, "module.keys.aws_kms_alias.x": {}, "aws_x.y": {}})
    assert facts.summary(plan) == {"(root)": 1, "keys": 2}


def test_table_says_of_each_module_how_many_and_what_they_cost() -> None:
    others: dict[str, Any] = {f"module.{name}.aws_x.y": {} for name in used_by_prod()}
    plan = plan_of(**{"module.keys.aws_kms_key.x": {}, "module.keys.aws_kms_alias.x": {}} | others)
    shown = facts.table({"prod": plan})
    assert "| `keys` | 2 | 1 | 1 |" in shown
    assert f"| `events` | 1 | 0 | {used_by_prod()['events']:,.0f} |" in shown
    assert f"| **together** | {2 + len(others)} | 1 |" in shown


def used_by_prod() -> dict[str, float]:
    return used(scenario("prod"), Prices.read())
