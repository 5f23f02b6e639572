"""Calls of the contract: bulk. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def begin_bulk(body: shapes.BulkIn, *, key: str | None = None) -> Call[shapes.Bulk]:
    """The jobs are chosen now and acted on one by one; follow it at its `id`."""
    return Call("POST", "/bulk", key=key or new_key(), body=body)


def cancel_bulk(bulk_id: str, *, key: str | None = None) -> Call[shapes.Bulk]:
    """Jobs whose turn has not come are skipped; what is done stays done."""
    return Call("POST", f"/bulk/{segment(bulk_id)}/cancel", key=key or new_key())


def list_bulk(*, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.Bulk]:
    """Your own, newest first."""
    return Listing("GET", "/bulk", query={"limit": limit, "cursor": cursor})


def list_bulk_items(
    bulk_id: str, *, outcome: shapes.BulkOutcome | None = None, limit: int | None = None, cursor: str | None = None
) -> Listing[shapes.BulkItem]:
    """What came of each job, in the order of their creation."""
    return Listing(
        "GET", f"/bulk/{segment(bulk_id)}/items", query={"outcome": outcome, "limit": limit, "cursor": cursor}
    )


def preview_bulk(body: shapes.BulkChoiceIn) -> Call[shapes.BulkPreview]:
    """How many jobs it would be, and the newest of them. Changes nothing."""
    return Call("POST", "/bulk:preview", body=body, repeat=Repeat.UNDONE)


def show_bulk(bulk_id: str) -> Call[shapes.Bulk]:
    """How far it is: `done`, `refused` and `skipped` of `total`."""
    return Call("GET", f"/bulk/{segment(bulk_id)}")
