from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from frontend_app.http import Request, page, refusals_said, whole_number
from frontend_app.words import MAIL_CHOICES, OVERLAPS
from orchestration.errors import Invalid, NotFound, OrchestrationError
from orchestration.models import ApiToken
from orchestration.services import tokens

if TYPE_CHECKING:
    from django.http import HttpResponse

LIFETIMES_DAYS = (7, 30, 90, 365)
SCOPES = {
    "read": _("see jobs and files, download"),
    "upload": _("send files"),
    "run": _("submit, cancel and retry jobs"),
    "admin": _("everything you may do"),
}


@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: Request) -> HttpResponse:
    """The secret is part of the answer to the POST and of nothing else: no redirect, no session, no message."""
    if request.method != "POST":
        return shown(request)
    try:
        _token, secret = tokens.issue(
            user=request.user,
            name=request.POST.get("name", ""),
            scopes=tuple(request.POST.getlist("scope")),
            days=days_of(request),
            workspace=request.POST.get("workspace", ""),
        )
    except OrchestrationError as exc:
        return shown(request, error=str(exc))
    return shown(request, secret=secret)


def days_of(request: Request) -> int:
    return whole_number(request.POST.get("days", ""), digits=4) or 0  # refused as a lifetime


def shown(request: Request, *, secret: str = "", error: str = "") -> HttpResponse:
    context = {
        "tokens": ApiToken.objects.filter(user=request.user).shown().order_by("-id"),
        "secret": secret,
        "error": error,
        "scopes": SCOPES,
        "given": request.POST,
        "chosen": set(request.POST.getlist("scope") if error else tokens.SCOPES[:3]),
        "lifetimes": LIFETIMES_DAYS,
        "overlaps": OVERLAPS,
        "mail_choices": MAIL_CHOICES if settings.MAILERS else {},
    }
    response = page(request, "frontend_app/tokens/list.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def token_leaked(request: Request) -> HttpResponse:
    """Anybody's: whoever has it may end it."""
    with refusals_said(request, Invalid, NotFound):
        address = request.META.get("REMOTE_ADDR", "")
        tokens.revoke_leaked(token=request.POST.get("token", "").strip()[:200], address=address)
        messages.success(request, gettext("That token is refused from now on. Thank you."))
    return redirect("token-list")
