"""What goes with many jobs, the same number of queries for any number of them, and no more than `most` for each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import F, OuterRef, Subquery, Window
from django.db.models.functions import RowNumber

from orchestration.models import Attempt, File, JobInput, StepRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from orchestration.models import Job


def attempts_of_many(jobs: Sequence[Job], *, most: int) -> dict[UUID, list[Attempt]]:
    """The newest of each, oldest first."""
    rank = Window(RowNumber(), partition_by="job", order_by=F("id").desc())
    newest = Attempt.objects.filter(job__in=jobs).annotate(rank=rank).filter(rank__lte=most)
    return _by_job((one.job_id, one) for one in newest.order_by("id"))


def sources_of_many(attempts: Iterable[Attempt]) -> dict[tuple[UUID, int], str]:
    """By job and item: the name of the input file that the item stands for, where it fans out."""
    places = {(one.job_id, one.item_index) for one in attempts}
    if not places:
        return {}
    rows = JobInput.objects.filter(job__in={job for job, _ in places}, position__in={item for _, item in places})
    return {(job, item): name for job, item, name in rows.values_list("job_id", "position", "file__name")}


def inputs_of_many(jobs: Sequence[Job], *, most: int) -> dict[UUID, list[File]]:
    rows = JobInput.objects.filter(job__in=jobs, position__lt=most).select_related("file").order_by("position")
    return _by_job((row.job_id, row.file) for row in rows)


def results_of_many(jobs: Sequence[Job], *, most: int) -> dict[UUID, list[File]]:
    """In the order of `status.results_of`."""
    place = StepRun.objects.filter(job=OuterRef("job"), name=OuterRef("step")).values("position")[:1]
    order = [Subquery(place).desc(), F("item_index").asc(), F("name").asc()]
    files = (
        File.objects.results()
        .filter(job__in=jobs)
        .annotate(rank=Window(RowNumber(), partition_by="job", order_by=order))
    )
    return _by_job((one.job_id, one) for one in files.filter(rank__lte=most).order_by("rank"))


def _by_job[T](pairs: Iterable[tuple[UUID | None, T]]) -> dict[UUID, list[T]]:
    found: dict[UUID, list[T]] = defaultdict(list)
    for job_id, one in pairs:
        if job_id is not None:
            found[job_id].append(one)
    return found
