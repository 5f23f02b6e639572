"""What an engine saw end, and no runner told: by an event, by a question, in any order and any number of times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestration.engines.base import Capacity, ExecutionReport, OpenExecution, Piece, Report, Try
from orchestration.errors import EngineUnavailable, EventRefused
from orchestration.execution import stopping, sweep, unknown
from orchestration.execution.witness import settle, witness
from orchestration.models import Attempt, Job
from orchestration.services.claims import claim
from orchestration.services.events import record_event
from orchestration.states import AttemptState, ExecutionState, FailureKind, JobState, WaitingReason
from tests.orchestration.play import TWO_STEPS
from tests.orchestration.test_claims import BATCH_JOB, container, play, right_to, two_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_django import Settings

    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

AT: Final = datetime(2026, 11, 28, tzinfo=UTC)
GONE: Final = "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated."
MACHINE: Final = "arn:aws:states:eu-west-1:123456789012:stateMachine:esteira"
QUEUE: Final = "arn:aws:batch:eu-west-1:123456789012:job-queue/esteira"
CELL: Final = {"state_machine": MACHINE, "queue": QUEUE, "image": "i", "log_group": "g", "server": "https://e.example"}


def piece(job: Job, child: int | None = 0, *, tries: tuple[Try, ...] = (), **fields: Any) -> Piece:
    ref = BATCH_JOB if child is None else f"{BATCH_JOB}:{child}"
    given = {"state": AttemptState.RUNNING, "execution": job.execution_name, "step": "convert", "index": child}
    return Piece(**{"ref": ref, "tries": tries, **given, **fields})


def interrupted(number: int = 1) -> Try:
    return Try(number, AttemptState.FAILED, None, FailureKind.INTERRUPTED, GONE, AT, AT)


def ends(job: Job) -> list[tuple[int, int, str, str]]:
    found = Attempt.objects.filter(job=job).order_by("step", "item_index", "number")
    return [(a.item_index, a.number, a.state, a.failure_kind) for a in found]


def test_machine_that_went_away_ends_what_its_container_held_and_nothing_else(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    for child in (0, 1):
        claim(right=right_to(job), container=container(child))
    assert witness(piece(job, 0, tries=(interrupted(),))) == 1
    assert ends(job) == [
        (0, 1, "FAILED", "INTERRUPTED"),
        (0, 2, "QUEUED", ""),
        (1, 1, "STARTING", ""),
        (2, 1, "QUEUED", ""),
    ]
    assert Attempt.objects.get(item_index=0, number=1).detail == GONE


def test_the_same_news_again_is_none(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    claim(right=right_to(job), container=container())
    news = piece(job, tries=(interrupted(),))
    assert [witness(news), witness(news)] == [1, 0]


def test_news_of_an_earlier_container_does_not_touch_the_one_that_took_over(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    claim(right=right_to(job), container=container(attempt=2))
    assert witness(piece(job, tries=(interrupted(1),))) == 0
    assert ends(job) == [(0, 1, "STARTING", "")]


def test_container_that_runs_is_no_news(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    claim(right=right_to(job), container=container())
    assert witness(piece(job, tries=(Try(1, AttemptState.RUNNING, started_at=AT),))) == 0


def test_container_that_ended_well_without_a_report_is_our_failure(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    claim(right=right_to(job), container=container())
    assert witness(piece(job, tries=(Try(1, AttemptState.SUCCEEDED, 0, ended_at=AT),))) == 1
    assert ends(job)[0] == (0, 1, "FAILED", "PLATFORM")
    assert Attempt.objects.get(number=1).detail == "The container ended, and its runner had not reported."


def test_reported_end_stands(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    play(claim(right=right_to(job), container=container()))
    assert witness(piece(job, tries=(interrupted(),))) == 0
    assert ends(job)[0] == (0, 1, "SUCCEEDED", "")


def test_step_that_no_container_took_up_fails_with_the_reason(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=2)
    said = "CannotPullContainerError: no such image"
    whole = piece(job, None, state=AttemptState.FAILED, failure_kind=FailureKind.PLATFORM, detail=said, size=2)
    assert witness(whole) == 2
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == (JobState.FAILED, "PLATFORM")
    assert {a.detail for a in Attempt.objects.filter(job=job)} == {f"No container took it up. {said}"}


def test_child_that_ended_leaves_the_others_to_theirs(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=2)
    assert witness(piece(job, 0, state=AttemptState.FAILED, failure_kind=FailureKind.PLATFORM)) == 0


def test_news_of_another_run_is_none(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    other = piece(job, None, state=AttemptState.FAILED, execution=f"{job.pk}-r2")
    assert witness(other) == 0
    assert witness(piece(job, None, state=AttemptState.FAILED, execution="somebody's own")) == 0


def test_reason_for_waiting_is_shown(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    said = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no machine is to be had"
    witness(piece(job, None, state=AttemptState.QUEUED, waiting=WaitingReason.CAPACITY, detail=said))
    job.refresh_from_db()
    assert (job.waiting_reason, job.waiting_detail) == (WaitingReason.CAPACITY, f"Step convert: {said}")


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        (ExecutionState.FAILED, JobState.FAILED),
        (ExecutionState.TIMED_OUT, JobState.TIMED_OUT),
        (ExecutionState.CANCELED, JobState.CANCELED),
        (ExecutionState.SUCCEEDED, JobState.FAILED),
    ],
)
def test_execution_that_is_over_starts_nothing_more(
    owner: User, lab: Workspace, state: ExecutionState, ended: JobState
) -> None:
    job = two_steps(owner, lab, items=1)
    settle(ExecutionReport(job.execution_name, state, "States.Runtime", AT))
    job.refresh_from_db()
    assert job.state == ended


def test_item_is_not_tried_again_in_an_execution_that_is_over(owner: User, lab: Workspace) -> None:
    """However often its step may be tried: one question tells it all, and not one for each try."""
    again = TWO_STEPS.replace("{attempts: 2, on: [interrupted]", "{attempts: 9, on: [interrupted, platform]")
    job = two_steps(owner, lab, items=1, text=again)
    assert settle(ExecutionReport(job.execution_name, ExecutionState.FAILED, "States.Runtime", AT)) == 1
    assert ends(job) == [(0, 1, "FAILED", "PLATFORM")]
    job.refresh_from_db()
    assert job.state == JobState.FAILED


@pytest.mark.parametrize("state", [ExecutionState.RUNNING, ExecutionState.UNKNOWN])
def test_execution_that_runs_or_that_nobody_knows_says_nothing(
    owner: User, lab: Workspace, state: ExecutionState
) -> None:
    job = two_steps(owner, lab, items=1)
    assert settle(ExecutionReport(job.execution_name, state)) == 0
    assert ends(job) == [(0, 1, "QUEUED", "")]


SAID: Final = {"jobId": "a", "jobName": "b", "jobQueue": QUEUE, "status": "FAILED"}

# -- events ------------------------------------------------------------------------------------------------------------


def batch_event(job: Job, **detail: Any) -> dict[str, Any]:
    described = {
        "jobId": f"{BATCH_JOB}:0",
        "jobName": f"{job.execution_name}-convert",
        "jobQueue": QUEUE,
        "status": "RUNNABLE",
        "arrayProperties": {"index": 0},
        "attempts": [{"container": {}, "statusReason": GONE, "startedAt": 1, "stoppedAt": 2}],
    }
    return {
        "source": "aws.batch",
        "detail-type": "Batch Job State Change",
        "account": "123456789012",
        "region": "eu-west-1",
        "detail": described | detail,
    }


def test_event_of_a_batch_job_is_recorded(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.AWS_CELL = CELL
    job = two_steps(owner, lab, items=1)
    claim(right=right_to(job), container=container())
    for _ in range(2):
        record_event(body=json.dumps(batch_event(job)))
    assert ends(job) == [(0, 1, "FAILED", "INTERRUPTED"), (0, 2, "QUEUED", "")]


def test_event_of_an_execution_is_recorded(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.AWS_CELL = CELL
    job = two_steps(owner, lab, items=1)
    detail = {"name": job.execution_name, "stateMachineArn": MACHINE, "status": "ABORTED", "stopDate": 5}
    event = batch_event(job) | {"source": "aws.states", "detail-type": "Step Functions Execution Status Change"}
    record_event(body=json.dumps(event | {"detail": detail}))
    job.refresh_from_db()
    assert job.state == JobState.CANCELED


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "210987654321"},
        {"region": "us-east-1"},
        {"source": "aws.ecs"},
        {"detail": {}},
        {"detail": {"jobId": "a", "jobName": "b", "jobQueue": QUEUE, "status": "SLEEPING"}},
        {"detail": {"jobId": "a", "jobName": "b", "jobQueue": f"{QUEUE}-other", "status": "FAILED"}},
        {
            "detail": {
                "jobId": "a",
                "jobName": "b",
                "jobQueue": QUEUE,
                "status": "FAILED",
                "attempts": [{"stoppedAt": "x"}],
            }
        },
    ],
)
def test_event_that_is_not_ours_or_not_one_is_refused(
    owner: User, lab: Workspace, settings: Settings, wrong: dict[str, Any]
) -> None:
    settings.AWS_CELL = CELL
    job = two_steps(owner, lab, items=1)
    with pytest.raises(EventRefused):
        record_event(body=json.dumps(batch_event(job) | wrong))


def test_event_where_jobs_run_on_this_machine_is_refused(owner: User, lab: Workspace) -> None:
    with pytest.raises(EventRefused, match="ESTEIRA_ENGINE"):
        record_event(body=json.dumps(batch_event(two_steps(owner, lab, items=1))))


# -- the reconciler ----------------------------------------------------------------------------------------------------


class Played:
    """An engine that answers what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.found = Report()
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.stops: list[bool | Exception] = []
        self.stopped: list[str] = []
        self.open: tuple[OpenExecution, ...] = ()
        self.pieces: list[tuple[str, ...]] = []

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        self.asked += [(spec.name, spec.pieces) for spec in specs]
        assert looks > 0
        return self.found

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        self.stopped.append(f"{spec.name}: {reason}")
        self.pieces.append(spec.pieces)
        answer = self.stops.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open_executions(self) -> tuple[OpenExecution, ...]:
        return self.open

    def capacity(self) -> Capacity:
        return Capacity(1)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    for module in (sweep, stopping, unknown):
        monkeypatch.setattr(module, "get_engine", lambda _name: played)
    return played


def test_reconciler_asks_about_the_pieces_that_hold_something(owner: User, lab: Workspace, engine: Played) -> None:
    job = two_steps(owner, lab, items=2)
    claim(right=right_to(job), container=container(1))
    engine.found = Report(pieces=(piece(job, 1, tries=(interrupted(),)),))
    assert sweep.reconcile() == 1
    assert engine.asked == [(job.execution_name, (f"{BATCH_JOB}:1",))]
    assert (1, 1, "FAILED", "INTERRUPTED") in ends(job)


def test_engine_that_does_not_answer_does_not_keep_jobs_from_going_on(
    owner: User, lab: Workspace, engine: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_steps(owner, lab, items=1)

    def silent(*_: Any, **__: Any) -> Report:
        raise EngineUnavailable("Waiting for AWS.")

    monkeypatch.setattr(engine, "report", silent)
    monkeypatch.setattr(sweep, "advance_stalled", lambda: 7)
    assert sweep.reconcile() == 7
