"""Every alert fires and stops in a test of its own, leads to a runbook, and rests on metrics that the code has."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from django.conf import settings
from django.db import connection

from api_app.client.cli import cli
from project.doctor.rounds import AREAS
from project.embedded.debian import PROMTOOL
from project.telemetry import http
from project.telemetry.platform import Platform

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "deploy" / "observability"
RULES: Final = HERE / "rules.yaml"
TESTS: Final = sorted((HERE / "tests").glob("*.yaml"))
GROUPS: Final = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS: Final = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
RECORDED: Final = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
SHELLCHECK: Final = Path(sys.executable).with_name("shellcheck")
SUFFIX: Final = re.compile(r"_(total|bucket|count|sum)$")


def promtool(*words: object) -> str:
    program = PROMTOOL.path()
    if program is None:
        pytest.skip("this machine has no promtool")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_can_be_read() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stop(path: Path) -> None:
    promtool("test", "rules", path)


def test_every_alert_is_tested_both_ways() -> None:
    fires, is_silent = set[str](), set[str]()
    for path in TESTS:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for one in case["alert_rule_test"]:
                (fires if one.get("exp_alerts") else is_silent).add(one["alertname"])
    assert fires == is_silent == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_alert_leads_to_a_runbook_that_names_it(name: str) -> None:
    runbook = ROOT / ALERTS[name]["annotations"]["runbook_url"]
    text = runbook.read_text(encoding="utf-8")
    short = re.sub(r"^ErrorBudgetBurn(?!1h)", "…", name)
    assert f"`{short}`" in text


@pytest.mark.django_db
def test_rules_and_runbooks_rest_on_metrics_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        family.name
        for metric in (http.REQUESTS, http.SECONDS, http.IN_PROGRESS, http.UNANSWERED)
        for family in metric.describe()
    }
    known |= _of_the_platform(monkeypatch)
    text = "\n".join(
        [
            RULES.read_text(),
            (ROOT / "docs" / "quarterly-review.md").read_text(),
            *EXPRESSIONS,
            *(path.read_text() for path in (ROOT / "docs" / "runbooks").glob("*.md")),
        ]
    )
    named = {SUFFIX.sub("", one) for one in re.findall(r"\besteira_[a-z_0-9]+", text)}
    assert named
    assert named <= known
    assert set(re.findall(r"\besteira:[a-z_]+:[a-z0-9]+", text)) <= RECORDED


def _of_the_platform(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(settings, "BROKER_URL", "pgmq://")
    found: list[Any] = list(Platform().collect())
    assert found[0].samples[0].value == 1
    return {family.name for family in found}


DASHBOARDS: Final = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "dashboards").glob("*.json")
}
PANELS: Final = [panel for board in DASHBOARDS.values() for panel in board["panels"]]
EXPRESSIONS: Final = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_dashboards_have_names_of_their_own_and_panels_ask_a_question_each() -> None:
    assert len(DASHBOARDS) == 3
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS)
    for board in DASHBOARDS.values():
        titles = [panel["title"] for panel in board["panels"]]
        assert all(title.endswith("?") for title in titles)
        assert len(set(titles)) == len(titles)
        assert all(target["datasource"]["uid"] == "${datasource}" for p in board["panels"] for target in p["targets"])


def test_panels_lie_side_by_side() -> None:
    for board in DASHBOARDS.values():
        places = [panel["gridPos"] for panel in board["panels"]]
        cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24


# What Grafana takes without a word where it does not know it: the panel then shows bare numbers, or nothing.
UNITS: Final = {"bool_yes_no", "cps", "percentunit", "reqps", "s", "short"}
FIELDS: Final = {
    "panel": {"id", "type", "title", "description", "gridPos", "datasource", "fieldConfig", "options", "targets"},
    "target": {"refId", "expr", "legendFormat", "datasource", "instant", "range"},
    "defaults": {"unit", "min", "max", "decimals", "thresholds", "custom", "color", "noValue", "mappings"},
}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_fields_that_grafana_knows(name: str) -> None:
    board = DASHBOARDS[name]
    assert [one["type"] for one in board["templating"]["list"] if one["name"] == "datasource"] == ["datasource"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel.keys() <= FIELDS["panel"], panel["title"]
        assert defaults.keys() <= FIELDS["defaults"], panel["title"]
        assert panel["type"] in {"stat", "timeseries"}
        assert defaults["unit"] in UNITS
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEF"[: len(letters)])
        assert letters
        for target in panel["targets"]:
            assert target.keys() <= FIELDS["target"], panel["title"]
            # Without one, two lines of a panel are told apart by braces full of labels.
            assert target["legendFormat"] or len(letters) == 1
        first, *steps = (step["value"] for step in defaults.get("thresholds", {"steps": [{"value": None}]})["steps"])
        assert first is None
        assert steps == sorted(steps)


def test_what_panels_ask_can_be_read(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(EXPRESSIONS)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(EXPRESSIONS)} rules" in promtool("check", "rules", tmp_path / "panels.yaml")


def test_every_metric_has_its_panel() -> None:
    """What nobody sees nobody needs."""
    shown = {SUFFIX.sub("", one) for one in re.findall(r"\besteira_[a-z_0-9]+", " ".join(EXPRESSIONS))}
    documented = {
        SUFFIX.sub("", one)
        for one in re.findall(r"`(esteira_[a-z_0-9]+)`", (ROOT / "docs/operate.md").read_text(encoding="utf-8"))
    }
    assert shown - {"esteira_database_connections_most"} == documented


RUNBOOKS: Final = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_runbook_has_the_form_that_is_known_at_night(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Runbook: ")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["First five minutes", "It is mended when", "If it is not", "Afterwards"]
    for target in re.findall(r"\]\(([^)#]+\.md)", text):
        assert (path.parent / target).exists()


@pytest.mark.parametrize("path", [*RUNBOOKS, ROOT / "docs" / "runbooks.md"], ids=lambda path: path.stem)
def test_commands_in_runbooks_are_whole(path: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    script = tmp_path / "commands.sh"
    # N, and what somebody has exported before.
    script.write_text("#!/bin/bash\nN=esteira-prod ADMIN_URL=postgresql:///\n" + "".join(blocks), encoding="utf-8")
    done = subprocess.run([SHELLCHECK, "--exclude=SC2034", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    esteira = [words for line in blocks for words in re.findall(r"^esteira .*$", line, re.MULTILINE)]
    for words in esteira:
        command: click.Command = cli
        rest = shlex.split(words, comments=True)[1:]
        context = click.Context(cli)
        while isinstance(command, click.Group):
            found = command.get_command(context, rest.pop(0))
            assert found, words
            command = found
        command.make_context(command.name, rest, parent=context).close()


def test_what_the_owner_asks_for_has_a_runbook() -> None:
    assert {path.stem for path in RUNBOOKS} >= {
        "database-unreachable", "queue-stuck", "application-errors", "outbox-stuck", "events-missing", "spot-drought",
        "quota-reached", "malware-found", "secret-rotation", "restore", "region-lost", "cost-spike",
    }  # fmt: skip


def test_commands_in_runbooks_are_those_that_there_are() -> None:
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        for words in re.findall(r"manage\.py doctor((?: [a-z]+)*)", path.read_text(encoding="utf-8")):
            assert set(words.split()) <= set(AREAS), path
