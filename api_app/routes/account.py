"""Who I am."""

from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask
from api_app.schemas import MeOut, WorkspaceOut
from orchestration.models import Membership, User, Workspace
from orchestration.states import Role

router = APIRouter(tags=["account"])
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
