"""What administrators do to jobs, those that are ticked or all that fit a filter: looked at, confirmed, then begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.shortcuts import redirect, render

from frontend_app.bulk_words import BULK
from frontend_app.http import whole_number
from orchestration.errors import OrchestrationError
from orchestration.ids import uuid_or_none
from orchestration.sentences import said
from orchestration.services import bulk
from orchestration.states import BulkAction

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from orchestration.models import User

MAX_DIGITS: Final = 9
MOST_PRIORITY: Final = 100


def act(request: HttpRequest, action: BulkAction, *, name: str) -> HttpResponse | None:
    """None: back to the list, with a message that says why. `name` is the action's in Django's form."""
    user = cast("User", request.user)
    try:
        choice = _choice(request)
        if "sure" in request.POST:
            return _begin(request, user, action, choice)
        seen = bulk.preview(user=user, action=action, choice=choice)
    except OrchestrationError as exc:
        messages.error(request, said(exc))
        return None
    context = {
        **admin.site.each_context(request),
        "title": BULK[action].title,
        "said": BULK[action],
        "seen": seen,
        "rest": seen.total - len(seen.sample),
        "left_out": sum(seen.others.values()),
        "most": bulk.MOST_JOBS,
        "filter": choice.filter,
        "ids": choice.ids,
        "checkbox": ACTION_CHECKBOX_NAME,
        "action": name,
        "needs_priority": action == BulkAction.PRIORITY,
        "most_priority": MOST_PRIORITY,
        "key": str(uuid4()),
        "back": request.get_full_path(),
    }
    return render(request, "admin/orchestration/job/act.html", context)


def _begin(request: HttpRequest, user: User, action: BulkAction, choice: bulk.Choice) -> HttpResponse:
    operation, _ = bulk.begin_bulk(
        user=user,
        action=action,
        choice=choice,
        details=_details(request, action),
        expected=whole_number(request.POST.get("expected", ""), digits=MAX_DIGITS),
        idempotency_key=request.POST.get("key", "")[:64],
    )
    return redirect("bulk-detail", operation.pk)


def _details(request: HttpRequest, action: BulkAction) -> bulk.Details:
    if action != BulkAction.PRIORITY:
        return bulk.NO_DETAILS
    text = request.POST.get("priority", "")
    number = whole_number(text.removeprefix("-"), digits=3)
    return bulk.Details(priority=None if number is None else -number if text.startswith("-") else number)


def _choice(request: HttpRequest) -> bulk.Choice:
    """Those that are ticked, or the whole filter where "all" was: what is acted on is what the box says."""
    if request.POST.get("select_across") == "1":
        return bulk.Choice(filter=request.GET.get("q", ""))
    ids: list[Any] = [uuid_or_none(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)]
    return bulk.Choice(ids=tuple(one for one in ids if one))
