"""Finding uploads. Only one's own: another person's transfer is nobody else's business, teammate or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.errors import NotFound
from orchestration.models import Upload
from orchestration.services.access import find_workspace

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import User
    from orchestration.models.upload import UploadQuerySet


def find_upload(*, user: User, upload_id: UUID) -> Upload:
    # Whoever signs parts needs neither the workspace nor a file; who needs them asks for the one row.
    found: Upload | None = list_uploads(user=user).select_related(None).filter(pk=upload_id).first()
    if found is None:
        raise NotFound("There is no such upload of yours.")
    return found


def list_uploads(*, user: User, workspace: str = "", state: str = "", fingerprint: str = "") -> UploadQuerySet:
    uploads: UploadQuerySet = Upload.objects.visible_to(user).filter(created_by=user)
    if workspace:
        uploads = uploads.filter(workspace=find_workspace(user=user, slug=workspace))
    if state:
        uploads = uploads.filter(state=state)
    if fingerprint:
        uploads = uploads.filter(fingerprint=fingerprint)
    return uploads.select_related("workspace", "file")
