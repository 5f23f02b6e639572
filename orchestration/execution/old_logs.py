"""Logs of attempts go with the results of their job; the job's row, events and attempts stay."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, IntegerField, OuterRef, Sum, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Now

from orchestration import going
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Attempt, Event, File, Job
from orchestration.states import LOGS_DELETED, EventKind
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from orchestration.models.job import JobQuerySet

log = logging.getLogger(__name__)

STORAGE: Final = "logs"
BATCH: Final = 1_000
JOBS: Final = 10_000


def expire_logs() -> int:
    """Delete the logs of jobs whose outputs are destroyed or, if there were none, would be. Returns how many jobs."""
    jobs = list(_due().order_by("finished_at")[:JOBS])
    done = 0
    for job in going.while_not_told(jobs):
        with one_at_a_time(job.pk):
            done += _delete_logs(job)
    if done:
        log.info("logs expired", extra={"count": done})
    return done


def _due() -> JobQuerySet:
    """An output whose bytes are there, extended or on hold perhaps, keeps the logs that tell how it was made."""
    own = Cast(KeyTextTransform("retention_days", "pipeline_version__spec"), IntegerField())
    days = Coalesce(own, F("workspace__result_retention_days"), output_field=IntegerField())
    term = ExpressionWrapper(Value(timedelta(days=1)) * days, output_field=DurationField())
    outputs = File.objects.filter(job=OuterRef("pk"), purged_at__isnull=True)
    logged = Attempt.objects.filter(job=OuterRef("pk"), log_size__gt=0)
    # The first condition only says what the index knows; the second is the rule.
    old = Job.objects.filter(finished_at__lt=Now() - timedelta(days=1)).filter(finished_at__lte=Now() - term)
    due: JobQuerySet = old.filter(Exists(logged), ~Exists(outputs))
    return due


def _delete_logs(job: Job) -> bool:
    storage = get_storage(STORAGE)
    logged = Attempt.objects.filter(job=job, log_size__gt=0)
    size = logged.aggregate(n=Sum("log_size"))["n"] or 0
    ids = list(logged.values_list("pk", flat=True))
    for attempts in batched(Attempt.objects.filter(pk__in=ids), BATCH, strict=False):
        for attempt in attempts:
            storage.delete(attempt.log_key)
    # Last: whoever is killed before leaves rows that say there is something to delete.
    with transaction.atomic(durable=True):
        if not logged.filter(pk__in=ids).update(log_size=0):
            return False
        data = {"logs": len(ids), "bytes": size}
        Event.objects.bulk_create(
            [job.event(EventKind.JOB, old=job.state, new=job.state, reason=LOGS_DELETED, data=data)]
        )
    return True
