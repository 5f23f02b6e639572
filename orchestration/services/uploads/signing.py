"""Capabilities to PUT one part: bound to its number, exact length and checksum, for a quarter of an hour (SEC-071)."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from orchestration import crc64
from orchestration.errors import (
    BadPartNumber,
    Invalid,
    NotFound,
    OrchestrationError,
    SignatureExpired,
    SignatureInvalid,
    UploadExpired,
    UploadNotOpen,
    WrongDoor,
)
from orchestration.models import Upload
from orchestration.models.upload import TOUCH
from orchestration.services.uploads.limits import BATCH_MAX, MAX_PARTS, SIGN_MAX
from orchestration.services.uploads.lookups import list_uploads
from orchestration.states import UploadDoor, UploadState
from orchestration.storage.base import DirectStorage, PutChecksum, SignedPut
from orchestration.storage.registry import get_direct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestration.models import User

LIVES: Final = timedelta(minutes=15)
SALT: Final = "esteira.part"
_ADDRESS: Final = re.compile(
    r"/api/v1/uploads/([0-9a-f-]{36})/parts/([0-9]{1,5})"
    r"\?e=([0-9]{1,12})&k=([sp])&o=([0-9]{1,18})&l=([0-9]{1,18})&c=([^&]{1,40})&s=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class WantedPart:
    """`size` in bytes is asked for only where the upload's own size is unknown.

    `sha256` and `md5`, in base64, only where the object storage checks that.
    """

    number: int
    crc64nvme: str
    size: int | None = None
    sha256: str = ""
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a local part URL allows, once its signature was found good."""

    upload: UUID
    number: int
    offset: int
    length: int
    crc64nvme: str
    single: bool


def require_open(upload: Upload, door: UploadDoor = UploadDoor.API) -> None:
    require_taking(upload.state, upload.door, door)


def require_taking(state: str, door: str, wanted: UploadDoor = UploadDoor.API) -> None:
    """Raises UploadExpired, UploadNotOpen, WrongDoor."""
    if state == UploadState.EXPIRED:
        raise UploadExpired(state=state)
    if state != UploadState.OPEN:
        raise UploadNotOpen(f"The upload is {state}; it takes no more bytes.", state=state)
    if door != wanted:
        raise WrongDoor


def sign_parts(*, upload: Upload, parts: Sequence[WantedPart]) -> list[SignedPut]:
    """In the order asked. Pushes the date on which the upload expires.

    Raises UploadNotOpen, UploadExpired, WrongDoor, BadPartNumber, Invalid.
    """
    if not 1 <= len(parts) <= SIGN_MAX:
        raise Invalid(f"Ask for 1 to {SIGN_MAX} parts at a time; these are {len(parts)}.")
    require_open(upload)
    signed = sign_unrecorded(upload, parts)
    _touch([upload])
    return signed


def sign_many(
    *, user: User, wanted: Sequence[tuple[UUID, WantedPart]], workspace: str = ""
) -> list[SignedPut | OrchestrationError]:
    """One part of each of many uploads, in order; what is wrong with one is its own answer."""
    if len(wanted) > BATCH_MAX:
        raise Invalid(f"Ask for at most {BATCH_MAX} parts at a time; these are {len(wanted)}.")
    ids = {upload_id for upload_id, _ in wanted}
    found = list_uploads(user=user, workspace=workspace).filter(pk__in=ids).in_bulk()
    results: list[SignedPut | OrchestrationError] = []
    for upload_id, part in wanted:
        upload = found.get(upload_id)
        try:
            if upload is None:
                raise NotFound("There is no such upload of yours.")
            require_open(upload)
            results += sign_unrecorded(upload, [part])
        except OrchestrationError as exc:
            results.append(exc)
    _touch(found.values())
    return results


def _touch(uploads: Iterable[Upload]) -> None:
    """Where one was touched a moment ago, nobody asks the database."""
    stale = [upload.pk for upload in uploads if timezone.now() - upload.touched_at > TOUCH]
    if stale:
        Upload.objects.filter(pk__in=stale).touch()


def sign_unrecorded(upload: Upload, parts: Sequence[WantedPart]) -> list[SignedPut]:
    """Pure but for a multipart upload on object storage, which is begun when its first part is signed."""
    spans = [_span(upload, part) for part in parts]
    direct = get_direct(upload.storage)
    if direct is None:
        return _sign_local(upload, zip(parts, spans, strict=True))
    if not upload.is_single:
        _begin(direct, upload)
    return [_direct(direct, upload, part, length) for part, (_, length) in zip(parts, spans, strict=True)]


def _span(upload: Upload, part: WantedPart) -> tuple[int, int]:
    crc64.from_text(part.crc64nvme)
    if upload.is_single and upload.crc64nvme not in {"", part.crc64nvme}:
        raise Invalid("This upload was begun with another crc64nvme. Abort it and begin again if the file changed.")
    last = upload.part_count or MAX_PARTS
    if not 1 <= part.number <= last:
        raise BadPartNumber(f"This upload has parts 1 to {last}; {part.number} is none of them.")
    offset, length = upload.part_span(part.number)
    if upload.size is None:
        length = part.size if part.size is not None else length
        if not 0 < length <= upload.part_size:
            raise BadPartNumber(f"A part of this upload has 1 to {upload.part_size} bytes, not {length}.")
    elif part.size not in {None, length}:
        raise BadPartNumber(f"Part {part.number} of this upload has {length} bytes, not {part.size}.")
    return offset, length


def _begin(direct: DirectStorage, upload: Upload) -> None:
    """Two who sign the first part at once begin twice, and the second lets go of its own."""
    if upload.multipart_id:
        return
    begun = direct.begin(upload.key, content_type=upload.content_type)
    if not Upload.objects.open().filter(pk=upload.pk, multipart_id="").update(multipart_id=begun):
        direct.abort(upload.key, begun)
    upload.refresh_from_db(fields=["multipart_id"])


def _direct(direct: DirectStorage, upload: Upload, part: WantedPart, length: int) -> SignedPut:
    digest = _digest(part, direct.checksum)
    if upload.is_single:
        return direct.sign_put(upload.key, size=length, digest=digest, content_type=upload.content_type, lives=LIVES)
    return direct.sign_part(
        upload.key, upload.multipart_id, number=part.number, size=length, digest=digest, lives=LIVES
    )


def _digest(part: WantedPart, checksum: PutChecksum) -> str:
    """What the storage will compare. Raises Invalid where the client did not say it."""
    if checksum == PutChecksum.CRC64NVME:
        return part.crc64nvme
    said, size = (part.sha256, 32) if checksum == PutChecksum.SHA256 else (part.md5, 16)
    with suppress(binascii.Error):
        if len(base64.b64decode(said, validate=True)) == size:
            return said
    raise Invalid(
        f"This server's object storage checks {checksum} of every part: say it in base64 beside crc64nvme, as "
        "`checksums` of GET /uploads/config tells."
    )


def _sign_local(upload: Upload, spans: Iterable[tuple[WantedPart, tuple[int, int]]]) -> list[SignedPut]:
    expires = int(time.time() + LIVES.total_seconds())
    until, kind, pk = datetime.fromtimestamp(expires, UTC), "s" if upload.is_single else "p", str(upload.pk)
    key = _signing_key(settings.SECRET_KEY)
    signed = []
    for part, (offset, length) in spans:
        crc = part.crc64nvme
        signature = _signature(key, pk, part.number, offset, length, crc, kind, expires)
        query = f"e={expires}&k={kind}&o={offset}&l={length}&c={quote(crc, safe='')}&s={signature}"
        signed.append(
            SignedPut(
                url=f"/api/v1/uploads/{pk}/parts/{part.number}?{query}",
                headers={"content-length": str(length), "x-amz-checksum-crc64nvme": crc},
                expires_at=until,
            )
        )
    return signed


def _signature(key: bytes, *fields: object) -> str:
    return hmac.digest(key, "|".join(map(str, fields)).encode(), "sha256").hex()


@cache
def _signing_key(secret: str) -> bytes:
    """Derived once, and not for each part."""
    return salted_hmac(SALT, "", secret=secret, algorithm="sha256").digest()


def grant_of(address: str) -> Grant:
    """What an address allows that was made here, in the form that it was made in. Raises as `read_grant`."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise SignatureInvalid("This is not the address of a part as it was signed here. Sign the part again.")
    upload, number, expires, kind, offset, length, crc, given = found.groups()
    fields = (upload, int(number), int(offset), int(length), unquote(crc), kind, int(expires))
    return _verified(fields, given)


def read_grant(upload: UUID, number: int, query: dict[str, str]) -> Grant:
    """What the URL allows. Raises SignatureInvalid, SignatureExpired."""
    try:
        numbers = int(query["o"]), int(query["l"])
        fields = (str(upload), number, *numbers, query["c"], query["k"], int(query["e"]))
        given = query["s"]
    except (KeyError, ValueError) as exc:
        raise SignatureInvalid("This URL is not one of ours, or parts of it are missing. Sign the part again.") from exc
    return _verified(fields, given)


def _verified(fields: tuple[str, int, int, int, str, str, int], given: str) -> Grant:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(hmac.compare_digest(_signature(_signing_key(secret), *fields), given) for secret in secrets):
        raise SignatureInvalid
    upload, number, offset, length, crc, kind, expires = fields
    if expires < time.time():
        raise SignatureExpired
    return Grant(UUID(upload), number, offset, length, crc, single=kind == "s")
