"""From WAITING to QUEUED: what the workspaces and the platform have slots for, and why the rest waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Now

from orchestration.execution.leave import refuse, with_leave
from orchestration.execution.pausing import explain_pauses
from orchestration.execution.unfit import end_unfit, held_for_checks, suspicious, unscanned, why_unfit
from orchestration.models import Job, Workspace
from orchestration.models.pause import is_paused
from orchestration.states import JobState, WaitingReason

if TYPE_CHECKING:
    from uuid import UUID

BATCH: Final = 100
ADMISSION: Final = 0x61646D69


@transaction.atomic
def admit() -> int:
    """Move jobs from WAITING to QUEUED while their workspace and the platform have slots.

    One dispatcher at a time: two that count and then admit would together admit too many.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADMISSION])
        if not cursor.fetchone()[0]:
            return 0
    explain_pauses()
    active = dict(
        Job.objects.active().order_by().values_list("workspace").annotate(n=Count("pk")).values_list("workspace", "n")
    )
    room = max(0, settings.MAX_ACTIVE_JOBS - sum(active.values()))
    admitted = 0
    while moved := _share_out(room, active):
        admitted += moved
        room -= moved
        if not room or admitted >= BATCH:
            break
    return admitted


def _share_out(room: int, active: dict[UUID, int]) -> int:
    """Whoever has the fewest comes first, and nobody takes the share of those who come after."""
    with_jobs = Exists(Job.objects.filter(~is_paused(), workspace=OuterRef("pk"), state=JobState.WAITING))
    waiting = sorted(Workspace.objects.filter(with_jobs), key=lambda workspace: active.get(workspace.pk, 0))
    admitted = 0
    for place, workspace in enumerate(waiting):
        own = max(0, workspace.max_active_jobs - active.get(workspace.pk, 0))
        left = room - admitted
        slots = min(own, -(-left // (len(waiting) - place)))
        moved = _admit_from(workspace, min(slots, BATCH)) if slots else 0
        active[workspace.pk] = active.get(workspace.pk, 0) + moved
        admitted += moved
        if moved == own:
            _explain(workspace, workspace_is_full(workspace))
        elif left == moved:
            _explain(workspace, platform_is_full())
    return admitted


def workspace_is_full(workspace: Workspace) -> str:
    return f"The workspace already has {workspace.max_active_jobs} active jobs, its limit."


def platform_is_full() -> str:
    return f"The platform already has {settings.MAX_ACTIVE_JOBS} active jobs, its limit."


def _admit_from(workspace: Workspace, free: int) -> int:
    scanned = _waiting(workspace).filter(~Exists(unscanned()))
    ready = scanned.annotate(has_leave=Exists(with_leave()), is_suspicious=Exists(suspicious()))[:free]
    moved = 0
    for job in ready:
        if not job.has_leave:
            refuse(job)
        elif job.is_suspicious and (why := why_unfit(job)):
            end_unfit(job, why)
        else:
            moved += job.move(JobState.QUEUED, queued_at=Now())
    for held, sentence in held_for_checks(_waiting(workspace), BATCH):
        if (held.waiting_reason, held.waiting_detail) != (WaitingReason.SCAN, sentence):
            _wait(held, WaitingReason.SCAN, sentence)
    return moved


def _waiting(workspace: Workspace) -> models.QuerySet[Job]:
    return (
        Job.objects.filter(~is_paused(), workspace=workspace, state=JobState.WAITING, cancel_requested_at__isnull=True)
        .order_by("-priority", "id")
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
    )


def _explain(workspace: Workspace, sentence: str) -> None:
    """Tell the jobs at the head of the line why they wait; the rest learn it when they get there."""
    for job in _waiting(workspace).filter(waiting_reason="")[:BATCH]:
        _wait(job, WaitingReason.CONCURRENCY, sentence)


def _wait(job: Job, reason: WaitingReason, detail: str) -> None:
    Job.objects.filter(pk=job.pk, state=job.state).update(waiting_reason=reason, waiting_detail=detail)
