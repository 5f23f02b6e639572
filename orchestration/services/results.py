"""What a job's results are called where they travel together: in its archive, its manifest and its crate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import OuterRef, Subquery

from orchestration.archive_names import distinct
from orchestration.models import File, StepRun
from orchestration.states import FileKind

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import Job

CRATE: Final = "ro-crate-metadata.json"
MANIFEST: Final = "esteira-manifest.json"


def names_of(job: Job) -> dict[UUID, str]:
    """By file, those of the last step first. Also of results that are deleted: the others keep their names."""
    place = StepRun.objects.filter(job=OuterRef("job"), name=OuterRef("step")).values("position")[:1]
    files = File.objects.filter(job=job, kind=FileKind.RESULT, superseded_at__isnull=True)
    rows = files.order_by(Subquery(place).desc(), "item_index", "name", "pk").values_list("pk", "name")
    ids, names = zip(*rows, strict=True) if rows else ((), ())
    return dict(zip(ids, distinct(names, taken=(CRATE, MANIFEST)), strict=True))
