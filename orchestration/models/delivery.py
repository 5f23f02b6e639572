"""What is sent to webhooks: one row for each event and address, one for each try."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.webhook import WebhookEndpoint
from orchestration.states import DeliveryState, WebhookKind


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> Self:
        return self.filter(state=DeliveryState.WAITING)

    def next_of_jobs(self) -> Self:
        """Whose turn is now: due, and of its job nothing that happened before still waits."""
        earlier = WebhookDelivery.objects.waiting().filter(
            endpoint=OuterRef("endpoint"), job_id=OuterRef("job_id"), event_id__lt=OuterRef("event_id")
        )
        return self.waiting().filter(~Exists(earlier), due_at__lte=Now())


class WebhookDelivery(models.Model):
    """`body` is what every try sends, byte by byte. The links to event and job are plain ids, as in Event itself.

    `tries`, `status` and `problem` are those since it was last due for the first time: a replay begins anew.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=32, choices=[(k, k) for k in WebhookKind])
    event_id = models.BigIntegerField(null=True, blank=True)
    job_id = models.UUIDField(null=True, blank=True)
    body = models.TextField()
    state = models.CharField(max_length=12, choices=[(s, s) for s in DeliveryState], default=DeliveryState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once"),
            models.CheckConstraint(condition=Q(state__in=list(DeliveryState)), name="webhook_delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.WAITING, finished_at__isnull=True)
                | (~Q(state=DeliveryState.WAITING) & Q(finished_at__isnull=False)),
                name="webhook_delivery_finished_iff_not_waiting",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"], condition=Q(state=DeliveryState.WAITING), name="webhook_delivery_due"
            ),
            models.Index(
                fields=["endpoint", "job_id", "event_id"],
                condition=Q(state=DeliveryState.WAITING),
                name="webhook_delivery_in_order",
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(
                fields=["finished_at"], condition=Q(finished_at__isnull=False), name="webhook_delivery_by_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def message_id(self) -> str:
        """The header `webhook-id`: the same at every try, by which receivers know a repeat."""
        return f"msg_{self.pk.hex}"


class WebhookAttempt(models.Model):
    """One request. `answer` is the beginning of what the receiver said, for whoever mends it."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempts")
    at = models.DateTimeField(db_default=Now())
    took_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    answer = models.CharField(max_length=500, blank=True)

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return f"{self.status or self.problem}"


class WebhookBookmark(models.Model):
    """One row: deliveries were made of all events up to this id."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    event_id = models.BigIntegerField(default=0)

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="webhook_one_bookmark")]

    def __str__(self) -> str:
        return str(self.event_id)
