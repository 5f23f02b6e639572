"""What was counted once, so that nobody counts it again for each look: jobs by the hour, and what is dear to ask."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

SUBMITTED: Final = "SUBMITTED"
ATTEMPTS: Final = "ATTEMPTS"
"""Besides the states in which jobs end. Attempts have the cost: a job that is retried would have it twice."""

STORAGE: Final = "storage"
"""The reading of what lies in each storage."""


class JobTally(models.Model):
    """Of one hour (UTC): how many jobs were submitted or ended so, and what its attempts have cost."""

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField()
    workspace_id = models.UUIDField()
    pipeline_id = models.UUIDField()
    outcome = models.CharField(max_length=12)
    failure_kind = models.CharField(max_length=12, blank=True)
    number = models.BigIntegerField()
    usd = models.DecimalField(max_digits=18, decimal_places=8, default=0)

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "workspace_id", "pipeline_id", "outcome", "failure_kind"], name="job_tally_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.number} {self.outcome}"


class TallyBookmark(models.Model):
    """One row: events up to this id are counted."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    event_id = models.BigIntegerField(default=0)

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="tally_one_bookmark")]

    def __str__(self) -> str:
        return str(self.event_id)


class Reading(models.Model):
    """The last answer to a question that takes long, and when it was asked."""

    name = models.CharField(primary_key=True, max_length=32)
    value = models.JSONField()
    at = models.DateTimeField(db_default=Now())

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return f"{self.name} of {self.at:%H:%M:%S}"
