"""Calls of the contract: account. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_token(body: shapes.TokenIn) -> Call[shapes.NewToken]:
    """With HTTP Basic (user and password), or with a token that has the scope `admin`. The token is shown once."""
    return Call("POST", "/tokens", body=body, repeat=Repeat.UNDONE)


def list_tokens() -> Listing[shapes.Token]:
    """Your own, the newest first; never the tokens themselves."""
    return Listing("GET", "/tokens")


def revoke_leaked_token(body: shapes.LeakedTokenIn) -> Call[None]:
    """Found a token where it should not be? Whoever has it may end it, without another token."""
    return Call("POST", "/tokens:revoke-leaked", body=body, repeat=Repeat.UNDONE, reads=Reads.NOTHING)


def revoke_token(token_id: str, *, key: str | None = None) -> Call[None]:
    """It opens nothing from now on. A token may end itself; for others it needs the scope `admin`."""
    return Call("DELETE", f"/tokens/{segment(token_id)}", key=key or new_key(), reads=Reads.NOTHING)


def rotate_token(token_id: str, body: shapes.RotateTokenIn | None = None) -> Call[shapes.NewToken]:
    """A new token in place of this one, which works for `overlap_hours` more. Any token may rotate itself.

    With the scope `admin` the new one lasts as long as the old one did; without, it ends when the old one would
    have.
    """
    return Call("POST", f"/tokens/{segment(token_id)}/rotate", body=body, repeat=Repeat.UNDONE)


def show_me() -> Call[shapes.Me]:
    """Whose token this is, and the workspaces they are in, each with their role."""
    return Call("GET", "/me")
