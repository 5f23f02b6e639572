"""A job with all that is told of it, read by one query: whoever waits for its end asks for it again and again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from orchestration.errors import NotFound
from orchestration.models import File, Job, JobInput
from orchestration.models.ready import Ready
from orchestration.services.costs import cost_in, with_cost
from orchestration.services.status import in_order, status_in, with_position, with_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from orchestration.models import User
    from orchestration.services.costs import JobCost
    from orchestration.services.status import JobStatus

PARTS: Final = frozenset({"status", "inputs", "results", "cost"})
MOST_FILES: Final = 200
"""Whoever watches a job of ten thousand files must not be sent them all each time."""
# What is told of a file. The other columns are read when they are asked for.
_NAMES: Final = (
    "id name path size sha256 crc64nvme media_type kind scan_state created_at expires_at hold deleted_at job_id step"
    " item_index"
)
_COLUMNS: Final = [one for one in File._meta.concrete_fields if one.attname in _NAMES.split()]  # noqa: SLF001  documented


@dataclass(frozen=True, slots=True)
class Whole:
    """What was not asked for is None or empty. `inputs` and `results` are the first of them."""

    job: Job
    status: JobStatus | None
    inputs: Sequence[File]
    results: Sequence[File]
    cost: JobCost | None


def find_whole(*, user: User, job_id: UUID, parts: frozenset[str] = PARTS, language: str = "en") -> Whole:
    """The titles of its steps are in that language."""
    found = visible_whole(parts)(user, job_id=job_id)
    if not found:
        raise NotFound("There is no such job that you may see.")
    return _read(found[0], parts, language)


def whole_of(job: Job, parts: frozenset[str] = PARTS) -> Whole:
    """Of a job that was found before."""
    (found,) = _any_whole(parts)(job_id=job.pk)
    return _read(found, parts)


def whole_or_none(*, job_id: UUID, parts: frozenset[str], language: str) -> Whole | None:
    """For whoever knows that it may be seen."""
    found = _any_whole(parts)(job_id=job_id)
    return _read(found[0], parts, language) if found else None


@cache
def visible_whole(parts: frozenset[str]) -> Ready[Job]:
    return Ready(lambda user, job_id: _with(Job.objects.visible_to(user).filter(pk=job_id), parts), job_id=UUID)


@cache
def _any_whole(parts: frozenset[str]) -> Ready[Job]:
    return Ready(lambda job_id: _with(Job.objects.filter(pk=job_id), parts), job_id=UUID)


def _with(jobs: QuerySet[Job], parts: frozenset[str]) -> QuerySet[Job]:
    jobs = jobs.select_related("pipeline_version__pipeline", "workspace", "created_by")
    jobs = jobs.defer("pipeline_version__yaml", "pipeline_version__spec")
    if "status" in parts:
        jobs = with_position(with_steps(jobs))
    if "inputs" in parts:
        given = JobInput.objects.filter(job=OuterRef("pk")).order_by("position")
        jobs = jobs.annotate(inputs_now=_rows(given, "file__"))
    if "results" in parts:
        jobs = jobs.annotate(results_now=_rows(in_order(File.objects.results().filter(job=OuterRef("pk")))))
    return with_cost(jobs) if "cost" in parts else jobs


def _rows(rows: QuerySet[Any], path: str = "") -> ArraySubquery:
    """`path` leads from a row to its file."""
    columns = JSONObject(**{one.attname: path + one.attname for one in _COLUMNS})
    return ArraySubquery(rows.values(row=columns)[:MOST_FILES])


def _read(job: Job, parts: frozenset[str], language: str = "en") -> Whole:
    return Whole(
        job,
        status=status_in(job, language=language) if "status" in parts else None,
        inputs=[_file(row) for row in job.__dict__.get("inputs_now") or ()],
        results=[_file(row) for row in job.__dict__.get("results_now") or ()],
        cost=cost_in(job) if "cost" in parts else None,
    )


def _file(row: dict[str, Any]) -> File:
    names = [one.attname for one in _COLUMNS]
    return File.from_db(connection.alias, names, [one.to_python(row[one.attname]) for one in _COLUMNS])
