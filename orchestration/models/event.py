from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import EventKind


class EventQuerySet(InWorkspaceQuerySet["Event"]):
    workspace_path = "workspace_id"


class Event(models.Model):
    """Append-only record of one move.

    The links are plain ids, without foreign keys, so that the table can be partitioned by day. Ids grow
    but are handed out before commit: readers that follow the table go through `orchestration.follow`.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    workspace_id = models.UUIDField()
    job_id = models.UUIDField()
    kind = models.CharField(max_length=10, choices=[(k, k) for k in EventKind])
    step = models.CharField(max_length=63, blank=True)
    item = models.PositiveIntegerField(null=True, blank=True)
    attempt_id = models.UUIDField(null=True, blank=True)
    old = models.CharField(max_length=12, blank=True)
    new = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["job_id", "id"], name="event_by_job")]

    def __str__(self) -> str:
        return f"{self.kind} {self.old}→{self.new}"
