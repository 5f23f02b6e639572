from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Violation(models.Model):
    """Something that must never be true of a job, and was found to be; resolved when a later look did not find it."""

    id = models.BigAutoField(primary_key=True)
    invariant = models.CharField(max_length=32)
    job_id = models.UUIDField()
    detail = models.CharField(max_length=500)
    found_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invariant", "job_id"],
                condition=models.Q(resolved_at__isnull=True),
                name="violation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invariant} {self.job_id}"


class InvariantWatch(models.Model):
    """The one row that says how far the jobs that ended were looked at, in the order of their ends, and when."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    through_at = models.DateTimeField()
    through_id = models.UUIDField()
    looked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="invariant_watch_is_one")]

    def __str__(self) -> str:
        return f"through {self.through_at}"
