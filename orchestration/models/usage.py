"""How much a workspace holds: counted from rows, each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, CharField, Count, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce, Now

from orchestration.models.file import File
from orchestration.models.upload import Upload
from orchestration.states import FileKind

if TYPE_CHECKING:
    from orchestration.models.account import Workspace
    from orchestration.models.file import FileQuerySet

SOON: Final = timedelta(days=30)
REPLACED: Final = "replaced"
DELETED: Final = "deleted"
CLASSES: Final = (*FileKind, REPLACED, DELETED)
"""By kind; what a later run has replaced; what can still be brought back."""


@dataclass(frozen=True, slots=True)
class Amount:
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """`classes` has every name of CLASSES. Bytes are of files; `stored` counts what several share once."""

    classes: dict[str, Amount]
    stored_bytes: int
    reserved_bytes: int
    """Of uploads under way."""
    quota_bytes: int | None
    expiring: Amount
    """Within SOON, unless somebody extends them."""
    held: Amount

    @property
    def total(self) -> Amount:
        amounts = self.classes.values()
        return Amount(sum(a.files for a in amounts), sum(a.bytes for a in amounts))

    @property
    def saved_bytes(self) -> int:
        return self.total.bytes - self.stored_bytes

    @property
    def used_bytes(self) -> int:
        """What the quota is about."""
        return self.stored_bytes + self.reserved_bytes


def usage_of(workspace: Workspace) -> Usage:
    files = _files(workspace)
    current = files.current()
    return Usage(
        classes=_classes(files),
        stored_bytes=stored_bytes(workspace),
        reserved_bytes=reserved_bytes(workspace),
        quota_bytes=workspace.quota_bytes,
        expiring=_amount(current.filter(expires_at__lt=Now() + SOON, hold=False)),
        held=_amount(files.filter(hold=True)),
    )


def stored_bytes(workspace: Workspace) -> int:
    """Of files whose bytes are there, each object once."""
    stored = _files(workspace).order_by("storage", "key").distinct("storage", "key")
    return _sum(File.objects.filter(pk__in=stored.values("pk")))


def reserved_bytes(workspace: Workspace) -> int:
    """Of uploads under way."""
    return _sum(Upload.objects.alive().filter(workspace=workspace))


def _files(workspace: Workspace) -> FileQuerySet:
    files: FileQuerySet = File.objects.filter(workspace=workspace, purged_at__isnull=True)
    return files


def _classes(files: Any) -> dict[str, Amount]:
    of = Case(
        When(Q(deleted_at__isnull=False), then=Value(DELETED)),
        When(Q(superseded_at__isnull=False), then=Value(REPLACED)),
        default=F("kind"),
        output_field=CharField(),
    )
    rows = files.annotate(of=of).values_list("of").annotate(n=Count("pk"), size=Sum("size")).order_by()
    found = {name: Amount(n, int(size)) for name, n, size in rows}
    return {name: found.get(name, Amount(0, 0)) for name in CLASSES}


def _amount(rows: Any) -> Amount:
    found = rows.aggregate(n=Count("pk"), size=Coalesce(Sum("size"), 0))
    return Amount(found["n"], int(found["size"]))


def _sum(rows: Any) -> int:
    return int(rows.aggregate(n=Coalesce(Sum("size"), 0))["n"])
