"""One's name, language and time zone; the language also before one has signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from frontend_app.http import Request, refusals_said
from orchestration.errors import Invalid
from orchestration.services import profile

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase


@require_POST
def profile_save(request: Request) -> HttpResponse:
    given = {name: request.POST.get(name, "") for name in ("name", "language", "time_zone")}
    with refusals_said(request, Invalid):
        profile.describe(user=request.user, **given)
        with translation.override(given["language"] or translation.get_language()):
            messages.success(request, _("Saved."))
    return redirect("account")


@login_not_required
@require_POST
def language_choose(request: HttpRequest) -> HttpResponseBase:
    """In this browser, and for good by somebody who is signed in."""
    if request.user.is_authenticated:
        try:
            profile.speak(user=request.user, language=request.POST.get("language", ""))
        except Invalid as exc:
            raise Http404(str(exc)) from exc
    return set_language(request)
