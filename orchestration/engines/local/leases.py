"""The supervisor's side of the rows: take, renew, give back. All times are the database's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from orchestration.engines.leasing import LEASE, lease, tell_job
from orchestration.models import Attempt
from orchestration.models.moves import swap_state, write_events
from orchestration.states import ATTEMPT_MOVES, AttemptState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

BATCH: Final = 32


def take(holder: str, *, vcpus: float, memory_bytes: int, limits: tuple[float, int]) -> list[Attempt]:
    """Lease queued attempts that fit into what is free, and tell their jobs."""
    taken = _take(holder, vcpus=vcpus, memory_bytes=memory_bytes, limits=limits)
    for attempt in taken:
        tell_job(attempt)
    return taken


@transaction.atomic
def _take(holder: str, *, vcpus: float, memory_bytes: int, limits: tuple[float, int]) -> list[Attempt]:
    """Lease what fits.

    An attempt that asks for more than `limits`, the whole of this machine, counts as the whole: on a
    laptop a step for a large server runs alone rather than never.
    """
    due = (
        Attempt.objects.filter(
            state=AttemptState.QUEUED, available_at__lte=Now(), job__cancel_requested_at__isnull=True
        )
        .select_related("job")
        .order_by("-priority", "item_index", "id")
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
    )
    taken = []
    for attempt in due[:BATCH]:
        attempt.vcpu = min(attempt.vcpu, limits[0])
        attempt.memory_bytes = min(attempt.memory_bytes, limits[1])
        if attempt.vcpu > vcpus or attempt.memory_bytes > memory_bytes:
            break  # first come, first served: a large attempt is not starved by small ones behind it
        vcpus -= attempt.vcpu
        memory_bytes -= attempt.memory_bytes
        if lease(attempt, holder):
            taken.append(attempt)
    return taken


def note_process(attempt_id: UUID, fence: int, pid: int, started: str) -> None:
    Attempt.objects.held_by(attempt_id, fence).update(pid=pid, pid_started=started)


def renew(holder: str, attempt_ids: Iterable[UUID]) -> None:
    Attempt.objects.live().filter(leased_by=holder, pk__in=list(attempt_ids)).update(lease_until=Now() + LEASE)


def mine(holder: str) -> list[Attempt]:
    return list(Attempt.objects.live().filter(leased_by=holder))


def expired() -> list[tuple[UUID, int]]:
    """Live attempts that nobody renews, whoever had them, with their fences."""
    return list(Attempt.objects.live().filter(lease_until__lt=Now()).values_list("pk", "fence")[:500])


def still_live(attempt_id: UUID, fence: int) -> Attempt | None:
    held: Attempt | None = Attempt.objects.held_by(attempt_id, fence).select_related("job").first()
    return held


def canceling(attempt_ids: Iterable[UUID]) -> set[UUID]:
    rows = Attempt.objects.filter(pk__in=list(attempt_ids), job__cancel_requested_at__isnull=False)
    return set(rows.values_list("pk", flat=True))


def give_back(attempt: Attempt, *, wait: timedelta = timedelta()) -> bool:
    """STARTING → QUEUED, for `wait` at least: nothing ran. A late start has an old fence and changes nothing."""
    with transaction.atomic():
        if not swap_state(
            attempt,
            AttemptState.QUEUED,
            moves=ATTEMPT_MOVES,
            where={"fence": attempt.fence},
            fence=F("fence") + 1,
            available_at=Now() + wait,
            leased_by="",
            lease_until=None,
            pid=None,
            pid_started="",
        ):
            return False
        said = "The process never started."
        write_events([attempt.event(AttemptState.QUEUED, old=AttemptState.STARTING, reason=said)])
    return True
