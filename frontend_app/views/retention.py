from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from frontend_app import words
from frontend_app.http import Request, answers_errors, page, refusals_said, workspace_of
from orchestration import figures
from orchestration.errors import Conflict, Invalid, NotFound, QuotaExceeded, StorageUnavailable
from orchestration.ids import uuid_or_none
from orchestration.models import File, FileEvent
from orchestration.models.budget import standing_of
from orchestration.models.usage import usage_of
from orchestration.sentences import said
from orchestration.services.access import find_file, find_recorded_file
from orchestration.services.files import delete_file, for_each, undelete_file
from orchestration.services.receipts import as_document, receipt_of
from orchestration.services.retention import end_of, extend_file, hold_file, release_file
from orchestration.states import FILE_GONE_BY

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpResponse
    from django.utils.safestring import SafeString

    from orchestration.errors import OrchestrationError

    type Fared = list[tuple[File, OrchestrationError | None]]

PAGE: Final = 100
EXTENSIONS_DAYS: Final = (30, 90, 365)
SAID_OF_MANY: Final = 5
"""So many refusals are said one by one; of the rest only the number."""


@require_safe
@answers_errors
def file_deleted(request: Request) -> HttpResponse:
    """What can still be brought back, the last sent first."""
    files = File.objects.visible_to(request.user).deleted().filter(workspace=workspace_of(request))
    if before := uuid_or_none(request.GET.get("before", "")):
        files = files.filter(pk__lt=before)
    rows = list(files.order_by("-id")[: PAGE + 1])
    context = {
        "files": _with_ends(rows[:PAGE]),
        "is_first": before is None,
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
    }
    return page(request, "frontend_app/files/deleted.html", context)


def _with_ends(files: list[File]) -> list[tuple[File, FileEvent | None]]:
    """Each with the event that says who deleted it."""
    gone = FileEvent.objects.filter(file_id__in=[f.pk for f in files], kind__in=FILE_GONE_BY)
    events = gone.select_related("actor")
    ends = {event.file_id: event for event in events.order_by("id")}
    return [(file, ends.get(file.pk)) for file in files]


@require_safe
@answers_errors
def file_receipt(request: Request, file_id: UUID) -> HttpResponse:
    """The receipt of a deletion as a document to keep."""
    file = find_recorded_file(user=request.user, file_id=file_id)
    try:
        receipt = receipt_of(file=file)
    except Conflict as exc:
        raise NotFound(str(exc)) from exc
    response = JsonResponse(as_document(receipt), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="receipt-{file.pk}.json"'
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@answers_errors
def usage(request: Request) -> HttpResponse:
    here = workspace_of(request)
    context: dict[str, Any] = {}
    if here is not None:
        found = usage_of(here)
        named = [(words.FILE_CLASSES[name], amount) for name, amount in found.classes.items()]
        context = {
            "usage": found,
            "classes": [(name, amount, amount.bytes / max(1, found.total.bytes)) for name, amount in named],
            "full": found.used_bytes / found.quota_bytes if found.quota_bytes else None,
            "budget": standing_of(here),
            "is_priced": settings.PRICES is not None,
        }
    return page(request, "frontend_app/files/usage.html", context)


@require_POST
@answers_errors
def file_undelete(request: Request, file_id: UUID) -> HttpResponse:
    file = find_recorded_file(user=request.user, file_id=file_id)
    with refusals_said(request, NotFound, QuotaExceeded, StorageUnavailable):
        file = undelete_file(user=request.user, file=file)
        messages.success(
            request,
            _("%(name)s is back, and kept until %(day)s.") % {"name": file.name, "day": figures.day(file.expires_at)},
        )
    return redirect("file-detail", file_id)


@require_POST
@answers_errors
def file_extend(request: Request, file_id: UUID) -> HttpResponse:
    file = find_file(user=request.user, file_id=file_id)
    with refusals_said(request, Conflict, Invalid):
        longer = extend_file(user=request.user, file=file, **_term(request))
        messages.success(
            request, _("%(name)s is kept until %(day)s.") % {"name": file.name, "day": figures.day(longer.expires_at)}
        )
    return redirect("file-detail", file_id)


@require_POST
@answers_errors
def file_hold(request: Request, file_id: UUID) -> HttpResponse:
    file = find_recorded_file(user=request.user, file_id=file_id)
    with refusals_said(request, Conflict, Invalid):
        hold_file(user=request.user, file=file, reason=request.POST.get("reason", ""))
        messages.success(request, _("%(name)s is on hold. Nobody and no date deletes it.") % {"name": file.name})
    return redirect("file-detail", file_id)


@require_POST
@answers_errors
def file_release(request: Request, file_id: UUID) -> HttpResponse:
    file = find_recorded_file(user=request.user, file_id=file_id)
    with refusals_said(request, Conflict, Invalid):
        release_file(user=request.user, file=file, reason=request.POST.get("reason", ""))
        messages.success(request, _("%(name)s is no longer on hold: its own date counts again.") % {"name": file.name})
    return redirect("file-detail", file_id)


@require_POST
@answers_errors
def files_together(request: Request, do: str) -> HttpResponse:
    """What the list does to the chosen files: use, extend, delete or undelete."""
    ids = [i for text in request.POST.getlist("file") for part in text.split(",") if (i := uuid_or_none(part))]
    match do:
        case "use":
            return redirect(f"{reverse('job-new')}?{urlencode([('file', i) for i in ids])}")
        case "extend":
            _extend_all(request, ids)
        case "delete":
            _delete_all(request, ids)
        case "undelete":
            fared = for_each(undelete_file, user=request.user, ids=ids, deleted=True)
            _say(request, fared, lambda n: ngettext("%(number)s file is back.", "%(number)s files are back.", n))
        case _:
            raise NotFound(_("Files can be used, extended, deleted and undeleted together."))
    return redirect("file-list")


def _delete_all(request: Request, ids: list[UUID]) -> None:
    done = _refusals_said(request, for_each(delete_file, user=request.user, ids=ids))
    if done:
        sentence = ngettext(
            "%(number)s file is deleted. It can be brought back for 30 days.",
            "%(number)s files are deleted. They can be brought back for 30 days.",
            len(done),
        )
        told = sentence % {"number": figures.whole(len(done))}
        undo = ",".join(str(file.pk) for file in done)
        messages.success(request, undoable(told, address=reverse("files-together", args=["undelete"]), files=undo))


def _extend_all(request: Request, ids: list[UUID]) -> None:
    with refusals_said(request, Invalid):
        term = _term(request)
        fared = for_each(partial(extend_file, **term), user=request.user, ids=ids)
        _say(
            request,
            fared,
            lambda n: ngettext("%(number)s file is kept longer.", "%(number)s files are kept longer.", n),
        )


def _say(request: Request, fared: Fared, counted: Callable[[int], str]) -> None:
    if done := _refusals_said(request, fared):
        messages.success(request, counted(len(done)) % {"number": figures.whole(len(done))})


def _refusals_said(request: Request, fared: Fared) -> list[File]:
    """Those that went well."""
    refused = [said(exc) for _file, exc in fared if exc]
    for sentence in refused[:SAID_OF_MANY]:
        messages.error(request, sentence)
    if (more := len(refused) - SAID_OF_MANY) > 0:
        left = ngettext("And %(number)s more was left as it is.", "And %(number)s more were left as they are.", more)
        messages.error(request, left % {"number": figures.whole(more)})
    if not fared:
        messages.error(request, _("Choose some files first."))
    return [file for file, exc in fared if exc is None]


def undoable(sentence: str, *, address: str, files: str = "") -> SafeString:
    """A message with the button that takes it back; it sends itself through the page's own form."""
    button = '<button class="slim" form="act" formaction="{}" name="file" value="{}">{}</button>'
    return format_html('<span class="row">{} ' + button + "</span>", sentence, address, files, _("Undo"))


def _term(request: Request) -> dict[str, Any]:
    """By how much or until when, as it was typed; the service asks for one of them. Raises Invalid for a slip."""
    until, days = request.POST.get("until", ""), request.POST.get("days", "")
    try:
        if until:
            return {"until": end_of(date.fromisoformat(until))}
        return {"days": int(days[:6])} if days else {}
    except (ValueError, OverflowError) as exc:
        raise Invalid(_("Choose by how long, or a date such as 2027-12-31.")) from exc
