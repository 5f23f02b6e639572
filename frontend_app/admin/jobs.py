from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.shortcuts import render

from frontend_app import words
from frontend_app.admin.read_only import ReadOnlyAdmin, ReadOnlyInline, SaidValues, lines
from orchestration.errors import Invalid, OrchestrationError
from orchestration.models import Attempt, Event, Job, Repair, StepRun, User
from orchestration.services.job_search import find_jobs
from orchestration.services.jobs import cancel
from orchestration.services.redrive import redrive
from orchestration.services.reruns import retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

MOST_EVENTS: Final = 200
MOST_ATTEMPTS: Final = 100


class StepInline(ReadOnlyInline):
    model = StepRun
    fields = ["position", "name", "state", "run", "items_total", "failure_kind", "started_at", "finished_at"]


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["short_id", "name", "state", "failure_kind", "pipeline", "workspace", "created_by", "created_at"]
    list_filter = ["state", ("failure_kind", SaidValues), "workspace", "pipeline_version__pipeline"]
    list_select_related = ["pipeline_version__pipeline", "workspace", "created_by"]
    search_fields = ["name"]  # so that there is a box; what is written there is a filter
    search_help_text = "Words of a name, a user, a whole id, or as on the page of jobs: state:failed created:>-7d"
    ordering = ["-id"]
    exclude = ["inputs", "request_digest"]
    readonly_fields = ["input_names", "attempts_shown", "events_shown"]
    inlines = [StepInline]
    actions = ["cancel_jobs", "retry_jobs", "redrive_jobs"]

    @admin.display(description="Id")
    def short_id(self, job: Job) -> str:
        return str(job.pk)[-12:]

    @admin.display(description="Pipeline")
    def pipeline(self, job: Job) -> str:
        return str(job.pipeline_version)

    @admin.display(description="Inputs")
    def input_names(self, job: Job) -> SafeString | str:
        return lines((i.file.name,) for i in job.job_inputs.select_related("file")[:MOST_ATTEMPTS])

    @admin.display(description="Attempts, the newest first")
    def attempts_shown(self, job: Job) -> SafeString | str:
        rows: QuerySet[Attempt] = Attempt.objects.filter(job=job).order_by("-id")[:MOST_ATTEMPTS]
        return lines(
            (f"{a.step}[{a.item_index}] run {a.run} try {a.number}", a.state, a.failure_kind, a.detail) for a in rows
        )

    @admin.display(description="Events, the newest first")
    def events_shown(self, job: Job) -> SafeString | str:
        rows = Event.objects.filter(job_id=job.pk).exclude(kind="progress").order_by("-id")[:MOST_EVENTS]
        return lines(
            (f"{e.at:%Y-%m-%d %H:%M:%S}", e.kind, e.step, f"{e.old} → {e.new}" if e.old else e.new, e.reason)
            for e in rows
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """By the filter language of the page of jobs, in which an id is looked up as such."""
        try:
            return find_jobs(queryset, search_term, user=cast("User", request.user)), False
        except Invalid as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return queryset.none(), False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orchestration.change_job")

    @admin.action(description="Cancel selected jobs", permissions=["operate"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, cancel, "canceling")

    @admin.action(description="Retry selected jobs", permissions=["operate"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, retry, "trying again")

    @admin.action(description="Redrive executions of selected jobs on AWS", permissions=["operate"])
    def redrive_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        if "sure" in request.POST:
            self._each(request, queryset, partial(redrive, reason=request.POST.get("reason", "")), "redriven")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Redrive executions",
            "jobs": queryset,
            "checkbox": ACTION_CHECKBOX_NAME,
            "back": request.get_full_path(),
        }
        return render(request, "admin/orchestration/redrive.html", context)

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], service: Callable[..., Job], done: str) -> None:
        """One outcome a job: the refusal of one does not stop the others."""
        for job in queryset.select_related("workspace", "pipeline_version"):
            label = f"{job} ({words.state_word(job.state)})"
            try:
                service(user=request.user, job=job)
            except OrchestrationError as exc:
                self.message_user(request, f"{label}: {exc}", messages.WARNING)
            else:
                self.message_user(request, f"{label}: {done}.", messages.SUCCESS)


@admin.register(Repair)
class RepairAdmin(ReadOnlyAdmin):
    """What the reconciler had to mend: many of a kind mean that news of the engine get lost."""

    list_display = ["kind", "total", "last_at"]
