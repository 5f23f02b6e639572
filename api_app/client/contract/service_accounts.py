"""Calls of the contract: service accounts. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_service_account(body: shapes.ServiceAccountIn, *, key: str | None = None) -> Call[shapes.ServiceAccount]:
    """For managers. It cannot sign in; give it a token."""
    return Call("POST", "/service-accounts", key=key or new_key(), body=body)


def create_service_token(account_id: str, body: shapes.AccountTokenIn) -> Call[shapes.NewToken]:
    """Shown this once. It opens the account's workspace alone."""
    return Call("POST", f"/service-accounts/{segment(account_id)}/tokens", body=body, repeat=Repeat.UNDONE)


def edit_service_account(
    account_id: str, body: shapes.ServiceAccountPatch, *, key: str | None = None
) -> Call[shapes.ServiceAccount]:
    """`{"enabled": false}` refuses its tokens at once; they work again when it is enabled."""
    return Call("PATCH", f"/service-accounts/{segment(account_id)}", key=key or new_key(), body=body)


def list_service_accounts(*, workspace: str | None = None) -> Listing[shapes.ServiceAccount]:
    """Of a workspace, for its managers."""
    return Listing("GET", "/service-accounts", query={"workspace": workspace})


def list_service_tokens(account_id: str) -> Listing[shapes.Token]:
    """Rotate and revoke them as your own: `/tokens/{id}`."""
    return Listing("GET", f"/service-accounts/{segment(account_id)}/tokens")
