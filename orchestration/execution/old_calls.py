"""What is kept for a while: answers under an Idempotency-Key, what came of bulk work and webhooks, unused tickets."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from orchestration.models import BulkOperation, IdempotentCall, LiveTicket, WebhookDelivery

KEPT: Final = timedelta(hours=24)
OUTCOMES_KEPT: Final = timedelta(days=30)
BATCH: Final = 1_000
ROUNDS: Final = 100
"""Of a busy workspace an hour brings no more than these take."""


def forget_calls() -> int:
    """How many were too old."""
    deleted, _ = IdempotentCall.objects.filter(created_at__lt=Now() - KEPT).delete()
    BulkOperation.objects.filter(finished_at__lt=Now() - OUTCOMES_KEPT).delete()
    LiveTicket.objects.filter(expires_at__lt=Now()).delete()
    _forget_deliveries()
    return deleted


def _forget_deliveries() -> None:
    for _ in range(ROUNDS):
        old = WebhookDelivery.objects.filter(finished_at__lt=Now() - OUTCOMES_KEPT).order_by("finished_at")
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        WebhookDelivery.objects.filter(pk__in=ids).delete()
        if len(ids) < BATCH:
            break
