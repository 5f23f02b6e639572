from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.db.models.functions import Now
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from frontend_app.http import Request, answers_errors, page, whole_number
from frontend_app.words import MAIL_CHOICES
from orchestration.errors import OrchestrationError
from orchestration.models import ApiToken
from orchestration.services import tokens

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

LIFETIMES_DAYS = (7, 30, 90, 365)
SCOPES = {
    "read": "see jobs and files, download",
    "upload": "send files",
    "run": "submit, cancel and retry jobs",
    "admin": "everything you may do",
}


@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: Request) -> HttpResponse:
    """The secret is part of the answer to the POST and of nothing else: no redirect, no session, no message."""
    secret, error = "", ""
    if request.method == "POST":
        try:
            _, secret = tokens.issue(
                user=request.user,
                name=request.POST.get("name", ""),
                scopes=tuple(request.POST.getlist("scope")),
                days=_days(request.POST.get("days", "")),
            )
        except OrchestrationError as exc:
            error = str(exc)
    mine = ApiToken.objects.filter(user=request.user, revoked_at__isnull=True)
    rows = mine.annotate(is_expired=Q(expires_at__lte=Now())).order_by("-id")
    context = {
        "tokens": rows,
        "secret": secret,
        "error": error,
        "scopes": SCOPES,
        "given": request.POST,
        "chosen": set(request.POST.getlist("scope") if error else tokens.SCOPES[:3]),
        "lifetimes": LIFETIMES_DAYS,
        "mail_choices": MAIL_CHOICES if settings.MAILERS else {},
    }
    response = page(request, "frontend_app/tokens/list.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


def _days(text: str) -> int:
    return whole_number(text, digits=4) or 0  # refused as a lifetime


@require_POST
@answers_errors
def token_revoke(request: Request, token_id: UUID) -> HttpResponse:
    tokens.revoke(user=request.user, token_id=token_id)
    messages.success(request, "The token is revoked. Programs that use it are refused from now on.")
    return redirect("token-list")
