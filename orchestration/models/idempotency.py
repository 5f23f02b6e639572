from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class IdempotentCall(models.Model):
    """What a call under an Idempotency-Key was answered; `status` null while it is under way.

    `owner` is the hash of the credential, `digest` that of the request: another one under the same key is refused.
    """

    id = models.BigAutoField(primary_key=True)
    owner = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    taken_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="idempotent_call_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_call_by_age")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'under way'}"
