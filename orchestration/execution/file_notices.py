"""Tells whoever sent a file, and the managers of its workspace, that something is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.execution.notifying import managers_in, tell
from orchestration.states import NotificationKind

if TYPE_CHECKING:
    from orchestration.models import File

NAME_LENGTH: Final = 200
DETAIL_LENGTH: Final = 500


def tell_of_file(file: File, what: str, detail: str) -> None:
    """In the transaction that records it. `what` is quarantined or damaged."""
    people = managers_in(file.workspace_id) | ({file.created_by_id} if file.created_by_id else set())
    data = {"file": str(file.pk), "name": file.name[:NAME_LENGTH], "what": what, "detail": detail[:DETAIL_LENGTH]}
    tell(kind=NotificationKind.FILE_TROUBLE, workspace_id=file.workspace_id, people=people, group=what, data=data)
