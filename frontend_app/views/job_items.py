"""The items of a fan-out, ten thousand on one page: a letter each, and one of them looked at."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Case, OuterRef, StringAgg, Subquery, Value, When
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from frontend_app.http import Request, answers_errors
from frontend_app.views.job_parts import FAILED, source_names
from orchestration.errors import NotFound
from orchestration.models import Attempt, Item, Job, StepRun
from orchestration.models.ready import Ready
from orchestration.services.access import find_job
from orchestration.states import Role, WorkState

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

    from orchestration.services.status import JobStatus

MOST_CELLS: Final = 20_000
MOST_TRIES: Final = 20
LETTERS: Final = {
    WorkState.WAITING: "W",
    WorkState.RUNNING: "R",
    WorkState.SUCCEEDED: "S",
    WorkState.FAILED: "F",
    WorkState.TIMED_OUT: "T",
    WorkState.CANCELED: "C",
    WorkState.SKIPPED: "K",
}


def _cells(job_id: UUID) -> QuerySet[StepRun]:
    letter = Case(*[When(state=state, then=Value(one)) for state, one in LETTERS.items()])
    items = Item.objects.filter(step_run=OuterRef("pk"), index__lt=MOST_CELLS).order_by()
    cells = items.values("step_run").annotate(cells=StringAgg(letter, Value(""), order_by="index")).values("cells")
    return StepRun.objects.filter(job=job_id, items_total__gt=1).only("name").annotate(cells=Subquery(cells))


CELLS: Final = Ready(_cells, job_id=UUID)


def grids_of(job: Job, status: JobStatus) -> list[dict[str, Any]]:
    """One for each step with several items; one query for all of them, none where there is none."""
    steps = {step.name: step for step in status.steps if step.items_total > 1}
    if not steps:
        return []
    found = {run.name: run.__dict__["cells"] or "" for run in CELLS(job_id=job.pk)}
    return [
        {"step": step, "cells": _short(found.get(name, "")), "counts": _counts(found.get(name, "")), "most": MOST_CELLS}
        for name, step in steps.items()
    ]


def _short(cells: str) -> str:
    """`S9990F3S7`: a letter and how many in a row."""
    return "".join(f"{letter}{sum(1 for _ in run)}" for letter, run in groupby(cells))


def _counts(cells: str) -> list[tuple[str, str, int]]:
    """State, its letter, how many: of those that occur."""
    return [(state, letter, n) for state, letter in LETTERS.items() if (n := cells.count(letter))]


@require_safe
@answers_errors
def job_item(request: Request, job_id: UUID, step: str, index: int) -> HttpResponse:
    """One item with its tries, as a piece of the job's page."""
    job = find_job(user=request.user, job_id=job_id)
    item = Item.objects.select_related("step_run").filter(step_run__job=job, step_run__name=step, index=index).first()
    if item is None:
        raise NotFound(_("This step has no such item."))
    tries = Attempt.objects.filter(item=item).order_by("-id")[:MOST_TRIES]
    context = {
        "job": job,
        "item": item,
        "source": source_names(job, [(step, index)]).get((step, index), ""),
        "tries": tries,
        "can_rerun": job.is_finished and item.state in FAILED and job.workspace.lets(request.user, Role.SUBMITTER),
    }
    return render(request, "frontend_app/jobs/_item.html", context)
