from __future__ import annotations

from django.contrib import admin

from frontend_app.admin.read_only import ReadOnlyAdmin
from orchestration.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "action", "actor", "workspace", "subject", "address", "request_id"]
    search_fields = ["=actor", "=workspace", "^action", "=request_id", "=subject_id"]
    search_help_text = "A whole user name, workspace, request id or id of what it is about; or how an action begins"
    ordering = ["-id"]
