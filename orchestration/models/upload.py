from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import UploadState


class Upload(models.Model):
    """A transfer session. A File exists if and only if the state is `complete`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="uploads")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=[(s, s) for s in UploadState], default=UploadState.OPEN)
    name = models.CharField(max_length=1024)
    size = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = InWorkspaceQuerySet["Upload"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(UploadState)), name="upload_state_known"),
            models.CheckConstraint(
                condition=Q(state=UploadState.COMPLETE, completed_at__isnull=False)
                | (~Q(state=UploadState.COMPLETE) & Q(completed_at__isnull=True)),
                name="upload_completed_at_iff_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
