"""The product itself, for `lockstep`: its services over PostgreSQL, its engine answering as it answered the model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import UUID

from orchestration.engines.base import Pace, Report
from orchestration.engines.step_functions.events import BATCH_JOB, EXECUTION
from orchestration.engines.step_tokens import StepRight
from orchestration.errors import OrchestrationError
from orchestration.execution import dispatch, stopping, sweep
from orchestration.models import Attempt, Event, Execution, Item, Job, StepRun
from orchestration.services import claims, events, jobs, reruns, runner
from orchestration.services.runner import Holder, read_token
from tests.factories import make_file, publish_pipeline
from tests.simulation.claims import Given
from tests.simulation.engine import CELL, MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import User, Workspace
    from tests.simulation.bus import Message
    from tests.simulation.claims import Right
    from tests.simulation.shapes import Shape

LATER: Final = datetime(2099, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """As SIGKILL: no handler of the product's may see it."""


class Drift(BaseException):
    """Model and product have parted; no handler of the product's may hide it."""


@dataclass(slots=True)
class Points:
    """Kills the act at the named point, when it comes there for the so-manieth time."""

    at: tuple[str, int] | None = None
    passed: Counter[str] = field(default_factory=Counter)

    def __call__(self, name: str) -> None:
        self.passed[name] += 1
        if (name, self.passed[name]) == self.at:
            raise Killed(name)


type Asked = tuple[str, object]


@dataclass(slots=True)
class Replayed:
    """The engine: the same question gets the answer that the model got, and no other question may be asked."""

    answers: list[tuple[Asked, Any]] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)

    def _answer(self, asked: Asked) -> Any:
        expected = [one for one, _ in self.answers]
        if asked not in expected:
            raise Drift(f"the product asks the engine {asked}, the model {expected}")
        _, answer = self.answers.pop(expected.index(asked))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def start(self, spec: ExecutionSpec) -> str:
        return str(self._answer(question("start", spec)))

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        assert reason
        return bool(self._answer(question("stop", spec)))

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        assert looks > 0
        found: Report = self._answer(question("report", *specs))
        return found


def question(verb: str, *specs: ExecutionSpec) -> Asked:
    return verb, frozenset((spec.name, spec.job_id, spec.run, frozenset(spec.pieces)) for spec in specs)


class Real:
    """Each method is one act of the product; names of attempts are the model's."""

    def __init__(self, owner: User, lab: Workspace) -> None:
        self.owner, self.lab = owner, lab
        self.points = Points()
        self.engine = Replayed()
        self._files: dict[int, tuple[UUID, ...]] = {}

    def submit(self, job_id: str, of: Shape) -> None:
        version = publish_pipeline(of.text)
        inputs = self._files.setdefault(
            of.files, tuple(make_file(self.lab, self.owner, f"{n}.csv").pk for n in range(of.files))
        )
        request = jobs.Request(pipeline=version.pipeline.name, inputs=inputs, params={})
        with patch.object(jobs, "new_id", lambda: UUID(job_id)):  # the names of executions are made of it
            jobs.submit(user=self.owner, request=request, idempotency_key=job_id)

    def cancel(self, job_id: str) -> None:
        jobs.cancel(user=self.owner, job=Job.objects.get(pk=job_id))

    def retry(self, job_id: str) -> None:
        reruns.retry(user=self.owner, job=Job.objects.get(pk=job_id))

    def dispatch(self) -> None:
        dispatch.dispatch()

    def reconcile(self) -> None:
        sweep.reconcile()

    def stop_unwanted(self) -> None:
        stopping.stop_unwanted()

    def record_event(self, message: Message) -> None:
        event: dict[str, Any] = {"account": CELL.account, "region": CELL.region, "detail": message.detail}
        if message.kind == "job":
            event |= {"source": "aws.batch", "detail-type": BATCH_JOB}
        else:
            event |= {"source": "aws.states", "detail-type": EXECUTION}
            event["detail"] = message.detail | {"stateMachineArn": MACHINE}
        events.record_event(body=json.dumps(event) if message.kind != "poison" else "{")

    # -- containers ------------------------------------------------------------------------------------------------

    def claim(self, right: Right, batch_job: str, number: int, child: int, done: int) -> Given:
        asked = StepRight(UUID(right.job), right.run, right.step, right.per_child, LATER)
        given = claims.claim(right=asked, container=claims.Container(batch_job, number, child), done=done)
        if not given.token:
            return Given(given.done, end=given.end or "")
        holder = read_token(given.token)
        return Given(given.done, named(Attempt.objects.get(pk=holder.attempt_id)), holder.fence)

    def begin(self, name: str, fence: int) -> None:
        runner.begin(holder=self._holder(name, fence))

    def heartbeat(self, name: str, fence: int) -> bool:
        return runner.heartbeat(holder=self._holder(name, fence))

    def finish(self, name: str, fence: int, outcome: str, kind: str, *, retry: bool) -> None:
        said = {"failure_kind": kind or None, "retry": retry}
        runner.finish(holder=self._holder(name, fence), outcome=outcome, outputs=[], **said)

    def _holder(self, name: str, fence: int) -> Holder:
        return Holder(next(one.pk for one in Attempt.objects.all() if named(one) == name), fence)

    # -- playing ---------------------------------------------------------------------------------------------------

    def play(self, act: Callable[[], Any], *, killed_at: tuple[str, int] | None, answers: Any) -> tuple[Any, str]:
        """What it came to: a result, or the name of what it raised."""
        self.points.at, self.points.passed = killed_at, Counter()
        self.engine.answers = list(answers)
        try:
            return act(), ""
        except OrchestrationError as exc:
            return None, type(exc).__name__
        except Killed:
            return None, "Killed"

    def snapshot(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for job in Job.objects.select_related("execution"):
            found[str(job.pk)] = {
                "job": (job.state, job.run, job.failure_kind, job.cancel_requested_at is not None),
                "tries": job.hand_over_tries,
                "execution": job.execution.name if job.execution else "",
                "steps": {},
                "items": {},
                "attempts": {},
                "events": Counter(),
            }
        for step in StepRun.objects.all():
            found[str(step.job_id)]["steps"][step.name] = (step.state, step.run, step.failure_kind)
        for item in Item.objects.select_related("step_run"):
            name = (item.step_run.name, item.index)
            found[str(item.step_run.job_id)]["items"][name] = (item.state, item.failure_kind)
        for one in Attempt.objects.all():
            said = (one.state, one.fence, one.leased_by, one.failure_kind)
            found[str(one.job_id)]["attempts"][named(one)] = said
        # Nor why it waits: of that the model knows less than the product.
        for event in Event.objects.exclude(kind="progress").exclude(data__has_key="waiting_reason"):
            said_of = (event.kind, event.step, event.item, event.old, event.new)
            found[str(event.job_id)]["events"][said_of] += 1
        found["executions"] = {one.name: one.settled_at is not None for one in Execution.objects.all()}
        return found


def named(attempt: Attempt) -> str:
    """As the model names it."""
    return f"{str(attempt.job_id)[:8]}/{attempt.step}[{attempt.item_index}]r{attempt.run}#{attempt.number}"


def ahead(now: float) -> timedelta:
    """A day more than the model's clock: defaults of columns are in the server's own time, and must be past."""
    return timedelta(days=1, seconds=now)
