"""What the workspace is set to, in one place; members, tokens and webhooks have pages beside it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said, whole_number, workspace_of
from orchestration.errors import Invalid, NotFound
from orchestration.models.budget import standing_of
from orchestration.services import workspace_settings
from orchestration.states import BudgetMode

if TYPE_CHECKING:
    from django.http import HttpResponse

    from orchestration.models import Workspace

GIB: Final = 1 << 30
MOST_DIGITS: Final = 9
AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")


@require_safe
def settings_page(request: Request) -> HttpResponse:
    here = workspace_of(request)
    context = {
        "can_limit": workspace_settings.may_limit(request.user),
        "role": here.role_of(request.user) if here else None,
        "most_days": settings.MAX_RETENTION_DAYS,
        "budget": standing_of(here) if here else None,
        "quota_gib": _plain(Decimal(here.quota_bytes) / GIB) if here and here.quota_bytes is not None else "",
        "is_priced": settings.PRICES is not None,
        "modes": [
            (BudgetMode.WARN, _("Only warn: jobs are accepted as before")),
            (BudgetMode.BLOCK, _("Refuse new jobs until the month ends")),
        ],
    }
    return page(request, "frontend_app/settings/general.html", context)


@require_POST
@answers_errors
def settings_name(request: Request) -> HttpResponse:
    here = _here(request)
    with refusals_said(request, Invalid):
        workspace_settings.rename_workspace(user=request.user, workspace=here, name=request.POST.get("name", ""))
        messages.success(request, _("Saved."))
    return _back(here)


@require_POST
@answers_errors
def settings_retention(request: Request) -> HttpResponse:
    here = _here(request)
    with refusals_said(request, Invalid):
        workspace_settings.set_retention(
            user=request.user, workspace=here, upload_days=_number(request, "upload_days"),
            result_days=_number(request, "result_days"),
        )  # fmt: skip
        messages.success(request, _("Saved. It counts for files that come from now on."))
    return _back(here)


@require_POST
@answers_errors
def settings_limits(request: Request) -> HttpResponse:
    here = _here(request)
    with refusals_said(request, Invalid):
        quota = _amount(request, "quota_gib")
        limits = workspace_settings.Limits(
            quota_bytes=None if quota is None else int(quota * GIB),
            max_active_jobs=_number(request, "max_active_jobs"),
            budget_usd=_amount(request, "budget_usd"),
            budget_warn_percent=_number(request, "budget_warn_percent"),
            budget_mode=request.POST.get("budget_mode", ""),
        )
        workspace_settings.set_limits(user=request.user, workspace=here, limits=limits)
        messages.success(request, _("Saved."))
    return _back(here)


def _here(request: Request) -> Workspace:
    here = workspace_of(request)
    if here is None:
        raise NotFound(_("You are in no workspace yet."))
    return here


def _back(here: Workspace) -> HttpResponse:
    return redirect(f"{reverse('settings')}?workspace={here.slug}")


def _number(request: Request, name: str) -> int:
    number = whole_number(request.POST.get(name, "").strip(), digits=MOST_DIGITS)
    if number is None:
        raise Invalid(_("Write a whole number."))
    return number


def _amount(request: Request, name: str) -> Decimal | None:
    """None: left empty, so there is no limit."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    if not AMOUNT.fullmatch(text):
        raise Invalid(_("Write an amount such as 100 or 12.50."))
    return Decimal(text)


def _plain(number: Decimal) -> str:
    """Without zeros at its end, and as a number that a form takes."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
