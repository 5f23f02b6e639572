"""Where a workspace's events are sent to, and the secrets they are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.points import point
from orchestration.states import WEBHOOK_ENDS, DeliveryState

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

MOST_LETTERS: Final = 2_000
"""Of an address."""
DROPPED_AT_ONCE: Final = 5_000
SLOW_MS: Final = 1_000
"""A receiver that thinks for longer holds a sender that others wait for."""


def ends() -> list[str]:
    return [*WEBHOOK_ENDS]


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Managers of the workspace alone: an address is often a secret itself."""
        if not user.is_authenticated:
            return self.none()
        return self if user.sees_all else self.filter(workspace__in=Workspace.objects.managed_by(user))

    def calm(self) -> Self:
        return self.filter(failures=0, took_ms__lt=SLOW_MS)


class WebhookEndpoint(models.Model):
    """One address of a receiver. Whoever sends to it holds a lease, so that one request at a time is under way.

    `failing_since` and `failures` are of the requests since the last that went through, `took_ms` is of the last one;
    until `rest_until` nothing is sent.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="webhooks")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    url = models.CharField(max_length=MOST_LETTERS)
    description = models.CharField(max_length=200, blank=True)
    kinds = ArrayField(models.CharField(max_length=32), default=ends)
    created_at = models.DateTimeField(db_default=Now())
    # Events from then on are its business.
    enabled_at = models.DateTimeField(db_default=Now(), null=True, blank=True)
    # Why we switched it off; "" where a person did.
    disabled_why = models.CharField(max_length=500, blank=True)
    # The managers were told of that.
    told_at = models.DateTimeField(null=True, blank=True)

    failures = models.PositiveIntegerField(default=0, db_default=0)
    took_ms = models.PositiveIntegerField(default=0, db_default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    rest_until = models.DateTimeField(null=True, blank=True)
    taken_by = models.UUIDField(null=True, blank=True)
    taken_until = models.DateTimeField(null=True, blank=True)
    turn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = WebhookEndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "url"], name="webhook_once_per_address"),
            models.CheckConstraint(
                condition=Q(enabled_at__isnull=True) | Q(disabled_why=""), name="webhook_why_only_if_disabled"
            ),
        ]

    def __str__(self) -> str:
        """What follows its host is often a secret."""
        return urlsplit(self.url).hostname or str(self.pk)

    @property
    def is_enabled(self) -> bool:
        return self.enabled_at is not None

    @property
    def is_calm(self) -> bool:
        """It answered the last time, and soon."""
        return not self.failures and self.took_ms < SLOW_MS

    def switch_off(self, why: str = "") -> bool:
        """What waits is dropped after the commit, and can be replayed. False: it was off already."""
        changed = WebhookEndpoint.objects.filter(pk=self.pk, enabled_at__isnull=False).update(
            enabled_at=None, disabled_why=why[:500], told_at=None
        )
        transaction.on_commit(self.drop_waiting)
        return bool(changed)

    def drop_waiting(self) -> None:
        """Some at a time: a million in one statement would hold whoever records a try of one of them for minutes.

        Killed on the way it leaves the rest, which nobody sends, and a sweep drops. Switched on meanwhile, it leaves
        what waits now.
        """
        while self._drop_some():
            point("webhook.dropped_some")

    @transaction.atomic
    def _drop_some(self) -> bool:
        off = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=self.pk, enabled_at__isnull=True)
        waiting = self.deliveries.waiting()
        ids = list(waiting.values_list("pk", flat=True)[:DROPPED_AT_ONCE]) if off.first() else []
        return bool(waiting.filter(pk__in=ids).update(state=DeliveryState.DROPPED, finished_at=Now()))


class WebhookSecret(models.Model):
    """Encrypted. The one without an end is the present one; the others sign too until theirs has come."""

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="secrets")
    sealed = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint"], condition=Q(until__isnull=True), name="webhook_one_secret")
        ]

    def __str__(self) -> str:
        return f"secret {self.pk} of {self.endpoint_id}"
