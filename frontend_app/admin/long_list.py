"""Lists of tables that may have ten million rows. What no index finds is looked for among the newest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList

from frontend_app.admin.read_only import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.db.models.expressions import Combinable
    from django.http import HttpRequest

NEWEST: Final = 100_000
"""So many rows are read within a page's time, and twice: once to count those that fit."""


class LongList(ChangeList):
    model_admin: LongListAdmin
    newest_only = 0
    """The page says so where it is not 0."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        """Never by a column: sorting reads every row."""
        self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if not self.model_admin.reads_on(self.query, self.params):
            return rows
        last = self.root_queryset.order_by("-pk").values_list("pk", flat=True)[NEWEST : NEWEST + 1].first()
        if last is None:
            return rows
        self.newest_only = NEWEST
        return rows.filter(pk__gt=last)


class LongListAdmin(ReadOnlyAdmin):
    """Of models whose newest rows have the highest ids."""

    ordering = ["-id"]
    sortable_by = ()
    # Numbers beside filters would be counted over all rows.
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's
        return LongList

    def reads_on(self, query: str, params: dict[str, Any]) -> bool:  # noqa: ARG002  those that search look at it
        """Whether finding what was asked for, where few rows fit, would read the whole table."""
        return False
