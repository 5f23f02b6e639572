"""Service accounts of a workspace: for programs, made by its managers. Their tokens end as anybody's: `tokens`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from api_app.auth import ask, ask_as_token, beyond
from api_app.routes.tokens import chosen_scopes, new_token_out, tokens_of
from api_app.schemas import Listing, Slug
from api_app.token_schemas import (
    AccountTokenIn,
    NewTokenOut,
    ServiceAccountIn,
    ServiceAccountOut,
    ServiceAccountPatch,
    TokenOut,
)
from orchestration.models import ApiToken, User
from orchestration.services import service_accounts
from orchestration.services.service_accounts import find_service_account
from orchestration.services.tokens import issue

router = APIRouter(tags=["service accounts"])


@router.post("/service-accounts", status_code=201)
async def create_service_account(request: Request, body: ServiceAccountIn) -> ServiceAccountOut:
    """For managers. It cannot sign in; give it a token."""
    return await ask(
        request, lambda user: _out(service_accounts.create_service_account(user=user, **body.model_dump()))
    )


@router.get("/service-accounts")
async def list_service_accounts(
    request: Request, workspace: Annotated[Slug, Query()] = ""
) -> Listing[ServiceAccountOut]:
    """Of a workspace, for its managers."""
    return await ask(request, _list, workspace)


def _list(user: User, workspace: str) -> Listing[ServiceAccountOut]:
    return Listing(items=[_out(row) for row in service_accounts.list_service_accounts(user=user, workspace=workspace)])


@router.patch("/service-accounts/{account_id}")
async def edit_service_account(request: Request, account_id: UUID, body: ServiceAccountPatch) -> ServiceAccountOut:
    """`{"enabled": false}` refuses its tokens at once; they work again when it is enabled."""

    def edit(user: User) -> ServiceAccountOut:
        account = find_service_account(user=user, account_id=account_id)
        return _out(
            service_accounts.edit_service_account(user=user, account=account, role=body.role, enabled=body.enabled)
        )

    return await ask(request, edit)


@router.post("/service-accounts/{account_id}/tokens", status_code=201)
async def create_service_token(request: Request, account_id: UUID, body: AccountTokenIn) -> NewTokenOut:
    """Shown this once. It opens the account's workspace alone."""
    scopes = chosen_scopes(body.scopes)

    def make(by: ApiToken) -> NewTokenOut:
        account = find_service_account(user=by.user, account_id=account_id)
        beyond(by, scopes)
        made = issue(user=account, name=body.name, scopes=scopes, days=body.expires_in_days, by=by.user)
        return new_token_out(*made)

    return await ask_as_token(request, make)


@router.get("/service-accounts/{account_id}/tokens")
async def list_service_tokens(request: Request, account_id: UUID) -> Listing[TokenOut]:
    """Rotate and revoke them as your own: `/tokens/{id}`."""
    return await ask(request, lambda user: tokens_of(user, find_service_account(user=user, account_id=account_id)))


def _out(account: User) -> ServiceAccountOut:
    workspace = account.service_of
    if workspace is None:
        raise TypeError(account)
    return ServiceAccountOut(
        id=account.pk,
        user=account.username,
        workspace=workspace.slug,
        role=workspace.role_of(account),
        enabled=account.is_active,
        created_at=account.date_joined,
    )
