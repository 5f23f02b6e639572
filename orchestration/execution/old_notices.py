"""Notifications are kept for so long after they last changed, read or not: then they are no news to anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from orchestration.models import Notification

KEPT: Final = timedelta(days=90)
BATCH: Final = 5_000
ROUNDS: Final = 100


def forget_notices() -> int:
    """How many were too old."""
    total = 0
    for _ in range(ROUNDS):
        old = Notification.objects.filter(changed_at__lt=Now() - KEPT).order_by("changed_at")
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        total += Notification.objects.filter(pk__in=ids).delete()[0]
        if len(ids) < BATCH:
            break
    return total
