from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said, workspace_of
from frontend_app.views.job_parts import live_parts, still_parts
from orchestration.errors import Conflict
from orchestration.ids import uuid_or_none
from orchestration.models import Job, Pipeline
from orchestration.services import jobs, reruns
from orchestration.services.access import find_job
from orchestration.services.progress import progress_of
from orchestration.states import JobState, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpResponse

PAGE: Final = 50
MAX_INDEX_DIGITS: Final = 9


@require_safe
def job_list(request: Request) -> HttpResponse:
    return page(request, "frontend_app/jobs/list.html", _rows(request))


@require_safe
def job_list_live(request: Request) -> HttpResponse:
    """The same rows alone; the query string is the page's own."""
    return render(request, "frontend_app/jobs/list.html#live", _rows(request))


def _rows(request: Request) -> dict[str, Any]:
    """Newest first; `?state=`, `?pipeline=` and the keyset cursor `?before=`."""
    here = workspace_of(request)
    state, pipeline = request.GET.get("state", ""), request.GET.get("pipeline", "")
    found = Job.objects.visible_to(request.user).filter(workspace=here)
    if state in set(JobState):
        found = found.filter(state=state)
    if pipeline:
        found = found.filter(pipeline_version__pipeline__name=pipeline)
    if before := uuid_or_none(request.GET.get("before", "")):
        found = found.filter(pk__lt=before)
    found = found.select_related("pipeline_version__pipeline", "created_by")
    found = found.defer("params", "pipeline_version__yaml", "pipeline_version__spec")
    rows = list(found.order_by("-id")[: PAGE + 1])
    progress = progress_of(rows[:PAGE])
    return {
        "jobs": [(job, progress.get(job.pk, 0.0)) for job in rows[:PAGE]],
        "states": list(JobState),
        "state": state,
        "pipelines": Pipeline.objects.visible_to(request.user).order_by("name").values_list("name", flat=True),
        "pipeline": pipeline,
        "is_filtered": bool(state or pipeline),
        "is_first": before is None,
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
    }


@require_safe
@answers_errors
def job_detail(request: Request, job_id: UUID) -> HttpResponse:
    job = find_job(user=request.user, job_id=job_id)
    context = live_parts(job) | still_parts(job) | {"may_act": job.workspace.lets(request.user, Role.SUBMITTER)}
    return page(request, "frontend_app/jobs/detail.html", context)


@require_safe
@answers_errors
def job_live(request: Request, job_id: UUID) -> HttpResponse:
    """The parts that change, alone."""
    job = find_job(user=request.user, job_id=job_id)
    context = live_parts(job) | {"may_act": job.workspace.lets(request.user, Role.SUBMITTER)}
    return render(request, "frontend_app/jobs/detail.html#live", context)


@require_POST
@answers_errors
def job_cancel(request: Request, job_id: UUID) -> HttpResponse:
    done = "The cancel is noted: in 10 seconds nothing of this job runs any more."
    return _act(request, job_id, lambda job: jobs.cancel(user=request.user, job=job), done)


@require_POST
@answers_errors
def job_retry(request: Request, job_id: UUID) -> HttpResponse:
    done = "Trying again. What succeeded is kept."
    return _act(request, job_id, lambda job: reruns.retry(user=request.user, job=job), done)


@require_POST
@answers_errors
def job_rerun(request: Request, job_id: UUID) -> HttpResponse:
    """All failed items, or the one that `item` names as `step:index`."""
    step, _, index = request.POST.get("item", "").rpartition(":")
    items = [int(index)] if index.isascii() and index.isdigit() and len(index) <= MAX_INDEX_DIGITS else []
    return _act(
        request,
        job_id,
        lambda job: reruns.rerun_items(user=request.user, job=job, step=step, items=items),
        "Running the failed items again.",
    )


def _act(request: Request, job_id: UUID, service: Callable[[Job], Job], done: str) -> HttpResponse:
    job = find_job(user=request.user, job_id=job_id)
    with refusals_said(request, Conflict):
        service(job)
        messages.success(request, done)
    return redirect("job-detail", job_id)
