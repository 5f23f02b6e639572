"""What was sent to a webhook and what is to be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import Conflict, NotFound
from orchestration.execution.webhook_intake import source_of
from orchestration.ids import new_id
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.models.bulk import database_now
from orchestration.states import DeliveryState, WebhookKind
from orchestration.tasks import nudge_webhooks
from orchestration.webhooks.envelope import cloud_event

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

_ANEW: Final[dict[str, Any]] = {
    "state": DeliveryState.WAITING, "tries": 0, "due_at": Now(), "finished_at": None, "status": None, "problem": "",
}  # fmt: skip
MOST_AT_ONCE: Final = 10_000
SWITCHED_OFF: Final = "The webhook is switched off. Switch it on first."


def find_delivery(*, endpoint: WebhookEndpoint, delivery_id: UUID) -> WebhookDelivery:
    found: WebhookDelivery | None = endpoint.deliveries.filter(pk=delivery_id).first()
    if found is None:
        raise NotFound("There is no such delivery of this webhook. They are kept for 30 days.")
    return found


def send_test(*, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """One try of an event that says only that it is a test. Raises Conflict while the webhook is off."""
    row = WebhookDelivery(pk=new_id(), endpoint=endpoint, kind=WebhookKind.TEST)
    row.body = cloud_event(
        source=source_of(endpoint.workspace.slug),
        event_id=f"test-{row.pk}",
        kind=row.kind,
        at=database_now(),
        data={"webhook": str(endpoint.pk), "workspace": endpoint.workspace.slug},
    )
    with transaction.atomic(durable=True):
        _wake(endpoint)
        row.save(force_insert=True)
        transaction.on_commit(nudge_webhooks)
    row.refresh_from_db()
    return row


def replay(*, endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> WebhookDelivery:
    """Sent again at once, under its old id and in its place among those of its job. One that waits goes first."""
    with transaction.atomic(durable=True):
        _wake(endpoint)
        endpoint.deliveries.filter(pk=delivery.pk).update(**_ANEW)
        transaction.on_commit(nudge_webhooks)
    delivery.refresh_from_db()
    return delivery


def replay_missed(*, endpoint: WebhookEndpoint, since: datetime | None = None) -> int:
    """Everything that never got through, of events since then; the number, at most MOST_AT_ONCE."""
    with transaction.atomic(durable=True):
        _wake(endpoint)
        missed: QuerySet[WebhookDelivery] = endpoint.deliveries.filter(
            state__in=[DeliveryState.FAILED, DeliveryState.DROPPED]
        ).exclude(kind=WebhookKind.TEST)
        if since is not None:
            missed = missed.filter(created_at__gte=since)
        ids = list(missed.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
        count = WebhookDelivery.objects.filter(pk__any=ids).update(**_ANEW)
        transaction.on_commit(nudge_webhooks)
    return count


def _wake(endpoint: WebhookEndpoint) -> None:
    """A person has looked: no rest is kept any longer. Raises Conflict while it is off."""
    if not WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled_at__isnull=False).update(rest_until=None):
        raise Conflict(SWITCHED_OFF)
