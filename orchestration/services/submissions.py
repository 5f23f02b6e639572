"""Many jobs submitted in one call: each is taken or refused by itself, and what is read is read once for all."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, connection, transaction

from orchestration import tracing
from orchestration.errors import Conflict, IdempotencyKeyReused, NotAllTaken, OrchestrationError
from orchestration.ids import new_id
from orchestration.models import Event, Job, JobInput, StepRun
from orchestration.models.bulk import blank, database_now, insert, unsaved
from orchestration.points import point
from orchestration.services.access import find_workspace
from orchestration.services.budgets import check_budgets
from orchestration.services.costs import estimate_of, items_of
from orchestration.services.deadlines import chosen_deadline
from orchestration.services.fitting import check_labels, check_number, checked_params, files_of, fitting
from orchestration.services.jobs import Checked, Request, request_like, submit
from orchestration.services.pipelines import find_version, spec_of
from orchestration.states import EventKind, JobState, Role
from orchestration.tasks import nudge_dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import Model

    from orchestration.cost.estimate import Estimate
    from orchestration.models import File, PipelineVersion, User, Workspace
    from orchestration.spec.model import PipelineSpec

MOST: Final = 1_000
MOST_ERRORS: Final = 100
_SHARE: Final = """
SELECT id FROM orchestration_file
WHERE id = ANY(%s) AND deleted_at IS NULL AND superseded_at IS NULL ORDER BY id FOR SHARE
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """`is_new`: this call made it; else its key had made it before."""

    job: Job
    is_new: bool


type Outcome = Taken | OrchestrationError


@dataclass(frozen=True, slots=True)
class Order:
    """A request, the Idempotency-Key that stands for it ("": none), and the job that it is to be like."""

    request: Request
    key: str = ""
    like: Job | None = None


def submit_many(
    *, user: User, requests: Sequence[Request], idempotency_key: str = "", is_atomic: bool = False
) -> list[Outcome]:
    """In the order of `requests`. Those that are taken are committed together.

    The key stands for each request at its place: repeated, also after a kill, it gives the same jobs.
    Atomic: all are taken, or none is and NotAllTaken says which were refused.
    """
    keys = [_key_at(idempotency_key, index) for index in range(len(requests))]
    return _submit(
        user, [Order(request, key) for request, key in zip(requests, keys, strict=True)], is_atomic=is_atomic
    )


def resubmit_many(*, user: User, jobs: Mapping[str, Job]) -> list[Outcome]:
    """New jobs like these, each by the Idempotency-Key that it is under here; in their order."""
    inputs: dict[UUID, list[UUID]] = defaultdict(list)
    rows = JobInput.objects.filter(job__pk__any=[job.pk for job in jobs.values()]).order_by("position")
    for job_id, file_id in rows.values_list("job_id", "file_id"):
        inputs[job_id].append(file_id)
    return _submit(user, [Order(request_like(job, inputs[job.pk]), key, job) for key, job in jobs.items()])


def _submit(user: User, orders: Sequence[Order], *, is_atomic: bool = False) -> list[Outcome]:
    with tracing.span("submit", jobs=len(orders)):
        outcomes = _committed(user, orders, is_atomic=is_atomic)
    point("submit_many.committed")
    nudge_dispatch()
    return [outcome for outcome in outcomes if not isinstance(outcome, _New)]


def _committed(user: User, orders: Sequence[Order], *, is_atomic: bool) -> list[Taken | OrchestrationError | _New]:
    batch = _Batch(user, orders)
    outcomes = batch.checked()
    try:
        _enter(batch, outcomes, is_atomic=is_atomic)
    except IntegrityError:
        if not any(order.key for order in orders):
            raise
        # The same call at the same time: by now its jobs are there.
        batch = _Batch(user, orders)
        outcomes = batch.checked()
        _enter(batch, outcomes, is_atomic=is_atomic)
    return outcomes


def _key_at(key: str, index: int) -> str:
    """One for each place, as long as a key may be."""
    return f"batch-{hashlib.sha256(key.encode()).hexdigest()[:48]}-{index}" if key else ""


@dataclass(frozen=True, slots=True)
class _New:
    workspace: Workspace
    wanted: Checked
    order: Order


class _Batch:
    """The requests with what has been read for them."""

    def __init__(self, user: User, orders: Sequence[Order]) -> None:
        self.user, self._orders = user, orders
        self._workspaces: dict[str, Workspace | OrchestrationError] = {}
        self._versions: dict[str, tuple[PipelineVersion, PipelineSpec] | OrchestrationError] = {}
        self._files: dict[UUID, dict[UUID, File]] = {}
        self._made: dict[tuple[UUID, str], Job] = {}
        self._estimates: dict[tuple[UUID, int], Estimate | None] = {}
        self.traceparent = tracing.here()

    @cached_property
    def now(self) -> datetime:
        return database_now()

    @cached_property
    def blank_job(self) -> dict[str, Any]:
        return blank(Job, self.now)

    def checked(self) -> list[Taken | OrchestrationError | _New]:
        self._read()
        return [self._one(order) for order in self._orders]

    def _read(self) -> None:
        wanted: dict[UUID, set[UUID]] = defaultdict(set)
        for order in self._orders:
            place = self._workspace(order.request.workspace)
            if not isinstance(place, OrchestrationError):
                wanted[place.pk].update(order.request.inputs)
        places = {place.pk: place for place in self._workspaces.values() if not isinstance(place, OrchestrationError)}
        self._files = {pk: files_of(places[pk], ids) for pk, ids in wanted.items()}
        if keys := [order.key for order in self._orders if order.key]:
            found = Job.objects.filter(workspace__in=places, idempotency_key__any=keys)
            found = found.select_related("workspace", "created_by", "pipeline_version__pipeline")
            self._made = {(job.workspace_id, job.idempotency_key or ""): job for job in found}

    def _workspace(self, slug: str) -> Workspace | OrchestrationError:
        if slug not in self._workspaces:
            try:
                self._workspaces[slug] = find_workspace(user=self.user, slug=slug, role=Role.SUBMITTER)
            except OrchestrationError as exc:
                self._workspaces[slug] = exc
        return self._workspaces[slug]

    def _version(self, reference: str) -> tuple[PipelineVersion, PipelineSpec]:
        if reference not in self._versions:
            try:
                version = find_version(user=self.user, reference=reference)
                self._versions[reference] = version, spec_of(version.pk)
            except OrchestrationError as exc:
                self._versions[reference] = exc
        return _or_raise(self._versions[reference])

    def _one(self, order: Order) -> Taken | OrchestrationError | _New:
        try:
            workspace = _or_raise(self._workspace(order.request.workspace))
            made = self._made.get((workspace.pk, order.key))
            if made is not None and made.request_digest != order.request.digest():
                raise IdempotencyKeyReused
            if made is not None:
                return Taken(made, is_new=False)
            return _New(workspace, self._checked(workspace, order.request), order)
        except OrchestrationError as exc:
            return exc

    def _checked(self, workspace: Workspace, request: Request) -> Checked:
        version, spec = self._version(request.pipeline)
        params = checked_params(spec, request.params)
        check_labels(request.labels or {})
        has_deadline = request.deadline or request.deadline_s
        deadline = chosen_deadline(request.deadline, request.deadline_s, now=self.now) if has_deadline else None
        check_number(spec, request.inputs)
        files = fitting(workspace, spec, request.inputs, self._files[workspace.pk])
        return Checked(version, spec, params, files, deadline)

    def estimate(self, wanted: Checked) -> Estimate | None:
        place = wanted.version.pk, len(wanted.files)
        if place not in self._estimates:
            self._estimates[place] = estimate_of(wanted.version.pk, items_of(wanted.spec, len(wanted.files)))
        return self._estimates[place]


def _or_raise[T](found: T | OrchestrationError) -> T:
    if isinstance(found, OrchestrationError):
        raise found
    return found


def _enter(batch: _Batch, outcomes: list[Taken | OrchestrationError | _New], *, is_atomic: bool) -> None:
    """Puts a job, or a refusal, in the place of each new request."""
    if is_atomic:
        _check_all_taken(outcomes)
    together: dict[int, _New] = {}
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, _New):
            # Where a budget is to be held each has to know what the one before it left; all or none is one sum.
            if outcome.workspace.budget_usd is None or is_atomic:
                together[index] = outcome
            else:
                outcomes[index] = _alone(batch.user, outcome)
    if together:
        for index, made in _write(batch, together, is_atomic=is_atomic):
            outcomes[index] = made


def _check_all_taken(outcomes: Sequence[object]) -> None:
    refused = [(index, one) for index, one in enumerate(outcomes) if isinstance(one, OrchestrationError)]
    if not refused:
        return
    index, first = refused[0]
    errors = [{"loc": ["body", "jobs", at], "msg": str(exc), "code": exc.code} for at, exc in refused[:MOST_ERRORS]]
    # Of those that the same key had made before, no more than that can be said.
    before = sum(isinstance(one, Taken) for one in outcomes)
    none = f"No further job was taken ({before:,} were before)" if before else "No job was taken"
    raise NotAllTaken(
        f"{none}, as {len(refused):,} would be refused; the first is jobs[{index}]: {first}", errors=errors
    )


def _alone(user: User, new: _New) -> Outcome:
    try:
        order = new.order
        made = submit(user=user, request=order.request, idempotency_key=order.key, resubmitted_from=order.like)
        return Taken(*made)
    except OrchestrationError as exc:
        return exc


@transaction.atomic(durable=True)
def _write(batch: _Batch, together: dict[int, _New], *, is_atomic: bool) -> Iterator[tuple[int, Outcome]]:
    if is_atomic:
        check_budgets((new.workspace, batch.estimate(new.wanted)) for new in together.values())
    present = _keep_files({file.pk for new in together.values() for file in new.wanted.files})
    jobs: dict[int, Job] = {}
    gone: dict[int, Outcome] = {}
    for index, new in together.items():
        if all(file.pk in present for file in new.wanted.files):
            jobs[index] = _job(batch, new)
        else:
            gone[index] = Conflict("One of the files was deleted just now.")
    if is_atomic:
        _check_all_taken([gone.get(index) for index in range(max(together) + 1)])
    insert([*jobs.values()])
    for table in _rows_of([(job, together[index].wanted) for index, job in jobs.items()], batch.now):
        insert(table)
    return iter([*((index, Taken(job, is_new=True)) for index, job in jobs.items()), *gone.items()])


def _rows_of(pairs: Sequence[tuple[Job, Checked]], now: datetime) -> tuple[Sequence[Model], ...]:
    """Inputs, step runs and first events."""
    of_step, of_event = blank(StepRun, now), blank(Event, now)
    inputs, steps, events = [], [], []
    for job, wanted in pairs:
        files = enumerate(wanted.files)
        inputs += [unsaved(JobInput, {"job_id": job.pk, "file_id": file.pk, "position": n}) for n, file in files]
        for n, (step, items) in enumerate(items_of(wanted.spec, len(wanted.files))):
            own = {"id": new_id(), "job_id": job.pk, "name": step.name, "position": n, "items_total": items}
            steps.append(unsaved(StepRun, of_step | own))
        moved = {"workspace_id": job.workspace_id, "job_id": job.pk, "kind": EventKind.JOB, "data": {}}
        events.append(unsaved(Event, of_event | moved | {"new": JobState.WAITING, "reason": "submitted"}))
    return inputs, steps, events


def _keep_files(ids: set[UUID]) -> set[UUID]:
    """Those that are there. Whoever deletes one of them waits until the jobs are written."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE, [list(ids)])
        return {row[0] for row in cursor.fetchall()}


def _job(batch: _Batch, new: _New) -> Job:
    wanted, order, expected = new.wanted, new.order, batch.estimate(new.wanted)
    own = {
        "id": new_id(),
        "name": order.request.name[:200],
        "params": wanted.params,
        "labels": order.request.labels or {},
        "priority": order.request.priority,
        "deadline": wanted.deadline,
        "input_count": len(wanted.files),
        "idempotency_key": order.key or None,
        "request_digest": order.request.digest() if order.key else "",
        "estimate_usd": expected.usd if expected else None,
        "estimate_basis": expected.basis if expected else "",
        "resubmitted_from_id": order.like.pk if order.like else None,
        "traceparent": batch.traceparent,
    }
    job = unsaved(Job, batch.blank_job | own)
    job.workspace, job.created_by, job.pipeline_version = new.workspace, batch.user, wanted.version
    return job
