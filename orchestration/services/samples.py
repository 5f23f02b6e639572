"""Files to try a pipeline with, for those who have none at hand."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.db import transaction

from orchestration.errors import Invalid
from orchestration.models import File
from orchestration.services.access import require_role
from orchestration.services.receiving import Announced, Receiving
from orchestration.services.uploads.rooms import check_room
from orchestration.states import FileKind, Role, ScanState

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from orchestration.spec.model import Accepts

FOLDER: Final = Path(__file__).resolve().parents[1] / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    media_type: str


SAMPLES: Final = (
    Sample("penguins.csv", "text/csv"),
    Sample("belt.png", "image/png"),
    Sample("two-pages.pdf", "application/pdf"),
)


def sample_for(accepts: Accepts) -> Sample | None:
    """The first that it takes by itself; None if there is none."""
    if accepts.min_files > 1:
        return None
    fits = (one for one in SAMPLES if accepts.accepts_type(one.media_type) and (FOLDER / one.name).is_file())
    return next(fits, None)


def give_sample(*, user: User, workspace: Workspace, accepts: Accepts) -> File:
    """As a file of the workspace: the one that is there from an earlier time, or a new one.

    Raises Forbidden, Invalid (no sample fits), QuotaExceeded.
    """
    require_role(user=user, workspace=workspace, role=Role.SUBMITTER)
    sample = sample_for(accepts)
    if sample is None:
        raise Invalid("There is no sample file that this pipeline takes.")
    data = (FOLDER / sample.name).read_bytes()
    same = File.objects.current().filter(
        workspace=workspace, kind=FileKind.UPLOAD, name=sample.name, sha256=sha256(data).hexdigest()
    )
    found: File | None = same.exclude(scan_state=ScanState.QUARANTINED).order_by("-id").first()
    return found or _received(user, workspace, sample, data)


def _received(user: User, workspace: Workspace, sample: Sample, data: bytes) -> File:
    with transaction.atomic():
        check_room(workspace, len(data))
    receiving = Receiving(user=user, workspace=workspace, announced=Announced(sample.name, len(data)))
    try:
        receiving.write(data)
        upload = receiving.commit()
    finally:
        receiving.discard()
    if upload.file is None:
        raise AssertionError(f"upload {upload.pk} was committed without its file")
    return upload.file
