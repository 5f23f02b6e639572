from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from frontend_app.admin.counting import MOST_COUNTED
from frontend_app.admin.long_list import LongListAdmin
from orchestration.models import AuditEntry
from orchestration.services.audit import find_entries

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(AuditEntry)
class AuditEntryAdmin(LongListAdmin):
    list_display = ["at", "action", "actor", "workspace", "subject", "address", "request_id"]
    search_fields = ["=actor"]  # so that there is a box
    search_help_text = _(
        "A whole user name, workspace, request id or id of what it is about; or how an action begins. Users and "
        "workspaces that are gone are looked for among the newest 100,000 entries."
    )

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's
        queryset: QuerySet[AuditEntry],
        search_term: str,
    ) -> tuple[QuerySet[AuditEntry], bool]:
        return find_entries(queryset, search_term, most=MOST_COUNTED + 1), False
