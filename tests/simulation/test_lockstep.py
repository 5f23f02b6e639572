"""The model of the simulation is the product: random histories, with kills and faults, leave the same rows in both."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from orchestration.engines import leasing
from orchestration.execution import advance, dispatch, record, stopping, sweep
from orchestration.services import claims, engine_events, jobs, reruns, runner
from tests.orchestration.clock import Clock, clock
from tests.simulation.engine import CELL
from tests.simulation.lockstep import LockStep
from tests.simulation.real import Real

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.simulation.history import Outcome

__all__ = ["clock"]  # a fixture

pytestmark = pytest.mark.django_db

SHORT = 4
FULL = 200
WITH_POINTS = (leasing, advance, dispatch, record, stopping, claims, engine_events, jobs, reruns, runner)
WITH_ENGINE = (dispatch, stopping, sweep)
ALWAYS = SimpleNamespace(random=lambda: 0.5, shuffle=lambda rows: rows.sort(key=lambda job: str(job.pk)))


@pytest.fixture
def real(owner: User, lab: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Real:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(CELL)
    made = Real(owner, lab)
    for module in WITH_POINTS:
        monkeypatch.setattr(module, "point", made.points)
    for module in WITH_ENGINE:
        monkeypatch.setattr(module, "get_engine", lambda _name: made.engine)
    for module in (record, dispatch, sweep):
        monkeypatch.setattr(module, "random", ALWAYS)
    return made


def seeds(config: pytest.Config) -> range:
    return range(FULL if config.getoption("--campaign") == "full" else SHORT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds(metafunc.config))


def played(seed: int, real: Real, clock: Clock) -> tuple[LockStep, Outcome]:
    clock.stop()
    history = LockStep(seed, real, clock)
    history.world.chaos = replace(history.world.chaos, slow=0.0)
    return history, history.run()


def test_product_that_parts_from_the_model_is_found(real: Real, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "finish_job", lambda *_, **__: None)
    _, outcome = played(1, real, clock)
    assert outcome.trouble.startswith("rows differ")


def test_product_and_model_leave_the_same_rows(seed: int, real: Real, clock: Clock) -> None:
    history, outcome = played(seed, real, clock)
    assert not outcome.trouble, "\n".join([*outcome.trace[-40:], outcome.trouble])
    assert history.acts > 10
