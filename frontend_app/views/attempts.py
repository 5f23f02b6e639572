from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from frontend_app.http import Request, answers_errors, page, whole_number
from frontend_app.log_text import TAIL, log_from_line, log_text
from frontend_app.streaming import Blocks
from frontend_app.views.job_parts import source_names
from orchestration.models import Event
from orchestration.services.access import find_attempt, find_job
from orchestration.services.logs import STORAGE, log_key
from orchestration.states import LOGS_DELETED
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from uuid import UUID

    from django.http.response import HttpResponseBase

    from orchestration.models import Attempt

MAX_OFFSET_DIGITS = 18
MAX_LINE_DIGITS = 9


@require_safe
@answers_errors
def attempt_detail(request: Request, attempt_id: UUID) -> HttpResponse:
    """One try of one item, with the end of its log; the page's script goes on from there."""
    attempt = find_attempt(user=request.user, attempt_id=attempt_id)
    job = find_job(user=request.user, job_id=attempt.job_id)
    log = log_text(attempt=attempt, offset=-TAIL)
    context = {
        "attempt": attempt,
        "job": job,
        "source": source_names(job, [(attempt.step, attempt.item_index)]).get((attempt.step, attempt.item_index), ""),
        "log": log,
        "log_cut": log.start > 0,
        "log_deleted": _log_deleted(attempt) if log.is_complete and not log.end else None,
    }
    return page(request, "frontend_app/attempts/detail.html", context)


def _log_deleted(attempt: Attempt) -> Event | None:
    """Why there is nothing to read: its date had come."""
    ends = Event.objects.filter(job_id=attempt.job_id, reason=LOGS_DELETED, at__gt=attempt.finished_at)
    return ends.order_by("id").first()


@require_safe
@answers_errors
def attempt_log(request: Request, attempt_id: UUID) -> HttpResponse:
    """The next piece of the log as plain text: from `?offset=` or `?line=`; without them, the end of it."""
    attempt = find_attempt(user=request.user, attempt_id=attempt_id)
    offset = whole_number(request.GET.get("offset", ""), digits=MAX_OFFSET_DIGITS)
    line = whole_number(request.GET.get("line", ""), digits=MAX_LINE_DIGITS)
    if line is not None:
        log = log_from_line(attempt=attempt, line=line)
    else:
        log = log_text(attempt=attempt, offset=-TAIL if offset is None else offset)
    response = HttpResponse(log.text, content_type="text/plain; charset=utf-8")
    response["Esteira-Log-Start"] = str(log.start)
    response["Esteira-Log-End"] = str(log.end)
    response["Esteira-Log-Line"] = str(log.line or "")
    response["Esteira-Log-Complete"] = "true" if log.is_complete else "false"
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@answers_errors
def attempt_log_download(request: Request, attempt_id: UUID) -> HttpResponseBase:
    """The bytes as the step wrote them, terminal codes and all."""
    attempt = find_attempt(user=request.user, attempt_id=attempt_id)
    storage, key = get_storage(STORAGE), log_key(attempt)
    name = f"{attempt.step}-{attempt.item_index}-run{attempt.run}-try{attempt.number}.log"
    size = storage.size(key)
    response: HttpResponseBase = (
        StreamingHttpResponse(Blocks(storage.open(key), size), content_type="application/octet-stream")
        if size
        else HttpResponse(b"", content_type="application/octet-stream")
    )
    response["Content-Length"] = str(size or 0)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "no-store"
    return response
