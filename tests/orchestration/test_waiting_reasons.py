"""Why AWS does not start what it has: told by its events, shown on the job, and gone when the job runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestration.errors import EventRefused
from orchestration.models import Event
from orchestration.services.claims import claim
from orchestration.services.events import record_event
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import JobState
from tests.orchestration.test_claims import BATCH_JOB, container, play, right_to, two_steps
from tests.orchestration.test_witness import CELL, QUEUE

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace

pytestmark = pytest.mark.django_db
NO_MACHINE: Final = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested."
TOO_BIG: Final = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU"
    " requirement of the job."
)


@pytest.fixture
def job(owner: User, lab: Workspace, settings: Settings) -> Job:
    settings.AWS_CELL = CELL
    return two_steps(owner, lab, items=2)


def blocked(job: Job, said: str = NO_MACHINE, *, time: str = "2026-11-29T00:00:10Z", **detail: Any) -> dict[str, Any]:
    """As in https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html."""
    described = {
        "jobArn": f"arn:aws:batch:eu-west-1:123456789012:job/{BATCH_JOB}",
        "jobName": f"{job.execution_name}-convert",
        "jobId": BATCH_JOB,
        "jobQueue": QUEUE,
        "status": "RUNNABLE",
        "statusReason": said,
        "attempts": [],
        "createdAt": 1641944200058,
        "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
        "dependsOn": [],
        "container": {"image": "i", "command": ["sleep", "600"], "environment": []},
    }
    return {
        "version": "0",
        "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b",
        "detail-type": "Batch Job Queue Blocked",
        "source": "aws.batch",
        "account": "123456789012",
        "time": time,
        "region": "eu-west-1",
        "resources": [],
        "detail": described | detail,
    }


def shown(job: Job) -> tuple[str, str]:
    job.refresh_from_db()
    return job.waiting_reason, job.waiting_detail


def tell(event: dict[str, Any]) -> None:
    record_event(body=json.dumps(event))


@pytest.mark.parametrize(
    ("said", "reason", "sentence"),
    [
        (NO_MACHINE, "capacity", "AWS has no machine free of the kinds that its queue may use."),
        (TOO_BIG, "misconfigured", "It needs more processors than its queue may use at all."),
        ("MISCONFIGURATION:NEW_KIND - …", "misconfigured", "An administrator has to repair the set-up of AWS Batch."),
        ("UNDETERMINED - Batch job is blocked.", "capacity", "AWS Batch cannot start it, and does not say more."),
    ],
)
def test_job_at_the_head_of_a_blocked_queue_says_why(job: Job, said: str, reason: str, sentence: str) -> None:
    tell(blocked(job, said))
    assert shown(job)[0] == reason
    assert shown(job)[1].startswith(f"Step convert: {sentence}")
    assert said in shown(job)[1]


def test_change_of_state_that_names_a_lack_says_the_same(job: Job) -> None:
    tell(blocked(job) | {"detail-type": "Batch Job State Change"})
    assert shown(job)[0] == "capacity"


def test_reason_is_gone_when_the_job_runs_and_does_not_come_back(job: Job) -> None:
    tell(blocked(job))
    claim(right=right_to(job), container=container())
    assert shown(job) == ("", "")
    tell(blocked(job, time="2026-11-29T01:00:00Z"))
    assert shown(job) == ("", "")
    assert job.state == JobState.STARTING


def test_step_of_a_job_that_has_run_before_says_why_until_it_runs_too(owner: User, lab: Workspace, job: Job) -> None:
    """Nothing of the job runs any more, and the next step stands in the queue."""
    for child in (0, 1):
        play(claim(right=right_to(job), container=container(child)))
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    tell(blocked(job, jobName=f"{job.execution_name}-report", jobId="another"))
    assert shown(job)[1].startswith("Step report: AWS has no machine free")
    tell(blocked(job, TOO_BIG, time="2026-11-29T05:00:00Z"))
    assert shown(job)[0] == "capacity", "the first step is over, whoever speaks of it late"
    claim(right=right_to(job, "report"), container=container(batch_job="another"))
    assert shown(job) == ("", "")


def test_news_comes_twice_and_in_any_order_and_the_latest_is_shown(job: Job) -> None:
    for said, time in ((TOO_BIG, "00:00:20"), (NO_MACHINE, "00:00:10"), (TOO_BIG, "00:00:20")):
        tell(blocked(job, said, time=f"2026-11-29T{time}Z"))
        assert shown(job)[0] == "misconfigured"
    tell(blocked(job, NO_MACHINE, time="2026-11-29T00:00:30Z"))
    assert shown(job)[0] == "capacity"


def test_each_new_reason_is_an_event_so_that_an_open_page_hears_of_it(job: Job) -> None:
    for said, time in ((TOO_BIG, "00:00:10"), (TOO_BIG, "00:00:20"), (NO_MACHINE, "00:00:30")):
        tell(blocked(job, said, time=f"2026-11-29T{time}Z"))
    told = Event.objects.filter(job_id=job.pk, reason__startswith="Step convert:").order_by("id")
    assert [(event.kind, event.old, event.new) for event in told] == [("job", "QUEUED", "QUEUED")] * 2
    assert told[0].data == {"waiting_reason": "misconfigured"}
    assert "more processors" in told[0].reason
    assert "no machine free" in told[1].reason


def test_news_of_a_try_that_has_begun_since_is_old(job: Job) -> None:
    """The machine under it went away again: what it waits for now, nobody has said yet."""
    gone = {"container": {}, "statusReason": "Host EC2 (instance i-1) terminated.", "startedAt": 1, "stoppedAt": 2}
    claim(right=right_to(job), container=container())
    tell(blocked(job, jobId=f"{BATCH_JOB}:0", attempts=[gone]) | {"detail-type": "Batch Job State Change"})
    assert shown(job)[0] == "capacity", "of its second try"
    job.waiting_reason = ""
    job.save(update_fields=["waiting_reason"])
    tell(blocked(job, jobId=f"{BATCH_JOB}:0", time="2026-11-29T01:00:00Z"))
    assert shown(job)[0] == ""


def test_news_of_an_earlier_run_is_not_of_the_next(owner: User, job: Job) -> None:
    event = blocked(job)
    retry(user=owner, job=cancel(user=owner, job=job))
    tell(event)
    assert shown(job)[0] == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "yesterday"},
        {"time": "2026-02-31T00:00:00Z"},
        {"account": "210987654321"},
        {"detail": {}},
        {"detail": {"jobId": "a", "jobName": "b", "jobQueue": QUEUE, "status": "RUNNABLE"}},
        {"detail": {"jobId": "a", "jobName": "b", "jobQueue": QUEUE, "status": "RUNNING", "statusReason": "c"}},
        {"detail": {"jobId": "a", "jobName": "b", "jobQueue": "other", "status": "RUNNABLE", "statusReason": "c"}},
    ],
)
def test_what_is_no_such_event_or_not_ours_is_refused(job: Job, wrong: dict[str, Any]) -> None:
    """And so the consumer leaves it to the queue, which puts it aside."""
    with pytest.raises(EventRefused):
        tell(blocked(job) | wrong)
    assert shown(job)[0] != "misconfigured"


def test_job_of_somebody_else_in_our_queue_is_no_business_of_ours(job: Job) -> None:
    tell(blocked(job, jobName="by-hand"))
    assert shown(job)[1] == "Waiting for a free machine."
