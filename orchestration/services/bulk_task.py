"""The Celery task of bulk operations; apart from the others, because what it does to a job are services."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from orchestration.services import bulk_work
from orchestration.tasks import Nudge


@shared_task(name="esteira.bulk")
def bulk() -> None:
    if bulk_work.work_on_bulk():
        nudge_bulk()


nudge_bulk: Any = Nudge(bulk)
