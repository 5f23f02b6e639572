"""How far many jobs are, for a list: three queries, however many jobs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import Count, Sum

from orchestration.models import Attempt, Item, StepRun
from orchestration.states import FINISHED, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from orchestration.models import Job


def progress_of(jobs: Iterable[Job]) -> dict[UUID, float]:
    """From 0 to 1 for each job that has not finished, counted as `status.job_status` counts it."""
    open_ids = [job.pk for job in jobs if not job.is_finished]
    if not open_ids:
        return {}
    in_these = Item.objects.filter(step_run__job__in=open_ids, state__in=FINISHED).order_by()
    done = dict(in_these.values_list("step_run").annotate(n=Count("pk")))
    live = Attempt.objects.live().filter(job__in=open_ids).order_by().values_list("job", "step")
    running = {(job, step): total for job, step, total in live.annotate(total=Sum("progress"))}
    parts: dict[UUID, list[float]] = defaultdict(list)
    for run in StepRun.objects.filter(job__in=open_ids):
        part = (done.get(run.pk, 0) + running.get((run.job_id, run.name), 0.0)) / max(1, run.items_total)
        parts[run.job_id].append(1.0 if run.state == WorkState.SUCCEEDED else min(1.0, part))
    return {job: sum(steps) / len(steps) for job, steps in parts.items()}
