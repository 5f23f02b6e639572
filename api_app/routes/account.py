"""Who I am, and the tokens my programs use."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask, identify, scope_of
from api_app.database import in_db
from api_app.gate import credential
from api_app.passwords import user_by_password
from api_app.schemas import Listing, MeOut, NewTokenOut, TokenIn, TokenOut, WorkspaceOut
from orchestration.errors import Forbidden
from orchestration.models import ApiToken, Membership, User, Workspace
from orchestration.services.tokens import SCOPES, issue, revoke
from orchestration.states import Role

router = APIRouter(tags=["account"])
DEFAULT_SCOPES = SCOPES[:3]
MOST = 1_000


@router.get("/me")
async def show_me(request: Request) -> MeOut:
    """Whose token this is, and the workspaces they are in, each with their role."""
    return await ask(request, _me)


def _me(user: User) -> MeOut:
    roles = dict(Membership.objects.filter(user=user).values_list("workspace", "role"))
    workspaces = Workspace.objects.visible_to(user).order_by("id")[:MOST]
    return MeOut(
        user=user.username,
        workspaces=[
            WorkspaceOut(id=w.pk, slug=w.slug, name=w.name, role=_role(user, roles.get(w.pk))) for w in workspaces
        ],
    )


def _role(user: User, member_as: str | None) -> str:
    return Role.MANAGER if user.is_superuser or member_as is None else member_as


@router.post("/tokens", status_code=201)
async def create_token(request: Request, body: TokenIn) -> NewTokenOut:
    """With HTTP Basic (user and password), or with a token that has the scope `admin`. The token is shown once."""
    given = credential(request)
    scopes = tuple(dict.fromkeys(body.scopes)) if body.scopes is not None else DEFAULT_SCOPES
    if given.scheme == "basic":
        address = request.client.host if request.client else ""
        user = await user_by_password(given, address)
        return await in_db(_issue, user, body, scopes)
    return await in_db(_issue_by_token, given.secret, scope_of(request), body, scopes)


def _issue_by_token(secret: str, scope: str, body: TokenIn, scopes: Sequence[str]) -> NewTokenOut:
    token = identify(secret, scope)
    if beyond := set(scopes) - set(token.scopes):
        raise Forbidden(f"A token cannot make one that may do more: {', '.join(sorted(beyond))}.")
    return _issue(token.user, body, scopes)


def _issue(user: User, body: TokenIn, scopes: Sequence[str]) -> NewTokenOut:
    row, token = issue(user=user, name=body.name, scopes=tuple(scopes), days=body.expires_in_days)
    return NewTokenOut(id=row.pk, name=row.name, token=token, scopes=row.scopes, expires_at=row.expires_at)


@router.get("/tokens")
async def list_tokens(request: Request) -> Listing[TokenOut]:
    """Your own; never the tokens themselves."""
    return await ask(request, _tokens)


def _tokens(user: User) -> Listing[TokenOut]:
    rows = ApiToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-id")[:MOST]
    return Listing(
        items=[
            TokenOut(
                id=row.pk,
                name=row.name,
                scopes=row.scopes,
                created_at=row.created_at,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
            )
            for row in rows
        ]
    )


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(request: Request, token_id: UUID) -> None:
    """It opens nothing from now on. A token may end itself; for others it needs the scope `admin`."""
    await in_db(_revoke, credential(request).secret, scope_of(request), token_id)


def _revoke(secret: str, scope: str, token_id: UUID) -> None:
    caller = identify(secret, scope)
    if caller.pk != token_id and "admin" not in caller.scopes:
        raise Forbidden("This token may revoke only itself; others need the scope `admin`.")
    revoke(user=caller.user, token_id=token_id)
