"""What beat does so that the system heals by itself: every gap a lost message or a kill can leave."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import batched
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.registry import get_engine
from orchestration.execution.advance import advance
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.record import record
from orchestration.models import Attempt, File, Item, Job, JobInput, StepRun
from orchestration.states import JOB_UNFINISHED, WorkState
from orchestration.storage.registry import get_storage

log = logging.getLogger(__name__)

BATCH: Final = 100
ORPHAN_AGE: Final = timedelta(days=1)


def reconcile() -> int:
    """Ask the engine about every job it has, record what was missed, advance what stands still."""
    jobs = Job.objects.unfinished().filter(execution__isnull=False).order_by("id")
    repairs = 0
    for group in batched(jobs.only("pk", "run"), BATCH, strict=False):
        specs = [ExecutionSpec(name=job.execution_name, job_id=job.pk, run=job.run) for job in group]
        for report in get_engine(settings.ENGINE).report(specs):
            with one_at_a_time(report.attempt_id):
                repairs += record(report)
    return repairs + advance_stalled()


def advance_stalled() -> int:
    """Jobs that could go on and that nobody moves: the kill came after a commit and before what follows it."""
    open_attempts = Attempt.objects.unfinished().filter(job=OuterRef("pk"))
    settled = StepRun.objects.filter(job=OuterRef("pk"), state=WorkState.RUNNING).filter(
        ~Exists(Item.objects.unfinished().filter(step_run=OuterRef("pk")))
    )
    handed_over = Job.objects.unfinished().filter(execution__isnull=False)
    standing = handed_over.filter(~Exists(open_attempts) | Exists(settled))
    canceling = Job.objects.unfinished().filter(cancel_requested_at__isnull=False)
    found = standing.values_list("pk").union(canceling.values_list("pk"))
    job_ids = [row[0] for row in found[:1_000]]
    for job_id in job_ids:
        with one_at_a_time(job_id):
            advance(job_id, wait=False)
    if job_ids:
        log.info("advanced stalled jobs", extra={"count": len(job_ids)})
    return len(job_ids)


def expire_files() -> int:
    """Delete files whose date has come: not those on hold, nor those that an unfinished job reads or made.

    As with a deletion by hand the row stays and the bytes go with the next storage sweep.
    """
    read = JobInput.objects.filter(file=OuterRef("pk"), job__state__in=JOB_UNFINISHED)
    due = File.objects.filter(expires_at__lt=Now(), deleted_at__isnull=True, hold=False)
    due = due.filter(~Exists(read)).exclude(job__state__in=JOB_UNFINISHED)
    gone = File.objects.filter(pk__in=due.order_by("expires_at").values("pk")[:1_000]).update(deleted_at=Now())
    if gone:
        log.info("files expired", extra={"count": gone})
    return gone


def sweep_storage() -> int:
    """Delete objects that are older than a day and have no File row (their client has no 2xx) or a deleted one."""
    removed = 0
    for alias in ("uploads", "results"):
        storage = get_storage(alias)
        for keys in batched(storage.keys_older_than(ORPHAN_AGE), 500, strict=False):
            wanted = File.objects.filter(key__in=keys, deleted_at__isnull=True)
            known = set(wanted.values_list("key", flat=True))
            for key in set(keys) - known:
                storage.delete(key)
                removed += 1
    return removed
