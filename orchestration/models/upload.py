from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from django.contrib.postgres.functions import RandomUUID
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Least, Now

from orchestration.errors import IllegalMove
from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.moves import swap_state
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import UPLOAD_ALIVE, UPLOAD_ENDED, UPLOAD_MOVES, UploadDoor, UploadMode, UploadState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from orchestration.models.file import File

STORAGE: Final = "uploads"
"""The alias under which what people send is kept."""
TTL: Final = timedelta(days=7)
"""After the last sign of life."""
TOUCH: Final = timedelta(minutes=1)
"""How old a sign of life may be before it is worth a write."""
LIFETIME: Final = timedelta(days=30)
"""After creation, whatever happens."""

PARTIAL: Final = "partial"

# Locked in one order for everybody, so that two who complete the same uploads do not wait for each other.
_MOVE_MANY: Final = """\
WITH mine AS (SELECT id FROM orchestration_upload WHERE id = ANY(%s) AND state = %s ORDER BY id FOR NO KEY UPDATE)
UPDATE orchestration_upload u SET state = %s, completed_at = %s, touched_at = statement_timestamp(), expires_at = NULL
FROM mine WHERE u.id = mine.id RETURNING u.id"""


class UploadQuerySet(InWorkspaceQuerySet["Upload"]):
    def open(self) -> Self:
        return self.filter(state=UploadState.OPEN)

    def alive(self) -> Self:
        """Those that take room: open, or being completed."""
        return self.filter(state__in=UPLOAD_ALIVE)

    def ended(self) -> Self:
        """Those that ended without a File."""
        return self.filter(state__in=UPLOAD_ENDED)

    def move_many(
        self, ids: Sequence[UUID], old: UploadState, to: UploadState, *, completed_at: datetime | None = None
    ) -> set[UUID]:
        """Compare-and-set of a thousand rows in one statement. Those that this call moved."""
        if to not in UPLOAD_MOVES[old]:
            raise IllegalMove(f"Uploads cannot go from {old} to {to}")
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_MANY, [list(ids), old, to, completed_at])
            return {row[0] for row in cursor.fetchall()}

    def touch(self) -> int:
        """Somebody is at it: push the date on which it expires."""
        return self.open().update(touched_at=Now(), expires_at=Least(Now() + TTL, F("created_at") + LIFETIME))


class Upload(models.Model):
    """A transfer session. A File exists if and only if the state is `complete`.

    Sizes are bytes; `size` and `part_count` are null while the length is unknown. Checksums are CRC64NVME in base64.
    `offset` and `running_crc` are of streams (STREAMED): bytes that are durable, and their checksum. `concat` is what
    tus calls Upload-Concat: PARTIAL, or `final;` and the addresses it was joined from; "" for a whole upload.
    `joined_to` is the upload that a used partial one went into. `sha256` in hex is what was announced.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="uploads")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=[(s, s) for s in UploadState], default=UploadState.OPEN)
    door = models.CharField(max_length=8, choices=[(d, d) for d in UploadDoor], db_default=UploadDoor.REQUEST)
    mode = models.CharField(max_length=8, choices=[(m, m) for m in UploadMode], db_default=UploadMode.SINGLE)
    name = models.CharField(max_length=1024)
    path = models.CharField(max_length=1024, blank=True, db_default="")
    size = models.BigIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=255, blank=True, db_default="")
    modified_at = models.DateTimeField(null=True, blank=True)
    fingerprint = models.CharField(max_length=255, blank=True, db_default="")
    crc64nvme = models.CharField(max_length=12, blank=True, db_default="")
    part_size = models.BigIntegerField(db_default=0)
    part_count = models.PositiveIntegerField(null=True, blank=True)
    storage = models.CharField(max_length=16, db_default=STORAGE)
    key = models.CharField(max_length=255, blank=True, db_default="")
    multipart_id = models.CharField(max_length=1024, blank=True, db_default="")
    file_id = models.UUIDField(default=new_id, db_default=RandomUUID(), editable=False)
    offset = models.BigIntegerField(db_default=0)
    running_crc = models.CharField(max_length=12, blank=True, db_default="")
    concat = models.TextField(blank=True, db_default="")
    joined_to = models.UUIDField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, db_default="")
    idempotency_key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  NULL is what unique leaves alone
    request_digest = models.CharField(max_length=64, blank=True, db_default="")
    failure_code = models.CharField(max_length=40, blank=True, db_default="")
    failure_detail = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    touched_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = UploadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(UploadState)), name="upload_state_known"),
            models.CheckConstraint(
                condition=Q(state=UploadState.COMPLETE, completed_at__isnull=False)
                | (~Q(state=UploadState.COMPLETE) & Q(completed_at__isnull=True)),
                name="upload_completed_at_iff_complete",
            ),
            models.CheckConstraint(condition=Q(door__in=list(UploadDoor)), name="upload_door_known"),
            models.CheckConstraint(condition=Q(mode__in=list(UploadMode)), name="upload_mode_known"),
            models.CheckConstraint(
                condition=~Q(state=UploadState.OPEN) | Q(expires_at__isnull=False), name="upload_open_expires"
            ),
            models.CheckConstraint(
                condition=Q(state=UploadState.FAILED) | Q(failure_code=""), name="upload_failure_only_when_failed"
            ),
            models.UniqueConstraint(fields=["created_by", "idempotency_key"], name="upload_once_per_key"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state=UploadState.OPEN), name="upload_to_expire"),
            models.Index(fields=["touched_at"], condition=Q(state=UploadState.COMPLETING), name="upload_to_complete"),
            models.Index(
                fields=["created_by", "fingerprint"], condition=Q(state=UploadState.OPEN), name="upload_to_resume"
            ),
            models.Index(
                fields=["workspace"],
                condition=Q(state__in=list(UPLOAD_ALIVE)),
                include=["size"],
                name="upload_reserves",
            ),
            models.Index(
                fields=["touched_at"],
                condition=Q(state__in=list(UPLOAD_ENDED)),
                name="upload_to_forget",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    def move(self, to: UploadState, *, where: Mapping[str, Any] | None = None, **changes: Any) -> bool:
        """Compare-and-set. False: somebody else was first, and this instance is stale."""
        return swap_state(self, to, moves=UPLOAD_MOVES, where=where, touched_at=Now(), **changes)

    def become(self, file: File) -> None:
        """This instance, as its row is since `file` was recorded."""
        self.state, self.expires_at = UploadState.COMPLETE, None
        self.completed_at = self.touched_at = file.created_at
        # As the descriptor would, which asks of each file again whether the two may be related.
        type(self).file.related.set_cached_value(self, file)

    @property
    def is_partial(self) -> bool:
        """One of several that will be joined; it never becomes a File of its own."""
        return self.concat == PARTIAL

    @property
    def is_single(self) -> bool:
        return self.mode == UploadMode.SINGLE

    def part_span(self, number: int) -> tuple[int, int]:
        """Offset and length in bytes of a part. An unknown size leaves the last part's length open: part_size."""
        offset = (number - 1) * self.part_size
        return offset, self.part_size if self.size is None else min(self.part_size, self.size - offset)


class UploadPart(models.Model):
    """A part that lies durable enough to be counted, on local storage. On S3 ListParts is the truth."""

    pk = models.CompositePrimaryKey("upload_id", "number")
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    size = models.BigIntegerField()
    crc64nvme = models.CharField(max_length=12)

    def __str__(self) -> str:
        return f"part {self.number} of {self.upload_id}"
