"""The start of a workspace: what runs, what waits and why, what went wrong; and the next steps of a newcomer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from frontend_app.http import Request, page, workspace_of
from frontend_app.words import WAITING
from orchestration.follow import hub
from orchestration.models import ApiToken, Job
from orchestration.models.budget import standing_of
from orchestration.models.planning import planned_anew
from orchestration.models.usage import usage_of
from orchestration.services.progress import progress_of
from orchestration.services.workspace_now import AT_WORK, counts_of
from orchestration.states import JOB_FAILED, JobState, Role, WaitingReason

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

    from orchestration.models import Workspace

MOST_RUNNING: Final = 8
MOST_FAILED: Final = 6
LATELY: Final = timedelta(days=7)
A_DAY: Final = timedelta(days=1)
HEAVY: Final = ("params", "pipeline_version__yaml", "pipeline_version__spec")


@require_safe
def home(request: Request) -> HttpResponse:
    here = workspace_of(request)
    if here is None:
        return page(request, "frontend_app/jobs/may_not.html", {"workspace": None})
    seen = hub.released  # before anything is read: what comes later is sent over the page's socket
    context = now_in(here) | {"next_steps": _next_steps(request, here), "seen": seen}
    return page(request, "frontend_app/home.html", context)


@require_safe
def home_live(request: Request) -> HttpResponse:
    """The part that changes, alone."""
    here = workspace_of(request)
    return render(request, "frontend_app/home.html#live", now_in(here) if here else {})


@require_safe
def home_storage(request: Request) -> HttpResponse:
    """Counted from rows, which takes a moment where there are millions: so the page does not wait for it."""
    here = workspace_of(request)
    usage = usage_of(here) if here else None
    full = usage.used_bytes / usage.quota_bytes if usage and usage.quota_bytes else None
    context = {"usage": usage, "full": full, "budget": standing_of(here) if here and settings.PRICES else None}
    return render(request, "frontend_app/home.html#storage", context)


def now_in(here: Workspace) -> dict[str, Any]:
    """The same for everybody who may see the workspace."""
    now = timezone.now()
    counts = counts_of(here.pk, since=now - A_DAY)
    jobs: QuerySet[Job] = Job.objects.filter(workspace=here)
    shown = jobs.select_related("pipeline_version__pipeline", "created_by").defer(*HEAVY)
    at_work = shown.filter(state__in=AT_WORK).order_by("-id")[:MOST_RUNNING]
    failed = shown.filter(state__in=JOB_FAILED, finished_at__gte=now - LATELY).order_by("-finished_at")[:MOST_FAILED]
    with planned_anew():
        running = list(at_work) if counts.running else []
        return {
            "running": _with_progress(running),
            "failed": list(failed),
            "waiting": [_reason(reason, number) for reason, number in counts.reasons],
            "counts": counts,
            "has_jobs": bool(running) or jobs.exists(),
        }


def _with_progress(running: list[Job]) -> list[tuple[Job, float]]:
    progress = progress_of(running)
    return [(job, progress.get(job.pk, 0.0)) for job in running]


def _reason(reason: str, number: int) -> tuple[str, str, int]:
    """In words and in the filter's, and how many wait for it."""
    said = str(WAITING[WaitingReason(reason)]) if reason else _("A place is about to be free.")
    return said, reason, number


def _next_steps(request: Request, here: Workspace) -> list[tuple[str, str, str, bool]]:
    """What is left to be tried by somebody new: title, words, name of the page, done. Empty when all is done."""
    if not here.lets(request.user, Role.SUBMITTER):
        return []
    mine = Job.objects.filter(workspace=here, created_by=request.user)
    with planned_anew():
        has_run = mine.exists()
        has_result = has_run and mine.filter(state=JobState.SUCCEEDED).exists()
    steps = [
        (_("Look at a pipeline"), _("What it takes, its parameters, what it leaves."), "pipeline-list", has_run),
        (_("Run the first job"), _("Drop a file, choose a pipeline, submit."), "job-new", has_run),
        (
            _("Open a result"),
            _("A report to read, and files to keep."),
            "job-list",
            has_result,
        ),
        (
            _("Do it from a program"),
            _("A token opens the command and the API."),
            "token-list",
            ApiToken.objects.filter(user=request.user).exists(),
        ),
    ]
    return [] if all(done for *_, done in steps) else steps
