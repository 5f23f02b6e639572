from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app import words
from frontend_app.http import Request, answers_errors, page, refusals_said, whole_number, workspace_of
from frontend_app.views.job_items import grids_of
from frontend_app.views.job_parts import live_parts, still_parts
from frontend_app.views.job_timeline import timeline_of
from orchestration.errors import Conflict, Invalid
from orchestration.ids import uuid_or_none
from orchestration.models import Job
from orchestration.services import jobs, reruns
from orchestration.services.access import find_job
from orchestration.services.job_search import find_jobs
from orchestration.services.progress import progress_of
from orchestration.services.shares import shares_of
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpResponse

PAGE: Final = 50
PRESETS: Final = (
    (_("All"), ""),
    (_("Open"), "state:open"),
    (_("Failed"), "state:failed,timed-out"),
    (_("Mine"), "owner:me"),
    (_("Last 24 hours"), "created:>-24h"),
)
MAX_INDEX_DIGITS: Final = 9
MOST_LINKS: Final = 20


@require_safe
def job_list(request: Request) -> HttpResponse:
    return page(request, "frontend_app/jobs/list.html", _rows(request))


@require_safe
def job_list_live(request: Request) -> HttpResponse:
    """The same rows alone; the query string is the page's own."""
    return render(request, "frontend_app/jobs/list.html#live", _rows(request))


def _rows(request: Request) -> dict[str, Any]:
    """Newest first; the filter `?q=` and the keyset cursor `?before=`."""
    here = workspace_of(request)
    wanted, mistake = _filter(request), ""
    found: QuerySet[Job] = Job.objects.visible_to(request.user).filter(workspace=here)
    try:
        found = find_jobs(found, wanted, user=request.user)
    except Invalid as exc:
        found, mistake = found.none(), str(exc)
    if before := uuid_or_none(request.GET.get("before", "")):
        found = found.filter(pk__lt=before)
    found = found.select_related("pipeline_version__pipeline", "created_by")
    found = found.defer("params", "pipeline_version__yaml", "pipeline_version__spec")
    rows = list(found.order_by("-id")[: PAGE + 1])
    progress = progress_of(rows[:PAGE])
    return {
        "jobs": [(job, progress.get(job.pk, 0.0)) for job in rows[:PAGE]],
        "filter": wanted,
        "mistake": mistake,
        "presets": PRESETS,
        "bulk": [(action, words.BULK[action]) for action in words.BULK_ON_PAGES],
        "is_filtered": bool(wanted),
        "is_first": before is None,
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
    }


def _filter(request: Request) -> str:
    """`?state=` and `?pipeline=` are of addresses that people have kept."""
    kept = [f"{key}:{value}" for key in ("state", "pipeline") if (value := request.GET.get(key))]
    return " ".join([*kept, request.GET.get("q", "")]).strip()


@require_safe
@answers_errors
def job_detail(request: Request, job_id: UUID) -> HttpResponse:
    job = find_job(user=request.user, job_id=job_id)
    context = _live(request, job) | still_parts(job) | {"links": shares_of(job=job).good()[:MOST_LINKS]}
    return page(request, "frontend_app/jobs/detail.html", context)


@require_safe
@answers_errors
def job_live(request: Request, job_id: UUID) -> HttpResponse:
    """The parts that change, alone."""
    job = find_job(user=request.user, job_id=job_id)
    return render(request, "frontend_app/jobs/detail.html#live", _live(request, job))


def _live(request: Request, job: Job) -> dict[str, Any]:
    """`?run=` chooses what the timeline shows."""
    parts = live_parts(job)
    run = whole_number(request.GET.get("run", ""), digits=MAX_INDEX_DIGITS)
    return parts | {
        **timeline_of(job, parts["status"], run),
        "grids": grids_of(job, parts["status"]),
        "may_act": job.workspace.lets(request.user, Role.SUBMITTER),
    }


@require_POST
@answers_errors
def job_cancel(request: Request, job_id: UUID) -> HttpResponse:
    done = gettext("The cancel is noted: in 10 seconds nothing of this job runs any more.")
    return _act(request, job_id, lambda job: jobs.cancel(user=request.user, job=job), done)


@require_POST
@answers_errors
def job_retry(request: Request, job_id: UUID) -> HttpResponse:
    done = gettext("Trying again. What succeeded is kept.")
    return _act(request, job_id, lambda job: reruns.retry(user=request.user, job=job), done)


@require_POST
@answers_errors
def job_rerun(request: Request, job_id: UUID) -> HttpResponse:
    """All failed items, or the one that `item` names as `step:index`."""
    step, _, index = request.POST.get("item", "").rpartition(":")
    number = whole_number(index, digits=MAX_INDEX_DIGITS)
    items = [] if number is None else [number]
    return _act(
        request,
        job_id,
        lambda job: reruns.rerun_items(user=request.user, job=job, step=step, items=items),
        gettext("Running the failed items again."),
    )


def _act(request: Request, job_id: UUID, service: Callable[[Job], Job], done: str) -> HttpResponse:
    job = find_job(user=request.user, job_id=job_id)
    with refusals_said(request, Conflict):
        service(job)
        messages.success(request, done)
    return redirect("job-detail", job_id)
