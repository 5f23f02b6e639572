"""Going again: the only way out of a terminal state. Good outputs are kept; job.run grows by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Now

from orchestration.errors import Conflict, JobNotFinished, NothingToRetry
from orchestration.models import Attempt, File, Item, Job, StepRun
from orchestration.models.moves import write_events
from orchestration.points import point
from orchestration.services.access import require_role
from orchestration.services.budgets import check_budget
from orchestration.services.costs import estimate_of
from orchestration.spec import graph
from orchestration.spec.model import PipelineSpec
from orchestration.states import UNSUCCESSFUL, EventKind, JobState, Role, WorkState
from orchestration.tasks import nudge_dispatch

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from orchestration.cost.estimate import Estimate
    from orchestration.models import User

BRING_BACK: Final = "Bring it back from the deleted files, or submit the job anew."
_SHARE_FILES: Final = """
SELECT 1 FROM orchestration_file f WHERE f.id IN (
  SELECT file_id FROM orchestration_jobinput WHERE job_id = %(job)s
  UNION ALL SELECT id FROM orchestration_file WHERE job_id = %(job)s AND superseded_at IS NULL
) FOR SHARE OF f
"""


def retry(*, user: User, job: Job, run: int | None = None) -> Job:
    """Same inputs and version, from the failed steps on. `run`: only if it is still the job's last one."""
    return _go_again(user=user, job=job, reason="retry", only_run=run)


def rerun_items(*, user: User, job: Job, step: str = "", items: Collection[int] = (), run: int | None = None) -> Job:
    """Only the failed items of fan-outs (of `step`, of `items`), and the steps that depend on them. `run`: as above."""
    only_items = frozenset(items)
    return _go_again(user=user, job=job, reason="rerun items", only_step=step, only_items=only_items, only_run=run)


@transaction.atomic(durable=True)
def _go_again(
    *,
    user: User,
    job: Job,
    reason: str,
    only_step: str = "",
    only_items: frozenset[int] = frozenset(),
    only_run: int | None = None,
) -> Job:
    require_role(user=user, workspace=job.workspace, role=Role.SUBMITTER)
    locked = Job.objects.select_for_update(no_key=True, of=("self",)).select_related("pipeline_version").get(pk=job.pk)
    if only_run is not None and locked.run != only_run:
        raise Conflict(f"The job has gone on to run {locked.run} meanwhile.")
    if not locked.is_finished or Attempt.objects.unfinished().filter(job=locked).exists():
        raise JobNotFinished
    _keep_files(locked)
    if gone := File.objects.filter(used_by=locked, deleted_at__isnull=False).first():
        raise Conflict(f"The input {gone.name} has been deleted, so this job cannot run again. {BRING_BACK}")
    failed = Item.objects.filter(step_run__job=locked, state__in=UNSUCCESSFUL)
    if only_step:
        failed = failed.filter(step_run__name=only_step)
    if only_items:
        failed = failed.filter(index__in=only_items)
    if locked.state == JobState.SUCCEEDED and not failed.exists():
        raise NothingToRetry
    if (only_step or only_items) and not failed.exists():
        raise NothingToRetry("None of these items failed.")
    spec = PipelineSpec.from_json(locked.pipeline_version.spec)
    again = _steps_to_run(locked, spec, set(failed.values_list("step_run__name", flat=True)))
    _reset(locked, spec, again, failed)
    if lost := _lost_output(locked, spec, again):
        raise Conflict(f"{lost.name} of step {lost.step} has been deleted, and the job would build on it. {BRING_BACK}")
    expected = _expected(locked, spec, again)
    check_budget(locked.workspace, expected)
    old = locked.state
    # Whoever sets it going after its deadline wants it to run: with that deadline it would be stopped at once.
    Job.objects.filter(pk=locked.pk, deadline__lte=Now()).update(deadline=None)
    Job.objects.filter(pk=locked.pk).update(
        state=JobState.WAITING,
        run=F("run") + 1,
        execution=None,
        claimed_at=None,
        hand_over_tries=0,
        next_try_at=None,
        cancel_requested_at=None,
        waiting_reason="",
        waiting_detail="",
        failure_kind="",
        failure_detail="",
        queued_at=None,
        started_at=None,
        finished_at=None,
        **_estimate(locked, expected),
    )
    write_events([job.event(EventKind.JOB, old=old, new=JobState.WAITING, reason=reason, data={"run": locked.run + 1})])
    point("retry.before_commit")
    transaction.on_commit(nudge_dispatch)
    job.refresh_from_db()
    return job


def _expected(job: Job, spec: PipelineSpec, again: list[StepRun]) -> Estimate | None:
    """Of the items that wait now, and of steps that an earlier run never came to."""
    rows = Item.objects.filter(step_run__in=again).order_by().values_list("step_run__name")
    waits = Count("pk", filter=Q(state=WorkState.WAITING))
    items = {run.name: run.items_total for run in again} | dict(rows.annotate(n=waits))
    return estimate_of(job.pipeline_version_id, [(step, items[step.name]) for step in spec.steps if step.name in items])


def _estimate(job: Job, expected: Estimate | None) -> dict[str, Any]:
    """Of all its runs together: what it has cost so far is spent."""
    if expected is None:
        return {}
    return {"estimate_usd": (job.cost_usd or 0) + expected.usd, "estimate_basis": expected.basis}


def _keep_files(job: Job) -> None:
    """Whoever deletes a file of this job from here on waits, and then sees that the job runs."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE_FILES, {"job": job.pk})


def _lost_output(job: Job, spec: PipelineSpec, again: list[StepRun]) -> File | None:
    """A deleted file, made by an earlier run and still standing, that a step to be run would read."""
    names = {run.name for run in again}
    read = {need for step in spec.steps if step.name in names for need in step.needs}
    standing = File.objects.filter(job=job, step__in=read, superseded_at__isnull=True)
    lost: File | None = standing.filter(deleted_at__isnull=False).order_by("pk").first()
    return lost


def _steps_to_run(job: Job, spec: PipelineSpec, with_failures: set[str]) -> list[StepRun]:
    """Steps that did not succeed, those with failed items, and whatever needs one of them."""
    steps = {step.name: step for step in job.steps.all()}
    again = with_failures | {name for name, step in steps.items() if step.state != WorkState.SUCCEEDED}
    grown = True
    while grown:
        dependents = {s.name for s in spec.steps if again & set(s.needs)} - again
        again |= dependents
        grown = bool(dependents)
    return [step for name, step in steps.items() if name in again]


def _reset(job: Job, spec: PipelineSpec, again: list[StepRun], failed: QuerySet[Item]) -> None:
    """Failed items wait again. A step without fan-out runs whole, and so does what builds on it: old files give way."""
    fans_out = {step.name for step in spec.steps if step.for_each}
    names = {run.name for run in again}
    whole: set[str] = set()
    for step in graph.order(spec.steps):
        # A fan-out that builds on something that runs whole builds on something new, in all its items.
        if step.name in names and (step.name not in fans_out or whole & set(step.needs)):
            whole.add(step.name)
    runs_whole = [run for run in again if run.name in whole]
    # Of a fan-out that depends on a failed one, the items that were skipped for it; of a canceled one, the rest.
    left_out = Q(step_run__in=again, state__in=[WorkState.SKIPPED, WorkState.CANCELED])
    chosen = Q(pk__in=failed.order_by().values("pk"))
    Item.objects.filter(chosen | left_out | Q(step_run__in=runs_whole)).update(
        state=WorkState.WAITING, finished_at=None, failure_kind="", failure_detail=""
    )
    replaced = File.objects.filter(job=job, step__in=whole, superseded_at__isnull=True)
    replaced.update(superseded_at=Now())
    StepRun.objects.filter(pk__in=[step.pk for step in again]).update(
        state=WorkState.WAITING,
        run=job.run + 1,
        failure_kind="",
        failure_detail="",
        started_at=None,
        finished_at=None,
    )
