"""Jobs set going again in one transaction: locked and read together, judged one by one, written together.

What fits is judged before anything is written, so that one job that does not fit takes no other along.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Coalesce, Now

from orchestration.errors import Conflict, JobNotFinished, NothingToRetry, OrchestrationError
from orchestration.models import Attempt, File, Item, Job, JobInput, StepRun
from orchestration.models.moves import write_events
from orchestration.services.budgets import check_budget
from orchestration.services.costs import estimate_of
from orchestration.spec import graph
from orchestration.spec.model import PipelineSpec
from orchestration.states import UNSUCCESSFUL, EventKind, JobState, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from orchestration.cost.estimate import Estimate

BRING_BACK: Final = "Bring it back from the deleted files, or submit the job anew."
LEFT_OUT: Final = frozenset({WorkState.SKIPPED, WorkState.CANCELED})
"""Of a fan-out that depends on a failed one, the items that were skipped for it; of a canceled one, the rest."""
_SHARE_FILES: Final = """
SELECT 1 FROM orchestration_file f WHERE f.id IN (
  SELECT file_id FROM orchestration_jobinput WHERE job_id = ANY(%(jobs)s)
  UNION ALL SELECT id FROM orchestration_file WHERE job_id = ANY(%(jobs)s) AND superseded_at IS NULL
) ORDER BY f.id FOR SHARE OF f
"""
_AFRESH: Final[dict[str, Any]] = {
    "state": JobState.WAITING,
    "run": F("run") + 1,
    "execution": None,
    "claimed_at": None,
    "hand_over_tries": 0,
    "next_try_at": None,
    "cancel_requested_at": None,
    "waiting_reason": "",
    "waiting_detail": "",
    "failure_kind": "",
    "failure_detail": "",
    "queued_at": None,
    "started_at": None,
    "finished_at": None,
    # Whoever sets it going after its deadline wants it to run: with that deadline it would be stopped at once.
    "deadline": Case(When(deadline__lte=Now(), then=Value(None)), default=F("deadline")),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to go again: all that failed, or only of this step, only these items. `reason` is the event's."""

    reason: str
    step: str = ""
    items: frozenset[int] = frozenset()

    @property
    def chosen(self) -> Q:
        found = Q(state__in=UNSUCCESSFUL)
        if self.step:
            found &= Q(step_run__name=self.step)
        if self.items:
            found &= Q(index__in=self.items)
        return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """`again` are the step runs to go again, `whole` the names of those that do so in all their items."""

    job: Job
    again: list[StepRun]
    whole: frozenset[str]
    expected: Estimate | None


def go_again(
    wanted: Mapping[UUID, int | None], wish: Wish, *, by: UUID, is_alone: bool
) -> dict[UUID, OrchestrationError | None]:
    """In the caller's transaction. What became of each job: None is well, and one that is missing was left as it is.

    `wanted` maps a job to the run that must still be its last one. Together with others, a job is left that
    somebody has locked, or whose workspace has a budget: each has to know what the one before it left.
    """
    jobs = _locked(wanted, is_alone=is_alone)
    seen = _Seen(jobs, wish)
    outcomes: dict[UUID, OrchestrationError | None] = {}
    plans = []
    for job in jobs:
        try:
            plans.append(seen.plan(job, wanted[job.pk]))
        except OrchestrationError as exc:
            outcomes[job.pk] = exc
        else:
            outcomes[job.pk] = None
    if plans:
        _write(plans, wish, by)
    return outcomes


def _locked(wanted: Mapping[UUID, int | None], *, is_alone: bool) -> list[Job]:
    jobs = Job.objects.filter(pk__any=list(wanted)).select_related("pipeline_version", "workspace").order_by("pk")
    jobs = jobs.defer("pipeline_version__yaml").select_for_update(no_key=True, of=("self",), skip_locked=not is_alone)
    return [job for job in jobs if is_alone or job.workspace.budget_usd is None]


class _Seen:
    """What has been read for locked jobs. Whoever deletes a file of theirs from here on waits, and then sees it run."""

    def __init__(self, jobs: Sequence[Job], wish: Wish) -> None:
        self._wish = wish
        self._specs: dict[UUID, PipelineSpec] = {}
        self._estimates: dict[Any, Estimate | None] = {}
        ids = [job.pk for job in jobs]
        with connection.cursor() as cursor:
            cursor.execute(_SHARE_FILES, {"jobs": ids})
        open_ones = Attempt.objects.unfinished().filter(job__pk__any=ids)
        self._busy = set(open_ones.order_by().values_list("job_id", flat=True).distinct())
        gone = JobInput.objects.filter(job__pk__any=ids, file__deleted_at__isnull=False).order_by("-position")
        self._gone: dict[UUID, str] = dict(gone.values_list("job_id", "file__name"))
        self._steps: dict[UUID, list[StepRun]] = defaultdict(list)
        for step in StepRun.objects.filter(job__pk__any=ids).order_by("job", "position"):
            self._steps[step.job_id].append(step)
        self._lost: dict[UUID | None, list[File]] = defaultdict(list)
        lost = File.objects.filter(job__pk__any=ids, superseded_at__isnull=True, deleted_at__isnull=False)
        for file in lost.order_by("pk"):
            self._lost[file.job_id].append(file)
        self._count_items()

    def _count_items(self) -> None:
        """Of each step run: how many there are, how many the wish means, and how many wait when it is fulfilled."""
        runs = [step.pk for steps in self._steps.values() for step in steps]
        waits = Q(state__in=[*LEFT_OUT, WorkState.WAITING]) | self._wish.chosen
        rows = Item.objects.filter(step_run__pk__any=runs).order_by().values_list("step_run_id")
        counted = rows.annotate(
            n=Count("pk"), chosen=Count("pk", filter=self._wish.chosen), waits=Count("pk", filter=waits)
        )
        self._items: dict[UUID, tuple[int, int, int]] = {run: (n, chosen, left) for run, n, chosen, left in counted}

    def plan(self, job: Job, run: int | None) -> _Plan:
        if run is not None and job.run != run:
            raise Conflict(f"The job has gone on to run {job.run} meanwhile.")
        if not job.is_finished or job.pk in self._busy:
            raise JobNotFinished
        if name := self._gone.get(job.pk):
            raise Conflict(f"The input {name} has been deleted, so this job cannot run again. {BRING_BACK}")
        failed = {step.name for step in self._steps[job.pk] if self._items.get(step.pk, (0, 0, 0))[1]}
        if job.state == JobState.SUCCEEDED and not failed:
            raise NothingToRetry
        if (self._wish.step or self._wish.items) and not failed:
            raise NothingToRetry("None of these items failed.")
        spec = self._spec(job)
        again = _steps_to_run(self._steps[job.pk], spec, failed)
        whole = _whole(spec, {step.name for step in again})
        self._check_outputs(job, spec, {step.name for step in again}, whole)
        expected = self._expected(job, spec, again, whole)
        check_budget(job.workspace, expected)
        return _Plan(job, again, whole, expected)

    def _spec(self, job: Job) -> PipelineSpec:
        if job.pipeline_version_id not in self._specs:
            self._specs[job.pipeline_version_id] = PipelineSpec.from_json(job.pipeline_version.spec)
        return self._specs[job.pipeline_version_id]

    def _check_outputs(self, job: Job, spec: PipelineSpec, again: set[str], whole: frozenset[str]) -> None:
        """A deleted file, made by an earlier run and still standing, that a step to be run would read."""
        read = {need for step in spec.steps if step.name in again for need in step.needs} - whole
        for lost in self._lost.get(job.pk, ()):
            if lost.step in read:
                said = f"{lost.name} of step {lost.step} has been deleted, and the job would build on it."
                raise Conflict(f"{said} {BRING_BACK}")

    def _expected(self, job: Job, spec: PipelineSpec, again: list[StepRun], whole: frozenset[str]) -> Estimate | None:
        """Of the items that will wait, and of steps that an earlier run never came to."""
        items = {}
        for step in again:
            number, _, waits = self._items.get(step.pk, (step.items_total, 0, step.items_total))
            items[step.name] = number if step.name in whole else waits
        asked = (job.pipeline_version_id, *items.items())
        if asked not in self._estimates:
            steps = [(step, items[step.name]) for step in spec.steps if step.name in items]
            self._estimates[asked] = estimate_of(job.pipeline_version_id, steps)
        return self._estimates[asked]


def _steps_to_run(steps: list[StepRun], spec: PipelineSpec, with_failures: set[str]) -> list[StepRun]:
    """Steps that did not succeed, those with failed items, and whatever needs one of them."""
    again = with_failures | {step.name for step in steps if step.state != WorkState.SUCCEEDED}
    grown = True
    while grown:
        dependents = {s.name for s in spec.steps if again & set(s.needs)} - again
        again |= dependents
        grown = bool(dependents)
    return [step for step in steps if step.name in again]


def _whole(spec: PipelineSpec, again: set[str]) -> frozenset[str]:
    """A step without fan-out runs whole, and so does what builds on it: old files give way."""
    fans_out = {step.name for step in spec.steps if step.for_each}
    whole: set[str] = set()
    for step in graph.order(spec.steps):
        # A fan-out that builds on something that runs whole builds on something new, in all its items.
        if step.name in again and (step.name not in fans_out or whole & set(step.needs)):
            whole.add(step.name)
    return frozenset(whole)


def _write(plans: Sequence[_Plan], wish: Wish, by: UUID) -> None:
    wholly = [step.pk for plan in plans for step in plan.again if step.name in plan.whole]
    partly = [step.pk for plan in plans for step in plan.again if step.name not in plan.whole]
    of_parts = Q(step_run__pk__any=partly) & (Q(state__in=LEFT_OUT) | wish.chosen)
    # `wish.chosen` may name a step, which an update cannot join.
    chosen = Item.objects.filter(Q(step_run__pk__any=wholly) | of_parts).order_by().values("pk")
    waits = {"state": WorkState.WAITING, "finished_at": None, "failure_kind": "", "failure_detail": ""}
    Item.objects.filter(pk__in=chosen).update(**waits)
    for whole, ids in _grouped((plan.whole, plan.job.pk) for plan in plans if plan.whole):
        replaced = File.objects.filter(job__pk__any=ids, step__in=whole, superseded_at__isnull=True)
        replaced.update(superseded_at=Now())
    afresh = {"state": WorkState.WAITING, "failure_kind": "", "failure_detail": "", "started_at": None}
    for run, ids in _grouped((plan.job.run + 1, step.pk) for plan in plans for step in plan.again):
        StepRun.objects.filter(pk__any=ids).update(run=run, finished_at=None, **afresh)
    for expected, ids in _grouped((plan.expected, plan.job.pk) for plan in plans):
        Job.objects.filter(pk__any=ids).update(**_AFRESH, ordered_by=by, **_estimate(expected))
    write_events(_event(plan.job, wish) for plan in plans)


def _event(job: Job, wish: Wish) -> Any:
    data = {"run": job.run + 1}
    return job.event(EventKind.JOB, old=job.state, new=JobState.WAITING, reason=wish.reason, data=data)


def _estimate(expected: Estimate | None) -> dict[str, Any]:
    """Of all its runs together: what it has cost so far is spent."""
    if expected is None:
        return {}
    return {"estimate_usd": Coalesce(F("cost_usd"), Value(0)) + expected.usd, "estimate_basis": expected.basis}


def _grouped[K](pairs: Iterable[tuple[K, UUID]]) -> Iterable[tuple[K, list[UUID]]]:
    found: dict[K, list[UUID]] = defaultdict(list)
    for key, one in pairs:
        found[key].append(one)
    return found.items()
