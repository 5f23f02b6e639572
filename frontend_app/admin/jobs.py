from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from frontend_app import words
from frontend_app.admin.counting import MOST_COUNTED, estimated_rows
from frontend_app.admin.job_actions import act
from frontend_app.admin.long_list import LongListAdmin
from frontend_app.admin.read_only import ReadOnlyAdmin, ReadOnlyInline, lines
from frontend_app.templatetags.esteira import chip
from frontend_app.trace_link import trace_link
from orchestration.errors import Invalid, OrchestrationError
from orchestration.models import Attempt, Event, Job, Repair, StepRun, User, Violation
from orchestration.models.planning import planned_anew
from orchestration.sentences import said
from orchestration.services.job_search import find_jobs, reads_on
from orchestration.services.redrive import redrive
from orchestration.states import BulkAction
from orchestration.tracing import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

MOST_EVENTS: Final = 200
MOST_ATTEMPTS: Final = 100
MOST_REDRIVEN: Final = 100
QUICK: Final = (
    ("state:open", _("not ended")),
    ("state:waiting,queued", _("waiting")),
    ("state:running", _("running")),
    ("state:failed,timed-out", _("failed")),
    ("failure:platform,interrupted", _("failed by our fault")),
    ("waiting:paused", _("paused")),
)


class StepInline(ReadOnlyInline):
    model = StepRun
    fields = ["position", "name", "state", "run", "items_total", "failure_kind", "started_at", "finished_at"]


@admin.register(Job)
class JobAdmin(LongListAdmin):
    list_display = [
        "short_id", "name", "state_shown", "waits_for", "priority", "pipeline", "workspace", "created_by", "created_at",
    ]  # fmt: skip
    list_select_related = ["pipeline_version__pipeline", "workspace", "created_by"]
    search_fields = ["name"]  # so that there is a box; what is written there is a filter
    search_help_text = _("Words of a name, a user, a whole id, or as on the page of jobs: state:failed created:>-7d")
    fieldsets = [
        (None, {"fields": [
            "state_shown", "failure_kind", "failure_detail", "waiting_reason", "waiting_detail",
            "pipeline_version", "workspace", "created_by", "name", "priority", "run", "input_names",
        ]}),
        (_("Attempts and events"), {"fields": ["attempts_shown", "events_shown"]}),
        (_("Times"), {"fields": [
            "created_at", "queued_at", "started_at", "finished_at", "deadline", "cancel_requested_at",
        ]}),
        (_("More"), {"classes": ["collapse"], "fields": [
            "params", "labels", "input_count", "waiting_at", "execution", "claimed_at", "hand_over_tries",
            "next_try_at", "progress_event_at", "idempotency_key", "resubmitted_from", "estimate_usd",
            "estimate_basis", "cost_usd", "told_run", "trace_shown",
        ]}),
    ]  # fmt: skip
    readonly_fields = ["state_shown", "input_names", "attempts_shown", "events_shown", "trace_shown"]
    inlines = [StepInline]
    actions = ["cancel_jobs", "retry_jobs", "rerun_jobs", "change_priority", "redrive_jobs"]

    @admin.display(description=_("Id"))
    def short_id(self, job: Job) -> str:
        return str(job.pk)[-12:]

    @admin.display(description=_("State"))
    def state_shown(self, job: Job) -> SafeString:
        return chip(job.state, is_canceling=job.is_canceling, failure_kind=job.failure_kind)

    @admin.display(description=_("Waits for"))
    def waits_for(self, job: Job) -> str:
        return job.waiting_reason if not job.is_finished else ""

    @admin.display(description=_("Pipeline"))
    def pipeline(self, job: Job) -> str:
        return str(job.pipeline_version)

    @admin.display(description=_("Inputs"))
    def input_names(self, job: Job) -> SafeString | str:
        return lines((i.file.name,) for i in job.job_inputs.select_related("file")[:MOST_ATTEMPTS])

    @admin.display(description=_("Trace"))
    def trace_shown(self, job: Job) -> SafeString | str:
        place = Place.read(job.traceparent)
        name = f"{place.trace_id:032x}" if place else ""
        to = trace_link(job)
        return format_html('<a href="{}" rel="noreferrer">{}</a>', to, name) if to else name or "—"

    @admin.display(description=_("Attempts, the newest first"))
    def attempts_shown(self, job: Job) -> SafeString | str:
        rows: QuerySet[Attempt] = Attempt.objects.filter(job=job).order_by("-id")[:MOST_ATTEMPTS]
        cells = (
            (
                reverse("attempt-detail", args=[a.pk]),
                f"{a.step}[{a.item_index}] run {a.run} try {a.number}",
                " · ".join(filter(None, (words.state_word(a.state), a.failure_kind, a.detail))),
            )
            for a in rows
        )
        return format_html_join("", '<div><a href="{}">{}</a> · {}</div>', cells) or "—"

    @admin.display(description=_("Events, the newest first"))
    def events_shown(self, job: Job) -> SafeString | str:
        rows = Event.objects.filter(job_id=job.pk).exclude(kind="progress").order_by("-id")[:MOST_EVENTS]
        return lines(
            (f"{e.at:%Y-%m-%d %H:%M:%S}", e.kind, e.step, f"{e.old} → {e.new}" if e.old else e.new, e.reason)
            for e in rows
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        about = estimated_rows(Job)
        context = {"quick": QUICK, "about": about if about > MOST_COUNTED else 0}
        with planned_anew():
            response = super().changelist_view(request, context | (extra_context or {}))
            # Only what draws it reads its rows.
            return response.render() if isinstance(response, TemplateResponse) else response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """By the filter language of the page of jobs, in which an id is looked up as such."""
        try:
            return find_jobs(queryset, search_term, user=cast("User", request.user)), False
        except Invalid as exc:
            self.message_user(request, said(exc), messages.ERROR)
            return queryset.none(), False

    def reads_on(self, query: str, params: dict[str, Any]) -> bool:  # noqa: ARG002  Django's
        return reads_on(query)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orchestration.change_job")

    @admin.action(description=_("Cancel selected jobs"), permissions=["operate"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return act(request, BulkAction.CANCEL, name="cancel_jobs")

    @admin.action(description=_("Retry selected jobs"), permissions=["operate"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return act(request, BulkAction.RETRY, name="retry_jobs")

    @admin.action(description=_("Rerun failed items of selected jobs"), permissions=["operate"])
    def rerun_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return act(request, BulkAction.RERUN, name="rerun_jobs")

    @admin.action(description=_("Change priority of selected jobs"), permissions=["operate"])
    def change_priority(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return act(request, BulkAction.PRIORITY, name="change_priority")

    @admin.action(description=_("Redrive executions of selected jobs on AWS"), permissions=["operate"])
    def redrive_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        if queryset[: MOST_REDRIVEN + 1].count() > MOST_REDRIVEN:
            self.message_user(request, f"At most {MOST_REDRIVEN} are redriven at once.", messages.ERROR)
            return None
        if "sure" in request.POST:
            self._each(request, queryset, partial(redrive, reason=request.POST.get("reason", "")), "redriven")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Redrive executions"),
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


@admin.register(Violation)
class ViolationAdmin(ReadOnlyAdmin):
    """Faults of the platform itself. One without a date of resolution is still true."""

    list_display = ["invariant", "job_id", "detail", "found_at", "resolved_at"]
    list_filter = ["invariant", ("resolved_at", admin.EmptyFieldListFilter)]
