"""What an invitation's link leads to, for somebody who is signed in and for somebody new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from frontend_app.http import CHOSEN
from frontend_app.people.backend import Backend
from frontend_app.people.sessions import note_session
from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.services import invitations

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from orchestration.models import Invitation, Workspace

BACKEND = f"{Backend.__module__}.{Backend.__qualname__}"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, key: str) -> HttpResponse:
    """`answers_errors` is for pages of people who are signed in."""
    try:
        found = invitations.find_invitation(key=key)
        return _shown(request, found) if request.method != "POST" else _answered(request, found, key)
    except NotFound as exc:
        raise Http404(str(exc)) from exc


def _answered(request: HttpRequest, found: Invitation, key: str) -> HttpResponse:
    if not ratelimit.consume(request, app="allauth.account", action="accept_invitation"):
        return ratelimit.respond_429(request)
    try:
        here = _accepted(request, key)
    except (Conflict, Forbidden, Invalid) as exc:
        return _shown(request, found, error=str(exc))
    request.session[CHOSEN] = here.slug
    messages.success(request, _("Welcome to %(name)s.") % {"name": here.name})
    return redirect("home")


def _accepted(request: HttpRequest, key: str) -> Workspace:
    if request.user.is_authenticated:
        return invitations.accept(user=request.user, key=key)
    username, password = request.POST.get("username", ""), request.POST.get("password", "")
    user, here = invitations.accept_as_new(key=key, username=username, password=password)
    login(request, user, backend=BACKEND)
    note_session(request)
    return here


def _shown(request: HttpRequest, found: Invitation, *, error: str = "") -> HttpResponse:
    context = {"invitation": found, "error": error, "given": request.POST}
    return render(request, "frontend_app/members/invitation.html", context, status=422 if error else 200)
