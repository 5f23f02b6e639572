"""The JSON of /api/v1/uploads, in and out (docs/design/0003)."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema

from api_app.json_types import AS_NUMBER, MOST, Flag, LooseMoment
from api_app.schemas import PLAIN, FileOut, In, Slug
from orchestration.services.uploads.limits import BATCH_MAX, MAX_FINGERPRINT, MAX_PARTS, SIGN_MAX
from orchestration.states import UploadMode, UploadState

Bytes = Annotated[int, Field(ge=0, le=MOST), AS_NUMBER]
Crc = Annotated[str, Field(max_length=12)]
CRC: Final = r"^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$"
PartNumber = Annotated[int, Field(ge=1, le=MAX_PARTS), AS_NUMBER]


class UploadIn(In):
    name: Annotated[str, Field(max_length=1024)]
    size: Bytes | None
    workspace: Slug = ""
    path: Annotated[str, Field(max_length=1024)] = ""
    content_type: Annotated[str, Field(max_length=255, pattern=PLAIN)] = ""
    modified: LooseMoment | None = None
    crc64nvme: Crc = ""
    fingerprint: Annotated[str, Field(max_length=MAX_FINGERPRINT, pattern=PLAIN)] = ""
    resume: Flag = False
    part_size_hint: Bytes | None = None


class UploadBatchIn(In):
    uploads: Annotated[list[UploadIn], Field(min_length=1, max_length=BATCH_MAX)]
    workspace: Slug = ""
    atomic: Flag = False


class PartIn(In):
    number: PartNumber
    crc64nvme: Annotated[Crc, WithJsonSchema({"type": "string", "pattern": CRC})]
    size: Bytes | None = None
    sha256: Annotated[str, Field(max_length=44)] = ""
    md5: Annotated[str, Field(max_length=24)] = ""


class PartsIn(In):
    parts: Annotated[list[PartIn], Field(min_length=1, max_length=SIGN_MAX)]


class PartOfIn(PartIn):
    id: UUID
    crc64nvme: Crc
    """One that is none is a problem of its part, and keeps no other from being signed."""


class SignBatchIn(In):
    parts: Annotated[list[PartOfIn], Field(min_length=1, max_length=BATCH_MAX)]


class CompleteIn(In):
    crc64nvme: Crc = ""
    size: Bytes | None = None


class CompleteBatchIn(In):
    ids: Annotated[list[UUID], Field(min_length=1, max_length=BATCH_MAX)]


class PutOut(BaseModel):
    number: int
    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class FailureOut(BaseModel):
    code: str
    detail: str


class UploadOut(BaseModel):
    id: UUID
    state: UploadState
    workspace: str
    name: str
    path: str
    size: int | None
    content_type: str
    fingerprint: str
    door: str
    mode: UploadMode
    transport: str
    part_size: int
    part_count: int | None
    received: str | None
    received_bytes: int | None
    max_parallel: int
    created_at: datetime
    expires_at: datetime | None
    put: PutOut | None
    tus_url: str | None
    failure: FailureOut | None
    file: FileOut | None


class UploadBrief(BaseModel):
    """What the next call needs, for `Prefer: return=minimal`."""

    id: UUID
    state: UploadState
    put: PutOut | None
    file: FileOut | None


class UploadResult(BaseModel):
    index: int
    upload: UploadOut | UploadBrief | None = None
    problem: dict[str, Any] | None = None


class UploadResults(BaseModel):
    results: list[UploadResult]


class PartResult(BaseModel):
    index: int
    part: PutOut | None = None
    problem: dict[str, Any] | None = None


class PartResults(BaseModel):
    results: list[PartResult]


class PartsOut(BaseModel):
    parts: list[PutOut]


class TusOut(BaseModel):
    url: str
    extensions: list[str]


class ConfigOut(BaseModel):
    max_size: int
    max_parts: int
    checksums: list[str]
    checksum_required: bool
    max_parallel: int
    batch_max: int
    sign_max: int
    inline_max: int
    bundle_max: int
    transport: str
    tus: TusOut | None
    ttl_s: int
