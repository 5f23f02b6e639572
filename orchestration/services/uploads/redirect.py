"""One file in one request to object storage: the client is sent there before a byte of the body was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.errors import OrchestrationError, SendDirectly
from orchestration.models.upload import STORAGE
from orchestration.services.uploads.create import Wanted, create_upload
from orchestration.services.uploads.limits import MOST_PART
from orchestration.services.uploads.signing import LIVES
from orchestration.spec.units import format_size
from orchestration.states import UploadState
from orchestration.storage.base import PutChecksum
from orchestration.storage.registry import get_direct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.models import Upload, User


def sends_elsewhere(storage: str = STORAGE) -> bool:
    """Whether clients send to object storage, not to us, and fetch from there."""
    return get_direct(storage) is not None


def checksums(storage: str = STORAGE) -> list[str]:
    """What a client says of every part: CRC64NVME, and beside it what the object storage checks instead."""
    direct = get_direct(storage)
    found = direct.checksum if direct else PutChecksum.CRC64NVME
    return list(dict.fromkeys([PutChecksum.CRC64NVME, found]))


def redirect_upload(
    *, user: User, name: str, path: str, size: int | None, sent: Mapping[str, str], workspace: str = ""
) -> tuple[Upload, str]:
    """An upload of one PUT, and the URL for it; "" for an empty file, which is complete already.

    `sent` are the request's headers, lower-case: a client that is redirected says them again, and can say no others.
    Raises SendDirectly, and what `create_upload` raises.
    """
    direct = get_direct(STORAGE)
    if direct is None or size is None or size > MOST_PART:
        raise SendDirectly(
            f"In one request, object storage takes up to {format_size(MOST_PART)}, and must know their number: send a "
            "Content-Length. For anything else begin with POST /api/v1/uploads."
        )
    wanted = Wanted(
        name=name,
        path=path,
        size=size,
        content_type=sent.get("content-type", ""),
        crc64nvme=sent.get("x-amz-checksum-crc64nvme", ""),
        part_size_hint=MOST_PART,
    )
    upload, _ = create_upload(user=user, wanted=wanted, workspace=workspace)
    if upload.state == UploadState.COMPLETE:
        return upload, ""
    try:
        return upload, direct.sign_redirect(upload.key, size=size, sent=sent, lives=LIVES)
    except OrchestrationError:
        upload.move(UploadState.ABORTED, expires_at=None)
        raise
