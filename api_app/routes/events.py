"""What happened to a job: as a list, or live as Server-Sent Events."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import event_out
from api_app.auth import ask, identify, scope_of
from api_app.database import in_db
from api_app.gate import credential
from api_app.live import LiveEvents
from api_app.paging import Limit
from api_app.schemas import EventOut, Listing
from orchestration.follow import hub
from orchestration.models import Event, User
from orchestration.services.access import find_job

router = APIRouter(tags=["jobs"])
Bookmark = Annotated[int, Query(ge=0, lt=1 << 63)]


@router.get("/jobs/{job_id}/events", responses={200: {"content": {"text/event-stream": {}}}})
async def list_events(
    request: Request,
    job_id: UUID,
    after: Bookmark = 0,
    cursor: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
    limit: Limit = 50,
    last_event_id: Annotated[str | None, Header(max_length=32)] = None,
) -> Listing[EventOut]:
    """Oldest first, from after the event with id `after` (or `Last-Event-ID`)."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        return await ask(request, _events, job_id, after if cursor is None else cursor, limit)
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = int(last_event_id)
    return await _stream(request, job_id, after)  # type: ignore[return-value]  # FastAPI passes a Response through


def _events(user: User, job_id: UUID, after: int, limit: int) -> Listing[EventOut]:
    find_job(user=user, job_id=job_id)
    # Nothing past what the follower released: an id below it may still be on its way, and would be missed.
    rows = list(Event.objects.filter(job_id=job_id, id__gt=after, id__lte=hub.released).order_by("id")[: limit + 1])
    following = str(rows[limit - 1].pk) if len(rows) > limit else None
    return Listing(items=[event_out(row) for row in rows[:limit]], next_cursor=following)


async def _stream(request: Request, job_id: UUID, after: int) -> Response:
    secret, scope = credential(request).secret, scope_of(request)

    def may_watch() -> None:
        find_job(user=identify(secret, scope).user, job_id=job_id)

    await in_db(may_watch)
    return LiveEvents(job_id, after=after, may_watch=may_watch)
