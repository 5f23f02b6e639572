"""The upload resource: begin, sign, complete, abort; one by one or a thousand at a time (docs/design/0003)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final
from uuid import UUID

from django.conf import settings
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.callers import Sender, ask_sender, ask_sender_at_length
from api_app.one_request import SCHEMA, is_resource, name_from, read_json, upload_file
from api_app.paging import Cursor, Limit, page
from api_app.preferences import MINIMAL, Prefer, is_minimal
from api_app.routes.jobs import IdempotencyKey
from api_app.schemas import Listing
from api_app.tus.offered import tus_out
from api_app.upload_answers import problem_of, put_out, upload_brief, upload_out
from api_app.upload_schemas import (
    CompleteBatchIn,
    CompleteIn,
    ConfigOut,
    PartIn,
    PartResult,
    PartResults,
    PartsIn,
    PartsOut,
    SignBatchIn,
    UploadBatchIn,
    UploadBrief,
    UploadIn,
    UploadOut,
    UploadResult,
    UploadResults,
)
from orchestration.errors import OrchestrationError
from orchestration.models import Upload
from orchestration.models.upload import TTL
from orchestration.services.uploads import limits
from orchestration.services.uploads.complete import abort, complete, complete_many
from orchestration.services.uploads.create import Begun, Wanted, create_upload, create_uploads
from orchestration.services.uploads.redirect import checksums, sends_elsewhere
from orchestration.services.uploads.signing import WantedPart, sign_many, sign_parts
from orchestration.states import UploadState

router = APIRouter(tags=["uploads"])
State = Annotated[UploadState | None, Query()]
Slug = Annotated[str, Query(max_length=63)]
COMPLETING_S: Final = 2
type Shape = Callable[..., UploadOut | UploadBrief]


@router.get("/uploads/config")
async def show_upload_config(request: Request) -> ConfigOut:
    """What a client must know before it sends: limits, checksums, and whether it sends to us or to object storage."""
    return await ask_sender(request, _config)


def _config(_sender: Sender) -> ConfigOut:
    is_direct = sends_elsewhere()
    return ConfigOut(
        max_size=settings.MAX_UPLOAD_BYTES,
        max_parts=limits.MAX_PARTS,
        checksums=checksums(),
        checksum_required=True,
        max_parallel=limits.MAX_PARALLEL,
        batch_max=limits.BATCH_MAX,
        sign_max=limits.SIGN_MAX,
        inline_max=0 if is_direct else limits.INLINE_MAX,
        bundle_max=0 if is_direct else limits.BUNDLE_MAX,
        transport="direct" if is_direct else "app",
        tus=tus_out(),
        ttl_s=int(TTL.total_seconds()),
    )


def _wanted_part(part: PartIn) -> WantedPart:
    return WantedPart(part.number, part.crc64nvme, part.size, part.sha256, part.md5)


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra=SCHEMA,
    responses={200: {"model": UploadOut, "description": "It was begun before"}},
)
async def create_upload_or_file(
    request: Request,
    response: Response,
    name: Annotated[str, Query(max_length=1024)] = "",
    path: Annotated[str, Query(max_length=1024)] = "",
    workspace: Slug = "",
    idempotency_key: IdempotencyKey = None,
) -> UploadOut:
    """JSON begins an upload; any other body is the file itself, durable when this answers.

    The parameters are of a file that is the body.
    """
    if not is_resource(request):
        named = name_from(request.headers.get("content-disposition", "")) or name
        return await upload_file(request, response, name=named, path=path, workspace=workspace)
    body = await read_json(request, UploadIn)
    upload, created = await ask_sender(request, _create, body, idempotency_key or "")
    response.headers["location"] = f"/api/v1/uploads/{upload.id}"
    if not created:
        response.status_code = 200
    return upload


def _create(sender: Sender, body: UploadIn, key: str) -> tuple[UploadOut, bool]:
    place = sender.place(body.workspace)
    upload, made = create_upload(user=sender.user, wanted=_wanted(body), workspace=place, idempotency_key=key)
    return upload_out(upload, is_new=made), made


def _wanted(body: UploadIn) -> Wanted:
    return Wanted(**body.model_dump(exclude={"workspace"}))


@router.post("/uploads:batch")
async def create_upload_batch(
    request: Request, response: Response, body: UploadBatchIn, prefer: Prefer = None
) -> UploadResults:
    """Up to 1,000 at once. `atomic`: all or none. `Prefer: return=minimal`: only what the next call needs."""
    return await ask_sender(request, _create_batch, body, _shape(prefer, response))


def _create_batch(sender: Sender, body: UploadBatchIn, shape: Shape) -> UploadResults:
    place = sender.place(body.workspace)
    wanted = [_wanted(one) for one in body.uploads]
    return _results(create_uploads(user=sender.user, wanted=wanted, workspace=place, atomic=body.atomic), shape)


def _shape(prefer: str | None, response: Response) -> Shape:
    if not is_minimal(prefer):
        return upload_out
    response.headers["preference-applied"] = MINIMAL
    return upload_brief


def _results(found: Sequence[Begun | OrchestrationError], shape: Shape) -> UploadResults:
    return UploadResults(
        results=[
            UploadResult(index=index, problem=problem_of(one))
            if isinstance(one, OrchestrationError)
            else UploadResult(index=index, upload=shape(one.upload, is_new=one.is_new))
            for index, one in enumerate(found)
        ]
    )


@router.get("/uploads")
async def list_uploads(
    request: Request,
    workspace: Slug = "",
    state: State = None,
    fingerprint: Annotated[str, Query(max_length=limits.MAX_FINGERPRINT)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[UploadOut]:
    """Your own, newest first."""
    return await ask_sender(request, _list, workspace, state or "", fingerprint, limit, cursor)


def _list(
    sender: Sender, workspace: str, state: str, fingerprint: str, limit: int, cursor: str | None
) -> Listing[UploadOut]:
    found = page(sender.uploads(workspace, state, fingerprint), limit=limit, cursor=cursor)
    return Listing(items=[upload_out(upload, lists=True) for upload in found.rows], next_cursor=found.next_cursor)


@router.get("/uploads/{upload_id}")
async def show_upload(request: Request, upload_id: UUID) -> UploadOut:
    """How far it is: `received` names the parts that are there, so that only the others need be sent."""
    return await ask_sender(request, lambda sender: upload_out(sender.find(upload_id)))


@router.post("/uploads/{upload_id}/parts")
async def sign_upload_parts(request: Request, upload_id: UUID, body: PartsIn) -> PartsOut:
    """URLs to PUT parts to, good for 15 minutes, each for exactly these bytes."""
    return await ask_sender(request, _sign, upload_id, body)


def _sign(sender: Sender, upload_id: UUID, body: PartsIn) -> PartsOut:
    wanted = [_wanted_part(part) for part in body.parts]
    signed = sign_parts(upload=sender.find(upload_id), parts=wanted)
    return PartsOut(parts=[put_out(part.number, put) for part, put in zip(wanted, signed, strict=True)])


@router.post("/uploads:sign")
async def sign_upload_batch(request: Request, body: SignBatchIn) -> PartResults:
    """One part of each of up to 1,000 uploads."""
    return await ask_sender(request, _sign_batch, body)


def _sign_batch(sender: Sender, body: SignBatchIn) -> PartResults:
    wanted = [(part.id, _wanted_part(part)) for part in body.parts]
    signed = sign_many(user=sender.user, wanted=wanted, workspace=sender.only)
    return PartResults(
        results=[
            PartResult(index=index, problem=problem_of(put))
            if isinstance(put, OrchestrationError)
            else PartResult(index=index, part=put_out(wanted[index][1].number, put))
            for index, put in enumerate(signed)
        ]
    )


@router.post(
    "/uploads/{upload_id}/complete",
    responses={202: {"model": UploadOut, "description": "The storage joins the parts; ask again"}},
)
async def complete_upload(
    request: Request, response: Response, upload_id: UUID, body: CompleteIn | None = None
) -> UploadOut:
    """200 with the file, or 202 while the storage still joins the parts. Repeat it as often as you like."""
    upload = await ask_sender_at_length(request, _complete, upload_id, body or CompleteIn())
    if upload.state == UploadState.COMPLETING:
        response.status_code = 202
        response.headers["retry-after"] = str(COMPLETING_S)
    return upload


def _complete(sender: Sender, upload_id: UUID, body: CompleteIn) -> UploadOut:
    upload = sender.find(upload_id)
    return upload_out(complete(user=sender.user, upload=upload, crc64nvme=body.crc64nvme, size=body.size))


@router.post("/uploads:complete")
async def complete_upload_batch(
    request: Request, response: Response, body: CompleteBatchIn, prefer: Prefer = None
) -> UploadResults:
    """Up to 1,000 at once: small files share one sync of the disk and one transaction. `Prefer` as in uploads:batch."""
    return await ask_sender_at_length(request, _complete_batch, body.ids, _shape(prefer, response))


def _complete_batch(sender: Sender, ids: list[UUID], shape: Shape) -> UploadResults:
    done = complete_many(user=sender.user, ids=ids, workspace=sender.only)
    return _results([Begun(one, is_new=False) if isinstance(one, Upload) else one for one in done], shape)


@router.delete("/uploads/{upload_id}", status_code=204)
async def abort_upload(request: Request, upload_id: UUID) -> None:
    """The upload ends, what arrived is deleted, its room is free. Any number of times."""
    await ask_sender(request, lambda sender: abort(user=sender.user, upload=sender.find(upload_id)))
