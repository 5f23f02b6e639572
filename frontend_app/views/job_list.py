from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from frontend_app.bulk_standing import operations_now
from frontend_app.bulk_words import BULK
from frontend_app.http import Request, page, workspace_of
from orchestration.errors import Invalid
from orchestration.ids import uuid_or_none
from orchestration.models import Job
from orchestration.models.planning import planned_anew
from orchestration.services import job_lists
from orchestration.services.job_search import find_jobs
from orchestration.services.progress import progress_of
from orchestration.states import Role

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

PAGE: Final = 50
PRESETS: Final = (
    (gettext_lazy("All"), ""),
    (gettext_lazy("Open"), "state:open"),
    (gettext_lazy("Failed"), "state:failed,timed-out"),
    (gettext_lazy("Mine"), "owner:me"),
    (gettext_lazy("Last 24 hours"), "created:>-24h"),
)
COLUMNS: Final = {
    "state": gettext_lazy("State"),
    "labels": gettext_lazy("Labels"),
    "files": gettext_lazy("Files"),
    "by": gettext_lazy("By"),
    "priority": gettext_lazy("Priority"),
    "created": gettext_lazy("Created"),
    "started": gettext_lazy("Started"),
    "finished": gettext_lazy("Finished"),
    "took": gettext_lazy("Took"),
    "deadline": gettext_lazy("Deadline"),
    "cost": gettext_lazy("Cost"),
}


@require_safe
def job_list(request: Request) -> HttpResponse:
    here = workspace_of(request)
    context = _rows(request)
    wanted = context["filter"]
    saved = job_lists.filters_of(user=request.user, workspace=here) if here else []
    usual = {preset for _title, preset in PRESETS}
    context |= {
        "presets": PRESETS,
        "saved": [(one, _link(request, one.filter)) for one in saved],
        "link": _link(request, wanted),
        "can_save": bool(wanted and here and not context["mistake"])
        and wanted not in usual | {one.filter for one in saved},
        "bulk": BULK.items(),
        "all_columns": [(key, said, key in context["columns"]) for key, said in COLUMNS.items()],
    }
    return page(request, "frontend_app/jobs/list.html", context)


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
    with planned_anew():
        rows = list(found.order_by("-id")[: PAGE + 1])
    progress = progress_of(rows[:PAGE])
    columns = job_lists.columns_of(request.user)
    return {
        "jobs": [(job, progress.get(job.pk, 0.0)) for job in rows[:PAGE]],
        "columns": columns,
        "heads": [(key, COLUMNS[key]) for key in columns],
        "operations": operations_now(request.user),
        "may_choose": here is not None and here.lets(request.user, Role.SUBMITTER),
        "filter": wanted,
        "mistake": mistake,
        "is_filtered": bool(wanted),
        "is_first": before is None,
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
    }


def _filter(request: Request) -> str:
    """`?state=` and `?pipeline=` are of addresses that people have kept."""
    kept = [f"{key}:{value}" for key in ("state", "pipeline") if (value := request.GET.get(key))]
    return " ".join([*kept, request.GET.get("q", "")]).strip()


def _link(request: Request, wanted: str) -> str:
    """For others too: it names the workspace, which need not be the one that they look at."""
    here = workspace_of(request)
    return request.build_absolute_uri(list_address(wanted, here.slug if here else ""))


def list_address(wanted: str, workspace: str) -> str:
    said = {"q": wanted, "workspace": workspace}
    return f"{reverse('job-list')}?{urlencode({key: value for key, value in said.items() if value})}"
