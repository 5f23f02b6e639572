"""Definitions. A version never changes once it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from orchestration.models.account import User


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Pipelines without a workspace are everybody's who is signed in. An internal one is nobody's to submit."""
        if not user.is_authenticated:
            return self.none()
        offered = self.filter(is_internal=False)
        if user.sees_all:
            return offered
        mine = Workspace.objects.visible_to(user)
        return offered.filter(Q(workspace__isnull=True) | Q(workspace__in=mine))


class Pipeline(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=63, unique=True)
    workspace = models.ForeignKey(Workspace, models.PROTECT, null=True, blank=True, related_name="pipelines")
    latest = models.ForeignKey("PipelineVersion", models.PROTECT, null=True, blank=True, related_name="+")
    # Its versions are made by a door of the platform, which has checks of its own (services/tasks.py).
    is_internal = models.BooleanField(default=False, db_default=False)

    objects: ClassVar = PipelineQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """`digest` is the SHA-256 of the YAML; `bundle_sha256` that of the code packed beside it ("" if none)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    pipeline = models.ForeignKey(Pipeline, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    yaml = models.TextField()
    spec = models.JSONField()
    bundle_sha256 = models.CharField(max_length=64, blank=True)
    bundle_size = models.BigIntegerField(default=0)
    published_at = models.DateTimeField(db_default=Now())
    published_by = models.ForeignKey("User", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pipeline", "version"], name="pipeline_version_once")]

    def __str__(self) -> str:
        return f"{self.pipeline.name}@{self.version}"
