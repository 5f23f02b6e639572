"""What is kept for a while: answers under an Idempotency-Key, what came of a bulk operation, tickets nobody used."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from orchestration.models import BulkOperation, IdempotentCall, LiveTicket

KEPT: Final = timedelta(hours=24)
OUTCOMES_KEPT: Final = timedelta(days=30)


def forget_calls() -> int:
    """How many were too old."""
    deleted, _ = IdempotentCall.objects.filter(created_at__lt=Now() - KEPT).delete()
    BulkOperation.objects.filter(finished_at__lt=Now() - OUTCOMES_KEPT).delete()
    LiveTicket.objects.filter(expires_at__lt=Now()).delete()
    return deleted
