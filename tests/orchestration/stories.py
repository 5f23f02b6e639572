"""Jobs on AWS as they went there: each with all that AWS would tell of it by events, and what it answers when asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from orchestration.engines.base import Capacity, ExecutionReport, Pace, Report
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.events import BATCH_JOB, ENDS, EXECUTION
from orchestration.engines.step_functions.pieces import forgotten, piece_of
from orchestration.execution.dispatch import dispatch
from orchestration.services import runner
from orchestration.services.claims import Container, claim
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import ExecutionState
from tests.orchestration.play import submitted
from tests.orchestration.test_claims import held, right_to
from tests.simulation.batch import HOST_GONE, NO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import File, Job, User

CELL: Final = Cell(
    state_machine="arn:aws:states:eu-west-1:123456789012:stateMachine:esteira",
    queue="arn:aws:batch:eu-west-1:123456789012:job-queue/esteira",
    image="i",
    log_group="g",
    server="https://e.example",
)
STEP: Final = "nothing"


@dataclass
class Cloud:
    """The engine: it answers what is true by now, and starts nothing twice under one name."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)

    def start(self, spec: ExecutionSpec) -> str:
        self.starts.append(spec.name)
        self.executions.setdefault(spec.name, "RUNNING")
        return spec.name

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        assert reason
        return all(
            job["status"] in {"FAILED", "SUCCEEDED"} for job in self.jobs.values() if spec.name in job["jobName"]
        )

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        refs = [ref for spec in specs for ref in spec.pieces]
        return Report(
            pieces=tuple(
                piece_of(self.jobs[ref], log_group="g") if ref in self.jobs else forgotten(ref) for ref in refs
            ),
            executions=tuple(
                ExecutionReport(spec.name, ENDS[self.executions[spec.name]])
                if spec.name in self.executions
                else ExecutionReport(spec.name, ExecutionState.UNKNOWN)
                for spec in specs[:looks]
            ),
        )

    def capacity(self) -> Capacity:
        return Capacity(1)


@dataclass
class Story:
    """`events` are in the order in which AWS would have sent them; `ends` is what the job must be in the end."""

    job: Job
    cloud: Cloud
    ref: str
    ends: tuple[str, int, str]
    events: list[dict[str, Any]] = field(default_factory=list)
    tries: list[dict[str, Any]] = field(default_factory=list)

    def batch(self, status: str, **more: Any) -> None:
        described = {
            "jobId": self.ref,
            "jobName": f"{self.job.execution_name}-{STEP}",
            "jobQueue": CELL.queue,
            "status": status,
            "attempts": list(self.tries),
            "container": {},
            **more,
        }
        self.cloud.jobs[self.ref] = described
        self.events.append(_event("aws.batch", BATCH_JOB, described))

    def ended_try(self, code: int | None, status_reason: str = "", reason: str = "") -> None:
        container = ({"exitCode": code} if code is not None else {}) | ({"reason": reason} if reason else {})
        self.tries.append({"container": container, "statusReason": status_reason, "startedAt": 1, "stoppedAt": 2})

    def execution(self, status: str) -> None:
        self.cloud.executions[self.job.execution_name] = status
        detail = {"name": self.job.execution_name, "status": status, "stateMachineArn": CELL.state_machine}
        self.events.append(_event("aws.states", EXECUTION, detail))

    def container(self, number: int) -> runner.Holder:
        self.batch("RUNNING", startedAt=1)
        given = claim(right=right_to(self.job, STEP), container=Container(self.ref, number))
        runner.begin(holder=held(given))
        return held(given)


def _event(source: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"source": source, "detail-type": kind, "account": CELL.account, "region": CELL.region, "detail": detail}


def begun(user: User, file: File, cloud: Cloud, ends: tuple[str, int, str]) -> Story:
    job = submitted(user, files=(file,))
    dispatch()
    job.refresh_from_db()
    story = Story(job, cloud, f"batch-{job.pk.hex[-6:]}", ends)
    story.execution("RUNNING")
    story.batch("RUNNABLE")
    return story


def well(user: User, file: File, cloud: Cloud) -> Story:
    story = begun(user, file, cloud, ("SUCCEEDED", 1, ""))
    runner.finish(holder=story.container(1), outcome="succeeded", outputs=[])
    _over(story, 0, "SUCCEEDED")
    return story


def machine_went_away(user: User, file: File, cloud: Cloud) -> Story:
    """And nobody takes its place: Batch has tried it often enough."""
    story = begun(user, file, cloud, ("FAILED", 1, "PLATFORM"))
    story.container(1)
    story.ended_try(None, HOST_GONE)
    story.batch("FAILED", statusReason=HOST_GONE)
    story.execution("FAILED")
    return story


def no_image(user: User, file: File, cloud: Cloud) -> Story:
    story = begun(user, file, cloud, ("FAILED", 1, "PLATFORM"))
    story.ended_try(None, "Task failed to start", NO_IMAGE)
    story.batch("FAILED", statusReason="Task failed to start")
    story.execution("FAILED")
    return story


def ended_without_a_word(user: User, file: File, cloud: Cloud) -> Story:
    story = begun(user, file, cloud, ("FAILED", 1, "USER_CODE"))
    story.container(1)
    _over(story, 1, "FAILED")
    return story


def canceled(user: User, file: File, cloud: Cloud) -> Story:
    """Canceled by hand, and what AWS has to say of it comes afterwards."""
    story = begun(user, file, cloud, ("CANCELED", 1, ""))
    holder = story.container(1)
    cancel(user=user, job=story.job)
    runner.finish(holder=holder, outcome="canceled", outputs=[])
    story.ended_try(75, "The job is canceled or over.")
    story.batch("FAILED", statusReason="The job is canceled or over.", isTerminated=True)
    story.execution("ABORTED")
    return story


def retried(user: User, file: File, cloud: Cloud) -> Story:
    """Its second run is at work while the news of the first is still on its way."""
    story = begun(user, file, cloud, ("RUNNING", 2, ""))
    runner.finish(holder=story.container(1), outcome="failed", outputs=[], failure_kind="USER_CODE")
    _over(story, 1, "FAILED")
    retry(user=user, job=story.job)
    dispatch()
    story.job.refresh_from_db()
    story.ref, story.tries = f"{story.ref}-again", []
    story.execution("RUNNING")
    story.container(1)
    return story


ALL: Final = (well, machine_went_away, no_image, ended_without_a_word, canceled, retried)


def _over(story: Story, code: int, status: str) -> None:
    story.ended_try(code, "Essential container in task exited")
    story.batch(status, statusReason="Essential container in task exited")
    story.execution(status)
