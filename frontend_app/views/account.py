"""One's own account: what it is, and what keeps it safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_safe

from frontend_app.http import Request, page

if TYPE_CHECKING:
    from django.http import HttpResponse


@require_safe
def account(request: Request) -> HttpResponse:
    return page(request, "frontend_app/people/account.html")
