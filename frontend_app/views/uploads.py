"""What the pages that send files need: a ticket at first, and a new one when that has grown old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from frontend_app.http import Request, answers_errors
from orchestration.services.access import find_workspace
from orchestration.services.tickets import issue_ticket
from orchestration.states import Role

if TYPE_CHECKING:
    from django.http import HttpResponse


@require_safe
@never_cache
@answers_errors
def upload_ticket(request: Request) -> HttpResponse:
    """For `?workspace=`, and whose it is: somebody else may have signed in meanwhile."""
    workspace = find_workspace(user=request.user, slug=request.GET.get("workspace", ""), role=Role.SUBMITTER)
    ticket = issue_ticket(request.user, workspace)
    return JsonResponse({"ticket": ticket, "workspace": workspace.slug, "user": request.user.username})
