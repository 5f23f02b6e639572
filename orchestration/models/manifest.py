from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from orchestration.models.job import Job


class SigningKey(models.Model):
    """The public half of a key that has signed here. `id` is the SHA-256 of its DER form. Rows stay: so do signatures.

    `retired_at`: another key signs since. `revoked_at`: somebody else may have it, so nothing that it signed counts.
    """

    id = models.CharField(max_length=64, primary_key=True)
    public_key = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=500, blank=True, db_default="")

    def __str__(self) -> str:
        return self.id


class Manifest(models.Model):
    """What a run of a job took, did and left, signed. `envelope` and `crate` are files as they travel with results."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, models.CASCADE, related_name="manifests")
    run = models.PositiveIntegerField()
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    envelope = models.TextField()
    crate = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "run"], name="manifest_once_per_run")]

    def __str__(self) -> str:
        return f"{self.job_id}-r{self.run}"
