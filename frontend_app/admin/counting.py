"""Lists of tables with millions of rows: nothing is counted to its end, and no page is further than it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.paginator import Paginator
from django.db import connection
from django.utils.functional import cached_property

if TYPE_CHECKING:
    from django.db.models import Model

MOST_COUNTED: Final = 2_000
"""Beyond it a page would be found by reading all that come before it: a filter finds sooner."""

ROUND_TO: Final = 3
"""Digits: what is not counted is not to look as if it were."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # no [M] at run time
    @cached_property
    def count(self) -> int:
        """At most MOST_COUNTED."""
        return min(MOST_COUNTED, self._seen)

    @property
    def is_capped(self) -> bool:
        return self._seen > MOST_COUNTED

    @property
    def estimate(self) -> int:
        """Of the whole table, whatever the filter; -1: not known yet."""
        rows: Any = self.object_list
        return estimated_rows(rows.model)

    @cached_property
    def _seen(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST_COUNTED + 1].count())


def estimated_rows(model: type[Model]) -> int:
    """Of the whole table, in round numbers, as PostgreSQL has seen it when it last analysed it; -1: it has not yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])  # noqa: SLF001
        (found,) = cursor.fetchone()
    return round(int(found), ROUND_TO - len(str(found)))
