"""Where there is too little for all, every workspace has its turn; within one, priority decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.engines.base import Allowance, Pace
from orchestration.execution import pacing
from orchestration.execution.admission import admit
from orchestration.execution.dispatch import dispatch
from orchestration.execution.pacing import PICK
from orchestration.models import Job, StepRun, Workspace
from orchestration.states import JobState
from tests.factories import join, make_file, make_job, make_user, make_workspace, publish_pipeline
from tests.orchestration.clock import clock
from tests.orchestration.paced import paced
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User
    from tests.orchestration.paced import PacedEngine

__all__ = ["clock", "paced"]  # fixtures

pytestmark = pytest.mark.django_db
ONE_BY_ONE = Pace((Allowance("test/one", per_second=0.1, burst=1, each_start=1, says="One by one."),))


@pytest.fixture
def turns(paced: PacedEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The workspaces of the jobs that are handed over, one for each time that a dispatcher comes."""
    monkeypatch.setattr(pacing, "STAY_S", 1.0)
    paced.pace = ONE_BY_ONE

    def take() -> Iterator[str]:
        while True:
            dispatch(pause=paced.clock.sleep)
            found = Job.run_of(paced.order[-1])
            assert found
            yield Job.objects.get(pk=found[0]).workspace.slug
            paced.clock.sleep(10)

    return take()


def crowd(user: User, workspace: Workspace, number: int) -> None:
    """Many queued jobs, the first of them with all that a dispatcher looks at."""
    version = publish_pipeline()
    made = {"workspace": workspace, "created_by": user, "pipeline_version": version, "state": JobState.QUEUED}
    jobs = Job.objects.bulk_create([Job(**made) for _ in range(number)], batch_size=2_000)
    StepRun.objects.bulk_create([StepRun(job=job, name="nothing", position=0) for job in jobs[:PICK]])


def in_workspace(slug: str, number: int) -> Workspace:
    user, workspace = make_user(slug), make_workspace(slug)
    join(user, workspace)
    file = make_file(workspace, user)
    for _ in range(number):
        submitted(user, files=(file,))
    return workspace


def test_workspace_with_ten_thousand_queued_jobs_does_not_starve_one_with_one(
    turns: Iterator[str], owner: User, lab: Workspace, settings: Settings
) -> None:
    settings.MAX_ACTIVE_JOBS = 20_000
    crowd(owner, lab, 10_000)
    in_workspace("small", 1)
    assert [next(turns) for _ in range(4)].count("small") == 1


def test_workspaces_take_turns_however_many_dispatchers_come_and_go(turns: Iterator[str]) -> None:
    publish_pipeline()
    for slug, number in (("many", 6), ("few", 2), ("one", 1)):
        in_workspace(slug, number)
    order = [next(turns) for _ in range(9)]
    assert sorted(order[:3]) == ["few", "many", "one"]
    assert sorted(order[3:5]) == ["few", "many"]
    assert order[5:] == ["many"] * 4


def test_more_workspaces_than_are_looked_at_together_all_come_to_their_turn(
    turns: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "PICK", 2)
    publish_pipeline()
    for number in range(5):
        in_workspace(f"w{number}", 2)
    order = [next(turns) for _ in range(10)]
    assert len(set(order[:5])) == len(set(order[5:])) == 5


def test_priority_decides_within_a_workspace_and_jumps_no_queue_of_others(
    turns: Iterator[str], paced: PacedEngine
) -> None:
    publish_pipeline()
    urgent = in_workspace("urgent", 2)
    user = urgent.memberships.get().user
    last = submitted(user, files=(make_file(urgent, user),), priority=9)
    in_workspace("patient", 1)
    assert sorted(next(turns) for _ in range(2)) == ["patient", "urgent"]
    assert last.execution_name in paced.order[:2]


def test_last_slots_of_the_platform_are_shared_too(settings: Settings, owner: User, lab: Workspace) -> None:
    publish_pipeline()
    settings.MAX_ACTIVE_JOBS = 2
    file = make_file(lab, owner)
    jobs = [submitted(owner, files=(file,)) for _ in range(5)]
    dispatch()
    small = in_workspace("small", 1)
    dispatch()
    assert {job.waiting_detail for job in Job.objects.filter(state=JobState.WAITING)} == {
        "The platform already has 2 active jobs, its limit."
    }
    run_all(jobs[0])
    dispatch()
    assert Job.objects.get(workspace=small).state != JobState.WAITING


def test_share_that_one_does_not_use_is_the_others(settings: Settings, owner: User, lab: Workspace) -> None:
    settings.MAX_ACTIVE_JOBS = 6
    publish_pipeline()
    in_workspace("small", 1)
    for _ in range(9):
        make_job(owner, lab)
    admit()
    active = Job.objects.active()
    assert (active.filter(workspace=lab).count(), active.count()) == (5, 6)
