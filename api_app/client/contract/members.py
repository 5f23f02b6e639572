"""Calls of the contract: members. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_invitation(slug: str, body: shapes.InvitationIn) -> Call[shapes.NewInvitation]:
    """Mailed as a link that one person uses once, within a week. The same address again gets a new link."""
    return Call("POST", f"/workspaces/{segment(slug)}/invitations", body=body, repeat=Repeat.UNDONE)


def edit_member(slug: str, member_id: str, body: shapes.MemberPatch, *, key: str | None = None) -> Call[None]:
    """The last manager stays one (409)."""
    return Call(
        "PATCH",
        f"/workspaces/{segment(slug)}/members/{segment(member_id)}",
        key=key or new_key(),
        body=body,
        reads=Reads.NOTHING,
    )


def leave_workspace(slug: str, *, key: str | None = None) -> Call[None]:
    """You see nothing of it any more, nor does this token. The last manager cannot go (409)."""
    return Call("POST", f"/workspaces/{segment(slug)}/leave", key=key or new_key(), reads=Reads.NOTHING)


def list_invitations(slug: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.Invitation]:
    """Those that nobody has accepted yet, newest first."""
    return Listing("GET", f"/workspaces/{segment(slug)}/invitations", query={"limit": limit, "cursor": cursor})


def list_members(slug: str) -> Listing[shapes.Member]:
    """People only; programs are `/service-accounts`."""
    return Listing("GET", f"/workspaces/{segment(slug)}/members")


def remove_member(slug: str, member_id: str, *, key: str | None = None) -> Call[None]:
    """What that person made stays; links to results that she made end. The last manager cannot go (409)."""
    return Call(
        "DELETE", f"/workspaces/{segment(slug)}/members/{segment(member_id)}", key=key or new_key(), reads=Reads.NOTHING
    )


def revoke_invitation(invitation_id: str, *, key: str | None = None) -> Call[None]:
    """Its link leads nowhere from now on."""
    return Call("DELETE", f"/invitations/{segment(invitation_id)}", key=key or new_key(), reads=Reads.NOTHING)
