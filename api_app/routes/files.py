from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import file_out
from api_app.auth import ask
from api_app.callers import Sender, ask_sender
from api_app.content import FileContent
from api_app.database import in_db
from api_app.one_request import size_of, upload_file
from api_app.paging import Cursor, Limit, page
from api_app.schemas import FileOut, Listing, SelectionIn
from api_app.upload_answers import upload_out
from api_app.upload_schemas import UploadOut
from api_app.zip_content import ZipContent
from orchestration.errors import Conflict
from orchestration.models import File, User
from orchestration.services.access import find_file
from orchestration.services.archives import files_archive
from orchestration.services.files import delete_file as delete
from orchestration.services.files import note_read, why_not_readable
from orchestration.services.uploads.redirect import redirect_upload, sends_elsewhere
from orchestration.states import ScanState

router = APIRouter(tags=["files"])
Slug = Annotated[str, Query(max_length=63)]
Folder = Annotated[str, Query(max_length=1024)]
# `/files/{file_id}` and `/files/{name}` would be two of one address, which no document may have.
FileName = Annotated[str, Path(alias="file_id", title="Name", description="What the file is to be called.")]
BODY: Final[dict[str, Any]] = {
    "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.put(
    "/files/{file_id:path}",  # noqa: FAST003  by its alias
    status_code=201,
    openapi_extra=BODY,
    response_model=FileOut,
    responses={307: {"model": UploadOut}},
)
async def put_file(
    request: Request, response: Response, name: FileName, workspace: Slug = "", path: Folder = ""
) -> Any:
    """The body is the file. Where clients send to object storage themselves: 307, before a byte of it was read."""
    if not await in_db(sends_elsewhere):
        return (await upload_file(request, response, name=name, path=path, workspace=workspace)).file
    upload, url = await ask_sender(request, _redirect, name, path, size_of(request), dict(request.headers), workspace)
    if not url:
        return upload.file
    complete = f'</api/v1/uploads/{upload.id}/complete>; rel="complete"'
    headers = {"location": url, "link": complete, "cache-control": "no-store"}
    return Response(upload.model_dump_json(), 307, headers, media_type="application/json")


def _redirect(
    sender: Sender, name: str, path: str, size: int | None, sent: Mapping[str, str], workspace: str
) -> tuple[UploadOut, str]:
    place = sender.place(workspace)
    upload, url = redirect_upload(user=sender.user, name=name, path=path, size=size, sent=sent, workspace=place)
    return upload_out(upload, is_new=True), url


@router.get("/files")
async def list_files(
    request: Request, limit: Limit = 50, cursor: Cursor = None, *, deleted: bool = False
) -> Listing[FileOut]:
    """Newest first. `deleted`: instead those that can still be brought back."""
    return await ask(request, _list, limit, cursor, deleted)


def _list(user: User, limit: int, cursor: str | None, deleted: bool) -> Listing[FileOut]:  # noqa: FBT001  of one caller
    mine = File.objects.visible_to(user)
    found = page(mine.deleted() if deleted else mine.current(), limit=limit, cursor=cursor)
    return Listing(items=[file_out(file) for file in found.rows], next_cursor=found.next_cursor)


@router.get("/files/{file_id}")
async def show_file(request: Request, file_id: UUID) -> FileOut:
    """What is known of a file: its size, digests, type, how long it is kept, and which job made it."""
    return await ask(request, lambda user: file_out(find_file(user=user, file_id=file_id)))


@router.head("/files/{file_id}/content", include_in_schema=False)
@router.get(
    "/files/{file_id}/content",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def download_file(request: Request, file_id: UUID) -> Response:
    """The bytes, whole or one range of them, always as an attachment."""
    return FileContent(await ask(request, _readable, file_id, is_read=request.method == "GET"))


def _readable(user: User, file_id: UUID, *, is_read: bool) -> File:
    file = find_file(user=user, file_id=file_id)
    if file.scan_state != ScanState.CLEAN:
        raise Conflict(why_not_readable(file))
    if is_read:
        note_read(user=user, file=file)
    return file


@router.post("/files:zip", response_class=Response)
async def download_files(request: Request, body: SelectionIn) -> Response:
    """Any files in one ZIP. Its length is known before it begins; it takes `Range`. Changes nothing."""
    return ZipContent(await ask(request, lambda user: files_archive(user=user, ids=body.ids)))


@router.delete("/files/{file_id}", status_code=204)
async def delete_file(request: Request, file_id: UUID) -> None:
    """For 30 days it can be brought back. Refused on hold, and while a job that has not finished reads the file."""
    await ask(request, lambda user: delete(user=user, file=find_file(user=user, file_id=file_id)))
