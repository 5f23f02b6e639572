"""Links that show results to people without an account (docs/results.md)."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask
from api_app.paging import Cursor, Limit, page
from api_app.schemas import Listing
from api_app.share_schemas import NewShareOut, ShareIn, ShareOut
from orchestration.models import ShareLink, User
from orchestration.services import shares
from orchestration.services.access import find_job

router = APIRouter(tags=["shares"])


@router.post("/jobs/{job_id}/shares", status_code=201)
async def create_share(request: Request, job_id: UUID, body: ShareIn) -> NewShareOut:
    """A link to all results, or to `files`. Its `url` is said this once."""
    return await ask(request, _create, job_id, body)


def _create(user: User, job_id: UUID, body: ShareIn) -> NewShareOut:
    terms = shares.Terms(
        days=body.days,
        files=tuple(body.files),
        name=body.name,
        password=body.password,
        max_downloads=body.max_downloads,
        has_manifest=body.with_manifest,
    )
    share, url = shares.create_share(user=user, job=find_job(user=user, job_id=job_id), terms=terms)
    return NewShareOut(**_fields(share), url=url)


@router.get("/jobs/{job_id}/shares")
async def list_shares(request: Request, job_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Listing[ShareOut]:
    """Newest first, also those that are over."""
    return await ask(request, _list, job_id, limit, cursor)


def _list(user: User, job_id: UUID, limit: int, cursor: str | None) -> Listing[ShareOut]:
    found = page(shares.shares_of(job=find_job(user=user, job_id=job_id)), limit=limit, cursor=cursor)
    return Listing(items=[ShareOut(**_fields(one)) for one in found.rows], next_cursor=found.next_cursor)


@router.delete("/shares/{share_id}")
async def revoke_share(request: Request, share_id: UUID) -> ShareOut:
    """Nobody gets anything by it from now on."""

    def work(user: User) -> ShareOut:
        own = shares.find_own_share(user=user, share_id=share_id)
        return ShareOut(**_fields(shares.revoke_share(user=user, share=own)))

    return await ask(request, work)


def _fields(share: ShareLink) -> dict[str, Any]:
    return {
        "id": share.pk,
        "job": share.job_id,
        "name": share.name,
        "has_password": bool(share.password),
        "with_manifest": share.has_manifest,
        "max_downloads": share.max_downloads,
        "downloads": share.downloads,
        "created_by": share.created_by.username,
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "last_used_at": share.last_used_at,
        "revoked_at": share.revoked_at,
        "revoked_by": share.revoked_by.username if share.revoked_by else None,
    }
