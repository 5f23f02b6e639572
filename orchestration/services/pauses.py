"""Holding back what has not begun, with a reason that everybody sees whose jobs wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.execution.pausing import explain_pauses, forget
from orchestration.models import Job, Pause
from orchestration.models.audit import write_audit
from orchestration.states import AuditAction
from orchestration.tasks import nudge_dispatch

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import Pipeline, User, Workspace

MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Held:
    """`running`: jobs that an engine has and that go on. With none of them it is drained."""

    pause: Pause
    running: int


def pause(*, user: User, reason: str, workspace: Workspace | None = None, pipeline: Pipeline | None = None) -> Pause:
    """Everything, where neither is named. Raises Forbidden, Invalid without a reason, Conflict where it is already."""
    _require(user)
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON:
        raise Invalid(f"Say why, in at most {MAX_REASON} characters: whoever waits for it reads that.")
    held = Pause(workspace=workspace, pipeline=pipeline, reason=reason, by=user)
    try:
        with transaction.atomic(durable=True):
            held.save(force_insert=True)
            _note(AuditAction.PAUSED, user, held, after={"reason": reason})
    except IntegrityError as exc:
        raise Conflict(f"{held.what[0].upper()}{held.what[1:]} is paused already.") from exc
    explain_pauses()
    held.refresh_from_db()
    return held


def resume(*, user: User, pause_id: UUID) -> None:
    """Raises Forbidden, NotFound."""
    _require(user)
    with transaction.atomic(durable=True):
        rows = Pause.objects.select_related("workspace", "pipeline").select_for_update(of=("self",))
        held = rows.filter(pk=pause_id).first()
        if held is None:
            raise NotFound("There is no such pause. Perhaps somebody has ended it.")
        _note(AuditAction.RESUMED, user, held, before={"reason": held.reason})
        Pause.objects.filter(pk=pause_id).delete()
    forget(held)
    nudge_dispatch()


def pauses() -> list[Held]:
    rows = Pause.objects.select_related("workspace", "pipeline", "by").order_by("at")
    begun = Job.objects.unfinished().filter(execution__isnull=False)
    return [Held(row, begun.filter(**row.covers()).count()) for row in rows]


def _require(user: User) -> None:
    if not user.is_superuser and not user.has_perm("orchestration.change_pause"):
        raise Forbidden("Only an operator of the platform pauses it.")


def _note(action: AuditAction, user: User, held: Pause, **said: dict[str, str]) -> None:
    write_audit(action, by=user, workspace=held.workspace, about=held, name=held.what, **said)
