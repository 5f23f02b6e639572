from __future__ import annotations

from django.contrib import admin

from frontend_app import words
from frontend_app.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orchestration.models import File, Pipeline, PipelineVersion


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


@admin.register(File)
class FileAdmin(ReadOnlyAdmin):
    list_display = ["name", "size_shown", "media_type", "kind", "scan_state", "workspace", "created_at", "expires_at"]
    list_filter = ["kind", "scan_state", "hold", "workspace"]
    list_select_related = ["workspace"]
    search_fields = ["name", "sha256"]
    ordering = ["-id"]

    @admin.display(description="Size", ordering="size")
    def size_shown(self, file: File) -> str:
        return words.size_words(file.size)
