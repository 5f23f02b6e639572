"""One action on many jobs, chosen or all of a filter: looked at first, confirmed, followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app.bulk_standing import standing
from frontend_app.bulk_words import BULK, OUTCOMES, told
from frontend_app.http import Request, answers_errors, page, whole_number, workspace_of
from frontend_app.views.job_list import list_address
from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.ids import uuid_or_none
from orchestration.sentences import said as in_words
from orchestration.services import bulk
from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, QueryDict

    from orchestration.models import BulkOperation

ITEMS: Final = 50
MAX_DIGITS: Final = 9


@require_safe
@answers_errors
def bulk_preview(request: Request, action: str) -> HttpResponse:
    """Which jobs `?id=`, or all of `?q=`, it would be. What cannot be read is said on the page of jobs."""
    try:
        return _preview(request, action, request.GET)
    except Invalid as exc:
        if not request.GET.get("q"):
            messages.error(request, in_words(exc))
        return redirect(_jobs(request.GET))


def _preview(request: Request, action: str, given: QueryDict, error: str = "") -> HttpResponse:
    do, choice = _action(action), _choice(request, given)
    seen = bulk.preview(user=request.user, action=do, choice=choice)
    said = BULK[do]
    context = {
        "action": do,
        "title": said.title,
        "question": said.question(seen.total) if seen.total else said.nothing,
        "act": said.button(seen.total),
        "means": said.means,
        "choice": choice,
        "seen": seen,
        "rest": seen.total - len(seen.sample),
        "left_out": sum(seen.others.values()),
        "most": bulk.MOST_JOBS,
        "key": given.get("key") or str(uuid4()),
        "given": given,
        "error": error,
        "back": _jobs(given),
    }
    return page(request, "frontend_app/jobs/bulk.html", context, status=422 if error else 200)


@require_POST
@answers_errors
def bulk_begin(request: Request, action: str) -> HttpResponse:
    do = _action(action)
    expected = whole_number(request.POST.get("expected", ""), digits=MAX_DIGITS)
    try:
        operation, _is_new = bulk.begin_bulk(
            user=request.user, action=do, choice=_choice(request, request.POST), details=_details(do, request.POST),
            expected=expected, idempotency_key=request.POST.get("key", "")[:64],
        )  # fmt: skip
    except (Conflict, Invalid) as exc:
        return _looked_at_again(request, action, in_words(exc))
    return redirect("bulk-detail", operation.pk)


def _looked_at_again(request: Request, action: str, error: str) -> HttpResponse:
    try:
        return _preview(request, action, request.POST, error)
    except Invalid:
        messages.error(request, error)
        return redirect(_jobs(request.POST))


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
    """`?outcome=` shows those alone, `?after=` is the keyset cursor."""
    operation: BulkOperation = bulk.find_bulk(user=request.user, bulk_id=bulk_id)
    counts = operation.counts()
    usual = next((one for one in OUTCOMES if counts[one]), BulkOutcome.DONE)
    outcome = next((one for one in OUTCOMES if one == request.GET.get("outcome")), usual)
    items = operation.items.filter(outcome=outcome).select_related(
        "job__pipeline_version__pipeline", "made__pipeline_version__pipeline"
    )
    if after := whole_number(request.GET.get("after", ""), digits=18):
        items = items.filter(pk__gt=after)
    rows = list(items.order_by("id")[: ITEMS + 1])
    return standing(operation, counts) | {
        "told": told(operation),
        "outcomes": [(one, said, counts[one]) for one, said in OUTCOMES.items() if counts[one]],
        "outcome": outcome,
        "items": rows[:ITEMS],
        "is_first": not after,
        "next": rows[ITEMS - 1].pk if len(rows) > ITEMS else None,
    }


def _action(action: str) -> BulkAction:
    if action not in BULK:
        raise Http404
    return BulkAction(action)


def _jobs(given: QueryDict) -> str:
    return list_address(given.get("q", ""), given.get("workspace", ""))


def _choice(request: Request, given: QueryDict) -> bulk.Choice:
    """The chosen ones, or all that fit; of the workspace that the page of jobs shows."""
    here = workspace_of(request)
    if here is None:
        raise Http404
    named = given.getlist("id")
    if "all" in given or not named:
        return bulk.Choice(filter=given.get("q", ""), workspace=here.slug)
    ids = [uuid_or_none(one) for one in named]
    if None in ids:
        raise NotFound(_("There is no such job that you may see."))
    return bulk.Choice(ids=tuple(dict.fromkeys(one for one in ids if one)), workspace=here.slug)


def _details(action: BulkAction, given: QueryDict) -> bulk.Details:
    """Raises Invalid for what cannot be read."""
    if action == BulkAction.PRIORITY:
        text = given.get("priority", "").strip()
        number = whole_number(text.removeprefix("-"), digits=3)
        if number is None:
            raise Invalid(_("Write a priority from -100 to 100."))
        return bulk.Details(priority=-number if text.startswith("-") else number)
    if action == BulkAction.LABEL:
        return bulk.Details(set_labels=_labels(given.get("set", "")), remove_labels=_names(given.get("remove", "")))
    return bulk.NO_DETAILS


def _labels(text: str) -> dict[str, str]:
    """A line for each."""
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not key.strip() for key, _is, _value in pairs):
        raise Invalid(_("Write each label as name=value, in a line of its own."))
    return {key.strip(): value.strip() for key, _is, value in pairs}


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.replace(",", "\n").splitlines() if name.strip()))
