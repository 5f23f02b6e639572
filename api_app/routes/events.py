"""What happened to a job or in a workspace: as a list, or live as Server-Sent Events or over a WebSocket."""

from collections.abc import Callable
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, WebSocket
from starlette.requests import Request
from starlette.responses import Response

from api_app import feeds
from api_app.answers import event_out
from api_app.auth import admit, ask, identify, scope_of
from api_app.database import in_db
from api_app.errors import STATUS, NotAuthenticated, answer
from api_app.feeds import Feed, JobFeed, WorkspaceFeed
from api_app.gate import credential, socket_credential
from api_app.live import LiveEvents
from api_app.live_socket import watch
from api_app.paging import Limit
from api_app.schemas import EventOut, Listing, LiveTicketOut
from api_app.waiting import Wait, until_news
from orchestration.errors import EventsGone, TooManyLive
from orchestration.follow import hub
from orchestration.models import ApiToken, Event, User
from orchestration.places import place_of
from orchestration.services.access import find_job, find_workspace
from orchestration.services.live_tickets import LASTS_S, issue_live_ticket, use_live_ticket
from orchestration.services.tokens import find_valid

router = APIRouter(tags=["events"])
Number = Annotated[int, Query(ge=0, lt=1 << 63)]
Bookmark = Annotated[int | None, Query(ge=0, lt=1 << 63)]
LastEventId = Annotated[str | None, Header(max_length=32)]
SCOPE = "read"


@router.get("/jobs/{job_id}/events", responses={200: {"content": {"text/event-stream": {}}}}, tags=["jobs"])
async def list_events(
    request: Request,
    job_id: UUID,
    after: Number = 0,
    cursor: Bookmark = None,
    limit: Limit = 50,
    wait: Wait = 0,
    last_event_id: LastEventId = None,
) -> Listing[EventOut]:
    """Oldest first, from after the event with id `after` (or `Last-Event-ID`); all of them are kept.

    As `text/event-stream` or by a WebSocket at the same address it goes on until the job has ended.
    """
    if _is_live(request):
        seen = _seen(last_event_id)
        return await _stream(request, partial(_job_feed, job_id), after if seen is None else seen)  # type: ignore[return-value]  # FastAPI passes a Response through
    start = after if cursor is None else cursor
    look = partial(ask, request, _events, job_id, start, limit)
    return await until_news(request, JobFeed(job_id).topic, look, _has_items, wait)


def _events(user: User, job_id: UUID, after: int, limit: int) -> Listing[EventOut]:
    find_job(user=user, job_id=job_id)
    # Nothing past what the follower released: an id below it may still be on its way, and would be missed.
    rows = list(Event.objects.filter(job_id=job_id, id__gt=after, id__lte=hub.released).order_by("id")[: limit + 1])
    following = str(rows[limit - 1].pk) if len(rows) > limit else None
    return Listing(items=[event_out(row) for row in rows[:limit]], next_cursor=following)


@router.get("/workspaces/{slug}/events", responses={200: {"content": {"text/event-stream": {}}}})
async def list_workspace_events(
    request: Request,
    slug: str,
    after: Bookmark = None,
    cursor: Bookmark = None,
    limit: Limit = 50,
    wait: Wait = 0,
    last_event_id: LastEventId = None,
) -> Listing[EventOut]:
    """Of all its jobs, from now on, or from after the event with id `after` (or `Last-Event-ID`).

    As `text/event-stream` or by a WebSocket at the same address it goes on without end. Who is far behind gets an
    event `resync`, in a list 410 `events_gone`: load what you show anew, and go on after its id. `next_cursor` is
    always there.
    """
    if _is_live(request):
        seen = _seen(last_event_id)
        return await _stream(request, partial(_workspace_feed, slug), after if seen is None else seen)  # type: ignore[return-value]  # FastAPI passes a Response through
    feed = await ask(request, partial(_workspace_feed, slug))
    start = (hub.released if after is None else after) if cursor is None else cursor
    look = partial(ask, request, _of_workspace, slug, start, limit)
    return await until_news(request, feed.topic, look, _has_items, wait)


def _of_workspace(user: User, slug: str, after: int, limit: int) -> Listing[EventOut]:
    workspace, released = find_workspace(user=user, slug=slug), hub.released
    if feeds.is_far(after, released):
        raise EventsGone(after=released)
    between = Event.objects.filter(workspace_id=workspace.pk, id__gt=after, id__lte=released)
    rows = list(between.order_by("id")[:limit])
    last = rows[-1].pk if len(rows) == limit else max(after, released)
    return Listing(items=[event_out(row) for row in rows], next_cursor=str(last))


@router.post("/events:ticket", status_code=201)
async def create_live_ticket(request: Request) -> LiveTicketOut:
    """For the WebSocket of a page, which can send no `Authorization`: it opens one, within a minute."""
    given, scope = credential(request), scope_of(request)
    ticket = await in_db(lambda: issue_live_ticket(token=identify(given, scope)))
    return LiveTicketOut(ticket=ticket, expires_in=LASTS_S)


@router.websocket("/jobs/{job_id}/events")
async def watch_job(socket: WebSocket, job_id: UUID, after: Number = 0) -> None:
    await _watch(socket, partial(_job_feed, job_id), after)


@router.websocket("/workspaces/{slug}/events")
async def watch_workspace(socket: WebSocket, slug: str, after: Bookmark = None) -> None:
    await _watch(socket, partial(_workspace_feed, slug), after)


def _job_feed(job_id: UUID, user: User) -> Feed:
    return JobFeed(find_job(user=user, job_id=job_id).pk)


def _workspace_feed(slug: str, user: User) -> Feed:
    return WorkspaceFeed(find_workspace(user=user, slug=slug).pk)


async def _stream(request: Request, feed_of: Callable[[User], Feed], after: int | None) -> Response:
    given, scope = credential(request), scope_of(request)

    def find_feed() -> tuple[UUID, Feed]:
        user = identify(given, scope).user
        return user.pk, feed_of(user)

    user_id, feed = await in_db(find_feed)
    return LiveEvents(feed, user_id=user_id, after=_start(after), may_watch=find_feed)


async def _watch(socket: WebSocket, feed_of: Callable[[User], Feed], after: int | None) -> None:
    try:
        token, feed = await in_db(_opened, socket, feed_of)
    except tuple(STATUS) as exc:
        await socket.send_denial_response(answer(exc))
        return

    def may_watch() -> Feed:
        return feed_of(admit(find_valid(token_id=token.pk), SCOPE).user)

    try:
        with place_of(token.user_id):
            await watch(socket, feed, after=_start(after), may_watch=may_watch)
    except TooManyLive as exc:
        await socket.send_denial_response(answer(exc))


def _opened(socket: WebSocket, feed_of: Callable[[User], Feed]) -> tuple[ApiToken, Feed]:
    given = socket_credential(socket)
    if given is None:
        raise NotAuthenticated
    is_ticket = given.scheme == "ticket"
    token = admit(use_live_ticket(ticket=given.secret), SCOPE) if is_ticket else identify(given, SCOPE)
    return token, feed_of(token.user)


def _start(after: int | None) -> int:
    return hub.released if after is None else after


def _is_live(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


def _seen(last_event_id: str | None) -> int | None:
    """What no server of ours has said counts for nothing."""
    if last_event_id is None or not (last_event_id.isascii() and last_event_id.isdigit()):
        return None
    return int(last_event_id)


def _has_items(found: Listing[EventOut]) -> bool:
    return bool(found.items)
