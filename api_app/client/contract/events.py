"""Calls of the contract: events. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_live_ticket() -> Call[shapes.LiveTicket]:
    """For the WebSocket of a page, which can send no `Authorization`: it opens one, within a minute."""
    return Call("POST", "/events:ticket", repeat=Repeat.UNDONE)


def list_events(
    job_id: str,
    *,
    after: int | None = None,
    cursor: int | None = None,
    limit: int | None = None,
    wait: int | None = None,
) -> Listing[shapes.Event]:
    """Oldest first, from after the event with id `after` (or `Last-Event-ID`); all of them are kept.

    As `text/event-stream` or by a WebSocket at the same address it goes on until the job has ended.
    """
    return Listing(
        "GET", f"/jobs/{segment(job_id)}/events", query={"after": after, "cursor": cursor, "limit": limit, "wait": wait}
    )


def list_workspace_events(
    slug: str, *, after: int | None = None, cursor: int | None = None, limit: int | None = None, wait: int | None = None
) -> Listing[shapes.Event]:
    """Of all its jobs, from now on, or from after the event with id `after` (or `Last-Event-ID`).

    As `text/event-stream` or by a WebSocket at the same address it goes on without end. Who is far behind gets an
    event `resync`, in a list 410 `events_gone`: load what you show anew, and go on after its id. `next_cursor` is
    always there.
    """
    return Listing(
        "GET",
        f"/workspaces/{segment(slug)}/events",
        query={"after": after, "cursor": cursor, "limit": limit, "wait": wait},
    )
