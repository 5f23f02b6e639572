"""Calls of the contract: shares. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_share(job_id: str, body: shapes.ShareIn) -> Call[shapes.NewShare]:
    """A link to all results, or to `files`. Its `url` is said this once."""
    return Call("POST", f"/jobs/{segment(job_id)}/shares", body=body, repeat=Repeat.UNDONE)


def list_shares(job_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.Share]:
    """Newest first, also those that are over."""
    return Listing("GET", f"/jobs/{segment(job_id)}/shares", query={"limit": limit, "cursor": cursor})


def revoke_share(share_id: str, *, key: str | None = None) -> Call[shapes.Share]:
    """Nobody gets anything by it from now on."""
    return Call("DELETE", f"/shares/{segment(share_id)}", key=key or new_key())
