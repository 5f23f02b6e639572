"""What one is told: the list behind the bell, and how one wants to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said, whole_number, workspace_of
from frontend_app.words import MAIL_WHEN
from orchestration.errors import Invalid, NotFound
from orchestration.models import Notification
from orchestration.notification_words import KINDS, Said, say
from orchestration.services import notifications

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

PAGE: Final = 50


@require_safe
def notification_list(request: Request) -> HttpResponse:
    """The last to change first, of all workspaces; `?show=unread` and the cursor `?before=`."""
    rows = Notification.objects.visible_to(request.user).select_related("workspace")
    is_unread = request.GET.get("show") == "unread"
    if is_unread:
        rows = rows.unread()
    if cursor := _cursor(request):
        rows = rows.filter(changed_at__lt=cursor)
    found = list(rows.order_by("-changed_at")[: PAGE + 1])
    context = {
        "rows": [(row, said(row)) for row in found[:PAGE]],
        "next": found[PAGE - 1].changed_at.isoformat() if len(found) > PAGE else "",
        "is_first": cursor is None,
        "is_unread": is_unread,
        "undo": request.GET.get("undo", "") if _moment(request.GET.get("undo", "")) else "",
    }
    return page(request, "frontend_app/notifications/list.html", context)


def said(row: Notification) -> Said:
    return say(row.kind, row.count, row.data, workspace=row.workspace.slug)


def _cursor(request: Request) -> datetime | None:
    return _moment(request.GET.get("before", ""))


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


@require_safe
def bell(request: Request) -> HttpResponse:
    """The bell of the frame, alone."""
    context = {"unread": notifications.unread_count(user=request.user)}
    return render(request, "frontend_app/base.html#bell", context)


@require_POST
@answers_errors
def notification_mark(request: Request, notification_id: UUID, how: str) -> HttpResponse:
    if how not in {"read", "unread"}:
        raise NotFound("A notification is marked read or unread.")
    notifications.mark(user=request.user, notification_id=notification_id, is_read=how == "read")
    return _back(request)


@require_safe
@answers_errors
def notification_open(request: Request, notification_id: UUID) -> HttpResponse:
    """On to what it is about. That one has opened it is all that a GET notes here."""
    row = notifications.mark(user=request.user, notification_id=notification_id, is_read=True)
    return redirect(said(row).path)


@require_POST
def notifications_read(request: Request) -> HttpResponse:
    marked, at = notifications.mark_all_read(user=request.user)
    where = reverse("notifications")
    return redirect(f"{where}?undo={at:%Y-%m-%dT%H:%M:%S.%fZ}" if marked else where)


@require_POST
def notifications_undo(request: Request) -> HttpResponse:
    if at := _moment(request.POST.get("at", "")):
        notifications.undo_mark_all(user=request.user, at=at)
    return redirect("notifications")


def _back(request: Request) -> HttpResponse:
    where = reverse("notifications")
    return redirect(f"{where}?show=unread" if request.GET.get("show") == "unread" else where)


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def notifications_settings(request: Request) -> HttpResponse:
    here = workspace_of(request)
    if here is None:
        raise NotFound("You are in no workspace.")
    if request.method == "POST":
        known = [one.kind for one in notifications.settings_of(user=request.user, workspace=here)]
        changes: dict[str, tuple[bool, str]] = {
            kind: (f"app-{kind}" in request.POST, request.POST[f"mail-{kind}"])
            for kind in known
            if f"mail-{kind}" in request.POST
        }
        hour = whole_number(request.POST.get("digest_hour", ""), digits=2)
        with refusals_said(request, Invalid):
            notifications.choose(user=request.user, workspace=here, changes=changes, digest_hour=hour)
            messages.success(request, gettext("Your choice is saved."))
        return redirect(f"{reverse('notifications-settings')}?workspace={here.slug}")
    context = {
        "settings": [(one, KINDS[one.kind]) for one in notifications.settings_of(user=request.user, workspace=here)],
        "mail_choices": MAIL_WHEN,
        "hours": range(notifications.HOURS),
    }
    return page(request, "frontend_app/notifications/settings.html", context)


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, key: str) -> HttpResponse:
    """The signed link of a mail; a mail program posts to it by itself (RFC 8058), so a GET must change nothing."""
    try:
        if request.method == "POST":
            notifications.unsubscribe(key=key)
        else:
            notifications.unsubscriber(key=key)
    except NotFound as exc:
        context = {"why": str(exc)}
        return render(request, "frontend_app/notifications/unsubscribe.html", context, status=404)
    return render(request, "frontend_app/notifications/unsubscribe.html", {"is_done": request.method == "POST"})
