"""Calls of the contract: uploads. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def abort_upload(upload_id: str, *, key: str | None = None) -> Call[None]:
    """The upload ends, what arrived is deleted, its room is free. Any number of times."""
    return Call("DELETE", f"/uploads/{segment(upload_id)}", key=key or new_key(), reads=Reads.NOTHING)


def complete_upload(
    upload_id: str, body: shapes.CompleteIn | None = None, *, key: str | None = None
) -> Call[shapes.Upload]:
    """200 with the file, or 202 while the storage still joins the parts. Repeat it as often as you like."""
    return Call("POST", f"/uploads/{segment(upload_id)}/complete", key=key or new_key(), body=body)


def complete_upload_batch(
    body: shapes.CompleteBatchIn, *, prefer: str | None = None, key: str | None = None
) -> Call[shapes.UploadResults]:
    """Up to 1,000 at once: small files share one sync of the disk and one transaction. `Prefer` as in uploads:batch."""
    return Call("POST", "/uploads:complete", headers={"prefer": prefer}, key=key or new_key(), body=body)


def create_upload_batch(
    body: shapes.UploadBatchIn, *, prefer: str | None = None, key: str | None = None
) -> Call[shapes.UploadResults]:
    """Up to 1,000 at once. `atomic`: all or none. `Prefer: return=minimal`: only what the next call needs."""
    return Call("POST", "/uploads:batch", headers={"prefer": prefer}, key=key or new_key(), body=body)


def create_upload_or_file(body: shapes.UploadIn, *, key: str | None = None) -> Call[shapes.Upload]:
    """JSON begins an upload; any other body is the file itself, durable when this answers.

    The parameters are of a file that is the body.
    """
    return Call("POST", "/uploads", key=key or new_key(), body=body)


def list_uploads(
    *,
    workspace: str | None = None,
    state: shapes.UploadState | None = None,
    fingerprint: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Listing[shapes.Upload]:
    """Your own, newest first."""
    return Listing(
        "GET",
        "/uploads",
        query={"workspace": workspace, "state": state, "fingerprint": fingerprint, "limit": limit, "cursor": cursor},
    )


def show_upload(upload_id: str) -> Call[shapes.Upload]:
    """How far it is: `received` names the parts that are there, so that only the others need be sent."""
    return Call("GET", f"/uploads/{segment(upload_id)}")


def show_upload_config() -> Call[shapes.Config]:
    """What a client must know before it sends: limits, checksums, and whether it sends to us or to object storage."""
    return Call("GET", "/uploads/config")


def sign_upload_batch(body: shapes.SignBatchIn, *, key: str | None = None) -> Call[shapes.PartResults]:
    """One part of each of up to 1,000 uploads."""
    return Call("POST", "/uploads:sign", key=key or new_key(), body=body)


def sign_upload_parts(upload_id: str, body: shapes.PartsIn, *, key: str | None = None) -> Call[shapes.Parts]:
    """URLs to PUT parts to, good for 15 minutes, each for exactly these bytes."""
    return Call("POST", f"/uploads/{segment(upload_id)}/parts", key=key or new_key(), body=body)
