"""Rows that the admin shows and never edits, adds or deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.translation import gettext

from frontend_app.admin.counting import CappedPaginator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.views.main import ChangeList
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


class Untouchable:
    """A row's state belongs to the services: even a superuser gets no field and no delete button here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class SaidValues(admin.AllValuesFieldListFilter):
    """Where nothing is written in a row, its choice is a word too."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or gettext("None")}


class ReadOnlyAdmin(Untouchable, admin.ModelAdmin):  # type: ignore[type-arg]  # no [M] at run time
    # A count of every row costs more than the page at ten million rows.
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    paginator = CappedPaginator


class ReadOnlyInline(Untouchable, admin.TabularInline):  # type: ignore[type-arg]  # the same
    template = "admin/inline_rows.html"
    extra = 0
    can_delete = False
    show_change_link = False


def lines(rows: Any) -> SafeString | str:
    """Each row's cells joined and escaped, one row a line."""
    joined = ((" · ".join(cell for cell in row if cell),) for row in rows)
    return format_html_join("", "<div>{}</div>", joined) or "—"
