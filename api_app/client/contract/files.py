"""Calls of the contract: files. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def delete_file(file_id: str, *, key: str | None = None) -> Call[None]:
    """For 30 days it can be brought back. Refused on hold, and while a job that has not finished reads the file."""
    return Call("DELETE", f"/files/{segment(file_id)}", key=key or new_key(), reads=Reads.NOTHING)


def download_file(file_id: str) -> Call[bytes]:
    """The bytes, whole or one range of them, always as an attachment."""
    return Call("GET", f"/files/{segment(file_id)}/content", reads=Reads.BYTES)


def download_files(body: shapes.SelectionIn) -> Call[bytes]:
    """Any files in one ZIP. Its length is known before it begins; it takes `Range`. Changes nothing."""
    return Call("POST", "/files:zip", body=body, repeat=Repeat.UNDONE, reads=Reads.BYTES)


def list_files(
    *, limit: int | None = None, cursor: str | None = None, deleted: bool | None = None
) -> Listing[shapes.File]:
    """Newest first. `deleted`: instead those that can still be brought back."""
    return Listing("GET", "/files", query={"limit": limit, "cursor": cursor, "deleted": deleted})


def show_file(file_id: str) -> Call[shapes.File]:
    """What is known of a file: its size, digests, type, how long it is kept, and which job made it."""
    return Call("GET", f"/files/{segment(file_id)}")
