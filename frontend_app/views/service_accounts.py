"""Service accounts of the workspace, for those who manage it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from frontend_app.http import Request, answers_errors, page, refusals_said, workspace_of
from frontend_app.views.tokens import LIFETIMES_DAYS, SCOPES, days_of
from frontend_app.words import OVERLAPS
from orchestration.errors import Conflict, Invalid, OrchestrationError
from orchestration.models import ApiToken
from orchestration.services import service_accounts, tokens
from orchestration.services.access import find_workspace
from orchestration.services.service_accounts import find_service_account
from orchestration.states import Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from orchestration.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def service_account_list(request: Request) -> HttpResponse:
    shown = workspace_of(request)
    here = find_workspace(user=request.user, slug=shown.slug if shown else "", role=Role.MANAGER)
    error = ""
    if request.method == "POST":
        try:
            made = service_accounts.create_service_account(
                user=request.user,
                name=request.POST.get("name", ""),
                workspace=here.slug,
                role=request.POST.get("role", ""),
            )
        except (Invalid, Conflict) as exc:
            error = str(exc)
        else:
            return redirect("service-account", made.pk)
    context = {
        "accounts": service_accounts.list_service_accounts(user=request.user, workspace=here.slug),
        "roles": list(Role),
        "error": error,
        "given": request.POST,
    }
    return page(request, "frontend_app/service_accounts/list.html", context, status=422 if error else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def service_account(request: Request, account_id: UUID) -> HttpResponse:
    """With its tokens. A POST makes one, and its answer alone has the secret."""
    account = find_service_account(user=request.user, account_id=account_id)
    if request.method != "POST":
        return shown(request, account)
    try:
        _token, secret = tokens.issue(
            user=account,
            name=request.POST.get("name", ""),
            scopes=tuple(request.POST.getlist("scope")),
            days=days_of(request),
            by=request.user,
        )
    except OrchestrationError as exc:
        return shown(request, account, error=str(exc))
    return shown(request, account, secret=secret)


def shown(request: Request, account: User, *, secret: str = "", error: str = "") -> HttpResponse:
    context = {
        "account": account,
        "role": account.service_of.role_of(account) if account.service_of else None,
        "roles": list(Role),
        "tokens": ApiToken.objects.filter(user=account).shown().order_by("-id"),
        "secret": secret,
        "error": error,
        "scopes": SCOPES,
        "given": request.POST,
        "chosen": set(request.POST.getlist("scope") if error else tokens.SCOPES[:3]),
        "lifetimes": LIFETIMES_DAYS,
        "overlaps": OVERLAPS,
    }
    response = page(request, "frontend_app/service_accounts/detail.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@answers_errors
def service_account_edit(request: Request, account_id: UUID) -> HttpResponse:
    account = find_service_account(user=request.user, account_id=account_id)
    enabled = {"yes": True, "no": False}.get(request.POST.get("on", ""))
    with refusals_said(request, Invalid):
        service_accounts.edit_service_account(
            user=request.user, account=account, role=request.POST.get("role"), enabled=enabled
        )
        messages.success(request, _("Its tokens are refused from now on.") if enabled is False else _("Saved."))
    return redirect("service-account", account_id)
