from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from frontend_app import words
from frontend_app.admin.long_list import LongListAdmin
from frontend_app.admin.read_only import ReadOnlyAdmin, ReadOnlyInline, lines
from orchestration import figures
from orchestration.errors import OrchestrationError
from orchestration.models import File, Pipeline, PipelineVersion
from orchestration.services.file_search import find_files, names_one_file
from orchestration.services.files import delete_file, undelete_file
from orchestration.services.quarantine import release_from_quarantine
from orchestration.services.receipts import history_of
from orchestration.services.retention import release_file
from orchestration.services.storage_state import storage_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    from orchestration.models.file import FileQuerySet


class VersionInline(ReadOnlyInline):
    model = PipelineVersion
    fk_name = "pipeline"
    fields = ["version", "digest", "published_at", "published_by"]
    ordering = ["-published_at"]
    show_change_link = True


@admin.register(Pipeline)
class PipelineAdmin(ReadOnlyAdmin):
    list_display = ["name", "latest", "workspace"]
    list_select_related = ["latest__pipeline", "workspace"]
    search_fields = ["name"]
    inlines = [VersionInline]


@admin.register(PipelineVersion)
class PipelineVersionAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "digest", "published_at", "published_by"]
    list_filter = ["pipeline"]
    list_select_related = ["pipeline", "published_by"]
    search_fields = ["pipeline__name", "version", "digest"]
    ordering = ["-published_at"]


class StateFilter(admin.SimpleListFilter):
    title = "life"
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's
        return [("current", "current"), ("deleted", "deleted, can be brought back"), ("purged", "bytes destroyed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002  Django's
        match self.value():
            case "current":
                return queryset.current()
            case "deleted":
                return queryset.deleted()
            case "purged":
                # The first is true of each of them, and has an index.
                return queryset.filter(deleted_at__isnull=False, purged_at__isnull=False)
        return queryset


@admin.register(File)
class FileAdmin(LongListAdmin):
    list_display = ["name", "size_shown", "media_type", "kind", "scan_state", "workspace", "created_at", "expires_at"]
    list_filter = [
        StateFilter, "kind", "scan_state", ("damaged_at", admin.EmptyFieldListFilter), "hold", "workspace",
    ]  # fmt: skip
    readonly_fields = ["history_shown"]
    actions = ["delete_files", "undelete_files", "release_files", "release_from_quarantine"]
    list_select_related = ["workspace"]
    search_fields = ["name"]  # so that there is a box
    search_help_text = _("Part of a name, a whole id, or a whole SHA-256")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's
        queryset: QuerySet[File],
        search_term: str,
    ) -> tuple[QuerySet[File], bool]:
        return find_files(queryset, search_term), False

    def reads_on(self, query: str, params: dict[str, Any]) -> bool:
        return "kind__exact" in params or bool(query.strip() and not names_one_file(query))

    @admin.display(description=_("Size"))
    def size_shown(self, file: File) -> str:
        return figures.size_words(file.size)

    @admin.display(description=_("History"))
    def history_shown(self, file: File) -> SafeString | str:
        rows = (
            (f"{e.at:%Y-%m-%d %H:%M:%S}", words.file_event(e), e.actor.username if e.actor else "", e.reason)
            for e in history_of(file=file)
        )
        return lines(rows)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orchestration.change_file")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.storage_view)
        return [path("storage/", view, name="orchestration_file_storage"), *super().get_urls()]

    def storage_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Storage"),
            "now": storage_states(),
            "days": settings.SCRUB_DAYS,
        }
        return render(request, "admin/orchestration/storage.html", context)

    @admin.action(description=_("Delete selected files"), permissions=["operate"])
    def delete_files(self, request: HttpRequest, queryset: FileQuerySet) -> None:
        self._each(request, queryset, delete_file, "deleted")

    @admin.action(description=_("Bring selected files back"), permissions=["operate"])
    def undelete_files(self, request: HttpRequest, queryset: FileQuerySet) -> None:
        self._each(request, queryset, undelete_file, "back")

    @admin.action(description=_("Release selected files from their hold"), permissions=["operate"])
    def release_files(self, request: HttpRequest, queryset: FileQuerySet) -> None:
        self._each(request, queryset, release_file, "no longer on hold")

    @admin.action(description=_("Release selected files from quarantine"), permissions=["operate"])
    def release_from_quarantine(self, request: HttpRequest, queryset: FileQuerySet) -> HttpResponse | None:
        if "sure" in request.POST:
            service = partial(release_from_quarantine, reason=request.POST.get("reason", ""))
            self._each(request, queryset, service, "released from quarantine")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Release from quarantine"),
            "files": queryset,
            "checkbox": ACTION_CHECKBOX_NAME,
            "back": request.get_full_path(),
        }
        return render(request, "admin/orchestration/release_from_quarantine.html", context)

    def _each(self, request: HttpRequest, queryset: FileQuerySet, service: Callable[..., object], done: str) -> None:
        for file in queryset.select_related("workspace"):
            try:
                service(user=request.user, file=file)
            except OrchestrationError as exc:
                self.message_user(request, f"{file}: {exc}", messages.WARNING)
            else:
                self.message_user(request, f"{file}: {done}.", messages.SUCCESS)
