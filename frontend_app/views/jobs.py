from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said, whole_number
from frontend_app.trace_link import trace_link
from frontend_app.views.job_items import grids_of
from frontend_app.views.job_parts import LIVE, live_parts, still_parts
from frontend_app.views.job_timeline import timeline_of
from frontend_app.words import language
from orchestration.errors import Conflict
from orchestration.follow import hub
from orchestration.services import jobs, reruns
from orchestration.services.access import find_job
from orchestration.services.shares import shares_of
from orchestration.services.whole import find_whole
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpResponse

    from orchestration.models import Job
    from orchestration.services.whole import Whole

MAX_INDEX_DIGITS: Final = 9
MOST_LINKS: Final = 20


@require_safe
@answers_errors
def job_detail(request: Request, job_id: UUID) -> HttpResponse:
    seen = hub.released  # before anything is read: what comes later is sent over the page's socket
    live = _live(request, job_id)
    job = live["job"]
    links = shares_of(job=job).good()[:MOST_LINKS]
    context = live | still_parts(job) | {"links": links, "seen": seen}
    context["trace"] = trace_link(job) if request.user.is_staff else ""
    return page(request, "frontend_app/jobs/detail.html", context)


@require_safe
@answers_errors
def job_live(request: Request, job_id: UUID) -> HttpResponse:
    """The parts that change, alone."""
    return render(request, "frontend_app/jobs/detail.html#live", _live(request, job_id))


def _live(request: Request, job_id: UUID) -> dict[str, Any]:
    """`?run=` chooses what the timeline shows."""
    whole = find_whole(user=request.user, job_id=job_id, parts=LIVE, language=language())
    may_act = whole.job.workspace.lets(request.user, Role.SUBMITTER)
    return live_context(whole, run_asked(request.GET.get("run", "")), may_act)


def run_asked(text: str) -> int | None:
    return whole_number(text, digits=MAX_INDEX_DIGITS)


def live_context(whole: Whole, run: int | None, may_act: bool) -> dict[str, Any]:  # noqa: FBT001  a part of what is shown
    """What the parts that change are drawn from, for everybody who may see, or do, as much."""
    parts = live_parts(whole)
    return parts | {
        **timeline_of(parts, run),
        "grids": grids_of(whole.job, parts["status"]),
        "may_act": may_act,
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
