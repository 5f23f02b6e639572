"""Tells the managers of a workspace who came and went, and a member what she has become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.execution.notifying import managers_in, tell
from orchestration.states import NotificationKind

if TYPE_CHECKING:
    from orchestration.models import User, Workspace


def tell_of_member(what: str, workspace: Workspace, member: User, *, by: User, role: str = "") -> None:
    """Whoever did it knows. `what` is joined, changed, left or removed. In the transaction in which it happens."""
    people = managers_in(workspace.pk) - {by.pk}
    if what == "changed" and member.pk != by.pk:
        people.add(member.pk)
    tell(
        kind=NotificationKind.MEMBERS,
        workspace_id=workspace.pk,
        people=people,
        group=f"{what}/{member.pk}",
        data={"member": str(member.pk), "username": member.username, "what": what, "by": by.username, "role": role},
    )
