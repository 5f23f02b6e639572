from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models.functions import Now

from orchestration.ids import new_id

LOCAL: Final = "local"


class Execution(models.Model):
    """What an engine was asked to do. `name` makes a repeated start harmless.

    Jobs point here, not the other way, so that one execution may carry several of them; `cell` names
    the account and region (or machine) it was given to. `settled_at`: the engine runs nothing of it any more.
    `stop_asked_at` is when the engine was first asked to end it, `stop_tried_at` when it was last, and since
    `stop_heard_at` it knows.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80, unique=True)
    engine = models.CharField(max_length=32)
    cell = models.CharField(max_length=64, default="default")
    external_ref = models.CharField(max_length=256, blank=True)
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_tried_at = models.DateTimeField(null=True, blank=True)
    stop_heard_at = models.DateTimeField(null=True, blank=True)
    redriven_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=models.Q(settled_at__isnull=True) & ~models.Q(engine=LOCAL),
                name="execution_to_settle",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def may_run_something(self) -> bool:
        """Whether the engine has work of it that the rows do not show. The local engine's work is its attempts."""
        return self.engine != LOCAL and self.settled_at is None
