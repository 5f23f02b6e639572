"""The tokens that programs use: made, listed, rotated, revoked."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask, ask_as_token, beyond, identify, scope_of
from api_app.database import in_db
from api_app.gate import Credential, credential
from api_app.passwords import user_by_password
from api_app.schemas import Listing
from api_app.token_schemas import LeakedTokenIn, NewTokenOut, RotateTokenIn, TokenIn, TokenOut
from orchestration.errors import Forbidden
from orchestration.models import ApiToken, User
from orchestration.services import tokens
from orchestration.services.tokens import SCOPES, issue

router = APIRouter(tags=["account"])
DEFAULT_SCOPES = SCOPES[:3]
MOST = 200


@router.post("/tokens", status_code=201)
async def create_token(request: Request, body: TokenIn) -> NewTokenOut:
    """With HTTP Basic (user and password), or with a token that has the scope `admin`. The token is shown once."""
    given = credential(request)
    scopes = chosen_scopes(body.scopes)
    if given.scheme == "basic":
        user = await user_by_password(given, given.address)
        return await in_db(_issue, user, body, scopes)
    return await in_db(_issue_by_token, given, scope_of(request), body, scopes)


def chosen_scopes(given: Sequence[str] | None) -> tuple[str, ...]:
    return DEFAULT_SCOPES if given is None else tuple(dict.fromkeys(given))


def _issue_by_token(given: Credential, scope: str, body: TokenIn, scopes: tuple[str, ...]) -> NewTokenOut:
    token = identify(given, scope)
    beyond(token, scopes)
    return _issue(token.user, body, scopes)


def _issue(user: User, body: TokenIn, scopes: tuple[str, ...]) -> NewTokenOut:
    return new_token_out(
        *issue(user=user, name=body.name, scopes=scopes, days=body.expires_in_days, workspace=body.workspace)
    )


def new_token_out(row: ApiToken, token: str) -> NewTokenOut:
    return NewTokenOut(
        id=row.pk,
        name=row.name,
        token=token,
        scopes=row.scopes,
        workspace=_slug(row),
        expires_at=row.expires_at,
    )


def _slug(row: ApiToken) -> str | None:
    return row.workspace.slug if row.workspace else None


@router.get("/tokens")
async def list_tokens(request: Request) -> Listing[TokenOut]:
    """Your own, the newest first; never the tokens themselves."""
    return await ask(request, lambda user: tokens_of(user, user))


def tokens_of(user: User, owner: User) -> Listing[TokenOut]:
    """Those of `owner` that `user` may see."""
    rows = ApiToken.objects.visible_to(user).filter(user=owner, revoked_at__isnull=True)
    rows = rows.select_related("workspace", "replaced_by").order_by("-id")[:MOST]
    return Listing(items=[_out(row) for row in rows])


def _out(row: ApiToken) -> TokenOut:
    successor = getattr(row, "replaced_by", None)
    return TokenOut(
        id=row.pk,
        name=row.name,
        start=row.start,
        scopes=row.scopes,
        workspace=_slug(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        last_used_ip=row.last_used_ip,
        replaced_by=successor.pk if successor else None,
    )


@router.post("/tokens/{token_id}/rotate", status_code=201)
async def rotate_token(request: Request, token_id: UUID, body: RotateTokenIn | None = None) -> NewTokenOut:
    """A new token in place of this one, which works for `overlap_hours` more. Any token may rotate itself.

    With the scope `admin` the new one lasts as long as the old one did; without, it ends when the old one would have.
    """
    hours = (body or RotateTokenIn()).overlap_hours

    def rotate(by: ApiToken) -> NewTokenOut:
        return new_token_out(*tokens.rotate(user=by.user, token_id=token_id, by=by, overlap_hours=hours))

    return await ask_as_token(request, rotate)


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(request: Request, token_id: UUID) -> None:
    """It opens nothing from now on. A token may end itself; for others it needs the scope `admin`."""

    def revoke(by: ApiToken) -> None:
        if by.pk != token_id and "admin" not in by.scopes:
            raise Forbidden("This token may revoke only itself; others need the scope `admin`.")
        tokens.revoke(user=by.user, token_id=token_id)

    await ask_as_token(request, revoke)


@router.post("/tokens:revoke-leaked", status_code=204)
async def revoke_leaked_token(request: Request, body: LeakedTokenIn) -> None:
    """Found a token where it should not be? Whoever has it may end it, without another token."""
    address = request.client.host if request.client else ""
    await in_db(lambda: tokens.revoke_leaked(token=body.token.strip(), address=address))
