"""An operator lets an execution go on: on AWS, in the rows, with a name and a reason; or hears why it cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from orchestration.engines.base import ExecutionReport
from orchestration.errors import Conflict, EngineUnavailable, Forbidden, Invalid
from orchestration.execution import stopping
from orchestration.execution.witness import settle
from orchestration.models import Attempt, Event, Execution, Job
from orchestration.services.jobs import cancel
from orchestration.services.redrive import redrive
from orchestration.states import ExecutionState, JobState
from tests.engines.stepping import answered
from tests.engines.test_cancel_on_aws import job_in, on_aws
from tests.engines.wire import Fate
from tests.factories import make_user
from tests.orchestration.test_claims import two_steps

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

__all__ = ["on_aws"]

pytestmark = pytest.mark.django_db


def redrives(cloud: Cloud, status: int, code: str = "", message: str = "") -> None:
    """What AWS answers, which moto cannot."""
    said: dict[str, Any] = {"Error": {"Code": code, "Message": message}} if code else {"redriveDate": datetime.now(UTC)}
    events = cloud.engine.clients["stepfunctions"].meta.events
    events.register("before-call.stepfunctions.RedriveExecution", lambda **_: answered(dict(said), status=status))


@pytest.fixture
def job(on_aws: Cloud, owner: User, lab: Workspace) -> Job:
    return job_in("QUEUED", on_aws, owner, lab)


@pytest.fixture
def operator() -> User:
    user = make_user("olga", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_job"))
    return user


def said(job: Job) -> list[str]:
    found = Event.objects.filter(job_id=job.pk, kind="job", data__has_key="actor").order_by("id")
    return list(found.values_list("reason", flat=True))


def test_execution_goes_on_under_the_same_name_and_the_operator_s_is_kept(
    on_aws: Cloud, job: Job, operator: User
) -> None:
    redrives(on_aws, 200)
    redrive(user=operator, job=job, reason=" The role was wrong. ")
    (asked,) = on_aws.calls.params("RedriveExecution")
    assert asked["executionArn"].endswith(f":{job.execution_name}")
    assert said(job) == ["redrive asked by olga: The role was wrong."]
    job.refresh_from_db()
    assert (job.state, job.run) == (JobState.QUEUED, 1)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_late_news_of_the_end_before_the_redrive_changes_nothing(
    on_aws: Cloud, job: Job, operator: User, state: str
) -> None:
    redrives(on_aws, 200)
    before = timezone.now() - timedelta(seconds=5)
    redrive(user=operator, job=job, reason="The role was wrong.")
    late = ExecutionReport(job.execution_name, ExecutionState(state), "States.Permissions", before, may_be_late=True)
    assert settle(late) == 0
    assert settle(replace(late, ended_at=None)) == 0, "news without a date may be old"
    assert Attempt.objects.get().state == "QUEUED"
    after = ExecutionReport(late.name, late.state, "", timezone.now() + timedelta(seconds=5), may_be_late=True)
    assert settle(after) == 1, "it has ended again"


def test_news_without_a_date_counts_where_nothing_was_redriven(on_aws: Cloud, job: Job) -> None:
    assert settle(ExecutionReport(job.execution_name, ExecutionState.FAILED, "", may_be_late=True)) == 1


def test_what_aws_says_when_it_is_asked_is_true_whatever_the_clocks_say(
    on_aws: Cloud, job: Job, operator: User
) -> None:
    redrives(on_aws, 200)
    redrive(user=operator, job=job, reason="The role was wrong.")
    before = timezone.now() - timedelta(hours=1)
    assert settle(ExecutionReport(job.execution_name, ExecutionState.FAILED, "", before)) == 1


def test_execution_that_aws_will_not_redrive_is_a_clear_refusal(on_aws: Cloud, job: Job, operator: User) -> None:
    redrives(on_aws, 400, "ExecutionNotRedrivable", "Execution is RUNNING")
    with pytest.raises(Conflict, match=r"cannot be redriven.*Execution is RUNNING"):
        redrive(user=operator, job=job, reason="Why not.")
    assert [line.partition(":")[0] for line in said(job)] == ["redrive asked by olga", "not redriven"]
    assert Execution.objects.get().redriven_at is None


def test_aws_that_does_not_answer_is_later(on_aws: Cloud, job: Job, operator: User) -> None:
    on_aws.wire("RedriveExecution", [Fate.THROTTLED] * 3)
    with pytest.raises(EngineUnavailable):
        redrive(user=operator, job=job, reason="Why not.")
    assert Execution.objects.get().redriven_at is None


def test_execution_of_a_job_that_ended_at_the_same_moment_is_ended_again(
    on_aws: Cloud, job: Job, operator: User, owner: User
) -> None:
    redrives(on_aws, 200)
    Execution.objects.update(settled_at=timezone.now())
    redrive(user=operator, job=job, reason="The role was wrong.")
    cancel(user=owner, job=job)
    stopping.stop_unwanted()
    assert on_aws.batch.running() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"state": "FAILED", "failure_kind": "PLATFORM", "finished_at": "2026-11-29T00:00Z"}, "A retry goes on"),
        ({"cancel_requested_at": "2026-11-29T00:00Z"}, "being canceled"),
        ({"execution": None}, "not been handed over"),
    ],
)
def test_job_that_has_nothing_to_redrive_says_why(
    on_aws: Cloud, job: Job, operator: User, fields: dict[str, Any], sentence: str
) -> None:
    Job.objects.update(**fields)
    with pytest.raises(Conflict, match=sentence):
        redrive(user=operator, job=job, reason="Why not.")
    assert (said(job), on_aws.calls.count("RedriveExecution")) == ([], 0)


def test_job_on_this_machine_has_nothing_to_redrive(owner: User, lab: Workspace, operator: User) -> None:
    with pytest.raises(Conflict, match="goes on by itself"):
        redrive(user=operator, job=two_steps(owner, lab, items=1), reason="Why not.")


def test_owner_of_the_job_may_not_and_an_operator_must_say_why(
    on_aws: Cloud, job: Job, owner: User, operator: User
) -> None:
    with pytest.raises(Forbidden):
        redrive(user=owner, job=job, reason="I want it.")
    for reason in (" ", "x" * 501):
        with pytest.raises(Invalid):
            redrive(user=operator, job=job, reason=reason)
    assert (said(job), on_aws.calls.count("RedriveExecution")) == ([], 0)
