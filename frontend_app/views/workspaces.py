from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from frontend_app.http import CHOSEN, Request, answers_errors
from orchestration.services.access import find_workspace

if TYPE_CHECKING:
    from django.http import HttpResponse


@require_POST
@answers_errors
def workspace_choose(request: Request) -> HttpResponse:
    """The lists show one workspace at a time; this one from now on."""
    workspace = find_workspace(user=request.user, slug=request.POST.get("workspace", ""))
    request.session[CHOSEN] = workspace.slug
    return redirect("job-list")
