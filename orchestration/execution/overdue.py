"""Jobs that have not ended by their deadline are stopped on the way of a cancel, and end as timed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models.functions import Now

from orchestration.execution.advance import advance
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Job
from orchestration.models.moves import write_events
from orchestration.points import point
from orchestration.states import EventKind

if TYPE_CHECKING:
    from uuid import UUID

PASSED: Final = "deadline passed"
MOST: Final = 1_000


def stop_overdue() -> int:
    """How many were told to stop. The sweep of canceling jobs goes on with any that a kill leaves here."""
    stopped = 0
    for job_id in Job.objects.overdue().order_by("deadline").values_list("pk", flat=True)[:MOST]:
        with one_at_a_time(job_id):
            stopped += _stop(job_id)
    return stopped


def _stop(job_id: UUID) -> bool:
    with transaction.atomic(durable=True):
        # Looked at again under the lock: it may have ended, or have got more time.
        job = Job.objects.overdue().select_for_update(no_key=True, skip_locked=True).filter(pk=job_id).first()
        if job is None:
            return False
        Job.objects.filter(pk=job_id).update(cancel_requested_at=Now())
        write_events([job.event(EventKind.JOB, old=job.state, new=job.state, reason=PASSED)])
    point("overdue.committed")
    advance(job_id)
    return True
