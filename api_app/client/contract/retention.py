"""Calls of the contract: retention. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, new_key, segment

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def extend_file(file_id: str, body: shapes.ExtendIn, *, key: str | None = None) -> Call[shapes.File]:
    """Keep a file longer. A date can only be moved away, and not beyond the server's longest term."""
    return Call("POST", f"/files/{segment(file_id)}/extend", key=key or new_key(), body=body)


def hold_file(file_id: str, body: shapes.HoldIn, *, key: str | None = None) -> Call[shapes.File]:
    """Nobody and no date deletes the file, or destroys its bytes, until a manager releases it. For managers."""
    return Call("POST", f"/files/{segment(file_id)}/hold", key=key or new_key(), body=body)


def show_receipt(file_id: str) -> Call[shapes.Receipt]:
    """What became of a deleted file. Still there when its bytes are destroyed."""
    return Call("GET", f"/files/{segment(file_id)}/receipt")


def show_usage(slug: str) -> Call[shapes.Usage]:
    """How much a workspace holds, by class, and what of it goes soon."""
    return Call("GET", f"/workspaces/{segment(slug)}/usage")


def undelete_file(file_id: str, *, key: str | None = None) -> Call[shapes.File]:
    """Bring a deleted file back, within 30 days. It is then kept for at least 30 more."""
    return Call("POST", f"/files/{segment(file_id)}/undelete", key=key or new_key())


def unhold_file(file_id: str, body: shapes.ReleaseIn | None = None, *, key: str | None = None) -> Call[shapes.File]:
    """The file's own date counts again. For managers."""
    return Call("POST", f"/files/{segment(file_id)}/unhold", key=key or new_key(), body=body)
