"""One action on all jobs of a filter: looked at first, confirmed, followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app import words
from frontend_app.http import Request, answers_errors, page, whole_number, workspace_of
from frontend_app.sentences import said
from orchestration.errors import Conflict, Invalid
from orchestration.services import bulk
from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from orchestration.models import BulkOperation

REFUSALS: Final = 50
MAX_DIGITS: Final = 9


@require_safe
@answers_errors
def bulk_preview(request: Request, action: str) -> HttpResponse:
    """Which jobs `?q=` gives to it. A filter that cannot be read is shown on the page of jobs."""
    do, wanted = _action(action), request.GET.get("q", "")
    try:
        seen = bulk.preview(user=request.user, action=do, choice=_choice(request, wanted))
    except Invalid:
        return redirect(f"{reverse('job-list')}?{urlencode({'q': wanted})}")
    context = {
        "action": do,
        "said": words.BULK[do],
        "told": words.BULK[do].told(seen.total),
        "asked": _("%(action)s?") % {"action": words.BULK[do].told(seen.total)},
        "filter": wanted,
        "seen": seen,
        "rest": seen.total - len(seen.sample),
        "left_out": sum(seen.others.values()),
        "most": bulk.MOST_JOBS,
        "key": str(uuid4()),
    }
    return page(request, "frontend_app/jobs/bulk.html", context)


@require_POST
@answers_errors
def bulk_begin(request: Request, action: str) -> HttpResponse:
    do, wanted = _action(action), request.POST.get("q", "")
    expected = whole_number(request.POST.get("expected", ""), digits=MAX_DIGITS)
    try:
        operation, _ = bulk.begin_bulk(
            user=request.user, action=do, choice=_choice(request, wanted), expected=expected,
            idempotency_key=request.POST.get("key", "")[:64],
        )  # fmt: skip
    except (Conflict, Invalid) as exc:
        messages.error(request, said(exc))
        return redirect(f"{reverse('bulk-preview', args=[action])}?{urlencode({'q': wanted})}")
    return redirect("bulk-detail", operation.pk)


@require_safe
@answers_errors
def bulk_detail(request: Request, bulk_id: UUID) -> HttpResponse:
    return page(request, "frontend_app/jobs/bulk_detail.html", _progress(request, bulk_id))


@require_safe
@answers_errors
def bulk_live(request: Request, bulk_id: UUID) -> HttpResponse:
    """The part that changes, alone."""
    return render(request, "frontend_app/jobs/bulk_detail.html#live", _progress(request, bulk_id))


@require_POST
@answers_errors
def bulk_stop(request: Request, bulk_id: UUID) -> HttpResponse:
    bulk.stop_bulk(operation=bulk.find_bulk(user=request.user, bulk_id=bulk_id))
    return redirect("bulk-detail", bulk_id)


def _progress(request: Request, bulk_id: UUID) -> dict[str, Any]:
    operation: BulkOperation = bulk.find_bulk(user=request.user, bulk_id=bulk_id)
    counts = operation.counts()
    refused = operation.items.filter(outcome=BulkOutcome.REFUSED).select_related("job__pipeline_version__pipeline")
    return {
        "operation": operation,
        "said": words.BULK[BulkAction(operation.action)],
        "done": counts[BulkOutcome.DONE],
        "refused": counts[BulkOutcome.REFUSED],
        "skipped": counts[BulkOutcome.SKIPPED],
        "settled": operation.total - counts[""],
        "refusals": refused.order_by("id")[:REFUSALS],
        "more": max(0, counts[BulkOutcome.REFUSED] - REFUSALS),
    }


def _action(action: str) -> BulkAction:
    found = next((one for one in words.BULK_ON_PAGES if one == action), None)
    if found is None:
        raise Http404
    return found


def _choice(request: Request, wanted: str) -> bulk.Choice:
    """Of the workspace that the page of jobs shows."""
    here = workspace_of(request)
    if here is None:
        raise Http404
    return bulk.Choice(filter=wanted, workspace=here.slug)
