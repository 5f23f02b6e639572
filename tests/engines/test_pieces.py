"""A Batch job as AWS describes it, in the platform's words: state, whose fault, and where its log is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import botocore.session
import pytest

from orchestration.engines.base import ExecutionSpec, LogPlace, Piece
from orchestration.engines.step_functions.compile import job_name
from orchestration.engines.step_functions.pieces import OVER, STATES, piece_of
from orchestration.states import AttemptState, FailureKind, WaitingReason

JOB: Final = UUID("01950000-0000-7000-8000-000000000001")
SPEC: Final = ExecutionSpec(name=f"{JOB}-r12", job_id=JOB, run=12)
INTERRUPTED: Final = "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated."
EXITED: Final = "Essential container in task exited"
STARTED: Final = 1_790_000_000_000


def described(status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": "id", "jobName": job_name(SPEC, "convert-all"), "status": status} | more


def tried(exit_code: int | None = None, reason: str = "", status_reason: str = EXITED, log: str = "") -> dict[str, Any]:
    container: dict[str, Any] = {}
    container |= {} if exit_code is None else {"exitCode": exit_code}
    container |= {"reason": reason} if reason else {}
    container |= {"logStreamName": log} if log else {}
    return {
        "container": container,
        "statusReason": status_reason,
        "startedAt": STARTED,
        "stoppedAt": STARTED + 1_500,
    }


def piece(status: str, **more: Any) -> Piece:
    return piece_of(described(status, **more), log_group="/esteira/steps")


def failed(*tries: dict[str, Any], **more: Any) -> Piece:
    return piece("FAILED", attempts=list(tries), **more)


def test_every_status_that_batch_has_is_known() -> None:
    shape: Any = botocore.session.get_session().get_service_model("batch").shape_for("JobStatus")

    assert set(shape.enum) == set(STATES)
    assert {piece(status).state for status in set(shape.enum) - OVER} == {
        AttemptState.QUEUED,
        AttemptState.STARTING,
        AttemptState.RUNNING,
    }


def test_name_tells_execution_and_step() -> None:
    one = piece("RUNNING")

    assert (one.execution, one.step) == (SPEC.name, "convert-all")


def test_job_of_somebody_else_belongs_to_no_execution() -> None:
    one = piece("RUNNING", jobName="nightly-backup")

    assert (one.execution, one.step) == ("", "")


@pytest.mark.parametrize(
    ("attempt", "state", "kind"),
    [
        (tried(0), AttemptState.SUCCEEDED, None),
        (tried(1), AttemptState.FAILED, FailureKind.USER_CODE),
        (tried(65), AttemptState.FAILED, FailureKind.INPUT),
        (tried(75), AttemptState.FAILED, FailureKind.USER_CODE),
        (tried(3), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(6), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(137, "OutOfMemoryError: Container killed due to memory usage"), AttemptState.FAILED, "RESOURCES"),
        (tried(137), AttemptState.FAILED, FailureKind.USER_CODE),
        (tried(None, "", INTERRUPTED), AttemptState.FAILED, FailureKind.INTERRUPTED),
        (tried(143, "", INTERRUPTED), AttemptState.FAILED, FailureKind.INTERRUPTED),
        (tried(None, "CannotPullContainerError: no such image"), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(None, "CannotStartContainerError: no python3"), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(None, "DockerTimeoutError: Could not transition"), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(None, "", "Task failed to start"), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(None, "", ""), AttemptState.FAILED, FailureKind.PLATFORM),
        (tried(137, "", "Job attempt duration exceeded timeout"), AttemptState.TIMED_OUT, FailureKind.RESOURCES),
    ],
)
def test_end_of_a_try_says_whose_fault_it_was(attempt: dict[str, Any], state: str, kind: str | None) -> None:
    (only,) = piece("SUCCEEDED" if state == "SUCCEEDED" else "FAILED", attempts=[attempt]).tries

    assert (only.state, only.failure_kind) == (state, kind)
    assert bool(only.detail) == (state != "SUCCEEDED")


def test_interruption_is_one_try_of_several() -> None:
    one = failed(tried(None, "", INTERRUPTED, "one"), tried(None, "", INTERRUPTED, "two"), tried(1, "", EXITED, "3"))

    assert [t.number for t in one.tries] == [1, 2, 3]
    assert [t.failure_kind for t in one.tries] == ["INTERRUPTED", "INTERRUPTED", "USER_CODE"]
    assert [t.log for t in one.tries] == [LogPlace("/esteira/steps", stream) for stream in ("one", "two", "3")]
    assert (one.state, one.failure_kind, one.detail) == (AttemptState.FAILED, "USER_CODE", EXITED)
    assert one.tries[0].started_at == datetime.fromtimestamp(STARTED / 1000, UTC)
    assert one.tries[0].ended_at == datetime.fromtimestamp(STARTED / 1000 + 1.5, UTC)


def test_success_after_an_interruption_is_a_success() -> None:
    one = piece("SUCCEEDED", attempts=[tried(None, "", INTERRUPTED), tried(0)])

    assert (one.state, one.failure_kind, one.detail) == (AttemptState.SUCCEEDED, None, "")
    assert [t.state for t in one.tries] == ["FAILED", "SUCCEEDED"]


def test_try_under_way_is_the_last_one_and_has_a_log() -> None:
    container = {"logStreamName": "esteira/default/now", "taskArn": "t"}
    one = piece("RUNNING", attempts=[tried(75)], container=container, startedAt=STARTED)

    assert [(t.number, t.state) for t in one.tries] == [(1, "FAILED"), (2, "RUNNING")]
    assert one.tries[1].log == LogPlace("/esteira/steps", "esteira/default/now")
    assert one.tries[1].ended_at is None


def test_job_that_waits_has_no_try_and_no_log() -> None:
    assert piece("RUNNABLE", container={"image": "i"}).tries == ()


@pytest.mark.parametrize("flag", ["isTerminated", "isCancelled"])
def test_job_that_somebody_ended_is_canceled(flag: str) -> None:
    one = failed(tried(75), tried(143), statusReason="Canceled by ana.", **{flag: True})

    assert (one.state, one.failure_kind) == (AttemptState.CANCELED, None)
    # Its first try had ended by itself before.
    assert [t.state for t in one.tries] == ["FAILED", "CANCELED"]


def test_job_that_was_canceled_before_it_began_says_why() -> None:
    one = failed(statusReason="Canceled by ana.", isCancelled=True)

    assert (one.state, one.detail, one.tries) == (AttemptState.CANCELED, "Canceled by ana.", ())


def test_job_that_could_not_begin_failed_by_the_platform() -> None:
    one = failed(statusReason="Array Child Job failed")

    assert (one.state, one.failure_kind) == (AttemptState.FAILED, FailureKind.PLATFORM)
    assert one.detail == "Array Child Job failed"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - All compute environments …", WaitingReason.CAPACITY),
        ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - All …", WaitingReason.MISCONFIGURED),
        ("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - All …", WaitingReason.MISCONFIGURED),
        ("", None),
    ],
)
def test_job_that_waits_says_what_for(said: str, reason: WaitingReason | None) -> None:
    one = piece("RUNNABLE", statusReason=said)

    assert one.waiting == reason
    assert one.detail.endswith(f". ({said})" if reason else said)


def test_child_has_its_number_and_the_whole_its_size() -> None:
    child = piece("RUNNING", jobId="array:7", arrayProperties={"index": 7, "statusSummary": {}})
    whole = piece("PENDING", jobId="array", arrayProperties={"size": 40, "statusSummary": {"RUNNING": 40}})

    assert (child.ref, child.index, child.size) == ("array:7", 7, 0)
    assert (whole.ref, whole.index, whole.size) == ("array", None, 40)
