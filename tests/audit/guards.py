"""What whoever owns the database can do about the audit log's guards, and undo."""

from __future__ import annotations

from typing import Final

TABLES: Final = ("orchestration_auditentry", "orchestration_auditseal")
RIGHTS: Final = "UPDATE, DELETE, TRUNCATE"


def unguarded() -> list[str]:
    off = [f"ALTER TABLE {table} DISABLE TRIGGER audit_only_added_to" for table in TABLES]
    return [*off, *(f"GRANT {RIGHTS} ON {table} TO CURRENT_USER" for table in TABLES)]


def guarded() -> list[str]:
    on = [f"ALTER TABLE {table} ENABLE TRIGGER audit_only_added_to" for table in TABLES]
    return [*on, *(f"REVOKE {RIGHTS} ON {table} FROM CURRENT_USER" for table in TABLES)]
