"""The start of the admin: what happens on the platform now, and of late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from frontend_app import words
from frontend_app.admin.chart import Chart, stacked
from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.ids import uuid_or_none
from orchestration.models import Pipeline, User, Workspace
from orchestration.sentences import said
from orchestration.services.dashboard import Dashboard, look
from orchestration.services.pauses import MAX_REASON, pause, pauses, resume
from orchestration.states import FailureKind, WaitingReason

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST_CHOICES = 500


def dashboard(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm("orchestration.view_job"):
        return {}
    now = look()
    return {
        "now": now,
        "throughput": _throughput(now),
        "cost": stacked([(f"{day:%Y-%m-%d}: {usd:.2f} USD", [("usd", float(usd))]) for day, usd in now.days_usd]),
        "reasons": [(_reason(one.reason), one) for one in now.waiting],
        "failures": [
            (words.FAILURES[FailureKind(one)].headline, spelt(one), number) for one, number in now.failure_kinds
        ],
        "quotas": _fullest(now),
    }


def _reason(reason: str) -> str:
    return str(words.WAITING[WaitingReason(reason)]) if reason else _("Its turn has not come yet.")


def spelt(kind: str) -> str:
    """As the filter language has it."""
    return kind.lower().replace("_", "-")


def _throughput(now: Dashboard) -> Chart:
    columns = []
    for hour in now.hours:
        ended = hour.succeeded + hour.failed + hour.canceled
        says = ngettext("%(at)s: %(number)d ended", "%(at)s: %(number)d ended", ended) % {
            "at": f"{hour.at:%Y-%m-%d %H:%M}",
            "number": ended,
        }
        more = _("%(failed)d failed, %(submitted)d submitted") % {"failed": hour.failed, "submitted": hour.submitted}
        pieces = [("good", hour.succeeded), ("bad", hour.failed), ("calm", hour.canceled)]
        columns.append((f"{says}, {more}", [(name, float(number)) for name, number in pieces]))
    return stacked(columns)


def _fullest(now: Dashboard) -> list[dict[str, Any]]:
    if now.quotas is None:
        return []
    given = now.quotas.value
    shares = [{**one, "share": min(1.0, one["used"] / one["quota"]) if one["quota"] else 1.0} for one in given]
    return sorted(shares, key=lambda one: -one["share"])[:8]


@require_http_methods(["GET", "HEAD", "POST"])
def pauses_view(request: HttpRequest) -> HttpResponse:
    """What is held back, and a form to hold back more. A POST with `end` ends one."""
    user = cast("User", request.user)
    if not user.has_perm("orchestration.view_pause"):
        raise PermissionDenied
    if request.method == "POST":
        try:
            messages.success(request, _change(request, user))
        except (Invalid, Conflict, Forbidden, NotFound) as exc:
            messages.error(request, said(exc))
        return redirect("admin:pauses")
    context = {
        **admin.site.each_context(request),
        "title": _("Pauses"),
        "held": pauses(),
        "workspaces": Workspace.objects.filter(pause=None).order_by("slug")[:MOST_CHOICES],
        "pipelines": Pipeline.objects.filter(pause=None).order_by("name")[:MOST_CHOICES],
        "longest": MAX_REASON,
        "may": user.has_perm("orchestration.change_pause"),
    }
    return render(request, "admin/pauses.html", context)


def _change(request: HttpRequest, user: User) -> str:
    """Raises Forbidden, Invalid, Conflict, NotFound."""
    if ended := uuid_or_none(request.POST.get("end", "")):
        resume(user=user, pause_id=ended)
        return _("What waited goes on.")
    kind, _colon, name = request.POST.get("what", "").partition(":")
    workspace = Workspace.objects.filter(slug=name).first() if kind == "workspace" else None
    wanted = uuid_or_none(name) if kind == "pipeline" else None
    pipeline = Pipeline.objects.filter(pk=wanted).first() if wanted else None
    if kind != "all" and workspace is None and pipeline is None:
        raise NotFound(_("Choose what is to be paused."))
    pause(user=user, reason=request.POST.get("reason", ""), workspace=workspace, pipeline=pipeline)
    return _("Nothing new begins there. What runs goes on to its end.")


def install() -> None:
    """Into Django's own site: its first page shows the dashboard above the list of models."""
    site = admin.site
    site.site_header = site.site_title = "Esteira"
    site.index_title = gettext_lazy("Platform")
    plain_index, plain_urls = site.index, site.get_urls

    def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return plain_index(request, dashboard(request) | (extra_context or {}))

    def get_urls() -> list[Any]:
        return [path("pauses/", site.admin_view(pauses_view), name="pauses"), *plain_urls()]

    def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one page for it: it ends other sessions, tells by mail and is in the audit log."""
        del request, extra_context
        return redirect("account_change_password")

    site.password_change = password_change  # type: ignore[method-assign,assignment]
    site.index = index  # type: ignore[method-assign,assignment]
    site.get_urls = get_urls  # type: ignore[method-assign]
