"""What an administrator holds back: everything, a pipeline or a workspace. What has begun goes on to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.pipeline import Pipeline

if TYPE_CHECKING:
    from uuid import UUID


class PauseQuerySet(models.QuerySet["Pause"]):
    def of_job(self) -> Self:
        """Of the job that the outer query is about."""
        return self.filter(
            Q(workspace=None, pipeline=None)
            | Q(workspace=OuterRef("workspace"))
            | Q(pipeline=OuterRef("pipeline_version__pipeline"))
        )

    def holding(self, workspace_id: UUID, pipeline_id: UUID) -> Pause | None:
        """The widest of those that hold a job of it."""
        held = self.filter(Q(workspace=None, pipeline=None) | Q(workspace=workspace_id) | Q(pipeline=pipeline_id))
        return min(held.select_related("workspace", "pipeline"), key=lambda one: len(one.covers()), default=None)


class Pause(models.Model):
    """Names a workspace or a pipeline; with neither, nothing at all is begun. Gone when it is over."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.OneToOneField(Workspace, models.CASCADE, null=True, blank=True, related_name="pause")
    pipeline = models.OneToOneField(Pipeline, models.CASCADE, null=True, blank=True, related_name="pause")
    # Shown to everybody whose jobs wait for it.
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now())

    objects: ClassVar = PauseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(workspace__isnull=True) | Q(pipeline__isnull=True), name="pause_of_one_thing"
            ),
            models.UniqueConstraint(
                models.Value(1), condition=Q(workspace__isnull=True, pipeline__isnull=True), name="pause_of_all_once"
            ),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def what(self) -> str:
        if self.workspace:
            return f"the workspace {self.workspace.slug}"
        return f"the pipeline {self.pipeline.name}" if self.pipeline else "the platform"

    @property
    def sentence(self) -> str:
        if self.workspace:
            return f"The workspace {self.workspace.slug} is paused: {self.reason}"
        if self.pipeline:
            return f"The pipeline {self.pipeline.name} is paused: {self.reason}"
        return f"The platform is paused: {self.reason}"

    def covers(self) -> dict[str, Any]:
        """Jobs that it holds, as a filter."""
        if self.workspace_id:
            return {"workspace": self.workspace_id}
        return {"pipeline_version__pipeline": self.pipeline_id} if self.pipeline_id else {}


def is_paused() -> Exists:
    """For queries of jobs."""
    return Exists(Pause.objects.of_job())
