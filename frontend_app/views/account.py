"""One's own account: what it is, and what keeps it safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.views.decorators.http import require_safe

from frontend_app.http import Request, page
from orchestration.services.second_factor import has_second_factor, must_have_second_factor

if TYPE_CHECKING:
    from django.http import HttpResponse


@require_safe
def account(request: Request) -> HttpResponse:
    connected = {one.provider: one for one in request.user.socialaccount_set.all()}
    safety = {
        "memberships": request.user.memberships.select_related("workspace").order_by("workspace__name"),
        "providers": [(one["provider_id"], one["name"], connected.get(one["provider_id"])) for one in settings.OIDC],
        "has_second_factor": has_second_factor(user=request.user),
        "must_have_second_factor": must_have_second_factor(user=request.user),
    }
    return page(request, "frontend_app/people/account.html", safety)
