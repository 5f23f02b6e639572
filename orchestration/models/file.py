from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.moves import swap_state
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import SCAN_MOVES, FileEventKind, FileKind, ScanState

if TYPE_CHECKING:
    from datetime import datetime

UNDELETE: Final = timedelta(days=30)
"""How long a deleted file can be brought back, before its bytes are destroyed."""

UNUSUAL: Final = ~Q(scan_state=ScanState.CLEAN) | Q(damaged_at__isnull=False) | Q(hold=True)
"""Not just lying there: quarantined or not examined yet, damaged, on hold."""


class FileQuerySet(InWorkspaceQuerySet["File"]):
    def current(self) -> Self:
        """Not deleted, and not replaced by the output of a later run."""
        return self.filter(deleted_at__isnull=True, superseded_at__isnull=True)

    def results(self) -> Self:
        return self.current().filter(kind=FileKind.RESULT)

    def deleted(self) -> Self:
        """What a person may still bring back: within UNDELETE, or later while it is on hold."""
        in_time = Q(deleted_at__gt=Now() - UNDELETE) | Q(hold=True, deleted_at__isnull=False)
        return self.filter(in_time, purged_at__isnull=True, superseded_at__isnull=True)

    def to_purge(self) -> Self:
        return self.filter(deleted_at__lte=Now() - UNDELETE, purged_at__isnull=True, hold=False)


class FileEventQuerySet(InWorkspaceQuerySet["FileEvent"]):
    workspace_path = "workspace_id"


class File(models.Model):
    """Immutable bytes. `size` in bytes; `key` and `version` name the object behind storage alias `storage`.

    `sha256` (hex) is "" until the bytes were examined, `crc64nvme` (base64) is "" where they never had one. Files of
    equal content in one workspace may share a key. `purged_at` is the point of no return of a deleted file; its `key`
    is "" once its bytes are destroyed, or left to a file that shares them. `verified_at` is when the stored bytes were
    last read against their digest, `damaged_at` when they were found to differ and have not been right since.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="files")
    kind = models.CharField(max_length=12, choices=[(k, k) for k in FileKind])
    name = models.CharField(max_length=1024)
    size = models.BigIntegerField()
    path = models.CharField(max_length=1024, blank=True, db_default="")
    sha256 = models.CharField(max_length=64, blank=True)
    crc64nvme = models.CharField(max_length=12, blank=True, db_default="")
    media_type = models.CharField(max_length=255)
    scan_state = models.CharField(max_length=12, choices=[(s, s) for s in ScanState])
    scan_detail = models.CharField(max_length=500, blank=True, db_default="")
    scanned_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(db_default=Now())
    damaged_at = models.DateTimeField(null=True, blank=True)
    storage = models.CharField(max_length=16)
    key = models.CharField(max_length=255, db_index=True)
    version = models.CharField(max_length=1024, blank=True, db_default="")
    upload = models.OneToOneField("Upload", models.PROTECT, null=True, blank=True, related_name="file")
    job = models.ForeignKey("Job", models.PROTECT, null=True, blank=True, related_name="outputs")
    step = models.CharField(max_length=63, blank=True)
    item_index = models.PositiveIntegerField(null=True, blank=True)
    attempt_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True, blank=True)
    hold = models.BooleanField(default=False)
    superseded_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)

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
            models.CheckConstraint(
                condition=~Q(scan_state=ScanState.CLEAN) | ~Q(sha256=""), name="file_clean_has_digest"
            ),
            models.CheckConstraint(
                condition=Q(damaged_at__isnull=True) | Q(scan_state=ScanState.QUARANTINED),
                name="file_damaged_is_quarantined",
            ),
            models.CheckConstraint(
                condition=Q(purged_at__isnull=True) | Q(deleted_at__isnull=False), name="file_purged_was_deleted"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="file_by_workspace"),
            models.Index(fields=["expires_at"], condition=Q(deleted_at__isnull=True), name="file_to_expire"),
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False, purged_at__isnull=True),
                name="file_to_purge",
            ),
            models.Index(
                fields=["purged_at"], condition=Q(purged_at__isnull=False) & ~Q(key=""), name="file_being_purged"
            ),
            models.Index(fields=["verified_at"], condition=Q(purged_at__isnull=True), name="file_to_verify"),
            models.Index(
                fields=["verified_at"],
                condition=Q(damaged_at__isnull=False, purged_at__isnull=True),
                name="file_to_look_at_again",
            ),
            models.Index(
                fields=["workspace"], condition=Q(purged_at__isnull=True), include=["size"], name="file_counts"
            ),
            models.Index(fields=["workspace", "sha256"], condition=Q(purged_at__isnull=True), name="file_twins"),
            # What administrators look for over all workspaces: of millions these are few.
            models.Index(fields=["-id"], condition=UNUSUAL, name="file_unusual"),
            models.Index(fields=["-id"], condition=Q(deleted_at__isnull=False), name="file_gone"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def undelete_until(self) -> datetime | None:
        return None if self.deleted_at is None else self.deleted_at + UNDELETE

    def move_scan(self, to: ScanState, **changes: Any) -> bool:
        """Compare-and-set of `scan_state`. False: somebody else was first, and this instance is stale."""
        return swap_state(self, to, moves=SCAN_MOVES, field="scan_state", **changes)

    def event(self, kind: FileEventKind, **fields: Any) -> FileEvent:
        """An unsaved event of this file."""
        return FileEvent(workspace_id=self.workspace_id, file_id=self.pk, kind=kind, **fields)


class Examination(models.Model):
    """That a file waits to be examined, or is being: a lease in database time, for it may take longer than a message.

    `claim` is the fence: who lost it records nothing. `reason` says why it waits. Gone when the file has its answer.
    """

    file = models.OneToOneField(File, models.CASCADE, primary_key=True, related_name="examination")
    claim = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(db_default=Now())
    tries = models.PositiveIntegerField(db_default=0)
    reason = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["not_before"], name="examination_due")]

    def __str__(self) -> str:
        return f"examination of {self.file_id}"


class FileEvent(models.Model):
    """Append-only record of what happened to a file after it came: the audit, and the receipt of its deletion."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    workspace_id = models.UUIDField()
    file_id = models.UUIDField()
    kind = models.CharField(max_length=16, choices=[(k, k) for k in FileEventKind])
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    old = models.CharField(max_length=40, blank=True)
    new = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)

    objects: ClassVar = FileEventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["file_id", "id"], name="file_event_by_file")]

    def __str__(self) -> str:
        return f"{self.kind} {self.file_id}"
