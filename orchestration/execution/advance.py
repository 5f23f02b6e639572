"""Take a job as far as it will go now, from whatever state it is found in."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models.functions import Now

from orchestration.execution.pricing import price_of_job
from orchestration.models import Attempt, Item, Job, StepRun
from orchestration.models.execution import LOCAL
from orchestration.models.moves import swap_state, write_events
from orchestration.models.traced import tell_job
from orchestration.points import point
from orchestration.spec.decide import job_outcome, step_outcome
from orchestration.spec.model import PipelineSpec, StepSpec
from orchestration.states import (
    FINISHED,
    UNSUCCESSFUL,
    WORK_MOVES,
    AttemptState,
    EventKind,
    FailureKind,
    JobState,
    WorkState,
)
from orchestration.wake import wake_engine

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import QuerySet


# Rows in one statement: PostgreSQL takes at most 65,535 parameters.
BATCH: Final = 5_000
ASKED: Final = "cancel requested"


def advance(job_id: UUID, *, wait: bool = True) -> None:
    """Settle steps whose items are all done, start steps that are ready, finish the job if nothing is left.

    With `wait` false, a job that somebody else has locked is left to them: a sweep must not stand still.
    """
    with transaction.atomic():
        job = (
            Job.objects.select_for_update(no_key=True, of=("self",), skip_locked=not wait)
            .select_related("pipeline_version", "workspace", "execution")
            .filter(pk=job_id)
            .first()
        )
        if job is None or job.is_finished or (job.execution_id is None and not job.cancel_requested_at):
            return
        point("advance.locked")
        if job.cancel_requested_at:
            _cancel(job)
        else:
            _Schedule(job).run()
    point("advance.committed")


def finish_job(job: Job, to: JobState, *, kind: str = "", detail: str = "") -> None:
    if job.move(to, failure_kind=kind, failure_detail=detail[:2000], **price_of_job()) and job.traceparent:
        transaction.on_commit(partial(tell_job, job))


class _Schedule:
    """One pass over the steps of a locked job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.spec = PipelineSpec.from_json(job.pipeline_version.spec)
        self.by_name: dict[str, StepSpec] = {step.name: step for step in self.spec.steps}
        self.steps: dict[str, StepRun] = {step.name: step for step in job.steps.all()}
        self.started: set[str] = set()
        """Steps that this pass gave work to: they cannot have an outcome yet."""

    def run(self) -> None:
        while self._pass():
            pass
        if self.started:
            wake_engine()
        states = {name: step.state for name, step in self.steps.items()}
        outcome = job_outcome(list(states.values()))
        if outcome is not None:
            failed = next((s for s in self.steps.values() if s.state in {"FAILED", "TIMED_OUT"}), None)
            kind = (failed.failure_kind or FailureKind.PLATFORM) if failed else ""
            finish_job(self.job, JobState(outcome), kind=kind, detail=failed.failure_detail if failed else "")

    def _pass(self) -> bool:
        """Settle and start; whether anything moved, so that another pass may find more to do."""
        running = [s for s in self.steps.values() if s.state == WorkState.RUNNING and s.name not in self.started]
        counts = Item.objects.counts([step.pk for step in running]) if running else {}
        # Lists, not generators: every step gets its turn in each pass.
        moved = any([self._settle(step, counts[step.pk]) for step in running])  # noqa: C419  every step gets its turn
        waiting = [step for step in self.steps.values() if step.state == WorkState.WAITING]
        return any([self._open(step) for step in waiting]) or moved  # noqa: C419  every step gets its turn

    def _settle(self, step: StepRun, counts: dict[str, int]) -> bool:
        outcome = step_outcome(counts, self.by_name[step.name].tolerate)
        if outcome is None:
            return False
        changes: dict[str, Any] = {}
        if outcome in {"FAILED", "TIMED_OUT"}:
            kind, detail = _why(step, counts)
            changes = {"failure_kind": kind, "failure_detail": detail}
        return self._move(step, WorkState(outcome), **changes)

    def _open(self, step: StepRun) -> bool:
        needs = [self.steps[name].state for name in self.by_name[step.name].needs]
        if any(state in UNSUCCESSFUL for state in needs):
            return self._move(step, WorkState.SKIPPED, reason="A step it needs did not succeed.")
        if any(state != WorkState.SUCCEEDED for state in needs):
            return False
        if not self._move(step, WorkState.RUNNING, started_at=Now()):
            return False
        self._make_items(step)
        return True

    def _make_items(self, step: StepRun) -> None:
        """Items that an earlier run left are kept; those that wait get an attempt."""
        spec = self.by_name[step.name]
        orphans = self._items_without_source(spec) if spec.for_each and spec.needs else set()
        known = {item.index: item for item in step.items.all()} if self.job.run > 1 else {}
        new = [
            Item(step_run=step, index=index, state=WorkState.RUNNING)
            for index in range(step.items_total)
            if index not in known and index not in orphans
        ]
        skipped = [
            Item(step_run=step, index=index, state=WorkState.SKIPPED, finished_at=Now())
            for index in orphans - known.keys()
        ]
        Item.objects.bulk_create([*new, *skipped], batch_size=2_000)
        waiting = [item for item in known.values() if item.state == WorkState.WAITING]
        again = [item for item in waiting if item.index not in orphans]
        if known:
            still = Item.objects.filter(step_run=step, state=WorkState.WAITING)
            for group in batched(orphans, BATCH, strict=False):
                still.filter(index__in=group).update(state=WorkState.SKIPPED, finished_at=Now())
            still.update(state=WorkState.RUNNING)
        attempts = [new_attempt(self.job, step, item, spec) for item in [*new, *again]]
        Attempt.objects.bulk_create(attempts, batch_size=2_000)
        if attempts:
            self.started.add(step.name)

    def _items_without_source(self, spec: StepSpec) -> set[int]:
        """Indexes whose item in a needed fan-out did not succeed: there is nothing to work on."""
        needed = [self.steps[name] for name in spec.needs if self.by_name[name].for_each]
        failed = Item.objects.filter(step_run__in=needed).exclude(state=WorkState.SUCCEEDED)
        return set(failed.values_list("index", flat=True))

    def _move(self, step: StepRun, to: WorkState, *, reason: str = "", **changes: Any) -> bool:
        old = step.state
        if not swap_state(step, to, moves=WORK_MOVES, **changes):
            return False
        data = {k: v for k, v in changes.items() if k in {"failure_kind", "failure_detail"} and v}
        write_events([self.job.event(EventKind.STEP, step=step.name, old=old, new=to, reason=reason, data=data)])
        return True


def new_attempt(job: Job, step: StepRun, item: Item, spec: StepSpec, *, number: int = 1, **fields: Any) -> Attempt:
    return Attempt(
        job=job,
        item=item,
        step=step.name,
        item_index=item.index,
        run=job.run,
        number=number,
        priority=job.priority,
        vcpu=spec.resources.vcpu,
        memory_bytes=spec.resources.memory_bytes,
        **fields,
    )


def _why(step: StepRun, counts: dict[str, int]) -> tuple[str, str]:
    """The failure of a step, from its first failed item: kind and sentence."""
    failed = step.items.filter(state__in=["FAILED", "TIMED_OUT"])
    first = failed.order_by("index").first()
    if first is None:
        return FailureKind.PLATFORM, "The step failed without a failed item."
    if step.items_total == 1:
        return first.failure_kind, first.failure_detail
    number = counts.get("FAILED", 0) + counts.get("TIMED_OUT", 0)
    kinds = Counter(failed.values_list("failure_kind", flat=True))
    kind = kinds.most_common(1)[0][0]
    return (
        kind,
        f"{number} of {step.items_total} items failed; the first (item {first.index}): {first.failure_detail}",
    )


def _cancel(job: Job) -> None:
    """Cancel what has not begun; when nothing is open any more and the engine has nothing left, the job is canceled."""
    now = {"state": WorkState.CANCELED, "finished_at": Now()}
    _cancel_attempts(job, Attempt.objects.filter(job=job, state=AttemptState.QUEUED))
    execution = job.execution
    if execution and execution.engine != LOCAL and execution.settled_at:
        # Whoever holds one is gone: the engine runs nothing of this job, and it was asked after the cancel.
        _cancel_attempts(job, Attempt.objects.live().filter(job=job))
    gone = Attempt.objects.filter(job=job, run=job.run, state=AttemptState.CANCELED)
    Item.objects.filter(pk__in=gone.values("item")).exclude(state__in=FINISHED).update(**now)
    # Not only what is live: a retry may have been queued since the rows above were read.
    if Attempt.objects.unfinished().filter(job=job).exists():
        wake_engine()
        return
    if execution and execution.may_run_something:
        return
    open_steps = [step for step in job.steps.all() if step.state not in FINISHED]
    Item.objects.filter(step_run__in=open_steps).exclude(state__in=FINISHED).update(**now)
    for step in open_steps:
        old = step.state
        swap_state(step, WorkState.CANCELED, moves=WORK_MOVES)
        write_events([job.event(EventKind.STEP, step=step.name, old=old, new=WorkState.CANCELED)])
    if job.is_overdue and job.deadline is not None:
        said = f"It had not ended by its deadline, {job.deadline:%Y-%m-%d %H:%M:%S} UTC, and was stopped."
        finish_job(job, JobState.TIMED_OUT, kind=FailureKind.RESOURCES, detail=said)
    else:
        finish_job(job, JobState.CANCELED)


def cancel_unstarted(job_ids: Collection[UUID]) -> set[UUID]:
    """At once what `cancel` and `advance` would do one by one, to those of the jobs that no engine ever had.

    Of the others, and of those that somebody has locked, nothing is changed: each of them has its own way.
    """
    untouched = Job.objects.filter(pk__any=list(job_ids), run=1, execution=None, cancel_requested_at=None)
    untouched = untouched.exclude(deadline__lte=Now())  # those end as timed out
    with transaction.atomic(durable=True):
        locked = untouched.filter(state__in=[JobState.WAITING, JobState.QUEUED]).order_by("pk")
        jobs = {job.pk: job for job in locked.select_for_update(no_key=True, skip_locked=True)}
        steps = StepRun.objects.filter(job__in=jobs).order_by("job", "position")
        events = [job.event(EventKind.JOB, old=job.state, new=job.state, reason=ASKED) for job in jobs.values()]
        for step in steps:
            moved = {"step": step.name, "old": step.state, "new": WorkState.CANCELED}
            events.append(jobs[step.job_id].event(EventKind.STEP, **moved))
        events += [job.event(EventKind.JOB, old=job.state, new=JobState.CANCELED) for job in jobs.values()]
        steps.update(state=WorkState.CANCELED, finished_at=Now())
        Job.objects.filter(pk__in=jobs).update(
            state=JobState.CANCELED,
            cancel_requested_at=Now(),
            finished_at=Now(),
            waiting_reason="",
            waiting_detail="",
            **price_of_job(),
        )
        write_events(events)
    for job in jobs.values():
        if job.traceparent:
            job.state = JobState.CANCELED
            tell_job(job)
    return set(jobs)


def _cancel_attempts(job: Job, attempts: QuerySet[Attempt]) -> None:
    found = list(attempts.select_for_update(no_key=True))
    for group in batched(found, BATCH, strict=False):
        of_group = Attempt.objects.filter(pk__in=[attempt.pk for attempt in group])
        of_group.update(state=AttemptState.CANCELED, finished_at=Now())
        for attempt in group:
            attempt.job = job  # as it is locked here, and not looked up for each
        write_events(attempt.event(AttemptState.CANCELED, old=attempt.state) for attempt in group)
