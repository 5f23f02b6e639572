from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import file_out
from api_app.auth import ask
from api_app.content import FileContent
from api_app.paging import Cursor, Limit, page
from api_app.schemas import FileOut, Listing
from orchestration.errors import Conflict
from orchestration.models import File, User
from orchestration.services.access import find_file
from orchestration.services.files import delete_file as delete
from orchestration.services.files import why_not_readable
from orchestration.states import ScanState

router = APIRouter(tags=["files"])


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
    return await ask(request, lambda user: file_out(find_file(user=user, file_id=file_id)))


@router.head("/files/{file_id}/content", include_in_schema=False)
@router.get("/files/{file_id}/content", response_class=Response)
async def download_file(request: Request, file_id: UUID) -> Response:
    """The bytes, whole or one range of them, always as an attachment."""
    return FileContent(await ask(request, _readable, file_id))


def _readable(user: User, file_id: UUID) -> File:
    file = find_file(user=user, file_id=file_id)
    if file.scan_state != ScanState.CLEAN:
        raise Conflict(why_not_readable(file))
    return file


@router.delete("/files/{file_id}", status_code=204)
async def delete_file(request: Request, file_id: UUID) -> None:
    """For 30 days it can be brought back. Refused on hold, and while a job that has not finished reads the file."""
    await ask(request, lambda user: delete(user=user, file=find_file(user=user, file_id=file_id)))
