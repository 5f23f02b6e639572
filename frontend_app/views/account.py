"""One's own account: what it is, and what keeps it safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, page, whole_number
from frontend_app.people.sessions import end_sessions, sessions_of
from orchestration.services.profile import time_zones
from orchestration.services.second_factor import has_second_factor, must_have_second_factor

if TYPE_CHECKING:
    from django.http import HttpResponse


@require_safe
def account(request: Request) -> HttpResponse:
    connected = {one.provider: one for one in request.user.socialaccount_set.all()}
    names = {one["provider_id"]: one["name"] for one in settings.OIDC}
    names |= {known: known for known in connected if known not in names}  # taken from the settings since
    safety = {
        "sessions": sessions_of(request),
        "memberships": request.user.memberships.select_related("workspace").order_by("workspace__name"),
        "providers": [(known, name, connected.get(known)) for known, name in names.items()],
        "time_zones": time_zones(),
        "has_second_factor": has_second_factor(user=request.user),
        "must_have_second_factor": must_have_second_factor(user=request.user),
    }
    return page(request, "frontend_app/people/account.html", safety)


@require_POST
def sessions_end(request: Request) -> HttpResponse:
    """The named one, or all but this."""
    named = request.POST.get("session")
    only = None if named is None else whole_number(named, digits=18) or 0  # of which there is none
    ended = end_sessions(request, only=only)
    messages.success(
        request, _("Signed out elsewhere: %(number)s.") % {"number": ended} if ended else _("There was nothing to end.")
    )
    return redirect("account")
