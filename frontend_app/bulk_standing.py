"""How far actions on many jobs are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.db.models.functions import Now

from frontend_app.bulk_words import BULK
from orchestration.models import BulkOperation
from orchestration.models.operation import counts_of
from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from orchestration.models import User

SHOWN_AFTER: Final = timedelta(minutes=2)
"""So long an operation that has ended is still on the page of jobs."""
MOST_SHOWN: Final = 5


def operations_now(user: User) -> list[dict[str, Any]]:
    """One's own that are under way or have just ended."""
    recent = Q(finished_at__isnull=True) | Q(finished_at__gt=Now() - SHOWN_AFTER)
    found = list(BulkOperation.objects.visible_to(user).filter(recent).order_by("-id")[:MOST_SHOWN])
    counts = counts_of([one.pk for one in found]) if found else {}
    return [standing(one, counts[one.pk]) for one in found]


def standing(operation: BulkOperation, counts: dict[str, int]) -> dict[str, Any]:
    said = BULK[BulkAction(operation.action)]
    return {
        "operation": operation,
        "said": said,
        "done": counts[BulkOutcome.DONE],
        "refused": counts[BulkOutcome.REFUSED],
        "skipped": counts[BulkOutcome.SKIPPED],
        "settled": operation.total - counts[""],
    }
