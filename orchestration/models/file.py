from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import FileKind, ScanState


class FileQuerySet(InWorkspaceQuerySet["File"]):
    def current(self) -> Self:
        """Not deleted, and not replaced by the output of a later run."""
        return self.filter(deleted_at__isnull=True, superseded_at__isnull=True)

    def results(self) -> Self:
        return self.current().filter(kind=FileKind.RESULT)


class File(models.Model):
    """Immutable bytes. `size` in bytes; `sha256` in hex; `key` names the object behind storage alias `storage`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="files")
    kind = models.CharField(max_length=12, choices=[(k, k) for k in FileKind])
    name = models.CharField(max_length=1024)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=255)
    scan_state = models.CharField(max_length=12, choices=[(s, s) for s in ScanState])
    storage = models.CharField(max_length=16)
    key = models.CharField(max_length=255, unique=True)
    upload = models.OneToOneField("Upload", models.PROTECT, null=True, blank=True, related_name="file")
    job = models.ForeignKey("Job", models.PROTECT, null=True, blank=True, related_name="outputs")
    step = models.CharField(max_length=63, blank=True)
    item_index = models.PositiveIntegerField(null=True, blank=True)
    attempt_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    hold = models.BooleanField(default=False)
    superseded_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = FileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(size__gte=0), name="file_size_not_negative"),
            models.CheckConstraint(condition=Q(kind__in=list(FileKind)), name="file_kind_known"),
            models.CheckConstraint(condition=Q(scan_state__in=list(ScanState)), name="file_scan_state_known"),
            models.CheckConstraint(
                condition=(Q(kind=FileKind.UPLOAD) & Q(job__isnull=True))
                | (~Q(kind=FileKind.UPLOAD) & Q(job__isnull=False)),
                name="file_of_a_job_iff_not_upload",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="file_by_workspace"),
            models.Index(fields=["expires_at"], condition=Q(deleted_at__isnull=True), name="file_to_expire"),
        ]

    def __str__(self) -> str:
        return self.name
