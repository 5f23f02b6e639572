"""What people may ask of jobs: submit, cancel, retry, resubmit, rerun items."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from orchestration import tracing
from orchestration.errors import Conflict, IdempotencyKeyReused, JobFinished, OrchestrationError
from orchestration.execution import advance as advancing
from orchestration.execution.advance import ASKED, advance
from orchestration.ids import new_id
from orchestration.models import Attempt, File, Job
from orchestration.models.bulk import blank, unsaved
from orchestration.models.entry import Entry, enter_job
from orchestration.models.moves import write_events
from orchestration.points import point
from orchestration.services.access import find_workspace, require_role
from orchestration.services.budgets import check_budget
from orchestration.services.costs import estimate_of, items_of
from orchestration.services.deadlines import chosen_deadline
from orchestration.services.fitting import check_labels, check_number, checked_params, files_of, fitting
from orchestration.services.pipelines import find_version, spec_of
from orchestration.states import AttemptState, EventKind, Role
from orchestration.tasks import nudge_dispatch, nudge_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from uuid import UUID

    from orchestration.models import PipelineVersion, User, Workspace
    from orchestration.spec.model import PipelineSpec

    type Submission[T] = Generator[Entry, bool, T]


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants run. Equal requests under one Idempotency-Key are one job."""

    pipeline: str
    inputs: tuple[UUID, ...]
    params: dict[str, Any]
    name: str = ""
    labels: dict[str, str] | None = None
    priority: int = 0
    workspace: str = ""
    deadline: datetime | None = None
    deadline_s: int | None = None

    def digest(self) -> str:
        fields: list[Any] = [
            self.pipeline,
            [str(i) for i in self.inputs],
            self.params,
            self.name,
            self.labels,
            self.priority,
        ]
        if self.deadline or self.deadline_s:  # without one as before: keys are kept for as long as their jobs
            fields += [self.deadline and self.deadline.isoformat(), self.deadline_s]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that fits: its parameters with their defaults, its files in the order given."""

    version: PipelineVersion
    spec: PipelineSpec
    params: dict[str, Any]
    files: list[File]
    deadline: datetime | None


def checked(user: User, workspace: Workspace, request: Request, version: PipelineVersion | None = None) -> Checked:
    """Raises NotFound, Invalid. `version`: of an internal pipeline, which nobody finds by its name."""
    version = version or find_version(user=user, reference=request.pipeline)
    spec = spec_of(version.pk)
    params = checked_params(spec, request.params)
    check_labels(request.labels or {})
    deadline = chosen_deadline(request.deadline, request.deadline_s)
    return Checked(version, spec, params, _checked_inputs(workspace, spec, request.inputs), deadline)


def submit(
    *,
    user: User,
    request: Request,
    idempotency_key: str = "",
    resubmitted_from: Job | None = None,
    version: PipelineVersion | None = None,
) -> tuple[Job, bool]:
    """The job and whether this call made it; False: the key had made it before.

    When this returns, Job, StepRuns, first Event and the intent to dispatch are committed together.
    """
    return finished(submission(user, request, idempotency_key, resubmitted_from, version))


def submission(
    user: User,
    request: Request,
    key: str = "",
    resubmitted_from: Job | None = None,
    version: PipelineVersion | None = None,
) -> Submission[tuple[Job, bool]]:
    """As `submit`, for whoever writes jobs: what is to be written comes out, and whether it was goes in."""
    workspace = find_workspace(user=user, slug=request.workspace, role=Role.SUBMITTER)
    try:
        with tracing.span("submit"):
            wanted = checked(user, workspace, request, version)
            job = _new_job(user, workspace, request, wanted)
            job.idempotency_key, job.request_digest = key or None, request.digest() if key else ""
            job.resubmitted_from_id = resubmitted_from.pk if resubmitted_from else None
            point("submit.before")
            yield from _entered(job, wanted)
    except OrchestrationError:
        # Its key may have made it before: then nothing that has changed since, such as a file, is a reason to refuse.
        if key and (found := _replay(workspace, key, request)):
            return found, False
        raise
    point("submit.committed")
    nudge_dispatch()
    return job, True


def finished[T](going: Submission[T], entry: Entry | None = None) -> T:
    """What comes of it when it is written alone. `entry`: what it stands at already."""
    try:
        entry = entry or next(going)
        while True:
            try:
                is_written = enter_job(entry)
            except Exception as exc:  # noqa: BLE001  raised where it was asked for
                entry = going.throw(exc)
            else:
                entry = going.send(is_written)
    except StopIteration as end:
        result: T = end.value
        return result


def _new_job(user: User, workspace: Workspace, request: Request, wanted: Checked) -> Job:
    own = {
        "id": new_id(),
        "name": request.name[:200],
        "params": wanted.params,
        "labels": request.labels or {},
        "priority": request.priority,
        "deadline": wanted.deadline,
        "input_count": len(wanted.files),
        "traceparent": tracing.here(),
    }
    job = unsaved(Job, _blank_job() | own)
    job.workspace, job.created_by, job.pipeline_version = workspace, user, wanted.version
    job.files_given = wanted.files
    return job


@cache
def _blank_job() -> dict[str, Any]:
    """`created_at` comes from the database when it is written."""
    return blank(Job, datetime.min.replace(tzinfo=UTC))


def _entered(job: Job, wanted: Checked) -> Submission[None]:
    """A transaction is around it only where a budget is to be held."""
    steps = items_of(wanted.spec, len(wanted.files))
    expected = estimate_of(job.pipeline_version_id, steps)
    if expected:
        job.estimate_usd, job.estimate_basis = expected.usd, expected.basis
    files, names = [file.pk for file in wanted.files], [(step.name, items) for step, items in steps]
    check = None if job.workspace.budget_usd is None else partial(check_budget, job.workspace, expected)
    if not (yield Entry(job, files, names, check)):
        raise Conflict("One of the files was deleted just now.")


def _replay(workspace: Workspace, key: str, request: Request) -> Job | None:
    found: Job | None = Job.objects.filter(workspace=workspace, idempotency_key=key).first()
    if found and found.request_digest != request.digest():
        raise IdempotencyKeyReused
    return found


def _checked_inputs(workspace: Workspace, spec: PipelineSpec, inputs: tuple[UUID, ...]) -> list[File]:
    check_number(spec, inputs)
    return fitting(workspace, spec, inputs, files_of(workspace, inputs))


def edit(
    *,
    user: User,
    job: Job,
    name: str | None = None,
    labels: dict[str, str] | None = None,
    priority: int | None = None,
    deadline: datetime | None = None,
    has_none: bool = False,
) -> Job:
    """What is None stays as it is. Of a job that waits, another priority counts from now on.

    `has_none`: the deadline is taken away. Of a job that has ended, or is being stopped, none can be set any more.
    """
    given = {"name": name, "labels": labels, "priority": priority, "deadline": deadline}
    wanted: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return _edit(user, job, lambda _locked: wanted | ({"deadline": None} if has_none else {}))


def relabel(*, user: User, job: Job, new: dict[str, str], gone: Iterable[str]) -> Job:
    """Labels that are not named stay."""
    left_out = frozenset(gone)

    def changed(locked: Job) -> dict[str, Any]:
        return {"labels": {key: value for key, value in locked.labels.items() if key not in left_out} | new}

    return _edit(user, job, changed)


@transaction.atomic(durable=True)
def _edit(user: User, job: Job, wanted: Callable[[Job], dict[str, Any]]) -> Job:
    """`wanted` sees the job as it is when nobody else can change it any more."""
    require_role(user=user, workspace=job.workspace, role=Role.SUBMITTER)
    locked = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
    changes = {key: value for key, value in wanted(locked).items() if value != getattr(locked, key)}
    check_labels(changes.get("labels") or {})
    if "deadline" in changes and locked.is_finished:
        raise JobFinished(f"The job has already finished: {locked.state}.")
    if "deadline" in changes and locked.cancel_requested_at:
        raise Conflict("The job is being stopped already.")
    if changes:
        Job.objects.filter(pk=job.pk).update(**changes)
        if "priority" in changes:
            Attempt.objects.filter(job=job, state=AttemptState.QUEUED).update(priority=changes["priority"])
        reason = f"{' and '.join(changes)} changed by {user.username}"
        write_events([job.event(EventKind.JOB, old=locked.state, new=locked.state, reason=reason[:500])])
    job.refresh_from_db()
    return job


def cancel(*, user: User, job: Job) -> Job:
    """Record the wish; at once if nothing was handed over yet. What runs is stopped within 10 seconds.

    Where an engine has work that our rows do not show, the job is canceling until it has said that none is left.
    """
    require_role(user=user, workspace=job.workspace, role=Role.SUBMITTER)
    with transaction.atomic(durable=True):
        locked = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
        if locked.is_finished:
            raise JobFinished(f"The job has already finished: {locked.state}.")
        if locked.cancel_requested_at is None:
            Job.objects.filter(pk=job.pk).update(cancel_requested_at=Now())
            write_events([job.event(EventKind.JOB, old=locked.state, new=locked.state, reason=ASKED)])
        point("cancel.before_commit")
    point("cancel.committed")
    advance(job.pk)
    job.refresh_from_db()
    if job.is_canceling:
        nudge_stop()
    return job


def cancel_unstarted(*, user: User, jobs: Iterable[Job]) -> set[UUID]:
    """Of many, at once: those that no engine ever had. The others are to be canceled one by one."""
    lets: dict[UUID, bool] = {}
    mine = []
    for job in jobs:
        if job.workspace_id not in lets:
            lets[job.workspace_id] = job.workspace.lets(user, Role.SUBMITTER)
        if lets[job.workspace_id]:
            mine.append(job.pk)
    return advancing.cancel_unstarted(mine)


def resubmit(*, user: User, job: Job, changes: dict[str, Any], idempotency_key: str = "") -> tuple[Job, bool]:
    """A new job like `job`, with `changes` to pipeline, inputs, params, name, labels or priority."""
    same = request_like(job, job.job_inputs.values_list("file", flat=True))
    request = replace(same, **{k: v for k, v in changes.items() if v is not None})
    return submit(user=user, request=request, idempotency_key=idempotency_key, resubmitted_from=job)


def request_like(job: Job, inputs: Iterable[UUID]) -> Request:
    """What would be asked to have `job`, which has these inputs, once more."""
    return Request(
        pipeline=str(job.pipeline_version),
        inputs=tuple(inputs),
        params=job.params,
        name=job.name,
        labels=job.labels,
        priority=job.priority,
        workspace=job.workspace.slug,
    )
