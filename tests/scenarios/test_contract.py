"""Every scenario on every engine it makes sense on: the same end, the same sequence of events (README.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from orchestration.engines.leasing import lost_report
from orchestration.engines.local import supervisor
from orchestration.engines.step_functions.plan import FanOut
from tests.scenarios.play import play
from tests.scenarios.scenario import ENGINES, Scenario, scenarios
from tests.scenarios.verdict import differences

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.engines.base import AttemptReport
    from tests.scenarios.conftest import Worlds

ALL = {scenario.name: scenario for scenario in scenarios()}
FEWEST = 60


def on(engine: str) -> list[pytest.MarkDecorator]:
    """One worker of pytest-xdist has all of an engine, so that it is set up once."""
    return [pytest.mark.xdist_group(f"contract-{engine}"), pytest.mark.timeout(120)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" not in metafunc.fixturenames:
        return
    is_full = metafunc.config.getoption("--campaign") == "full"
    chosen = [scenario for scenario in ALL.values() if is_full or not scenario.campaign]
    metafunc.parametrize(
        ("engine", "scenario"),
        [_run(engine, scenario) for engine in ENGINES for scenario in chosen if engine in scenario.engines],
    )


def _run(engine: str, scenario: Scenario) -> Any:
    marks = on(engine)
    if scenario.xfail:
        marks.append(pytest.mark.xfail(reason=scenario.xfail, strict=True))
    return pytest.param(engine, scenario, id=f"{engine}-{scenario.name}", marks=marks)


def test_scenario(worlds: Worlds, engine: str, scenario: Scenario, tmp_path: Path) -> None:
    played = play(scenario, worlds.of(engine), tmp_path)

    assert not differences(played), "\n".join(differences(played))


def test_there_are_enough_for_both_engines() -> None:
    assert sum(not scenario.only and not scenario.campaign for scenario in ALL.values()) >= FEWEST


# -- the suite can fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [pytest.param("aws", marks=on("aws"))])
def test_engine_that_forgets_what_is_tolerated_is_seen(worlds: Worlds, engine: str, tmp_path: Path) -> None:
    """The state machine stops at the failed child, and no container comes for the next step."""
    with mock.patch.object(FanOut, "tolerated_children", 0):
        played = play(ALL["failures-tolerated"].renamed("intolerant"), worlds.of(engine), tmp_path)

    assert [found for found in differences(played) if found.startswith("b: expected 'RUNNING SUCCEEDED'")]


@pytest.mark.parametrize("engine", [pytest.param("local", marks=on("local"))])
def test_engine_that_blames_the_wrong_one_is_seen(worlds: Worlds, engine: str, tmp_path: Path) -> None:
    def blaming(*words: Any, **named: Any) -> AttemptReport:
        report = lost_report(*words, **named)
        return type(report)(report.attempt_id, report.state, fence=report.fence, failure_kind="USER_CODE")

    with mock.patch.object(supervisor, "lost_report", blaming):
        played = play(ALL["host-killed-at-the-last-attempt"].renamed("blaming"), worlds.of(engine), tmp_path)

    assert "failure_kind: expected 'INTERRUPTED', was 'USER_CODE'" in differences(played)


@pytest.mark.parametrize("engine", [pytest.param(engine, marks=on(engine)) for engine in ENGINES])
def test_another_sequence_than_expected_is_seen(worlds: Worlds, engine: str, tmp_path: Path) -> None:
    one_step = ALL["one-step"].renamed("expects-more")
    wanted = "1:STARTING 1:RUNNING 1:FAILED/INTERRUPTED 2:STARTING 2:RUNNING 2:SUCCEEDED SUCCEEDED"
    one_step.expect.events["a[0]"] = wanted

    played = play(one_step, worlds.of(engine), tmp_path)

    was = "1:STARTING 1:RUNNING 1:SUCCEEDED SUCCEEDED"
    assert differences(played) == [f"a[0]: expected {wanted!r}, was {was!r}"]
