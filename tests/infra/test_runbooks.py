"""Every alarm leads to a heading that is there, and no heading is about an alarm that is gone."""

from __future__ import annotations

import re

from tests.infra.blocks import ROOT, TERRAFORM

OBSERVABILITY = TERRAFORM / "modules/observability"


def rung() -> set[str]:
    alarms = (OBSERVABILITY / "alarms.tf").read_text(encoding="utf-8")
    notices = (OBSERVABILITY / "notices.tf").read_text(encoding="utf-8")
    named = set(re.findall(r"^\s+\"?([a-z0-9-]+)\"?\s*=>? \{ namespace", alarms, flags=re.MULTILINE))
    told = set(re.findall(r"^    ([a-z-]+) = \{$", notices, flags=re.MULTILINE))
    assert len(named) > 20
    assert len(told) > 5
    return named | told | {"5xx-alb", "5xx-pods", "rule", "rule-lost", "rule-slowed"}


def test_every_alarm_has_its_runbook_and_no_other_is_there() -> None:
    page = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (\S+)$", page, flags=re.MULTILINE)) == rung()


def test_each_of_the_owners_questions_is_answered() -> None:
    page = (ROOT / "docs/questions.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([0-9]+) \|", page, flags=re.MULTILINE) == [str(number) for number in range(1, 15)]
