"""What was done in the workspace and by whom, for those who manage it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.views.decorators.http import require_safe

from frontend_app.http import Request, answers_errors, page, whole_number, workspace_of
from orchestration.services.access import find_workspace
from orchestration.services.audit import Wanted, entries_of, export
from orchestration.services.retention import end_of
from orchestration.states import AuditAction, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

PAGE: Final = 50
MAX_DIGITS: Final = 18


@require_safe
@answers_errors
def audit_log(request: Request) -> HttpResponse:
    """The newest first; `?action=`, `?since=` and `?until=` days, and the keyset cursor `?before=`."""
    wanted = _wanted(request)
    entries = entries_of(user=request.user, wanted=wanted)
    before = whole_number(request.GET.get("before", ""), digits=MAX_DIGITS)
    shown = list((entries.filter(pk__lt=before) if before else entries)[: PAGE + 1])
    context = {
        "entries": shown[:PAGE],
        "next": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "is_first": not before,
        "kinds": sorted({action.partition(".")[0] for action in AuditAction}),
        "given": request.GET,
    }
    return page(request, "frontend_app/audit/list.html", context)


@require_safe
@answers_errors
def audit_export(request: Request) -> HttpResponseBase:
    wanted = _wanted(request)
    lines = export(user=request.user, wanted=wanted)
    response = StreamingHttpResponse(_pieces(lines), content_type="application/jsonl")
    slug = wanted.workspace.slug if wanted.workspace else ""
    response["Content-Disposition"] = f'attachment; filename="audit-{slug}.jsonl"'
    response["Cache-Control"] = "no-store"
    return response


async def _pieces(lines: Iterator[str]) -> AsyncIterator[bytes]:
    """A synchronous iterator would be read whole into memory under ASGI."""
    while piece := await sync_to_async(_next)(lines):
        yield piece.encode()


def _next(lines: Iterator[str]) -> str:
    return next(lines, "")


def _wanted(request: Request) -> Wanted:
    shown = workspace_of(request)
    here = find_workspace(user=request.user, slug=shown.slug if shown else "", role=Role.MANAGER)
    since, until = _day(request.GET.get("since", "")), _day(request.GET.get("until", ""))
    kind = request.GET.get("action", "")
    known = kind and any(action.startswith(f"{kind}.") for action in AuditAction)
    return Wanted(
        workspace=here,
        since=end_of(since - timedelta(days=1)) if since else None,
        until=end_of(until) if until else None,
        action=f"{kind}." if known else "",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
