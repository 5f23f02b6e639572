"""Many files at once, in one ZIP that is made while it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors
from frontend_app.streaming import archive_attachment
from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.ids import uuid_or_none
from orchestration.sentences import said
from orchestration.services.access import find_job
from orchestration.services.archives import files_archive, results_archive

if TYPE_CHECKING:
    from uuid import UUID

    from django.http.response import HttpResponseBase


@require_safe
@answers_errors
def job_results_zip(request: Request, job_id: UUID) -> HttpResponseBase:
    """All results of a job; the button is there only when it has any."""
    job = find_job(user=request.user, job_id=job_id)
    try:
        archive = results_archive(user=request.user, job=job)
    except Conflict as exc:
        messages.error(request, said(exc))
        return redirect("job-detail", job_id)
    return archive_attachment(request, archive)


@require_POST
@answers_errors
def files_zip(request: Request) -> HttpResponseBase:
    """The chosen files of a list."""
    ids = [found for text in request.POST.getlist("file") if (found := uuid_or_none(text))]
    try:
        archive = files_archive(user=request.user, ids=ids)
    except (Conflict, Invalid, NotFound) as exc:
        messages.error(request, said(exc))
        return redirect("file-list")
    return archive_attachment(request, archive)
