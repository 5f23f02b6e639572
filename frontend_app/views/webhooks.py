"""Webhooks of the workspace, for those who manage it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from frontend_app import words
from frontend_app.http import Request, answers_errors, page, refusals_said, whole_number, workspace_of
from orchestration import figures
from orchestration.errors import Conflict, Invalid
from orchestration.ids import uuid_or_none
from orchestration.models import WebhookEndpoint
from orchestration.sentences import said
from orchestration.services import webhook_deliveries as deliveries
from orchestration.services import webhooks
from orchestration.services.access import find_workspace
from orchestration.services.webhooks import find_webhook
from orchestration.states import WEBHOOK_ENDS, DeliveryState, Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

PAGE = 50
LONGEST_HOURS_DIGITS = 3


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def webhook_list(request: Request) -> HttpResponse:
    """The secret is part of the answer to the POST and of nothing else: no redirect, no session, no message."""
    shown = workspace_of(request)
    here = find_workspace(user=request.user, slug=shown.slug if shown else "", role=Role.MANAGER)
    made, secret, error = None, "", ""
    if request.method == "POST":
        try:
            made, secret = webhooks.create_webhook(user=request.user, workspace=here.slug, **_given(request))
        except (Invalid, Conflict) as exc:
            error = str(exc)
    context = {
        "webhooks": WebhookEndpoint.objects.visible_to(request.user).filter(workspace=here).order_by("-id"),
        "made": made,
        "secret": secret,
        "error": error,
        "given": request.POST,
        "kinds": words.WEBHOOK_KINDS,
        "chosen": set(request.POST.getlist("kind") if error else WEBHOOK_ENDS),
    }
    response = page(request, "frontend_app/webhooks/list.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@answers_errors
def webhook_detail(request: Request, webhook_id: UUID) -> HttpResponse:
    """With its deliveries, the newest first; `?state=` and the keyset cursor `?before=`."""
    return _shown(request, find_webhook(user=request.user, webhook_id=webhook_id))


@require_POST
@answers_errors
def webhook_edit(request: Request, webhook_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    try:
        webhooks.edit_webhook(user=request.user, endpoint=endpoint, changes=_given(request))
    except (Invalid, Conflict) as exc:
        endpoint.refresh_from_db()
        return _shown(request, endpoint, error=str(exc), status=422)
    messages.success(request, _("Saved."))
    return redirect("webhook-detail", webhook_id)


@require_POST
@answers_errors
def webhook_switch(request: Request, webhook_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    is_on = request.POST.get("on") == "yes"
    webhooks.edit_webhook(user=request.user, endpoint=endpoint, changes={"enabled": is_on})
    messages.success(
        request,
        _("The webhook is on: it hears of what happens from now on.")
        if is_on
        else _("The webhook is off. What had not been sent is dropped and can be replayed."),
    )
    return redirect("webhook-detail", webhook_id)


@require_POST
@answers_errors
def webhook_rotate(request: Request, webhook_id: UUID) -> HttpResponse:
    """As for a new webhook: the answer to the POST alone has the secret."""
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    hours = whole_number(request.POST.get("overlap", ""), digits=LONGEST_HOURS_DIGITS)
    try:
        _hook, secret = webhooks.rotate_secret(
            user=request.user,
            endpoint=endpoint,
            overlap_hours=-1 if hours is None else hours,  # refused as a time
        )
    except Invalid as exc:
        return _shown(request, endpoint, error=str(exc), status=422)
    return _shown(request, endpoint, secret=secret)


@require_POST
@answers_errors
def webhook_test(request: Request, webhook_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    try:
        sent = deliveries.send_test(endpoint=endpoint)
    except Conflict as exc:
        messages.error(request, said(exc))
        return redirect("webhook-detail", webhook_id)
    return redirect("delivery-detail", webhook_id, sent.pk)


@require_POST
@answers_errors
def webhook_replay(request: Request, webhook_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    with refusals_said(request, Conflict):
        count = deliveries.replay_missed(endpoint=endpoint)
        sent = ngettext(
            "%(number)s missed delivery is sent again.", "%(number)s missed deliveries are sent again.", count
        )
        messages.success(request, sent % {"number": figures.whole(count)})
    return redirect("webhook-detail", webhook_id)


@require_POST
@answers_errors
def webhook_delete(request: Request, webhook_id: UUID) -> HttpResponse:
    webhooks.delete_webhook(user=request.user, endpoint=find_webhook(user=request.user, webhook_id=webhook_id))
    messages.success(request, _("The webhook and its log are deleted."))
    return redirect("webhook-list")


def _given(request: Request) -> dict[str, Any]:
    return {
        "url": request.POST.get("url", "").strip(),
        "kinds": request.POST.getlist("kind"),
        "description": request.POST.get("description", "")[:200],
    }


def _shown(
    request: Request, endpoint: WebhookEndpoint, *, secret: str = "", error: str = "", status: int = 200
) -> HttpResponse:
    rows, wanted = endpoint.deliveries.all(), request.GET.get("state", "")
    if wanted in set(DeliveryState):
        rows = rows.filter(state=wanted)
    if before := uuid_or_none(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-id")[: PAGE + 1])
    missed = endpoint.deliveries.filter(state__in=[DeliveryState.FAILED, DeliveryState.DROPPED])
    context = {
        "webhook": endpoint,
        "secret": secret,
        "error": error,
        "kinds": words.WEBHOOK_KINDS,
        "chosen": set(request.POST.getlist("kind") if error else endpoint.kinds),
        "given": request.POST if error else None,
        "overlaps": words.OVERLAPS,
        "deliveries": found[:PAGE],
        "states": list(DeliveryState),
        "wanted": wanted,
        "can_replay": endpoint.is_enabled and missed.exists(),
        "is_first": before is None,
        "next": found[PAGE - 1].pk if len(found) > PAGE else None,
    }
    response = page(request, "frontend_app/webhooks/detail.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
