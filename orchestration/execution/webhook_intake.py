"""From events to deliveries: one for each event and each webhook of its workspace that wants to hear of it.

A bookmark says up to which event that is done, and moves in the transaction that writes the deliveries: whoever is
killed over it has written nothing. Ids are handed out before commit, so an event that is missing between two others
may still come; then what follows it waits until nobody writes any more who wrote when it was missed.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from orchestration.ids import new_id
from orchestration.models import Event, Job, WebhookBookmark, WebhookDelivery, WebhookEndpoint
from orchestration.points import point
from orchestration.states import JOB_FINISHED, WEBHOOK_KIND_OF, EventKind, JobState, WebhookKind
from orchestration.webhooks.envelope import cloud_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

log = logging.getLogger(__name__)

BATCH: Final = 2_000
PATIENCE_S: Final = 1.0
"""With writers that were there when an event was missed; then the next round looks again."""
LOOK_S: Final = 0.02
_WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'orchestration_event'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"""


def begin_bookmark() -> None:
    """Before the first webhook: what has happened by then is nobody's news."""
    if not WebhookBookmark.objects.exists():
        last = Event.objects.aggregate(last=Max("pk"))["last"] or 0
        WebhookBookmark.objects.bulk_create([WebhookBookmark(event_id=last)], ignore_conflicts=True)


def take_in() -> int:
    """The number of deliveries that were made."""
    begin_bookmark()
    made = 0
    while True:
        done = WebhookBookmark.objects.values_list("event_id", flat=True).get()
        ids = list(Event.objects.filter(pk__gt=done).order_by("pk").values_list("pk", flat=True)[:BATCH])
        through = decided(done, ids)
        if through == done:
            return made
        try:
            more = _make(done, through)
        except IntegrityError as exc:
            # A webhook was deleted between the look at it and the commit. The next round does without it.
            log.info("deliveries not made", extra={"error": str(exc)})
            return made
        if more is None:
            return made  # somebody else is at it
        made += more
        if len(ids) < BATCH and through == ids[-1]:
            return made


def decided(done: int, ids: Sequence[int]) -> int:
    """The highest of them below which no event can appear any more."""
    if not ids or ids[-1] - done == len(ids):
        return ids[-1] if ids else done
    before = _writers()
    end = time.monotonic() + PATIENCE_S
    while before & _writers():
        if time.monotonic() > end:
            return next((done + n for n, one in enumerate(ids) if one != done + n + 1), ids[-1])
        time.sleep(LOOK_S)
    return ids[-1]


def _writers() -> set[str]:
    """Transactions that have written events and not ended. They take this lock before they are given an id."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {row[0] for row in cursor.fetchall()}


@transaction.atomic
def _make(done: int, through: int) -> int | None:
    """None: the bookmark has moved meanwhile."""
    if not WebhookBookmark.objects.filter(event_id=done).update(event_id=through):
        return None
    endpoints = list(WebhookEndpoint.objects.filter(enabled_at__isnull=False))
    if not endpoints:
        return 0
    events = Event.objects.filter(
        pk__gt=done, pk__lte=through, kind=EventKind.JOB, workspace_id__in={e.workspace_id for e in endpoints}
    )
    told = [(event, kind) for event in events.order_by("pk") if (kind := _kind(event))]
    jobs = Job.objects.select_related("workspace", "pipeline_version__pipeline").in_bulk({e.job_id for e, _ in told})
    deliveries = list(_deliveries(told, endpoints, jobs))
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True, batch_size=500)
    point("webhook.made")
    return len(deliveries)


def _kind(event: Event) -> WebhookKind | None:
    if event.old == event.new:
        return None
    if event.new == JobState.WAITING:
        return WebhookKind.SUBMITTED if not event.old else WebhookKind.RETRIED if event.old in JOB_FINISHED else None
    return WEBHOOK_KIND_OF.get(event.new)


def _deliveries(
    told: Sequence[tuple[Event, WebhookKind]], endpoints: Sequence[WebhookEndpoint], jobs: dict[UUID, Job]
) -> Iterator[WebhookDelivery]:
    for event, kind in told:
        wanted = [e for e in endpoints if e.workspace_id == event.workspace_id and kind in e.kinds]
        hearing = [e for e in wanted if e.enabled_at and event.at >= e.enabled_at]
        job = jobs.get(event.job_id)
        if not hearing or job is None:
            continue
        body = body_of(event, kind, job)
        for endpoint in hearing:
            yield WebhookDelivery(
                pk=new_id(), endpoint=endpoint, kind=kind, event_id=event.pk, job_id=event.job_id, body=body
            )


def source_of(slug: str) -> str:
    return f"{settings.PUBLIC_URL}/workspaces/{slug}"


def body_of(event: Event, kind: WebhookKind, job: Job) -> str:
    """What the event says and what of the job does not change: a try in three days must not say something else."""
    data: dict[str, Any] = {
        "job": str(job.pk),
        "name": job.name,
        "workspace": job.workspace.slug,
        "pipeline": job.pipeline_version.pipeline.name,
        "pipeline_version": job.pipeline_version.version,
        "labels": job.labels,
        "run": _run(event, job),
        "old": event.old or None,
        "new": event.new,
        "reason": event.reason or None,
        "failure_kind": event.data.get("failure_kind"),
        "failure_detail": event.data.get("failure_detail"),
        "url": f"{settings.PUBLIC_URL}/jobs/{job.pk}/",
    }
    return cloud_event(
        source=source_of(job.workspace.slug),
        event_id=str(event.pk),
        kind=kind,
        at=event.at,
        data=data,
        subject=str(job.pk),
        sequence=event.pk,
    )


def _run(event: Event, job: Job) -> int:
    """Of the job when it happened: it may have been retried since."""
    if job.run == 1:
        return 1
    retries = Event.objects.filter(
        job_id=job.pk, pk__lte=event.pk, kind=EventKind.JOB, new=JobState.WAITING, old__in=JOB_FINISHED
    )
    return 1 + retries.count()
