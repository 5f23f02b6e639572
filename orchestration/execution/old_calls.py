"""Answers under an Idempotency-Key are kept for a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from orchestration.models import IdempotentCall

KEPT: Final = timedelta(hours=24)


def forget_calls() -> int:
    """How many were too old."""
    deleted, _ = IdempotentCall.objects.filter(created_at__lt=Now() - KEPT).delete()
    return deleted
