"""What an invitation's link leads to, for somebody who is signed in and for somebody new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.auth_backends import AuthenticationBackend
from allauth.core.internal import ratelimit
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from frontend_app.http import CHOSEN, Request, answers_errors
from orchestration.errors import Conflict, Invalid
from orchestration.services import invitations

if TYPE_CHECKING:
    from django.http import HttpResponse

    from orchestration.models import Invitation, Workspace

BACKEND = f"{AuthenticationBackend.__module__}.{AuthenticationBackend.__qualname__}"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def invitation(request: Request, key: str) -> HttpResponse:
    found = invitations.find_invitation(key=key)
    if request.method != "POST":
        return _shown(request, found)
    if not ratelimit.consume(request, app="allauth.account", action="accept_invitation"):
        return ratelimit.respond_429(request)
    try:
        here = _accepted(request, key)
    except (Conflict, Invalid) as exc:
        return _shown(request, found, error=str(exc))
    request.session[CHOSEN] = here.slug
    messages.success(request, f"Welcome to {here.name}.")
    return redirect("home")


def _accepted(request: Request, key: str) -> Workspace:
    if request.user.is_authenticated:
        return invitations.accept(user=request.user, key=key)
    username, password = request.POST.get("username", ""), request.POST.get("password", "")
    user, here = invitations.accept_as_new(key=key, username=username, password=password)
    login(request, user, backend=BACKEND)
    return here


def _shown(request: Request, found: Invitation, *, error: str = "") -> HttpResponse:
    context = {"invitation": found, "error": error, "given": request.POST}
    return render(request, "frontend_app/members/invitation.html", context, status=422 if error else 200)
