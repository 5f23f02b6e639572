"""Who is in the workspace, and who is invited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from frontend_app.http import Request, answers_errors, page, refusals_said, workspace_of
from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.models import Invitation, Workspace
from orchestration.services import invitations, members
from orchestration.services.access import find_workspace
from orchestration.services.known_secrets import secrets_known_to
from orchestration.services.second_factor import ask_of_members, without_second_factor
from orchestration.states import Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def member_list(request: Request) -> HttpResponse:
    """A POST invites somebody."""
    here = _here(request)
    error, invited = "", None
    if request.method == "POST":
        email, role = request.POST.get("email", ""), request.POST.get("role", "")
        try:
            invited = invitations.invite(user=request.user, workspace=here.slug, email=email, role=role)
        except (Invalid, Conflict) as exc:
            error = str(exc)
    context = {
        "members": members.list_members(workspace=here),
        "invitations": Invitation.objects.visible_to(request.user).unused().filter(workspace=here).order_by("-pk"),
        "roles": list(Role),
        "without_factor": without_second_factor(workspace=here),
        "error": error,
        "given": request.POST,
        "invited": invited,
        # Whoever is shown the link could use it: with a mail server only the invited person is.
        "link": f"{settings.PUBLIC_URL}/invitation/{invited.key}/" if invited and not settings.MAILERS else "",
    }
    response = page(request, "frontend_app/members/list.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


def _here(request: Request) -> Workspace:
    shown = workspace_of(request)
    return find_workspace(user=request.user, slug=shown.slug if shown else "", role=Role.MANAGER)


@require_POST
@answers_errors
def members_second_factor(request: Request) -> HttpResponse:
    needed = request.POST.get("needed") == "yes"
    with refusals_said(request, Conflict):
        ask_of_members(user=request.user, workspace=_here(request), needed=needed)
        said = _("From now on everybody here needs a second factor.")
        messages.success(request, said if needed else _("A second factor is everybody's own choice again."))
    return redirect("member-list")


@require_POST
@answers_errors
def member_role(request: Request, user_id: UUID) -> HttpResponse:
    role = request.POST.get("role", "")
    with refusals_said(request, Invalid, Conflict):
        members.change_role(user=request.user, workspace=_here(request), member_id=user_id, role=role)
        messages.success(request, _("Saved."))
    return redirect("member-list")


@require_POST
@answers_errors
def member_remove(request: Request, user_id: UUID) -> HttpResponse:
    here = _here(request)
    with refusals_said(request, Conflict):
        members.remove_member(user=request.user, workspace=here, member_id=user_id)
        messages.success(request, _("Not in %(name)s any more. What that person made stays.") % {"name": here.name})
        if known := secrets_known_to(user=request.user, person_id=user_id, workspace=here).names:
            said = _("That person was shown secrets that still hold. Rotate them under Webhooks and Tokens: %(names)s.")
            messages.warning(request, said % {"names": ", ".join(known)})
    return redirect("member-list" if user_id != request.user.pk else "account")


@require_POST
@answers_errors
def workspace_leave(request: Request, workspace_id: UUID) -> HttpResponse:
    here = Workspace.objects.visible_to(request.user).filter(pk=workspace_id).first()
    if here is None:
        raise NotFound(_("There is no such workspace that you are in."))
    with refusals_said(request, Conflict):
        members.remove_member(user=request.user, workspace=here, member_id=request.user.pk)
        messages.success(request, _("You have left %(name)s.") % {"name": here.name})
    return redirect("account")


@require_POST
@answers_errors
def invitation_revoke(request: Request, invitation_id: UUID) -> HttpResponse:
    invitations.revoke_invitation(user=request.user, invitation_id=invitation_id)
    messages.success(request, _("The invitation is taken back. Its link leads nowhere."))
    return redirect("member-list")
