"""Members of a workspace and invitations into it: for its managers (docs/people.md). Anybody may leave."""

from uuid import UUID

from django.conf import settings
from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask
from api_app.paging import Cursor, Limit, page
from api_app.people_schemas import (
    AnyRole,
    InvitationIn,
    InvitationOut,
    MemberOut,
    MemberPatch,
    NewInvitationOut,
)
from api_app.schemas import Listing, Slug
from orchestration.models import Invitation, User
from orchestration.services import invitations, members
from orchestration.services.access import find_workspace
from orchestration.services.second_factor import without_second_factor
from orchestration.states import Role

router = APIRouter(tags=["members"])


@router.get("/workspaces/{slug}/members")
async def list_members(request: Request, slug: Slug) -> Listing[MemberOut]:
    """People only; programs are `/service-accounts`."""

    def work(user: User) -> Listing[MemberOut]:
        here = find_workspace(user=user, slug=slug, role=Role.MANAGER)
        without = without_second_factor(workspace=here)
        rows = members.list_members(workspace=here)
        return Listing(
            items=[
                MemberOut(
                    id=one.user_id,
                    user=one.user.username,
                    email=one.user.email,
                    role=_role(one.role),
                    enabled=one.user.is_active,
                    has_second_factor=one.user_id not in without if one.user.has_usable_password() else None,
                )
                for one in rows
            ]
        )

    return await ask(request, work)


@router.patch("/workspaces/{slug}/members/{member_id}", status_code=204)
async def edit_member(request: Request, slug: Slug, member_id: UUID, body: MemberPatch) -> None:
    """The last manager stays one (409)."""

    def work(user: User) -> None:
        here = find_workspace(user=user, slug=slug)
        member = members.find_member(user=user, workspace=here, member_id=member_id)
        members.change_role(user=user, workspace=here, member_id=member.user_id, role=body.role)

    await ask(request, work)


@router.delete("/workspaces/{slug}/members/{member_id}", status_code=204)
async def remove_member(request: Request, slug: Slug, member_id: UUID) -> None:
    """What that person made stays; links to results that she made end. The last manager cannot go (409)."""

    def work(user: User) -> None:
        here = find_workspace(user=user, slug=slug)
        member = members.find_member(user=user, workspace=here, member_id=member_id)
        members.remove_member(user=user, workspace=here, member_id=member.user_id)

    await ask(request, work)


@router.post("/workspaces/{slug}/leave", status_code=204)
async def leave_workspace(request: Request, slug: Slug) -> None:
    """You see nothing of it any more, nor does this token. The last manager cannot go (409)."""

    def work(user: User) -> None:
        members.remove_member(user=user, workspace=find_workspace(user=user, slug=slug), member_id=user.pk)

    await ask(request, work)


@router.get("/workspaces/{slug}/invitations")
async def list_invitations(
    request: Request, slug: Slug, limit: Limit = 50, cursor: Cursor = None
) -> Listing[InvitationOut]:
    """Those that nobody has accepted yet, newest first."""

    def work(user: User) -> Listing[InvitationOut]:
        here = find_workspace(user=user, slug=slug, role=Role.MANAGER)
        rows = Invitation.objects.visible_to(user).unused().filter(workspace=here)
        found = page(rows.select_related("workspace", "invited_by"), limit=limit, cursor=cursor)
        return Listing(items=[_invitation(one) for one in found.rows], next_cursor=found.next_cursor)

    return await ask(request, work)


@router.post("/workspaces/{slug}/invitations", status_code=201)
async def create_invitation(request: Request, slug: Slug, body: InvitationIn) -> NewInvitationOut:
    """Mailed as a link that one person uses once, within a week. The same address again gets a new link."""

    def work(user: User) -> NewInvitationOut:
        made = invitations.invite(user=user, email=body.email, role=body.role, workspace=slug)
        # Whoever is shown the link could use it: with a mail server only the invited person is.
        link = None if settings.MAILERS else f"{settings.PUBLIC_URL}/invitation/{made.key}/"
        return NewInvitationOut(**_invitation(made).model_dump(), link=link)

    return await ask(request, work)


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(request: Request, invitation_id: UUID) -> None:
    """Its link leads nowhere from now on."""

    def work(user: User) -> None:
        invitations.revoke_invitation(user=user, invitation_id=invitation_id)

    await ask(request, work)


def _invitation(one: Invitation) -> InvitationOut:
    return InvitationOut(
        id=one.pk,
        workspace=one.workspace.slug,
        email=one.email,
        role=_role(one.role),
        invited_by=one.invited_by.username if one.invited_by else None,
        created_at=one.created_at,
        expires_at=one.expires_at,
    )


def _role(role: str) -> AnyRole:
    return Role(role).value
