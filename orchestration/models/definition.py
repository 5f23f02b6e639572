from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id


class BatchJobDefinitionQuerySet(models.QuerySet["BatchJobDefinition"]):
    def registered(self) -> Self:
        return self.exclude(arn="")


class BatchJobDefinition(models.Model):
    """What was registered with AWS Batch for a step, by its name, which carries the digest of what was said.

    `arn` has the revision, so that a job goes on with what it was begun with; empty until Batch has answered. Whoever
    set `claimed_at` is asking Batch just now, or died over it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cell = models.CharField(max_length=64)
    name = models.CharField(max_length=128)
    arn = models.CharField(max_length=256, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = BatchJobDefinitionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cell", "name"], name="batch_definition_once"),
            models.CheckConstraint(condition=Q(arn="") | Q(claimed_at=None), name="batch_definition_claim_ends"),
        ]

    def __str__(self) -> str:
        return self.arn or self.name
