"""Bulk operations: some jobs together where that can be done, else one by one. After a kill the next one goes on.

A job that was acted on and whose outcome was not written is acted on again, which changes nothing: a cancel is a
wish, a retry or rerun is of one run only, a new job has the item's own idempotency key, and what a job is called or
worth is the same when it is said twice.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models.functions import Now

from orchestration import going, tracing
from orchestration.errors import JobFinished, NotFound, OrchestrationError
from orchestration.execution.notifying import tell
from orchestration.models import BulkItem, BulkOperation, Job
from orchestration.models.operation import settle_all
from orchestration.models.traced import bulk_place, tell_bulk
from orchestration.points import point
from orchestration.services.bulk_sets import TOGETHER, resubmit_key
from orchestration.services.jobs import cancel, edit, relabel, resubmit
from orchestration.services.reruns import rerun_items, retry
from orchestration.states import BulkAction, BulkOutcome, JobState, NotificationKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

log = logging.getLogger(__name__)

THREADS: Final = 3
_BUSY: Final = threading.Lock()
"""Messages come while one is worked on, and each would take connections that others need."""
AT_ONCE: Final = 200
"""Jobs that one thread takes: a cancel of the operation waits for no more than these."""
BUDGET_S: Final = 20.0
"""After so long a worker is left to others; the message comes again."""


def work_on_bulk() -> bool:
    """Whether there is more to do at once. Of one process one thread works on it, with a few of its own."""
    if not _BUSY.acquire(blocking=False):
        return False
    try:
        return _work_on_all()
    finally:
        _BUSY.release()


def _work_on_all() -> bool:
    end = time.monotonic() + BUDGET_S
    for operation in going.while_not_told(
        BulkOperation.objects.unfinished().select_related("created_by").order_by("id")
    ):
        with ThreadPoolExecutor(THREADS, thread_name_prefix="bulk") as pool:
            for done in [pool.submit(_work, operation, end) for _ in range(THREADS)]:
                done.result()
        if not operation.items.filter(outcome="").exists():
            _finish(operation)
        if time.monotonic() > end:
            return True
    return False


@transaction.atomic
def _finish(operation: BulkOperation) -> None:
    if not BulkOperation.objects.unfinished().filter(pk=operation.pk).update(finished_at=Now()):
        return
    tell_bulk(operation)
    workspace = operation.items.order_by("pk").values_list("job__workspace", flat=True).first()
    counts = operation.counts()
    if workspace is not None:
        tell(
            kind=NotificationKind.BULK_DONE,
            workspace_id=workspace,
            people=[operation.created_by_id],
            group=str(operation.pk),
            data={
                "bulk": str(operation.pk),
                "action": operation.action,
                "total": operation.total,
                "refused": counts.get(BulkOutcome.REFUSED, 0),
            },
        )


def _canceled(operation: BulkOperation) -> bool:
    return BulkOperation.objects.filter(pk=operation.pk, canceled_at__isnull=False).exists()


def _work(operation: BulkOperation, end: float) -> None:
    place = bulk_place(operation)
    try:
        while going.is_before(end) and (taken := operation.take(AT_ONCE)):
            point("bulk.taken")
            items = list(BulkItem.objects.filter(pk__in=taken).order_by("pk"))
            if _canceled(operation):
                operation.items.filter(pk__in=taken).update(outcome=BulkOutcome.SKIPPED)
                continue
            # As whoever began it may see them now.
            seen = Job.objects.visible_to(operation.created_by).select_related(
                "workspace", "pipeline_version__pipeline"
            )
            jobs = seen.in_bulk([item.job_id for item in items])
            with tracing.span("act on jobs", under=place, jobs=len(items)) if place else nullcontext():
                _act(operation, items, jobs)
    finally:
        connection.close()


def _act(operation: BulkOperation, items: list[BulkItem], jobs: dict[UUID, Job]) -> None:
    for item in _do_together(operation, items, jobs):
        if job := jobs.get(item.job_id):
            _do(operation, item, job)
        else:
            item.settle(BulkOutcome.REFUSED, code=NotFound.code, detail="You may not see this job any more.")


def _do_together(operation: BulkOperation, items: list[BulkItem], jobs: dict[UUID, Job]) -> list[BulkItem]:
    """What is left to be done one by one."""
    together = TOGETHER.get(BulkAction(operation.action))
    if together is None:
        return items
    pairs = [(item, jobs[item.job_id]) for item in items if item.job_id in jobs]
    try:
        settled = together(operation.created_by, pairs)
    except Exception:
        # One of these jobs is trouble, whatever it is, and the others must not share it: each by itself now.
        log.exception("bulk action failed together", extra={"operation": str(operation.pk), "jobs": len(pairs)})
        return items
    point("bulk.done")
    settle_all(settled)
    return [item for item in items if item.pk not in settled]


def _do(operation: BulkOperation, item: BulkItem, job: Job) -> None:
    try:
        made = _ACTIONS[BulkAction(operation.action)](operation, job, item)
    except OrchestrationError as exc:
        item.settle(BulkOutcome.REFUSED, code=exc.code[:40], detail=str(exc)[:500])
    except Exception:
        # This job's trouble, whatever it is: the others go on, and the log has the reason.
        log.exception("bulk action failed", extra={"job_id": str(item.job_id), "action": operation.action})
        item.settle(
            BulkOutcome.REFUSED, code="internal", detail="Something went wrong here. The operator can see what."
        )
    else:
        point("bulk.done")
        item.settle(BulkOutcome.DONE, made=made)


def _cancel(operation: BulkOperation, job: Job, _item: BulkItem) -> None:
    try:
        cancel(user=operation.created_by, job=job)
    except JobFinished:
        job.refresh_from_db()
        if job.state != JobState.CANCELED:
            raise


def _retry(operation: BulkOperation, job: Job, item: BulkItem) -> None:
    if job.run == item.run:
        retry(user=operation.created_by, job=job, run=item.run)


def _resubmit(operation: BulkOperation, job: Job, item: BulkItem) -> Job:
    made, _ = resubmit(user=operation.created_by, job=job, changes={}, idempotency_key=resubmit_key(item))
    return made


def _rerun(operation: BulkOperation, job: Job, item: BulkItem) -> None:
    if job.run == item.run:
        rerun_items(user=operation.created_by, job=job, run=item.run)


def _label(operation: BulkOperation, job: Job, _item: BulkItem) -> None:
    params = operation.params
    relabel(user=operation.created_by, job=job, new=params["set"], gone=params["remove"])


def _prioritise(operation: BulkOperation, job: Job, _item: BulkItem) -> None:
    edit(user=operation.created_by, job=job, priority=operation.params["priority"])


_ACTIONS: Final[dict[BulkAction, Callable[[BulkOperation, Job, BulkItem], Job | None]]] = {
    BulkAction.CANCEL: _cancel,
    BulkAction.RETRY: _retry,
    BulkAction.RESUBMIT: _resubmit,
    BulkAction.RERUN: _rerun,
    BulkAction.LABEL: _label,
    BulkAction.PRIORITY: _prioritise,
}
