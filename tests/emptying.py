"""How the tables are emptied between tests that commit: `flush` in one TRUNCATE, which the audit log refuses.

What migrating makes stays: to make kinds and permissions anew takes longer than to empty all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations

from tests.audit.guards import guarded, unguarded

if TYPE_CHECKING:
    from collections.abc import Collection

MADE_BY_MIGRATING: Final = frozenset({"django_content_type", "auth_permission"})


def empty_quickly() -> None:
    emptying = DatabaseOperations.sql_flush

    def unruled(self: DatabaseOperations, style: Any, tables: Collection[str], **kwargs: Any) -> list[str]:
        left = [table for table in tables if table not in MADE_BY_MIGRATING]
        return [*unguarded(), *emptying(self, style, left, **kwargs), *guarded()]

    DatabaseOperations.sql_flush = unruled  # type: ignore[assignment, method-assign]
    vars(flush)["emit_post_migrate_signal"] = lambda *_: None
